"""When a child is given up: the test is exact where that can be, never gives up equals more often than stated."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolve.evaluation.race import DRAWS, losing, p_worse, risk_at

scores = st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 0.5, 1.0])), max_size=8)


def keyed(values: list[float]) -> dict[str, float]:
    return {f"q{number}": value for number, value in enumerate(values)}


@given(pairs=scores)
def test_the_p_value_is_the_share_of_sign_patterns_that_are_as_bad(pairs: list[tuple[float, float]]) -> None:
    child, other = (keyed([pair[side] for pair in pairs]) for side in (0, 1))
    found = [one - two for one, two in pairs if one != two]
    p = p_worse(child, other)
    if not found:
        assert p is None
        return
    patterns = [
        sum(s * abs(d) for s, d in zip(signs, found, strict=True)) for signs in product((1, -1), repeat=len(found))
    ]
    assert p == pytest.approx(sum(total <= sum(found) + 1e-9 for total in patterns) / len(patterns))


def test_many_differences_are_estimated_and_never_too_small() -> None:
    rng = np.random.default_rng(1)
    other = keyed(list(rng.random(40)))
    worse = {query: max(0.0, score - 0.3 * rng.random()) for query, score in other.items()}
    p = p_worse(worse, other)
    assert p == pytest.approx(1 / (DRAWS + 1), abs=1e-3)
    assert p is not None
    assert p > 0
    assert p_worse(worse, other) == p, "the same scores, the same verdict"
    assert losing(worse, other, risk=0.03)
    assert not losing(other, worse, risk=0.03)


def test_only_queries_that_both_were_asked_are_compared() -> None:
    other = keyed([1.0] * 10)
    child = {**keyed([1.0] * 5), **{f"other{number}": 0.0 for number in range(10)}}
    assert p_worse(child, other) is None
    assert not losing(child, other, risk=0.5)


def test_equal_programs_are_given_up_no_more_often_than_stated() -> None:
    """Answers that vary by chance alone, looked at three times: the risk of the whole race is at most 0.1."""
    rng, lost, races = np.random.default_rng(0), 0, 400
    for _ in range(races):
        ease = rng.beta(1, 1, 60)
        one, two = (keyed(list((rng.random(60) < ease).astype(float))) for _ in range(2))
        looks = ({f"q{number}" for number in range(upto)} for upto in (15, 30, 45))
        lost += any(
            losing({q: one[q] for q in asked}, {q: two[q] for q in asked}, risk=risk_at(0.1, 4)) for asked in looks
        )
    assert lost / races <= 0.1 + 0.03
    assert lost > 0, "a test that never says no is none"


def test_the_risk_is_split_over_the_looks() -> None:
    assert [risk_at(0.1, blocks) for blocks in (1, 2, 3, 5)] == pytest.approx([0.1, 0.1, 0.05, 0.025])
