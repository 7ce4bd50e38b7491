"""What was tried so far, as a reflector may learn from it."""

from __future__ import annotations

from functools import lru_cache

from evolve.operators.base import Tried
from evolve.population import Candidate, Population
from evolve.program import structural_diff

CHILDREN = 8
"""Earlier attempts from a candidate that are told, the newest ones."""


def ancestry(population: Population, candidate: Candidate) -> tuple[Tried, ...]:
    """Return the line from the seed to the candidate itself, along the first parents."""
    line = [candidate]
    while line[-1].parents:
        line.append(population.candidates[line[-1].parents[0]])
    return tuple(tried(population, each) for each in reversed(line))


def children(population: Population, candidate: Candidate) -> tuple[Tried, ...]:
    """Return what was tried from the candidate, oldest first, rejected attempts included."""
    made = [each for each in population.candidates.values() if candidate.id in each.parents]
    return tuple(tried(population, each) for each in made[-CHILDREN:])


def tried(population: Population, candidate: Candidate) -> Tried:
    """Return one attempt, with what it changed and what that brought."""
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
        diff=_diff(parents[0].source or "", candidate.source) if parents and candidate.source else "",
    )


@lru_cache(maxsize=1_024)
def _diff(old: str, new: str) -> str:
    return structural_diff(old, new).describe()
