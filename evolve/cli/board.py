"""How a comparison looks: as much of it as a terminal has room for, and all of it in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evolve.summary.board import Board, Row

INTERVAL = "95 % interval"
PADDING = 2


def print_board(board: Board) -> None:
    """Print the table, whose faults they are, and what the score means."""
    from evolve.cli.text import console, count, cut, print_block, table
    from evolve.summary import meaning

    out = console()
    out.print(heading(board), style="bold")
    shown, left_out = _fitting(_columns(board), out.width)
    rows = table(*shown, right=[name for name in shown if name not in ("program", INTERVAL)])
    for place in range(len(board["programs"])):
        rows.add_row(*(cells[place] for cells in shown.values()))
    out.print(rows)
    told = "read: characters of one read; p50, p95: milliseconds of one read"
    more = f". No room here for {', '.join(left_out)}: --json and --to have them" if left_out else ""
    out.print(f"{told}{more}", style="dim")
    faults = []
    for row in board["programs"]:
        whose = ((row["program_faults"], "the program"), (row["infrastructure_faults"], "the infrastructure"))
        for number, what in whose:
            if number:
                reason = cut(row["reasons"][0], 200)
                faults.append(f"  {row['program']}: {count(number, 'query')} failed in {what}; {reason}")
    print_block(out, "Faults (the program's count as 0, the infrastructure's are left out)", faults)
    for note in board["notes"]:
        out.print(f"\n{note}")
    out.print(f"\n{meaning(board['scorer'], board['agent'], board['task'])}")


def _columns(board: Board) -> list[dict[str, list[str]]]:
    """Return the columns in groups, what matters most first; each has a cell for every program."""
    from evolve.cli.text import dollars, duration, plain, size, span

    rows = board["programs"]
    measures = sorted({name for row in rows for name in row["measures"]})
    paid = any(row["cost"]["calls"] for row in rows)
    calls = {
        "calls": [f"{row['cost']['calls']:,}" for row in rows],
        "cost": [dollars(row["cost"]["usd"]) for row in rows],
    }
    return [
        {
            "program": [row["program"] for row in rows],
            board["scorer"]: [plain(row["score"]) for row in rows],
            INTERVAL: [span(row["score"]) for row in rows],
            "n": [size(row["score"]) for row in rows],
        },
        calls if paid else {},
        *(
            {f"{name} (n={asked})": [_category(row, name) for row in rows]}
            for name, asked in board["categories"].items()
        ),
        {"read": [f"{row['read']['chars']:,.0f}" for row in rows]},
        {"p50": [f"{row['read']['p50_ms']:.1f}" for row in rows]},
        {"p95": [f"{row['read']['p95_ms']:.1f}" for row in rows]},
        *({name: [_measure(row, name) for row in rows]} for name in measures),
        {"time": [duration(row["seconds"]) for row in rows]},
    ]


def _category(row: Row, name: str) -> str:
    held = row["categories"].get(name)
    return f"{held['mean']:.2f} ({held['low']:.2f} to {held['high']:.2f})" if held else "-"


def _measure(row: Row, name: str) -> str:
    return f"{row['measures'][name]:.2f}" if name in row["measures"] else "-"


def _fitting(groups: Sequence[dict[str, list[str]]], width: int) -> tuple[dict[str, list[str]], list[str]]:
    """Return the columns that fit side by side, the first group always, and the names of those that do not."""
    shown: dict[str, list[str]] = {}
    left_out: list[str] = []
    for group in groups:
        taken = sum(max(map(len, (name, *cells))) + PADDING for name, cells in {**shown, **group}.items())
        if shown and taken > width:
            left_out += group
        else:
            shown |= group
    return shown, left_out


def heading(board: Board) -> str:
    """Return in a line what was measured on what."""
    which = "held-out queries" if board["split"] == "test" else "queries that a search sees"
    episodes = f"{board['episodes']:,} episode{'' if board['episodes'] == 1 else 's'}"
    return f"{board['task']}: {board['scorer']} on {board['queries']:,} {which}, after {episodes}"


def markdown(board: Board) -> str:
    """Return the comparison as a Markdown table, with every category and its number of queries."""
    categories = list(board["categories"])
    measures = sorted({name for row in board["programs"] for name in row["measures"]})
    head = [
        "program", board["scorer"], "95 % interval", "n", "behind the best", *(
            f"{name} (n={board['categories'][name]})" for name in categories
        ), *measures, "calls/write", "tokens/write", "calls/read", "tokens/read", "read chars", "write p50/p95 ms",
        "read p50/p95 ms",
    ]  # fmt: skip
    lines = [heading(board), "", *board["notes"], *([""] if board["notes"] else [])]
    lines += [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(_cells(row, categories, measures))} |" for row in board["programs"]]
    return "\n".join(lines) + "\n"


def _cells(row: Row, categories: Sequence[str], measures: Sequence[str]) -> list[str]:
    held, behind, write, read = row["score"], row["behind"], row["write"], row["read"]
    faults = f" ({row['program_faults']} faults)" if row["program_faults"] else ""
    return [
        f"`{row['program']}`{faults}",
        f"{held['mean']:.3f}" if held else "-",
        f"{held['low']:.3f} to {held['high']:.3f}" if held else "-",
        f"{held['n']:,}" if held else "-",
        f"{behind['difference']:.3f} ({behind['low']:.3f} to {behind['high']:.3f}, n={behind['n']})" if behind else "",
        *(_category(row, name) for name in categories),
        *(f"{row['measures'][name]:.3f}" if name in row["measures"] else "-" for name in measures),
        f"{write['calls']:.2f}", f"{write['tokens']:.0f}", f"{read['calls']:.2f}", f"{read['tokens']:.0f}",
        f"{read['chars']:,.0f}", f"{write['p50_ms']:.1f} / {write['p95_ms']:.1f}",
        f"{read['p50_ms']:.1f} / {read['p95_ms']:.1f}",
    ]  # fmt: skip
