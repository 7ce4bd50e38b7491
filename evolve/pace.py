"""How many proposals at a time, and which dropped candidates are worth another look: both from what was measured."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field

from evolve.population import SEED, Candidate, Population

RECENT = 16
"""Measured children that the ratio of proposing to measuring is taken from, the newest ones."""
SIDE_BY_SIDE = 2
"""Evaluations that are to be at work at any time: while one waits for its last answers, another uses the provider."""


def proposals_wanted(population: Population, most: int) -> int:
    """Return how many proposals at a time keep the evaluations busy: more would only know less of what was measured.

    If a proposal takes r times as long as an evaluation, 2 r proposals at a time keep 2 evaluations at work; between 2
    and `most`, and `most` as long as nothing is known.
    """
    newest_first = reversed(list(population.candidates.values()))
    timed = (each for each in newest_first if each.operator != SEED and each.is_measured and each.proposing > 0)
    recent = list(itertools.islice(timed, RECENT))
    if not recent:
        return most
    proposing: float = statistics.median(each.proposing for each in recent)
    measuring: float = statistics.median(max(each.seconds - each.proposing, 1e-3) for each in recent)
    return min(most, max(SIDE_BY_SIDE, math.ceil(SIDE_BY_SIDE * proposing / measuring)))


@dataclass(slots=True)
class SecondLooks:
    """Candidates that lost the race against a best one that has been replaced since."""

    seen: dict[str, str] = field(default_factory=dict)
    """For each candidate, the best one that it was last compared with."""

    def due(self, population: Population) -> Iterator[Candidate]:
        """Yield those that are no worse than the best candidate of now on the queries that they were asked."""
        best = population.best
        if best is None or best.outcome != "scored":
            return
        for candidate in population.candidates.values():
            if candidate.dropped != "race" or candidate.outcome == "scored" or self.seen.get(candidate.id) == best.id:
                continue
            self.seen[candidate.id] = best.id
            shared = candidate.scores.keys() & best.scores.keys()
            if shared and sum(candidate.scores[query] - best.scores[query] for query in shared) >= 0:
                yield candidate
