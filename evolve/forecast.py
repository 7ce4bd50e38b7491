"""What the rest of a run will cost, from what its calls to models have cost so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from evolve.config import Config
from evolve.evaluation.splits import Splits
from evolve.models.base import Spent
from evolve.population import SEED, Candidate, Population
from evolve.tasks import traits
from evolve.traits import scorer_traits
from evolve.types import Cost, Query

FINALISTS = 3
"""Candidates that are measured on fresh queries. A single noisy best would owe part of its score to luck."""
ENOUGH = 2 / 3
"""With fewer fresh queries per static one, their luck makes a third finalist do more harm than good; then two."""
TESTED = 3
"""Where calls cost money: the winner, its parent and the best seed."""


def finalists(splits: Splits) -> int:
    """Return how many candidates are measured on fresh queries."""
    return FINALISTS if len(splits.fresh) >= ENOUGH * len(splits.static) else FINALISTS - 1


def compared(population: Population, *, paid: bool) -> list[Candidate]:
    """Return who is asked the held-out queries: what the winner is compared with, then the winner and its parent.

    Before there is a winner, these are the seeds alone: all of them where that costs nothing, else the best one. Of two
    parents the better one on the static queries counts.
    """
    seeds = [seed for seed in population.seeds if seed.outcome == "scored"]
    best = population.best_seed
    found = seeds if best is None or not paid else [best]
    if population.winner is not None:
        winner = population.candidates[population.winner]
        parent = better_parent(population, winner)
        found = [*found, winner, *([parent] if parent else [])]
    return list({candidate.id: candidate for candidate in found}.values())


def better_parent(population: Population, candidate: Candidate) -> Candidate | None:
    """Return the parent with the higher mean on the static queries, None for a seed."""
    parents = [population.candidates[parent] for parent in candidate.parents]
    return max((parent for parent in parents if parent.scores), key=lambda parent: parent.mean, default=None)


@dataclass(frozen=True, slots=True)
class Forecast:
    """Expected cost of what a run still has to do."""

    config: Config
    splits: Splits

    def why_stop(self, population: Population, spent: Spent, *, at_work: int) -> str:
        """Return why no further child can be paid for, or "".

        What is kept back: the final test, and the children that are at work.
        """
        final, child = self.final(population), self.child(population)
        left = self.config.budget.candidates - population.children
        usd, calls = self.config.budget.usd, self.config.budget.calls
        if usd is not None:
            # A capped run has no unknown price: the broker refuses one.
            paid, kept, each = spent.usd or 0.0, final.usd or 0.0, child.usd or 0.0
            if paid + kept + (at_work + 1) * each > usd:
                return (
                    f"budget.usd = {usd:g}: ${paid:.4f} is spent, the final test needs about ${kept:.2f}; "
                    f"the {left} candidates that are left would have cost about ${left * each:.2f}"
                )
        if calls is not None and spent.calls + final.calls + (at_work + 1) * child.calls > calls:
            return (
                f"budget.calls = {calls:,}: {spent.calls:,} are made, the final test needs about {final.calls:,}; "
                f"the {left} candidates that are left would have needed about {left * child.calls:,}"
            )
        return ""

    def rest(self, population: Population) -> str:
        """Return in words what the rest of the run would cost: children, fresh queries and final test."""
        left = max(0, self.config.budget.candidates - population.children)
        final, child = self.final(population), self.child(population)
        if final.usd is None or child.usd is None:
            return f"about {final.calls + left * child.calls:,} calls"
        return f"about ${final.usd + left * child.usd:.2f}"

    def final(self, population: Population) -> Cost:
        """Return the expected cost of choosing the winner and of the held-out test."""
        if not self.config.models.answering:
            return Cost()
        everyone = population.candidates.values()
        fresh, tested = (sum(bool(getattr(candidate, split)) for candidate in everyone) for split in ("fresh", "test"))
        again = self._calls(self.splits.fresh, episodes=0)  # they remember the episodes already
        calls = 0 if population.winner else max(0, finalists(self.splits) - fresh) * again
        beside = compared(population, paid=True) if population.winner else ()
        if self.splits.test:
            known = len(beside) or TESTED
            calls += max(0, known - tested) * self._calls(self.splits.test, episodes=len(self.splits.test_episodes))
        else:
            calls += again * (sum(not candidate.fresh for candidate in beside) if beside else TESTED - 1)
        paid = total(candidate.cost for candidate in population.scored)
        usd = None if paid.usd is None else paid.usd / paid.calls * calls if paid.calls else 0.0
        return Cost(calls=calls, usd=usd)

    def child(self, population: Population) -> Cost:
        """Return what one more measured child is expected to cost, rejected attempts and second looks included."""
        children = [candidate for candidate in population.candidates.values() if candidate.operator != SEED]
        measured: Sequence[Candidate] = [candidate for candidate in children if candidate.is_measured]
        made = children if measured else population.seeds
        paid = total(cost for candidate in made for cost in (candidate.cost, candidate.later_cost))
        count = len(measured or population.seeds) or 1
        return Cost(calls=round(paid.calls / count), usd=None if paid.usd is None else paid.usd / count)

    def _calls(self, queries: Sequence[Query], *, episodes: int) -> int:
        task = traits(self.config.task)
        each = 1 + task.steps + scorer_traits(self.config.evaluation.scorer, task).judge_calls
        return episodes + round(each * len(queries))


def total(costs: Iterable[Mapping[str, Cost]]) -> Cost:
    """Return the sum over all roles."""
    return sum((cost for by_role in costs for cost in by_role.values()), Cost())
