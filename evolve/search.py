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

from evolve.attempt import Attempt, Done, Job, Report, rung_mean
from evolve.config import Config
from evolve.errors import ConfigError
from evolve.evaluation.splits import Splits
from evolve.executors.base import Executor
from evolve.operators import OPERATORS
from evolve.operators.base import Parent
from evolve.operators.tune import study_name
from evolve.population import SEED, Candidate, Population
from evolve.program import parse
from evolve.record import Recorder
from evolve.selection import softmax
from evolve.types import Program

INTERRUPTED = "interrupted"
FRUITLESS = 30
"""After so many attempts in a row without a measured child, the operators have nothing more to give."""


@dataclass(frozen=True, slots=True)
class Search:
    """One run's search: fill the free slots, wait for whichever attempt ends first, record it, and so on."""

    config: Config
    splits: Splits
    seeds: Sequence[Program]
    recorder: Recorder
    executor: Executor[Job, Done]
    interrupted: Callable[[], bool]
    at_work: dict[int, Attempt] = field(default_factory=dict)

    def run(self) -> str:
        """Search until a budget is used up or the user interrupts, and return why it stopped."""
        while True:
            why = self._done()
            while not why and len(self.at_work) < self._slots() and (attempt := self._plan()) is not None:
                self.at_work[attempt.number] = attempt
                self.recorder.attempt_started(attempt)
                self.executor.submit(attempt.number, attempt)
            if not self.at_work:
                return why or "no operator applies to any candidate"
            number, report = self.executor.next()
            assert isinstance(number, int)
            assert isinstance(report, Report)
            attempt = self.at_work.pop(number)
            if attempt.operator == SEED and report.outcome == "rejected":
                why = " ".join(report.reason.split())  # it may quote a traceback
                raise ConfigError(f"seed {self.config.search.seeds[number]!r} {why}.")
            self.recorder.attempt_ended(attempt, report)

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
        if len(population.seeds) < len(self.seeds):
            return ""
        if population.children >= budget.candidates:
            return f"{budget.candidates} candidates are measured"
        if budget.hours is not None and self.recorder.elapsed >= budget.hours * 3600:
            return f"{budget.hours:g} hours are used"
        if population.best is not None and population.best.mean >= 1.0:
            return f"{population.best.id} has every point there is"
        if _fruitless(population) >= FRUITLESS:
            return f"the last {FRUITLESS} attempts brought nothing new"
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
        for operator in chance.sample(self.config.search.operators, len(self.config.search.operators)):
            parents = self._select(population, operator, chance)
            if parents:
                return self._attempt(number, operator, draw, parents)
        return None

    def _select(self, population: Population, operator: str, chance: Random) -> list[Candidate]:
        """Draw as many different parents as the operator needs; none where there are not enough."""
        chosen: list[Candidate] = []
        pool = [candidate for candidate in population.scored if OPERATORS[operator].applies(_program(candidate.source))]
        while pool and len(chosen) < OPERATORS[operator].arity:
            parent = softmax(pool, temperature=self.config.search.temperature, draw=chance)
            chosen.append(parent)
            pool = [candidate for candidate in population.scored if candidate not in chosen]
        return chosen if len(chosen) == OPERATORS[operator].arity else []

    def _attempt(self, number: int, operator: str, draw: str, parents: Sequence[Candidate]) -> Attempt:
        population = self.recorder.population
        first = _program(parents[0].source)
        study = study_name(first) if operator == "tune" else ""
        return Attempt(
            number,
            operator,
            draw,
            parents=tuple(Parent(p.id, _program(p.source), rung_mean(p.scores, self.splits)) for p in parents),
            known=_known(population),
            behaviours={c.behaviour: c.id for c in population.scored},
            study=study,
            trials=population.trials.get(study, ()),
        )


def _known(population: Population) -> dict[str, str]:
    return {candidate.digest: candidate.id for candidate in population.candidates.values() if candidate.digest}


def _fruitless(population: Population) -> int:
    """How many attempts in a row, counted from the last, measured no child."""
    newest_first = reversed(list(population.candidates.values()))
    return sum(1 for _ in itertools.takewhile(lambda c: c.outcome == "rejected" and c.operator != SEED, newest_first))


@lru_cache(maxsize=1_024)
def _program(source: str | None) -> Program:
    assert source is not None, "a scored candidate has a program"
    return parse(source)
