"""The search, whole: choose parents from what is known now, propose, measure, record; as soon as a slot is free, again.

Read this file first. M* (arXiv 2604.11811) searches one candidate at a time; this loop keeps attempts at work wherever
there is room, nothing waits for all of them, and every draw of attempt n comes from Random(f"{seed}:{n}"), so that one
worker repeats itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from evolve.attempt import Attempt, Done, Job, Measurement, Report, Result, Unpaid
from evolve.config import Config
from evolve.errors import BudgetSpent, ConfigError, InfrastructureError
from evolve.evaluation.splits import Splits
from evolve.executors.base import Executor, Key
from evolve.forecast import Forecast
from evolve.ladder import COVERAGE, MEASURING
from evolve.models.base import Broker
from evolve.pace import SecondLooks, proposals_wanted
from evolve.plan import Planner, program_of
from evolve.population import SEED, Candidate, Population
from evolve.record import Recorder
from evolve.types import Program

INTERRUPTED = "interrupted"
FRUITLESS = 30
"""After so many attempts without a measured child among them, the operators have nothing more to give."""
FRUITLESS_PAID = 20
"""So many of those that asked a model, which costs money."""
VOID = 5
"""After so many attempts in a row that could not be measured, what is around them is broken, not they."""


@dataclass(slots=True)
class Search:
    """One run's search: fill the free slots, wait for whichever attempt ends first, record it, and so on."""

    config: Config
    splits: Splits
    seeds: Sequence[Program]
    recorder: Recorder
    executor: Executor[Job, Done]
    interrupted: Callable[[], bool]
    broker: Broker | None = None
    stages: Mapping[Key, str] = field(default_factory=dict)
    """What each job is at; kept by whoever hears the executor."""
    ahead: Callable[[], Iterable[Measurement]] = lambda: ()
    """What the end of the run will ask, as far as is known; begun where nothing else is left to begin."""
    at_work: dict[int, Attempt] = field(default_factory=dict)
    measuring: dict[Key, Measurement] = field(default_factory=dict)
    """At work: dropped candidates that are measured to the end, and what was begun ahead."""
    begun_ahead: set[Key] = field(default_factory=set)
    second_looks: SecondLooks = field(default_factory=SecondLooks)
    unpaid: str = ""

    @property
    def planner(self) -> Planner:
        """Who plans the attempts."""
        return Planner(self.config, self.splits, self.seeds)

    def run(self) -> str:
        """Search until a budget is used up or the user interrupts, and return why it stopped.

        Raises BudgetSpent where the money did not even last for the seeds, InfrastructureError where nothing can be
        measured any more.
        """
        while True:
            why = self._done()
            while not why and self._has_room() and not (why := self._too_dear()):
                if (job := self._next_job()) is None:
                    break
                self._begin(job)
            while not why and self._has_slot and (ahead := self._next_ahead()) is not None:
                self._begin(ahead)
            if not self.at_work and not self.measuring:
                if self.unpaid and len(self.recorder.population.seeds) < len(self.seeds):
                    raise BudgetSpent(self.unpaid)
                return why or "no operator applies to any candidate"
            if (ended := self.executor.next()) is not None:
                self._end(*ended)

    def _begin(self, job: Job) -> None:
        if isinstance(job, Measurement):
            self.measuring[job.key] = job
            self.executor.submit(job.key, job)
        else:
            self.at_work[job.number] = job
            self.recorder.attempt_started(job)
            self.executor.submit(job.number, job)

    def _end(self, key: Key, done: Done) -> None:
        job = self.at_work.pop(key) if isinstance(key, int) else self.measuring.pop(key)
        if isinstance(done, Unpaid):
            self.unpaid = done.reason  # nothing is recorded: done again with more money, it is not paid twice
        elif isinstance(job, Measurement):
            assert isinstance(done, Result)
            # With less, a dropped candidate stays dropped, with what it was asked before; the end asks again.
            if done.evaluation.coverage >= COVERAGE:
                self.recorder.measured(job.candidate, job.split, done)
        else:
            assert isinstance(done, Report)
            self._record(job, done)

    def _record(self, attempt: Attempt, report: Report) -> None:
        if attempt.operator == SEED and report.outcome == "rejected":
            why = " ".join(report.reason.split())  # it may quote a traceback
            raise ConfigError(f"seed {self.config.search.seeds[attempt.number]!r} {why}.")
        self.recorder.attempt_ended(attempt, report)
        if len(_in_a_row(self.recorder.population, lambda candidate: candidate.outcome == "void")) >= VOID:
            raise InfrastructureError(
                f"the last {VOID} attempts could not be measured, this one for: {report.reason}. "
                "What is finished is kept; when that is mended, the same command goes on."
            )

    def _has_room(self) -> bool:
        """Whether another job may begin: there is a slot, few enough propose, and none would know too little."""
        if not self._has_slot:
            return False
        proposing = [n for n in self.at_work if not self.stages.get(n, "").startswith(MEASURING)]
        population = self.recorder.population
        wanted = proposals_wanted(population, self.config.search.in_flight) if self.broker else None
        if len(proposing) >= (wanted or self.config.search.in_flight):
            return False
        return self.recorder.most_stale + len(self.at_work) <= self.config.search.staleness

    @property
    def _has_slot(self) -> bool:
        return len(self.at_work) + len(self.measuring) < self.executor.slots

    @property
    def _children_at_work(self) -> int:
        return sum(attempt.operator != SEED for attempt in self.at_work.values())

    @property
    def _all_begun(self) -> bool:
        """What is in flight counts against the budget, so that the last candidate is not overshot."""
        population, children = self.recorder.population, self._children_at_work
        seeds_left = len(self.seeds) - len(population.seeds) - (len(self.at_work) - children)
        return not seeds_left and population.children + children >= self.config.budget.candidates

    def _next_ahead(self) -> Measurement | None:
        """What the end of the run asks first and nobody has begun: one at a time, once every child is at work."""
        if not self._all_begun or self.measuring or len(self.recorder.population.seeds) < len(self.seeds):
            return None
        job = next((job for job in self.ahead() if job.key not in self.begun_ahead), None)
        if job is not None:
            self.begun_ahead.add(job.key)
        return job

    def _next_job(self) -> Job | None:
        """A dropped candidate that is worth more than was thought, or else the next attempt."""
        population = self.recorder.population
        for candidate in self.second_looks.due(population):
            return Measurement(candidate.id, program_of(candidate), "static")
        if self._all_begun:
            return None
        return self.planner.plan(population, self.at_work.keys(), children=self._children_at_work)

    def _done(self) -> str:
        population, budget = self.recorder.population, self.config.budget
        if self.interrupted():
            return INTERRUPTED
        if self.unpaid:
            return self.unpaid
        if population.winner is not None:
            return f"{population.winner} is the winner already"  # more would be measured than could win
        if len(population.seeds) < len(self.seeds):
            return ""
        if population.children >= budget.candidates and not self.measuring:
            return f"{budget.candidates} candidates are measured"
        if budget.hours is not None and self.recorder.elapsed >= budget.hours * 3600:
            return f"{budget.hours:g} hours are used"
        if population.best is not None and population.best.mean >= 1.0:
            return f"{population.best.id} has every point there is"
        unmeasured = _in_a_row(population, lambda candidate: not candidate.is_measured)
        paid = sum(bool(candidate.cost) for candidate in unmeasured)
        if paid >= FRUITLESS_PAID or len(unmeasured) - paid >= FRUITLESS:
            return f"the last {len(unmeasured)} attempts brought nothing new"
        return ""

    def _too_dear(self) -> str:
        """Return why one more child cannot be paid for, or ""."""
        population = self.recorder.population
        if self.broker is None or len(population.seeds) < len(self.seeds):
            return ""
        forecast = Forecast(self.config, self.splits)
        return forecast.why_stop(population, self.broker.spent(), at_work=len(self.at_work))


def _in_a_row(population: Population, ended_so: Callable[[Candidate], bool]) -> list[Candidate]:
    """Return the attempts, counted back from the last and without seeds, that ended so."""
    newest_first = reversed(list(population.candidates.values()))
    return list(itertools.takewhile(lambda c: c.operator != SEED and ended_so(c), newest_first))
