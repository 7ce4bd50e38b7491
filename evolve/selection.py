"""Which candidates become parents, and which operator makes the next child."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TypeAlias

from evolve.population import SEED, Candidate, Population

Select: TypeAlias = Callable[[Sequence[Candidate], float, Random], Candidate]
"""Draws one of the scored candidates, given a temperature and a source of chance."""
RECENCY = 0.8
"""Weight of a candidate relative to the one that ended after it."""
DECAY = 0.95
"""Weight of what an attempt brought relative to the attempt that ended after it."""
REMEMBERED = 200
"""Attempts that are looked back at, the newest ones: what is older weighs less than 1/10,000."""
ALIVE = 0.2
"""Share of the attempts that all operators get in equal parts, whatever they have earned."""
HOPE = 0.02
"""Gain in score that one attempt of an operator is believed to bring before it was tried."""
QUERY_USD = 1e-5
"""What asking one query is worth in machine time, so that work without a model has a cost as well."""
TOKEN_USD = 1e-6
"""What a token is taken to cost where its price is not known."""


def softmax(candidates: Sequence[Candidate], temperature: float, draw: Random) -> Candidate:
    """Draw with probability proportional to exp(mean / temperature) (M*, section 3)."""
    best = max(candidate.mean for candidate in candidates)
    return draw.choices(candidates, [math.exp((each.mean - best) / temperature) for each in candidates])[0]


def greedy(candidates: Sequence[Candidate], temperature: float, draw: Random) -> Candidate:
    """Return the best mean; the earliest of equals."""
    return max(candidates, key=lambda candidate: candidate.mean)


def recency(candidates: Sequence[Candidate], temperature: float, draw: Random) -> Candidate:
    """Draw by age alone: the newest most often, each older one 0.8 times as often."""
    return draw.choices(candidates, [RECENCY**age for age in range(len(candidates) - 1, -1, -1)])[0]


def pareto(candidates: Sequence[Candidate], temperature: float, draw: Random) -> Candidate:
    """Draw by the number of queries that a candidate answers best, dominated ones left out (GEPA, algorithm 2)."""
    fronts = _fronts(candidates)
    kept = _undominated(candidates, fronts)
    return draw.choices(kept, [sum(each.id in front for front in fronts) for each in kept])[0]


SELECTIONS: Mapping[str, Select] = {"softmax": softmax, "pareto": pareto, "greedy": greedy, "recency": recency}


def complement(first: Candidate, pool: Sequence[Candidate], draw: Random) -> Candidate | None:
    """Draw a partner that wins where the first loses, by the points it wins there; None where nobody does."""
    others = [candidate for candidate in pool if candidate.id != first.id]
    weights = [_leads(candidate.scores, first.scores) for candidate in others]
    return draw.choices(others, weights)[0] if any(weights) else None


def choose_operator(names: Sequence[str], population: Population, draw: Random) -> str:
    """Draw the next operator by what each has earned per unit of cost, newer attempts counting for more.

    An attempt earns what its child's mean is above its best parent's; a rejected one earns nothing. Each operator
    starts with one imagined attempt of ordinary cost, and keeps its part of a fifth of all attempts.
    """
    newest_first = (each for each in reversed(list(population.candidates.values())) if each.operator != SEED)
    attempts = list(itertools.islice(newest_first, REMEMBERED))
    costs = {each.id: _effort(each) for each in attempts}
    ordinary = sum(costs.values()) / len(costs) if costs else 1.0
    worth = []
    for name in names:
        gain, cost, weight = HOPE, ordinary, 1.0
        for each in attempts:
            weight *= DECAY
            if each.operator == name:
                gain += weight * _gain(population, each)
                cost += weight * costs[each.id]
        worth.append(gain / cost)
    total = sum(worth)
    return draw.choices(names, [ALIVE / len(names) + (1 - ALIVE) * each / total for each in worth])[0]


def _gain(population: Population, candidate: Candidate) -> float:
    if candidate.outcome != "scored":
        return 0.0
    before = max(population.candidates[parent].mean for parent in candidate.parents)
    return max(0.0, candidate.mean - before)


def _effort(candidate: Candidate) -> float:
    spent = [
        cost.usd if cost.usd is not None else TOKEN_USD * (cost.input_tokens + cost.output_tokens)
        for cost in candidate.cost.values()
    ]
    return sum(spent) + QUERY_USD * max(1, candidate.asked)


def _leads(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Return the points that each wins where it is ahead of the other, multiplied."""
    ahead, behind = 0.0, 0.0
    for query, score in one.items():
        if (lead := score - other.get(query, score)) > 0:
            ahead += lead
        else:
            behind -= lead
    return ahead * behind


def _fronts(candidates: Sequence[Candidate]) -> list[frozenset[str]]:
    """For each query, the candidates with its best score."""
    fronts = []
    for query in sorted({query for candidate in candidates for query in candidate.scores}):
        asked = [candidate for candidate in candidates if query in candidate.scores]
        best = max(candidate.scores[query] for candidate in asked)
        fronts.append(frozenset(candidate.id for candidate in asked if candidate.scores[query] == best))
    return fronts


def _undominated(candidates: Sequence[Candidate], fronts: Sequence[frozenset[str]]) -> list[Candidate]:
    """Leave out who is on no front without somebody that is kept, looking at the lowest means first."""
    kept = {candidate.id for candidate in candidates if any(candidate.id in front for front in fronts)}
    for candidate in sorted(candidates, key=lambda each: each.mean):
        own = [front for front in fronts if candidate.id in front]
        if candidate.id in kept and all((front & kept) - {candidate.id} for front in own):
            kept.discard(candidate.id)
    return [candidate for candidate in candidates if candidate.id in kept]
