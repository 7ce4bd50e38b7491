"""Is the winner better? Paired with every seed, its parent and the best seed, on the most honest queries there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from evolve.evaluation.statistics import holm, paired_difference, permutation_p
from evolve.events import Split
from evolve.forecast import better_parent
from evolve.population import Candidate, Population

HONEST: tuple[Split, ...] = ("test", "fresh", "static")
"""Test queries chose nobody; fresh ones chose the winner among the finalists; static ones chose the finalists too."""


class Compared(TypedDict):
    """The winner minus another candidate, paired by query."""

    against: str
    roles: list[str]
    """Of "baseline" (the best seed on the static queries), "parent" (the better one, of two) and "seed"."""
    split: Split
    n: int
    difference: float
    low: float
    high: float
    """Of the 95 % bootstrap interval."""
    p: float
    """Of a sign-flip permutation test, corrected by Holm for all comparisons of the list."""


def comparisons(population: Population, scopes: Mapping[str, str]) -> list[Compared]:
    """Return the best candidate's comparisons, the best seed's first; `scopes` by query id, empty where unknown.

    Each is on test queries where both have been asked them, else on fresh ones, else on static ones.
    """
    best = population.best
    if best is None:
        return []
    found = [
        compared
        for candidate, roles in _rivals(population, best)
        if (compared := _compared(best, candidate, roles, scopes))
    ]
    for compared, p in zip(found, holm([compared["p"] for compared in found]), strict=True):
        compared["p"] = p
    return found


def _rivals(population: Population, best: Candidate) -> list[tuple[Candidate, list[str]]]:
    """Whom the best candidate is compared with, and as what; not with itself."""
    named = [
        (population.best_seed, "baseline"),
        (better_parent(population, best), "parent"),
        *((seed, "seed") for seed in population.seeds if seed.outcome == "scored"),
    ]
    roles: dict[str, list[str]] = {}
    for candidate, role in named:
        if candidate is not None and candidate.id != best.id:
            roles.setdefault(candidate.id, []).append(role)
    return [(population.candidates[candidate], held) for candidate, held in roles.items()]


def _compared(best: Candidate, other: Candidate, roles: list[str], scopes: Mapping[str, str]) -> Compared | None:
    for split in HONEST:
        mine, theirs = scores_on(best, split), scores_on(other, split)
        interval = paired_difference(mine, theirs, scopes=scopes)
        p = permutation_p(mine, theirs, scopes=scopes)
        if interval is not None and p is not None:
            return Compared(
                against=other.id,
                roles=roles,
                split=split,
                n=interval.n,
                difference=interval.mean,
                low=interval.low,
                high=interval.high,
                p=p,
            )
    return None


def scores_on(candidate: Candidate, split: Split) -> Mapping[str, float]:
    """Return a candidate's scores on a split, by query id."""
    return {"test": candidate.test, "fresh": candidate.fresh, "static": candidate.scores}[split]
