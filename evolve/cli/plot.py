"""A comparison as a picture: a dot for each program's score, a line for its interval. SVG, without a library."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from evolve.summary.board import Board

WIDTH, LEFT, RIGHT, TOP, ROW = 860, 190, 70, 64, 20
TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 } .tick { fill: #656d76 } .name { text-anchor: end } .grid { stroke: #d8dee4 }
.interval { stroke: #0969da; stroke-width: 2 } .mean { fill: #0969da }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .tick { fill: #8d96a0 } .grid { stroke: #30363d }
.interval { stroke: #58a6ff } .mean { fill: #58a6ff } }
"""


def plot(board: Board) -> str:
    """Return an SVG document; programs without a score are left out. The scale is 0 to 1."""
    rows = [row for row in board["programs"] if row["score"]]
    height = TOP + ROW * len(rows) + 24
    bottom = TOP + ROW * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(_title(board))}</title>",
        f"<style>{STYLE}</style>",
        f'<text class="title" x="12" y="22">{escape(_title(board))}</text>',
        '<text class="tick" x="12" y="40">mean and 95 % interval</text>',
    ]
    for tick in TICKS:
        parts.append(f'<line class="grid" x1="{_x(tick)}" x2="{_x(tick)}" y1="{TOP - 8}" y2="{bottom}"/>')
        parts.append(f'<text class="tick" x="{_x(tick)}" y="{bottom + 16}" text-anchor="middle">{tick:.1f}</text>')
    for place, row in enumerate(rows):
        held, y = row["score"], TOP + ROW * place + 4
        assert held is not None
        parts.append(f'<text class="name" x="{LEFT - 12}" y="{y + 4}">{escape(row["program"])}</text>')
        parts.append(f'<line class="interval" x1="{_x(held["low"])}" x2="{_x(held["high"])}" y1="{y}" y2="{y}"/>')
        parts.append(f'<circle class="mean" cx="{_x(held["mean"])}" cy="{y}" r="4"/>')
        parts.append(f'<text x="{WIDTH - RIGHT + 14}" y="{y + 4}">{held["mean"]:.3f}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _title(board: Board) -> str:
    which = "held-out" if board["split"] == "test" else "search"
    return f"{board['task']}: {board['scorer']} on {board['queries']:,} {which} queries"


def _x(value: float) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, max(0.0, value)), 1)
