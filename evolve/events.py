"""What happens in a run, in order. The journal holds these, and the population is their fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from evolve.types import Cost, Phase, Scalar

CandidateOutcome: TypeAlias = Literal["scored", "rejected", "void"]
"""scored: measured. rejected: never measured in full, with a reason. void: too many infrastructure faults to tell."""
Split: TypeAlias = Literal["static", "fresh", "test"]
"""Where a candidate is measured after its attempt: "static" is the rest of a set on which it was dropped."""
Dropped: TypeAlias = Literal["", "gate", "race"]
"""At which rung of the ladder a measured child was given up."""
Scores: TypeAlias = Mapping[str, float | None]
"""Score by query id; None is an infrastructure fault."""


@dataclass(frozen=True, slots=True)
class Clock:
    """What differs between two runs that are otherwise the same. In a search only `budget.hours` depends on it."""

    at: str
    """UTC, ISO 8601."""
    elapsed: float
    """Seconds that the run has been worked on, over all its sessions."""
    seconds: float = 0.0
    """Wall clock of what the event reports."""
    proposing: float = 0.0
    """Of these seconds, those until there was a program to measure."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One setting that `tune` tried on the cheap rung (an Optuna trial)."""

    params: Mapping[str, Scalar]
    value: float | None
    """Mean score on the cheap rung; None where the program failed or could not be measured."""


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The first event of a journal."""

    run: str
    task: str
    task_digest: str
    agent: str
    sandbox: Literal["docker", "process"]
    queries: Mapping[str, int]
    """How many queries each split holds."""
    clock: Clock
    scorer: str = "support"
    """How answers are scored."""
    version: int = 1
    """Of this format."""
    type: Literal["run_started"] = "run_started"


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """An attempt was handed to a worker; without its end in the journal, it is done again on resume."""

    attempt: int
    operator: str
    """"seed", or the operator's name."""
    parents: tuple[str, ...]
    clock: Clock
    type: Literal["attempt_started"] = "attempt_started"


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """An attempt came to its end: a candidate, with everything needed to go on from here."""

    attempt: int
    candidate: str
    operator: str
    parents: tuple[str, ...]
    note: str
    """One line: what changed, or for a seed what it bets on."""
    outcome: CandidateOutcome
    clock: Clock
    reason: str = ""
    """Why it was rejected or is void."""
    source: str | None = None
    """None where no program came to be."""
    digest: str = ""
    behaviour: str = ""
    scores: Scores = field(default_factory=dict)
    """On the static queries; where it was dropped, on those that it was asked."""
    trials: tuple[Trial, ...] = ()
    study: str = ""
    """Which of the tune operator's studies the trials belong to."""
    stale: int = 0
    """Attempts that ended after this one's parents were chosen: what its choice did not know."""
    asked: int = 0
    """Queries that were asked of it and of what it was compared with."""
    cost: Mapping[str, Cost] = field(default_factory=dict)
    """What its calls to models came to, by role."""
    phases: Mapping[str, Phase] = field(default_factory=dict)
    """Of its evaluation, where a model answers: "extract", "write", "formulate", "read" and "answer"."""
    commit: str = ""
    """In lineage.git, where the full case records are; "" where there is neither a program nor a critique."""
    dropped: Dropped = ""
    """Where a rejected child was measured and given up; "" for one that was never measured, or in full."""
    type: Literal["attempt_ended"] = "attempt_ended"


@dataclass(frozen=True, slots=True)
class Measured:
    """A candidate was measured again: on queries that did not select it, or on the rest of the static set."""

    candidate: str
    split: Split
    scores: Scores
    clock: Clock
    commit: str = ""
    """In lineage.git, where the case records are."""
    cost: Mapping[str, Cost] = field(default_factory=dict)
    """What its calls to models came to, by role."""
    type: Literal["measured"] = "measured"


@dataclass(frozen=True, slots=True)
class WinnerChosen:
    """The search is over, and this candidate won: on fresh queries, where there are any."""

    candidate: str
    clock: Clock
    type: Literal["winner_chosen"] = "winner_chosen"


@dataclass(frozen=True, slots=True)
class RunStopped:
    """The driver ended cleanly; a resume may follow."""

    reason: Literal["finished", "interrupted", "budget"]
    """"budget": money or calls were used up before the end of the run."""
    why: str
    """One line for the user."""
    clock: Clock
    type: Literal["run_stopped"] = "run_stopped"


Event: TypeAlias = RunStarted | AttemptStarted | AttemptEnded | Measured | WinnerChosen | RunStopped
