"""What was tried so far, as a reflector may learn from it."""

from __future__ import annotations

from functools import lru_cache

from evolve.operators.base import Tried
from evolve.population import Candidate, Population
from evolve.program import structural_diff

CHILDREN = 8
"""Earlier attempts from a candidate that are told, the newest ones."""
COMPARED = 12
"""Ancestors that are told with what they changed, the newest ones: after thousands of attempts lines are long."""
KEPT = 16_384
"""Differences that are kept in memory; one takes milliseconds to find."""


def line(population: Population, candidate: Candidate) -> tuple[Candidate, ...]:
    """Return the candidates from the seed to this one itself, along the first parents."""
    found = [candidate]
    while found[-1].parents:
        found.append(population.candidates[found[-1].parents[0]])
    return tuple(reversed(found))


def ancestry(population: Population, candidate: Candidate) -> tuple[Tried, ...]:
    """Return the line from the seed to the candidate itself as attempts; only the newest say what they changed."""
    whole = line(population, candidate)
    older = (tried(population, each, compared=False) for each in whole[:-COMPARED])
    return (*older, *(tried(population, each) for each in whole[-COMPARED:]))


def children(population: Population, candidate: Candidate) -> tuple[Tried, ...]:
    """Return what was tried from the candidate, oldest first, rejected attempts included."""
    return tuple(tried(population, each) for each in population.made_from(candidate.id)[-CHILDREN:])


def tried(population: Population, candidate: Candidate, *, compared: bool = True) -> Tried:
    """Return one attempt with what that brought and, where it is compared with its parent, what it changed."""
    parents = [population.candidates[parent] for parent in candidate.parents]
    mean = candidate.mean if candidate.outcome == "scored" else None
    before = max((parent.mean for parent in parents), default=None)
    return Tried(
        candidate=candidate.id,
        parents=candidate.parents,
        operator=candidate.operator,
        note=candidate.note,
        mean=mean,
        change=None if mean is None or before is None else mean - before,
        reason=candidate.reason,
        diff=_diff(parents[0].source or "", candidate.source) if compared and parents and candidate.source else "",
    )


@lru_cache(maxsize=KEPT)
def _diff(old: str, new: str) -> str:
    return structural_diff(old, new).describe()
