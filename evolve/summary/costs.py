"""Where a run's money went."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

from evolve import types
from evolve.forecast import total
from evolve.models.store import Store
from evolve.population import Candidate, Population

if TYPE_CHECKING:
    from evolve.folder import Run

FINAL = "final"
"""Stands among the operators for the measurements after the search: fresh queries and the held-out test."""


class Cost(TypedDict):
    """Calls to models; `cached` ones were answered from the run's own store. usd is None where a price is not known."""

    calls: int
    cached: int
    usd: float | None
    input_tokens: int
    cached_tokens: int
    output_tokens: int


class CandidateCost(Cost):
    """All that a candidate cost: its attempt, and its measurements after the search."""

    by_role: dict[str, Cost]


class OperatorCost(Cost):
    """What an operator's attempts cost and brought."""

    attempts: int
    gain: float
    """Points of mean score by which its children are better than their best parents, added up."""
    gain_per_usd: float | None
    """None where the dollars are 0 or not known."""


class Costs(TypedDict):
    """Where a run's money went: the same total twice, by role and by operator ("final": after the search)."""

    by_role: dict[str, Cost]
    by_operator: dict[str, OperatorCost]
    other: Cost | None
    """Paid for and in neither: attempts without an end, answers that were discarded, the models' tests. None: no."""


def costs(population: Population, spent: types.Cost) -> Costs:
    """Return where the money went, given all that was spent."""
    by_role: defaultdict[str, types.Cost] = defaultdict(types.Cost)
    attempts: defaultdict[str, list[Candidate]] = defaultdict(list)
    for candidate in population.candidates.values():
        for role, each in (*candidate.cost.items(), *candidate.later_cost.items()):
            by_role[role] += each
        attempts[candidate.operator].append(candidate)
    by_operator = {name: _operator(population, made) for name, made in attempts.items()}
    after = total(candidate.later_cost for candidate in population.candidates.values())
    if after != types.Cost():
        by_operator[FINAL] = OperatorCost(**cost(after), attempts=0, gain=0.0, gain_per_usd=None)
    return Costs(
        by_role={role: cost(each) for role, each in by_role.items()},
        by_operator=by_operator,
        other=_minus(spent, total([by_role])),
    )


def cost(of: types.Cost) -> Cost:
    """Return a cost as plain JSON values."""
    return Cost(
        calls=of.calls,
        cached=of.cached,
        usd=of.usd,
        input_tokens=of.input_tokens,
        cached_tokens=of.cached_tokens,
        output_tokens=of.output_tokens,
    )


def candidate_cost(by_role: Mapping[str, types.Cost]) -> CandidateCost:
    """Return a candidate's cost as plain JSON values."""
    return CandidateCost(**cost(total([by_role])), by_role={role: cost(each) for role, each in by_role.items()})


def _operator(population: Population, made: Sequence[Candidate]) -> OperatorCost:
    whole = total(candidate.cost for candidate in made)
    gain = sum(_gain(population, candidate) for candidate in made)
    per_usd = gain / whole.usd if whole.usd else None
    return OperatorCost(**cost(whole), attempts=len(made), gain=gain, gain_per_usd=per_usd)


def _gain(population: Population, candidate: Candidate) -> float:
    """What the choice of operators counts as earned."""
    if candidate.outcome != "scored" or not candidate.parents:
        return 0.0
    return max(0.0, candidate.mean - max(population.candidates[parent].mean for parent in candidate.parents))


def recorded(population: Population) -> types.Cost:
    """Return what everything that has ended has cost."""
    return total(
        part for candidate in population.candidates.values() for part in (candidate.cost, candidate.later_cost)
    )


def paid(run: Run) -> types.Cost:
    """Return what the run has paid, from its store of calls where it has one: that knows of unfinished work too."""
    known = recorded(run.population)
    if not run.paths.calls.exists():
        return known
    store = Store(run.paths.calls, read_only=True)
    try:
        bill = store.spent()
    finally:
        store.close()
    return types.Cost(bill.calls, known.cached, bill.input_tokens, bill.cached_tokens, bill.output_tokens, bill.usd)


def _minus(spent: types.Cost, known: types.Cost) -> Cost | None:
    if spent.calls <= known.calls and spent.input_tokens <= known.input_tokens:
        return None
    return Cost(
        calls=spent.calls - known.calls,
        cached=0,
        usd=None if spent.usd is None or known.usd is None else max(0.0, spent.usd - known.usd),
        input_tokens=spent.input_tokens - known.input_tokens,
        cached_tokens=spent.cached_tokens - known.cached_tokens,
        output_tokens=spent.output_tokens - known.output_tokens,
    )
