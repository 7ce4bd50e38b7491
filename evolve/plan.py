"""What is tried next: the operator, its parents, and everything that a worker needs to know of the run."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random

from evolve.attempt import Attempt, Rival
from evolve.config import Config
from evolve.evaluation.splits import Splits
from evolve.history import ancestry, children, line
from evolve.operators import OPERATORS
from evolve.operators.base import Parent
from evolve.operators.tune import study_name
from evolve.population import SEED, Candidate, Population
from evolve.program import parse
from evolve.selection import SELECTIONS, choose_operator, complement
from evolve.types import Program


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans attempts. Given the population and the numbers at work, the next one is determined."""

    config: Config
    splits: Splits
    seeds: Sequence[Program]
    applies: dict[tuple[str, str], bool] = field(default_factory=dict)
    """What is known of which operator applies to which program, by its digest."""

    def plan(self, population: Population, at_work: Collection[int], *, children: int) -> Attempt | None:
        """Return the next attempt; None where no operator applies, or where too few seeds are measured to choose from.

        `children` are those at work. While seeds are being measured, one may begin for every seed that is: nothing
        waits for the slowest.
        """
        number = next(n for n in itertools.count() if n not in population.ended and n not in at_work)
        draw = f"{self.config.seed}:{number}"
        if number < len(self.seeds):
            return Attempt(number, SEED, draw, program=self.seeds[number], known=population.digests)
        if len(population.seeds) < len(self.seeds) and children >= len(population.scored):
            return None
        chance = Random(f"{draw}:select")
        names: list[str] = list(self.config.search.operators or ())
        while names:
            operator = choose_operator(names, population, chance)
            if parents := self._select(population, operator, chance):
                return self._attempt(population, number, operator, draw, parents)
            names.remove(operator)
        return None

    def _select(self, population: Population, operator: str, chance: Random) -> list[Candidate]:
        """Draw as many different parents as the operator needs; none where there are not enough."""
        select, temperature = SELECTIONS[self.config.search.selection], self.config.search.temperature
        pool = [c for c in population.scored if self.applies.get((operator, c.digest), True)]
        while pool and not self._applies(operator, first := select(pool, temperature, chance)):
            pool = [candidate for candidate in pool if candidate.id != first.id]
        if not pool:
            return []
        chosen = [first]
        others = [candidate for candidate in population.scored if candidate.id != chosen[0].id]
        if OPERATORS[operator].arity == 2 and others:
            partner = complement(chosen[0], others, chance) if operator == "merge" else None
            if partner is not None or operator != "merge":
                chosen.append(partner or select(others, temperature, chance))
        return chosen if len(chosen) == OPERATORS[operator].arity else []

    def _applies(self, operator: str, candidate: Candidate) -> bool:
        """Whether the operator can change the candidate: asked only of those that are drawn, for it parses them."""
        key = operator, candidate.digest
        if key not in self.applies:
            self.applies[key] = OPERATORS[operator].applies(program_of(candidate), self.config)
        return self.applies[key]

    def _attempt(
        self, population: Population, number: int, operator: str, draw: str, parents: Sequence[Candidate]
    ) -> Attempt:
        study = study_name(program_of(parents[0])) if operator == "tune" else ""
        return Attempt(
            number,
            operator,
            draw,
            parents=tuple(self._parent(population, parent) for parent in parents),
            known=population.digests,
            behaviours=population.behaviours,
            study=study,
            trials=population.trials.get(study, ()),
            reference=self._reference(population, parents),
            rival=_rival(population),
        )

    def _parent(self, population: Population, candidate: Candidate) -> Parent:
        return Parent(
            candidate.id,
            program_of(candidate),
            self._rung_mean(candidate),
            mean=candidate.mean,
            ancestry=ancestry(population, candidate),
            children=children(population, candidate),
            scores=candidate.scores,
        )

    def _rung_mean(self, candidate: Candidate) -> float | None:
        """Its mean on the cheap rung, None where it has no score there."""
        scores = [candidate.scores[query.id] for query in self.splits.rung if query.id in candidate.scores]
        return sum(scores) / len(scores) if scores else None

    def _reference(self, population: Population, parents: Sequence[Candidate]) -> Parent | None:
        """The best candidate outside the parents' lineage: what another line has found."""
        related = {each.id for parent in parents for each in line(population, parent)}
        others = [candidate for candidate in population.scored if candidate.id not in related]
        best = max(others, key=lambda candidate: candidate.mean, default=None)
        return None if best is None else self._parent(population, best)


def _rival(population: Population) -> Rival | None:
    best = population.best
    return Rival(best.id, best.scores) if best is not None else None


def program_of(candidate: Candidate) -> Program:
    """Return the program of a measured candidate."""
    assert candidate.source is not None, "a measured candidate has a program"
    return _parsed(candidate.source)


@lru_cache(maxsize=1_024)
def _parsed(source: str) -> Program:
    return parse(source)
