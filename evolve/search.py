"""The search, whole: select parents from what is known now, propose, measure, record; as soon as a slot is free, again.

Read this file first. M* (arXiv 2604.11811) searches one candidate at a time; this loop keeps as many attempts at work
as there are workers, and every draw of attempt n comes from Random(f"{seed}:{n}"), so one worker repeats itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random

from evolve.attempt import Attempt, Done, Job, Report, Unpaid, rung_mean
from evolve.config import Config
from evolve.errors import BudgetSpent, ConfigError, InfrastructureError
from evolve.evaluation.splits import Splits
from evolve.events import CandidateOutcome
from evolve.executors.base import Executor
from evolve.forecast import Forecast
from evolve.history import ancestry, children
from evolve.models.base import Broker
from evolve.operators import OPERATORS
from evolve.operators.base import Parent
from evolve.operators.tune import study_name
from evolve.population import SEED, Candidate, Population
from evolve.program import parse
from evolve.record import Recorder
from evolve.selection import SELECTIONS, choose_operator, complement
from evolve.types import Program

INTERRUPTED = "interrupted"
FRUITLESS = 30
"""After so many attempts in a row without a measured child, the operators have nothing more to give."""
FRUITLESS_PAID = 20
"""So many where they ask a model, and each costs money."""
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
    at_work: dict[int, Attempt] = field(default_factory=dict)
    unpaid: str = ""

    def run(self) -> str:
        """Search until a budget is used up or the user interrupts, and return why it stopped.

        Raises BudgetSpent where the money did not even last for the seeds, InfrastructureError where nothing can be
        measured any more.
        """
        while True:
            why = self._done()
            while not why and len(self.at_work) < self._slots() and (attempt := self._plan()) is not None:
                self.at_work[attempt.number] = attempt
                self.recorder.attempt_started(attempt)
                self.executor.submit(attempt.number, attempt)
            if not self.at_work:
                if self.unpaid and len(self.recorder.population.seeds) < len(self.seeds):
                    raise BudgetSpent(self.unpaid)
                return why or "no operator applies to any candidate"
            number, report = self.executor.next()
            assert isinstance(number, int)
            attempt = self.at_work.pop(number)
            if isinstance(report, Unpaid):
                self.unpaid = report.reason  # nothing is recorded: done again with more money, it is not paid twice
                continue
            assert isinstance(report, Report)
            if attempt.operator == SEED and report.outcome == "rejected":
                why = " ".join(report.reason.split())  # it may quote a traceback
                raise ConfigError(f"seed {self.config.search.seeds[number]!r} {why}.")
            self.recorder.attempt_ended(attempt, report)
            if _in_a_row(self.recorder.population, "void") >= VOID:
                raise InfrastructureError(
                    f"the last {VOID} attempts could not be measured, this one for: {report.reason}. "
                    "What is finished is kept; when that is mended, the same command goes on."
                )

    def _slots(self) -> int:
        """What is in flight counts against the budget, so that the last candidate is not overshot."""
        population = self.recorder.population
        children = sum(attempt.operator != SEED for attempt in self.at_work.values())
        left = self.config.budget.candidates - population.children - children
        seeds_left = len(self.seeds) - len(population.seeds)
        return min(self.executor.slots, self.config.search.in_flight, len(self.at_work) + (seeds_left or left))

    def _done(self) -> str:
        population, budget = self.recorder.population, self.config.budget
        if self.interrupted():
            return INTERRUPTED
        if self.unpaid:
            return self.unpaid
        if len(population.seeds) < len(self.seeds):
            return ""
        if population.children >= budget.candidates:
            return f"{budget.candidates} candidates are measured"
        if budget.hours is not None and self.recorder.elapsed >= budget.hours * 3600:
            return f"{budget.hours:g} hours are used"
        if self.broker is not None:
            forecast = Forecast(self.config, self.splits)
            if why := forecast.why_stop(population, self.broker.spent(), at_work=len(self.at_work)):
                return why
        if population.best is not None and population.best.mean >= 1.0:
            return f"{population.best.id} has every point there is"
        fruitless = FRUITLESS if self.broker is None else FRUITLESS_PAID
        if _in_a_row(population, "rejected") >= fruitless:
            return f"the last {fruitless} attempts brought nothing new"
        return ""

    def _plan(self) -> Attempt | None:
        """Return the next attempt, or None as long as the seeds are not all measured."""
        population = self.recorder.population
        taken = population.ended | self.at_work.keys()
        number = next(n for n in itertools.count() if n not in taken)
        draw = f"{self.config.seed}:{number}"
        if number < len(self.seeds):
            return Attempt(number, SEED, draw, program=self.seeds[number], known=_known(population))
        if len(population.seeds) < len(self.seeds):
            return None
        chance = Random(f"{draw}:select")
        names: list[str] = list(self.config.search.operators or ())
        while names:
            operator = choose_operator(names, population, chance)
            if parents := self._select(population, operator, chance):
                return self._attempt(number, operator, draw, parents)
            names.remove(operator)
        return None

    def _select(self, population: Population, operator: str, chance: Random) -> list[Candidate]:
        """Draw as many different parents as the operator needs; none where there are not enough."""
        select, temperature = SELECTIONS[self.config.search.selection], self.config.search.temperature
        pool = [c for c in population.scored if OPERATORS[operator].applies(_program(c.source), self.config)]
        if not pool:
            return []
        chosen = [select(pool, temperature, chance)]
        others = [candidate for candidate in population.scored if candidate not in chosen]
        if OPERATORS[operator].arity == 2 and others:
            partner = complement(chosen[0], others, chance) if operator == "merge" else None
            if partner is not None or operator != "merge":
                chosen.append(partner or select(others, temperature, chance))
        return chosen if len(chosen) == OPERATORS[operator].arity else []

    def _attempt(self, number: int, operator: str, draw: str, parents: Sequence[Candidate]) -> Attempt:
        population = self.recorder.population
        study = study_name(_program(parents[0].source)) if operator == "tune" else ""
        return Attempt(
            number,
            operator,
            draw,
            parents=tuple(self._parent(population, parent) for parent in parents),
            known=_known(population),
            behaviours={c.behaviour: c.id for c in population.scored},
            study=study,
            trials=population.trials.get(study, ()),
            reference=self._reference(population, parents),
        )

    def _parent(self, population: Population, candidate: Candidate) -> Parent:
        return Parent(
            candidate.id,
            _program(candidate.source),
            rung_mean(candidate.scores, self.splits),
            mean=candidate.mean,
            ancestry=ancestry(population, candidate),
            children=children(population, candidate),
            scores=candidate.scores,
        )

    def _reference(self, population: Population, parents: Sequence[Candidate]) -> Parent | None:
        """The best candidate outside the parents' lineage: what another line has found."""
        related = {each.candidate for parent in parents for each in ancestry(population, parent)}
        others = [candidate for candidate in population.scored if candidate.id not in related]
        best = max(others, key=lambda candidate: candidate.mean, default=None)
        return None if best is None else self._parent(population, best)


def _known(population: Population) -> dict[str, str]:
    return {candidate.digest: candidate.id for candidate in population.candidates.values() if candidate.digest}


def _in_a_row(population: Population, outcome: CandidateOutcome) -> int:
    """How many attempts in a row, counted from the last and without seeds, ended so."""
    newest_first = reversed(list(population.candidates.values()))
    return sum(1 for _ in itertools.takewhile(lambda c: c.outcome == outcome and c.operator != SEED, newest_first))


@lru_cache(maxsize=1_024)
def _program(source: str | None) -> Program:
    assert source is not None, "a scored candidate has a program"
    return parse(source)
