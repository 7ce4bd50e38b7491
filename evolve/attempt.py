"""What goes to a worker and what comes back: one attempt, or one more measurement of a candidate; immutable values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from evolve.events import CandidateOutcome, Dropped, Trial
from evolve.operators.base import Critique, Parent
from evolve.types import Cost, Evaluation, Phase, Program


@dataclass(frozen=True, slots=True)
class Rival:
    """The candidate that a child races against: the best one when the attempt began."""

    id: str
    scores: Mapping[str, float]
    """On the static queries."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Everything that a worker needs to make and measure one candidate; immutable."""

    number: int
    operator: str
    """"seed", or the name of an operator."""
    draw: str
    """Seed of the attempt's own source of chance."""
    program: Program | None = None
    """The seed itself; None for an operator."""
    parents: tuple[Parent, ...] = ()
    known: Mapping[str, str] = field(default_factory=dict)
    """Candidate by digest."""
    behaviours: Mapping[str, str] = field(default_factory=dict)
    """Candidate by behaviour on the cheap rung."""
    study: str = ""
    trials: tuple[Trial, ...] = ()
    reference: Parent | None = None
    """The best candidate outside the parents' lineage."""
    rival: Rival | None = None
    """None as long as nothing is measured."""


@dataclass(frozen=True, slots=True)
class Report:
    """How an attempt ended."""

    outcome: CandidateOutcome
    note: str
    reason: str = ""
    program: Program | None = None
    behaviour: str = ""
    evaluation: Evaluation | None = None
    trials: tuple[Trial, ...] = ()
    critique: Critique | None = None
    asked: int = 0
    """Queries that were asked in all."""
    cost: Mapping[str, Cost] = field(default_factory=dict)
    """Of its calls to models, by role."""
    phases: Mapping[str, Phase] = field(default_factory=dict)
    """Of the child's evaluation; empty where no model answers."""
    dropped: Dropped = ""
    """Where a measured child was given up."""
    proposing: float = 0.0
    """Seconds until there was a program to measure."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A candidate to be measured on queries that did not select it or, where it was dropped, on all static ones; or a
    program without a run on any."""

    candidate: str
    program: Program
    split: Literal["static", "fresh", "test"]
    oracle: bool = False
    """Answer from a perfect memory with the program's instructions, and do not run it."""

    @property
    def key(self) -> str:
        """What it is called while it is at work."""
        return f"{self.candidate} {self.split}"


@dataclass(frozen=True, slots=True)
class Result:
    """What a measurement found."""

    evaluation: Evaluation
    cost: Mapping[str, Cost]


@dataclass(frozen=True, slots=True)
class Unpaid:
    """A job that a budget ended half way; what its calls brought is in the broker's store."""

    reason: str


Job: TypeAlias = Attempt | Measurement
Done: TypeAlias = Report | Result | Unpaid
