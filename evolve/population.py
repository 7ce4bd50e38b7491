"""The state of a search: a fold of events, and nothing that is not in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from math import nan
from sys import intern

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
    mean: float = field(init=False, compare=False)
    """Mean of its scores; nan where it has none."""

    def __post_init__(self) -> None:
        # A search asks thousands of candidates for it at every attempt.
        mean = sum(self.scores.values()) / len(self.scores) if self.scores else nan
        object.__setattr__(self, "mean", mean)

    @property
    def is_measured(self) -> bool:
        """True where queries were asked of it for a score, be it that it was dropped half way."""
        return self.outcome != "rejected" or self.dropped != ""


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
    studies: Mapping[str, str] = field(default_factory=dict)
    """By study, the candidate whose program was tuned in it first."""
    winner: str | None = None
    stopped: RunStopped | None = None
    """The last event, where that is how the journal ends."""
    ended: AbstractSet[int] = frozenset()
    """Numbers of the attempts that have ended."""
    elapsed: float = 0.0
    """Seconds worked on the run when the last event was written."""
    _index: _Index | None = field(default=None, compare=False, repr=False)
    """Made of the candidates when it is first asked for."""

    @property
    def scored(self) -> list[Candidate]:
        """The candidates that selection may draw from, in the order in which they ended."""
        return list(self._indexed().scored.values())

    @property
    def seeds(self) -> list[Candidate]:
        """The candidates that the search started from."""
        return list(self._indexed().seeds.values())

    @property
    def children(self) -> int:
        """Children that were measured, in full or in part: they count against the budget."""
        return self._indexed().children

    @property
    def best(self) -> Candidate | None:
        """The winner, or as long as there is none the best on the static queries; the earliest of equals."""
        return self._indexed().best if self.winner is None else self.candidates[self.winner]

    @property
    def best_seed(self) -> Candidate | None:
        """The best scored seed on the static queries."""
        return max((c for c in self.seeds if c.outcome == "scored"), key=lambda seed: seed.mean, default=None)

    @property
    def digests(self) -> Mapping[str, str]:
        """The newest candidate by the digest of its program, rejected ones included."""
        return self._indexed().digests

    @property
    def behaviours(self) -> Mapping[str, str]:
        """The newest scored candidate by its behaviour."""
        return self._indexed().behaviours

    def made_from(self, parent: str) -> list[Candidate]:
        """Return what was tried from a candidate, in the order in which it ended, rejected attempts included."""
        return [self.candidates[child] for child in self._indexed().made.get(parent, ())]

    def apply(self, event: Event) -> Population:
        """Return the population after the event."""
        draft = _Draft(self)
        draft.apply(event)
        return draft.population()

    def _indexed(self) -> _Index:
        if self._index is None:
            object.__setattr__(self, "_index", _Index.of(self.candidates.values()))
        assert self._index is not None
        return self._index


def fold(events: Iterable[Event]) -> Population:
    """Return the population after all events. Raises ValueError, KeyError for events that do not belong together."""
    draft = _Draft(Population())
    for event in events:
        draft.apply(event)
    return draft.population()


@dataclass(slots=True)
class _Index:
    """What a search asks for at every attempt: kept from one population to the next instead of looked for."""

    scored: dict[str, Candidate] = field(default_factory=dict)
    seeds: dict[str, Candidate] = field(default_factory=dict)
    children: int = 0
    best: Candidate | None = None
    digests: dict[str, str] = field(default_factory=dict)
    behaviours: dict[str, str] = field(default_factory=dict)
    made: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Candidates by each of their parents."""

    @classmethod
    def of(cls, candidates: Iterable[Candidate]) -> _Index:
        index = cls()
        for candidate in candidates:
            index.add(candidate)
        return index

    def plus(self, candidate: Candidate) -> _Index:
        """Return another index that has one candidate more."""
        more = _Index(
            self.scored.copy(),
            self.seeds.copy(),
            self.children,
            self.best,
            self.digests.copy(),
            self.behaviours.copy(),
            self.made.copy(),
        )
        more.add(candidate)
        return more

    def add(self, candidate: Candidate) -> None:
        if candidate.operator == SEED:
            self.seeds[candidate.id] = candidate
        else:
            self.children += candidate.is_measured
        if candidate.outcome == "scored":
            self.scored[candidate.id] = candidate
            self.behaviours[candidate.behaviour] = candidate.id
            if self.best is None or candidate.mean > self.best.mean:
                self.best = candidate
        if candidate.digest:
            self.digests[candidate.digest] = candidate.id
        for parent in dict.fromkeys(candidate.parents):
            self.made[parent] = (*self.made.get(parent, ()), candidate.id)


class _Draft:
    """A population that events change in place: one copy of what is known, however many events follow."""

    def __init__(self, population: Population) -> None:
        self.started = population.started
        self.candidates = dict(population.candidates)
        self.begun = dict(population.begun)
        self.trials = dict(population.trials)
        self.studies = dict(population.studies)
        self.winner = population.winner
        self.stopped: RunStopped | None = None
        self.ended = set(population.ended)
        self.elapsed = population.elapsed
        self.index = population._index

    def population(self) -> Population:
        """Return what came of it; the draft must not be used any more."""
        return Population(
            self.started,
            self.candidates,
            self.begun,
            self.trials,
            self.studies,
            self.winner,
            self.stopped,
            self.ended,
            self.elapsed,
            self.index,
        )

    def apply(self, event: Event) -> None:
        self.elapsed = max(self.elapsed, event.clock.elapsed)
        self.stopped = None
        match event:
            case RunStarted():
                self.started = event
            case AttemptStarted():
                self.begun[event.attempt] = event
            case AttemptEnded():
                self._end(event)
            case Measured():
                self.candidates[event.candidate] = _measured(self.candidates[event.candidate], event)
                self.index = None
            case WinnerChosen():
                self.winner = event.candidate
            case RunStopped():
                self.stopped = event

    def _end(self, event: AttemptEnded) -> None:
        if event.candidate in self.candidates:
            raise ValueError(f"candidate {event.candidate} ended twice")
        candidate = _candidate(event)
        self.candidates[candidate.id] = candidate
        self.index = self.index and self.index.plus(candidate)
        self.begun.pop(event.attempt, None)
        self.ended.add(event.attempt)
        if event.trials:
            self.trials[event.study] = self.trials.get(event.study, ()) + event.trials
            if event.parents:
                self.studies.setdefault(event.study, event.parents[0])


def _candidate(event: AttemptEnded) -> Candidate:
    return Candidate(
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
    """Ids are interned: thousands of candidates share those of one set of queries."""
    return {intern(query): score for query, score in scores.items() if score is not None}
