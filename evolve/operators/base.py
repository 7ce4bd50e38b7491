"""The seam to the operators: ways to make a child from parents."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from evolve.config import Config
from evolve.events import Trial
from evolve.models.base import Ask
from evolve.types import Evaluation, Program, Query


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt that a reflector may learn from."""

    candidate: str
    parents: tuple[str, ...]
    operator: str
    note: str
    """What was done, in a line."""
    mean: float | None
    """Static score; None where it was rejected or is void."""
    change: float | None
    """Mean minus that of the best parent, both on the static queries; None where either has none."""
    reason: str = ""
    """Why it was rejected."""
    diff: str = ""
    """Structural difference to the first parent, in words."""


@dataclass(frozen=True, slots=True)
class Parent:
    """A candidate as an operator sees it."""

    id: str
    program: Program
    rung: float | None
    """Its mean score on the cheap rung; None where it has no score there."""
    mean: float | None = None
    """Its static score."""
    ancestry: tuple[Tried, ...] = ()
    """From its seed to itself, along the first parents."""
    children: tuple[Tried, ...] = ()
    """What was tried from it before."""
    scores: Mapping[str, float] | None = None
    """Static scores by query id: numbers, no gold answers."""


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
    config: Config
    follows_instructions: bool
    """False where the task agent ignores the programs' instruction constants: changing them changes nothing."""
    measure: Callable[[Program], Evaluation]
    """Measures a program on the cheap rung."""
    trace: Callable[[Program, Sequence[Query]], Evaluation]
    """Measures a program on rotating queries, with the writes that matter for its failures."""
    smoke: Callable[[Program], str]
    """Lets a program write and read real things of the task; returns its fault, or ""."""
    rotating: tuple[Query, ...] = ()
    """All rotating queries: the only ones whose gold answers and evidence an operator may show to a model."""
    wins: tuple[Mapping[str, int], ...] = ()
    """For two parents: on how many static queries each beats the other, by category."""
    reference: Parent | None = None
    """The best program that is not among the parents and their ancestors."""
    ask: Ask | None = None
    """Asks a model; None in a run without one."""


@dataclass(frozen=True, slots=True)
class Round:
    """One exchange with the reflector."""

    prompt: str
    reply: str
    problem: str = ""
    """Why the change in the reply could not be taken; "" where it was."""


@dataclass(frozen=True, slots=True)
class Critique:
    """How a model came to its change: kept with the candidate."""

    diagnosis: str
    rounds: tuple[Round, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A child that is worth a look, or the reason why there is none."""

    program: Program | None
    note: str
    """One line: what was done, or why nothing came of it."""
    rung: Evaluation | None = None
    """Its evaluation on the cheap rung, where the operator has made one."""
    trials: tuple[Trial, ...] = ()
    critique: Critique | None = None
    idea: str = ""
    """What was to be done, where nothing came of it: the next attempt is told, so that it tries something else."""


class Operator(Protocol):
    """Makes a child. Runs in a worker; deterministic given the ground."""

    name: str
    arity: int
    """Number of parents."""

    def applies(self, program: Program, config: Config) -> bool:
        """True where this program can be the first parent under this configuration."""
        ...

    def propose(self, ground: Ground) -> Proposal:
        """Return a child whose digest is not known, or a proposal without a program.

        Raises what `Ask` raises, besides RequestRefused.
        """
        ...
