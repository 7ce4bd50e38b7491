"""Honest numbers: intervals from the bootstrap, differences that are always paired by query, and what chance explains.

Queries of one scope share a memory and a subject, so they are not independent. Where there are enough scopes, whole
scopes are drawn and whole scopes are flipped; with fewer, queries are, and the result holds for these scopes only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESAMPLES = 4_000
SCOPES = 6
"""With fewer scopes no permutation of whole scopes can show anything: 2 of 2^5 sign patterns are more than 5 %."""
KEPT = 512
"""The draws for so many queries or scopes are kept in memory, 16 MB at most."""
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


def mean_interval(scores: Sequence[float], groups: Sequence[str] = ()) -> Interval | None:
    """Return the mean of the scores with its bootstrap interval, or None for no scores.

    `groups` names the scope of each score; without it, or with fewer than 6 scopes, scores are drawn one by one. The
    percentiles are those of Student's t for the number of draws (the expanded percentile interval, Hesterberg 2015):
    the plain ones are too narrow where little is drawn.
    """
    import numpy as np

    if not scores:
        return None
    sums, sizes = _units(scores, groups)
    drawn = _draws(len(sums)) if len(sums) <= KEPT else _draws.__wrapped__(len(sums))
    means = drawn @ sums / (len(sums) if sizes is None else drawn @ sizes)
    tail = _tail(len(sums))
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(math.fsum(scores) / len(scores), len(scores), float(low), float(high))


def paired_difference(
    scores: Mapping[str, float], other: Mapping[str, float], *, scopes: Mapping[str, str] | None = None
) -> Interval | None:
    """Return the mean of `scores - other` over the queries that both have, with its interval; None without pairs.

    `scopes` has the scope of every query, by id; None takes queries as independent.
    """
    return mean_interval(*_paired(scores, other, scopes))


def permutation_p(
    scores: Mapping[str, float], other: Mapping[str, float], *, scopes: Mapping[str, str] | None = None
) -> float | None:
    """Return the two-sided p of a paired sign-flip permutation test of equal means; None without pairs.

    `scopes` as in `paired_difference`.
    """
    import numpy as np

    differences, groups = _paired(scores, other, scopes)
    if not differences:
        return None
    sums, _ = _units(differences, groups)
    signs = np.random.default_rng(_SEED).choice((-1.0, 1.0), size=(RESAMPLES, len(sums)))
    extreme = int((np.abs(signs @ sums) >= abs(sums.sum()) - 1e-9).sum())
    return (extreme + 1) / (RESAMPLES + 1)


def holm(ps: Sequence[float]) -> list[float]:
    """Return p values that hold for all comparisons together (Holm 1979), in the order in which they came."""
    corrected, largest = [0.0] * len(ps), 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=lambda place: ps[place])):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[place]))
        corrected[place] = largest
    return corrected


def _paired(
    scores: Mapping[str, float], other: Mapping[str, float], scopes: Mapping[str, str] | None
) -> tuple[list[float], list[str]]:
    shared = sorted(scores.keys() & other.keys())
    groups = [scopes.get(query, query) for query in shared] if scopes else []
    return [scores[query] - other[query] for query in shared], groups


def _units(scores: Sequence[float], groups: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Return sum and size of what is drawn as a whole: scopes where there are enough of them, else single scores.

    None for the sizes where each is 1.
    """
    import numpy as np

    names = {name: number for number, name in enumerate(dict.fromkeys(groups))}
    values = np.asarray(scores, dtype=np.float64)
    if len(names) < SCOPES:
        return values, None
    places = [names[name] for name in groups]
    return np.bincount(places, values).astype(np.float64), np.bincount(places).astype(np.float64)


@lru_cache(maxsize=4)
def _draws(units: int) -> NDArray[np.float64]:
    """Return how often each unit is in each resample, shape (RESAMPLES, units)."""
    import numpy as np

    drawn = np.random.default_rng(_SEED).integers(0, units, size=(RESAMPLES, units))
    drawn += np.arange(RESAMPLES)[:, None] * units
    return np.bincount(drawn.ravel(), minlength=RESAMPLES * units).reshape(RESAMPLES, units).astype(np.float64)


def _tail(units: int) -> float:
    """Return the share of resamples below a 95 % interval: that beyond Student's t, widened, under a normal curve."""
    degrees = max(1, units - 1)
    z = NormalDist().inv_cdf(0.975)
    # Fisher and Cornish 1960: Student's quantile from the normal one; three digits from 5 degrees of freedom on.
    t = z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
    t += (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * degrees**3)
    return NormalDist().cdf(-t * math.sqrt(1 + 1 / degrees))
