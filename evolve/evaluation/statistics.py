"""Honest numbers: intervals from the bootstrap, and differences that are always paired by query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

RESAMPLES = 4_000
_SEED = 0
"""Intervals are part of the record: the same scores always give the same interval."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95 % interval."""

    mean: float
    n: int
    """Number of queries."""
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """True where the interval lies on one side of 0."""
        return self.low > 0 or self.high < 0


def mean_interval(scores: Sequence[float]) -> Interval | None:
    """Return the mean of the scores with its percentile bootstrap interval (Efron 1979), or None for no scores."""
    import numpy as np

    if not scores:
        return None
    values = np.asarray(scores, dtype=np.float64)
    draws = np.random.default_rng(_SEED).integers(0, len(values), size=(RESAMPLES, len(values)))
    low, high = np.percentile(values[draws].mean(axis=1), [2.5, 97.5])
    return Interval(float(values.mean()), len(values), float(low), float(high))


def paired_difference(scores: Mapping[str, float], other: Mapping[str, float]) -> Interval | None:
    """Return the mean of `scores - other` over the queries that both have, with its interval; None without pairs."""
    return mean_interval([scores[query] - other[query] for query in sorted(scores.keys() & other.keys())])


def permutation_p(scores: Mapping[str, float], other: Mapping[str, float]) -> float | None:
    """Return the two-sided p of a paired sign-flip permutation test of equal means; None without pairs."""
    import numpy as np

    shared = sorted(scores.keys() & other.keys())
    if not shared:
        return None
    differences = np.asarray([scores[query] - other[query] for query in shared])
    signs = np.random.default_rng(_SEED).choice((-1.0, 1.0), size=(RESAMPLES, len(shared)))
    flipped = np.abs((signs * differences).mean(axis=1))
    extreme = int((flipped >= abs(differences.mean()) - 1e-12).sum())
    return (extreme + 1) / (RESAMPLES + 1)
