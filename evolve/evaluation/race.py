"""When a child is given up: paired comparisons on what it was asked so far, with error rates that are stated.

A sign-flip test needs no model of the scores: if the child is as good as the other, each difference is as likely to be
negative as positive, and the share of sign patterns whose mean is as low as the one that was seen is its p value. With
the risk split evenly over the looks, the union bound holds it for the race as a whole, whatever the looks depend on.
"""

from __future__ import annotations

from collections.abc import Mapping

EXACT = 12
"""Up to so many differences besides 0, all sign patterns are counted; beyond, DRAWS are drawn."""
DRAWS = 4_000
_SEED = 0
"""The same scores always give the same verdict: a resume or a replay must not decide otherwise."""


def losing(child: Mapping[str, float], other: Mapping[str, float], *, risk: float) -> bool:
    """Return True where the child is worse on the queries that both have, and chance would say so with at most `risk`.

    The scores are by query id. `risk` is the probability of one look; see `risk_at`.
    """
    p = p_worse(child, other)
    return p is not None and p <= risk


def p_worse(child: Mapping[str, float], other: Mapping[str, float]) -> float | None:
    """Return the one-sided p of a paired sign-flip test of "the child is no worse"; None where no score differs.

    Exact for at most 12 differences; else a Monte Carlo estimate that is never too small (Phipson and Smyth 2010).
    """
    import numpy as np

    shared = sorted(child.keys() & other.keys())
    found = np.asarray([child[query] - other[query] for query in shared], dtype=np.float64)
    found = found[found != 0]
    if not found.size:
        return None
    if found.size <= EXACT:
        patterns = np.arange(1 << found.size)[:, None] >> np.arange(found.size) & 1
        sums = (1.0 - 2.0 * patterns) @ np.abs(found)
        return float((sums <= found.sum() + 1e-12).mean())
    signs = np.random.default_rng(_SEED).choice((-1.0, 1.0), size=(DRAWS, found.size))
    extreme = int((signs @ np.abs(found) <= found.sum() + 1e-12).sum())
    return (extreme + 1) / (DRAWS + 1)


def risk_at(risk: float, blocks: int) -> float:
    """Return the part of the race's risk that each look may take: there is one after every block but the last."""
    return risk / max(1, blocks - 1)
