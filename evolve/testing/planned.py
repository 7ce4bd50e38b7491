"""Rewrites by plan: each number gives another change, all hold, and they differ in what they make run again.

For measuring how fast a search is, not how good: the programs get no better by them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from evolve.testing.weak_reflector import REPLY, as_blocks, as_patch, as_whole

_PROGRAM = re.compile(r"^<program>\n(.*?)^</program>$", re.DOTALL | re.MULTILINE)
_READ = """
    def read(self, query):
        return f"As of remark {number}:\\n{{self.read_{number}(query)}}"[:3000]
"""


def reads(source: str, number: int) -> str:
    """Change what is read: the answers run again."""
    lines = source.split("\n")
    (memory,) = (
        each for each in ast.parse(source).body if isinstance(each, ast.ClassDef) and each.name == "KnowledgeBase"
    )
    (read,) = (each for each in memory.body if isinstance(each, ast.FunctionDef) and each.name == "read")
    lines[read.lineno - 1] = lines[read.lineno - 1].replace("def read(", f"def read_{number}(")
    end = read.end_lineno or len(lines)
    lines[end:end] = _READ.format(number=number).rstrip("\n").split("\n")
    return "\n".join(lines)


def instructs(constant: str) -> Callable[[str, int], str]:
    """Return a change of an instruction constant: what it instructs runs again."""

    def change(source: str, number: int) -> str:
        assigned = (each for each in ast.parse(source).body if isinstance(each, ast.Assign))
        (found,) = (each for each in assigned if ast.unparse(each.targets[0]) == constant)
        lines = source.split("\n")
        value = f"{ast.literal_eval(found.value)} Mind remark {number}."
        lines[found.lineno - 1 : found.end_lineno] = [f"{constant} = {value!r}"]
        return "\n".join(lines)

    return change


def asks_for(schema: str) -> Callable[[str, int], str]:
    """Return a change that gives a schema one more field: what fills the schema runs again."""

    def change(source: str, number: int) -> str:
        (found,) = (each for each in ast.parse(source).body if isinstance(each, ast.ClassDef) and each.name == schema)
        lines = source.split("\n")
        described = f'field(default="", metadata={{"description": "Remark {number}, in a few words"}})'
        lines.insert(found.end_lineno or len(lines), f"    remark_{number}: str = {described}")
        return "\n".join(lines)

    return change


PLAN: tuple[tuple[str, Callable[[str, int], str]], ...] = (
    ("Read otherwise", reads),
    ("Answer otherwise", instructs("INSTRUCTION_RESPONSE")),
    ("Extract otherwise", instructs("INSTRUCTION_KNOWLEDGE_ITEM")),
    ("Read otherwise", reads),
    ("Ask the memory otherwise", instructs("INSTRUCTION_QUERY")),
    ("Read otherwise", reads),
    ("Keep one thing more", asks_for("KnowledgeItem")),
    ("Read otherwise", reads),
    ("Keep another thing in mind", instructs("ALWAYS_ON_KNOWLEDGE")),
    ("Ask the memory for one thing more", asks_for("Query")),
)
"""Title and change, taken in turn: of ten children four read otherwise, two have other items, two other queries and two
are asked otherwise alone."""


def rewrite(prompt: str, number: int) -> str | None:
    """Return the reflector's reply for the first program in its prompt, in one of the three forms; None without one."""
    shown = _PROGRAM.search(prompt)
    if shown is None:
        return None
    title, change = PLAN[number % len(PLAN)]
    source = shown[1]
    changed = change(source, number)
    form = (as_patch, as_blocks, lambda before, after: as_whole(after))[number % 3]
    return REPLY.format(diagnosis=f"Remark {number} is not taken up.", title=title, change=form(source, changed))
