"""A critique as people read it: what a model found wrong, what that cost, and every word that was exchanged."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from evolve.operators.base import Critique
from evolve.types import Cost


def critique_markdown(critique: Critique, costs: Mapping[str, Cost]) -> str:
    """Return the text of `critique.md`; `costs` are those of the attempt, by role."""
    lines = ["# Diagnosis", "", critique.diagnosis or "The model gave none.", "", "# Cost", "", *_costs(costs), ""]
    for number, each in enumerate(critique.rounds, start=1):
        lines += [f"# Round {number}", "", f"Outcome: {each.problem or 'the change was taken.'}", ""]
        lines += ["## Prompt", "", _fenced(each.prompt), "", "## Reply", "", _fenced(each.reply), ""]
    return "\n".join(lines)


def essence(critique: str) -> list[str]:
    """Return the diagnosis, and a line for each round; what is quoted between fences is left out."""
    lines, fence, section = [], "", ""
    for line in critique.splitlines():
        if fence:
            fence = "" if line == fence else fence
        elif line.startswith("```") and section != "# Diagnosis":
            fence = line[: len(line) - len(line.lstrip("`"))]
        elif line.startswith("# "):
            section = line
        elif section == "# Diagnosis":
            lines.append(line)
        elif section.startswith("# Round") and line.startswith("Outcome: "):
            lines.append(f"{section[2:]}: {line.removeprefix('Outcome: ')}")
    return lines[1:] if lines[:1] == [""] else lines


def _costs(costs: Mapping[str, Cost]) -> Iterator[str]:
    if not costs:
        yield "Nothing was counted."
    for role, cost in sorted(costs.items()):
        usd = "at an unknown price" if cost.usd is None else f"${cost.usd:.4f}"
        yield (
            f"- {role}: {usd}; {cost.calls:,} calls and {cost.cached:,} answers kept from before; "
            f"{cost.input_tokens:,} tokens in ({cost.cached_tokens:,} cached), {cost.output_tokens:,} out"
        )


def _fenced(text: str) -> str:
    """The text in a fence longer than any in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"
