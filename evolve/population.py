"""The state of a search: a fold of events, and nothing that is not in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from evolve.events import (
    AttemptEnded,
    AttemptStarted,
    CandidateOutcome,
    Dropped,
    Event,
    Measured,
    RunStarted,
    RunStopped,
    Scores,
    Trial,
    WinnerChosen,
)
from evolve.types import Cost, Phase

SEED = "seed"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A program in a run."""

    id: str
    parents: tuple[str, ...]
    operator: str
    note: str
    outcome: CandidateOutcome
    reason: str
    source: str | None
    digest: str
    behaviour: str
    scores: Mapping[str, float]
    """On the static queries that have a score; of a dropped candidate, on those that it was asked."""
    seconds: float
    stale: int
    commit: str
    dropped: Dropped = ""
    """Where it was given up; it may be measured to the end later, and is "scored" then."""
    proposing: float = 0.0
    """Seconds until there was a program to measure."""
    phases: Mapping[str, Phase] = field(default_factory=dict)
    asked: int = 0
    """Queries that its attempt asked."""
    cost: Mapping[str, Cost] = field(default_factory=dict)
    """Of its attempt, by role."""
    later_cost: Mapping[str, Cost] = field(default_factory=dict)
    """Of its measurements on fresh and held-out queries, by role."""
    fresh: Mapping[str, float] = field(default_factory=dict)
    test: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_measured(self) -> bool:
        """True where queries were asked of it for a score, be it that it was dropped half way."""
        return self.outcome != "rejected" or self.dropped != ""

    @property
    def mean(self) -> float:
        """Mean static score. Only for a scored candidate."""
        return sum(self.scores.values()) / len(self.scores)

    @property
    def confirmed(self) -> Mapping[str, float]:
        """Static and fresh scores together: what the winner is chosen by."""
        return {**self.scores, **self.fresh}


@dataclass(frozen=True, slots=True)
class Population:
    """Everything that a search knows."""

    started: RunStarted | None = None
    candidates: Mapping[str, Candidate] = field(default_factory=dict)
    """By id, in the order in which they ended."""
    begun: Mapping[int, AttemptStarted] = field(default_factory=dict)
    """Attempts without an end, by number."""
    trials: Mapping[str, tuple[Trial, ...]] = field(default_factory=dict)
    """Of `tune`, by study."""
    winner: str | None = None
    stopped: RunStopped | None = None
    """The last event, where that is how the journal ends."""
    ended: frozenset[int] = frozenset()
    """Numbers of the attempts that have ended."""
    elapsed: float = 0.0
    """Seconds worked on the run when the last event was written."""

    @property
    def scored(self) -> list[Candidate]:
        """The candidates that selection may draw from."""
        return [candidate for candidate in self.candidates.values() if candidate.outcome == "scored"]

    @property
    def seeds(self) -> list[Candidate]:
        """The candidates that the search started from."""
        return [candidate for candidate in self.candidates.values() if candidate.operator == SEED]

    @property
    def children(self) -> int:
        """Children that were measured, in full or in part: they count against the budget."""
        return sum(c.operator != SEED and c.is_measured for c in self.candidates.values())

    @property
    def best(self) -> Candidate | None:
        """The winner, or as long as there is none the best on the static queries; the earliest of equals."""
        if self.winner is not None:
            return self.candidates[self.winner]
        return max(self.scored, key=lambda candidate: candidate.mean, default=None)

    @property
    def best_seed(self) -> Candidate | None:
        """The best scored seed on the static queries."""
        return max((c for c in self.seeds if c.outcome == "scored"), key=lambda seed: seed.mean, default=None)

    def apply(self, event: Event) -> Population:
        """Return the population after the event."""
        after = replace(self, elapsed=max(self.elapsed, event.clock.elapsed), stopped=None)
        match event:
            case RunStarted():
                return replace(after, started=event)
            case AttemptStarted():
                return replace(after, begun={**self.begun, event.attempt: event})
            case AttemptEnded():
                return _ended(after, event)
            case Measured():
                changed = _measured(self.candidates[event.candidate], event)
                return replace(after, candidates={**self.candidates, changed.id: changed})
            case WinnerChosen():
                return replace(after, winner=event.candidate)
            case RunStopped():
                return replace(after, stopped=event)


def fold(events: Iterable[Event]) -> Population:
    """Return the population after all events."""
    population = Population()
    for event in events:
        population = population.apply(event)
    return population


def _ended(population: Population, event: AttemptEnded) -> Population:
    if event.candidate in population.candidates:
        raise ValueError(f"candidate {event.candidate} ended twice")
    candidate = Candidate(
        id=event.candidate,
        parents=event.parents,
        operator=event.operator,
        note=event.note,
        outcome=event.outcome,
        reason=event.reason,
        source=event.source,
        digest=event.digest,
        behaviour=event.behaviour,
        scores=_known(event.scores),
        seconds=event.clock.seconds,
        stale=event.stale,
        dropped=event.dropped,
        proposing=event.clock.proposing,
        phases=event.phases,
        commit=event.commit,
        asked=event.asked,
        cost=event.cost,
    )
    trials = dict(population.trials)
    if event.trials:
        trials[event.study] = trials.get(event.study, ()) + event.trials
    return replace(
        population,
        candidates={**population.candidates, candidate.id: candidate},
        begun={number: begun for number, begun in population.begun.items() if number != event.attempt},
        trials=trials,
        ended=population.ended | {event.attempt},
    )


def _measured(candidate: Candidate, event: Measured) -> Candidate:
    known = _known(event.scores)
    match event.split:
        case "static":
            changed = replace(candidate, scores={**candidate.scores, **known}, outcome="scored", reason="")
        case "fresh":
            changed = replace(candidate, fresh={**candidate.fresh, **known})
        case "test":
            changed = replace(candidate, test={**candidate.test, **known})
    return replace(changed, later_cost=added(candidate.later_cost, event.cost))


def added(one: Mapping[str, Cost], other: Mapping[str, Cost]) -> dict[str, Cost]:
    """Return the sum of two costs, role by role."""
    return {role: one.get(role, Cost()) + other.get(role, Cost()) for role in (*one, *(other.keys() - one.keys()))}


def _known(scores: Scores) -> dict[str, float]:
    return {query: score for query, score in scores.items() if score is not None}
