"""What a figure of a bench has to reach, for the table it prints and for docs/performance.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

Bound: TypeAlias = Literal["machine", "design"]
"""What a figure hangs on: the processors of the machine, or how the program is built."""
Target: TypeAlias = dict[str, str | float | bool]
"""One entry of "targets" in a bench's JSON line: what, figure, unit, target, met, bound."""


def at_most(what: str, figure: float, limit: float, unit: str = "", *, bound: Bound = "design") -> Target:
    """Return a figure that must not be larger than the limit."""
    return _target(what, figure, f"at most {limit:g}", unit, met=figure <= limit, bound=bound)


def at_least(what: str, figure: float, limit: float, unit: str = "", *, bound: Bound = "design") -> Target:
    """Return a figure that must not be smaller than the limit."""
    return _target(what, figure, f"at least {limit:g}", unit, met=figure >= limit, bound=bound)


def print_targets(targets: Sequence[Target]) -> None:
    """Print one line for each."""
    for each in targets:
        verdict = "met" if each["met"] else "MISSED"
        print(f"{each['what']}: {each['figure']:g} {each['unit']}".rstrip() + f" ({each['target']}: {verdict})")


def _target(what: str, figure: float, target: str, unit: str, *, met: bool, bound: Bound) -> Target:
    return {
        "what": what,
        "figure": float(f"{figure:.4g}"),
        "unit": unit,
        "target": f"{target} {unit}".strip(),
        "met": met,
        "bound": bound,
    }
