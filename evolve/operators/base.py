"""The seam to the operators: ways to make a child from parents."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from random import Random
from typing import Protocol

from evolve.events import Trial
from evolve.types import Evaluation, Program


@dataclass(frozen=True, slots=True)
class Parent:
    """A candidate as an operator sees it."""

    id: str
    program: Program
    rung: float | None
    """Its mean score on the cheap rung; None where it has no score there."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What an operator may look at and use."""

    parents: tuple[Parent, ...]
    known: Collection[str]
    """Digests of the programs that the run has already."""
    trials: tuple[Trial, ...]
    """Earlier trials of the first parent's study."""
    draw: Random
    """The attempt's own source of chance."""
    follows_instructions: bool
    """False where the task agent ignores the programs' instruction constants: changing them changes nothing."""
    measure: Callable[[Program], Evaluation]
    """Measures a program on the cheap rung."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A child that is worth a look, or the reason why there is none."""

    program: Program | None
    note: str
    """One line: what was done, or why nothing came of it."""
    rung: Evaluation | None = None
    """Its evaluation on the cheap rung, where the operator has made one."""
    trials: tuple[Trial, ...] = ()


class Operator(Protocol):
    """Makes a child. Runs in a worker; deterministic given the ground."""

    name: str
    arity: int
    """Number of parents."""

    def applies(self, program: Program) -> bool:
        """True where this program can be the first parent."""
        ...

    def propose(self, ground: Ground) -> Proposal:
        """Return a child whose digest is not known, or a proposal without a program. Raises PrerequisiteError only."""
        ...
