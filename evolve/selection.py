"""Which candidates become parents."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from evolve.population import Candidate


def softmax(candidates: Sequence[Candidate], *, temperature: float, draw: Random) -> Candidate:
    """Draw one scored candidate with probability proportional to exp(mean / temperature) (M*, section 3)."""
    best = max(candidate.mean for candidate in candidates)
    weights = [math.exp((candidate.mean - best) / temperature) for candidate in candidates]
    return draw.choices(candidates, weights)[0]
