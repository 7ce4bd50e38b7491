"""Keeps a child from changing what `search.freeze` protects (the paper's ablations of instructions and code)."""

from __future__ import annotations

from typing import Literal, TypeAlias

from evolve.errors import ProgramError
from evolve.program import parse
from evolve.program.contract import INSTRUCTIONS
from evolve.types import Program

Freeze: TypeAlias = Literal["", "instructions", "code"]


def frozen(parent: Program, child: Program, freeze: Freeze) -> Program:
    """Return the child with the frozen part as the parent has it.

    "instructions": the parent's instruction constants in the child. "code": the child's instruction constants in the
    parent. "": the child.

    Raises:
        ProgramError: the two cannot be put together.
    """
    if not freeze:
        return child
    changed = [name for name in INSTRUCTIONS if parent.instructions[name] != child.instructions[name]]
    base, donor = (child, parent) if freeze == "instructions" else (parent, child)
    result = parse(_with_instructions(base, donor, changed), name="child")
    if result.instructions != donor.instructions:
        expected = "each instruction constant assigned in a statement of its own"
        raise ProgramError(line=None, found="instruction constants that share a statement", expected=expected)
    return result


def _with_instructions(base: Program, donor: Program, names: list[str]) -> str:
    from evolve.program.assembly import replace_values  # libcst is slow to import

    return replace_values(base.source, donor.source, names) if names else base.source
