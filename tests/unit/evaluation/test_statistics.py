"""Intervals and permutation tests against values that are known without them."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolve.evaluation.statistics import Interval, mean_interval, paired_difference, permutation_p


def test_no_scores_no_interval() -> None:
    assert mean_interval([]) is None
    assert paired_difference({}, {"a": 1.0}) is None
    assert paired_difference({"a": 1.0}, {"b": 1.0}) is None
    assert permutation_p({"a": 1.0}, {"b": 1.0}) is None


@pytest.mark.parametrize("value", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("count", [1, 2, 50])
def test_constants_have_no_width(value: float, count: int) -> None:
    assert mean_interval([value] * count) == Interval(value, count, value, value)


def test_the_interval_is_that_of_the_normal_approximation_where_that_is_good() -> None:
    chance = Random(0)
    scores = [chance.gauss(0.5, 0.1) for _ in range(400)]
    interval = mean_interval(scores)
    assert interval is not None
    mean = sum(scores) / 400
    deviation = math.sqrt(sum((score - mean) ** 2 for score in scores) / 400)
    assert interval.mean == pytest.approx(mean)
    assert interval.low == pytest.approx(mean - 1.96 * deviation / 20, abs=0.0012)
    assert interval.high == pytest.approx(mean + 1.96 * deviation / 20, abs=0.0012)


def test_a_coin_has_the_interval_of_the_binomial() -> None:
    """10 of 20: the 2.5 % and 97.5 % points of Binomial(20, 1/2) are 6 and 14."""
    interval = mean_interval([1.0] * 10 + [0.0] * 10)
    assert interval is not None
    assert (interval.low, interval.mean, interval.high) == (0.3, 0.5, 0.7)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_the_interval_holds_the_mean_and_repeats_itself(scores: list[float]) -> None:
    interval = mean_interval(scores)
    assert interval is not None
    assert interval == mean_interval(scores)
    assert interval.n == len(scores)
    assert min(scores) - 1e-9 <= interval.low <= interval.high <= max(scores) + 1e-9


def test_differences_are_paired_by_query_whatever_the_order() -> None:
    one = {"a": 0.9, "b": 0.1, "only": 1.0}
    other = {"b": 0.0, "a": 0.8, "else": 0.0}
    interval = paired_difference(one, other)
    assert interval is not None
    assert interval.n == 2
    assert interval.mean == pytest.approx(0.1)
    assert interval.high - interval.low < 1e-9  # unpaired, these scores would be far apart
    assert interval.excludes_zero
    swapped = paired_difference(dict(reversed(one.items())), other)
    assert swapped == interval
    back = paired_difference(other, one)
    assert back is not None
    assert back.mean == -interval.mean


def test_an_interval_that_touches_zero_excludes_nothing() -> None:
    assert not Interval(0.1, 5, 0.0, 0.2).excludes_zero
    assert not Interval(0.1, 5, -0.1, 0.2).excludes_zero
    assert Interval(-0.1, 5, -0.2, -0.05).excludes_zero


def scores(*values: float) -> dict[str, float]:
    return {f"q{number}": value for number, value in enumerate(values)}


def test_p_of_a_clear_difference_is_small() -> None:
    p = permutation_p(scores(*[0.9] * 20), scores(*[0.1] * 20))
    assert p is not None
    assert p < 0.001


def test_p_of_no_difference_is_one() -> None:
    assert permutation_p(scores(0.3, 0.7), scores(0.3, 0.7)) == 1.0
    assert permutation_p(scores(0.9), scores(0.1)) == 1.0  # one pair can show nothing


def test_p_is_that_of_all_sign_flips() -> None:
    """Differences 1, 1, 1, 1, 1, -1: 14 of the 64 sign patterns have an absolute sum of 4 or more."""
    p = permutation_p(scores(1, 1, 1, 1, 1, 0), scores(0, 0, 0, 0, 0, 1))
    assert p == pytest.approx(14 / 64, abs=0.02)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=15))
def test_p_is_a_probability_and_takes_no_side(pairs: list[tuple[float, float]]) -> None:
    one, other = scores(*(a for a, _ in pairs)), scores(*(b for _, b in pairs))
    p = permutation_p(one, other)
    assert p is not None
    assert 0 < p <= 1
    assert p == permutation_p(other, one) == permutation_p(one, other)


def test_p_under_no_difference_is_uniform_enough() -> None:
    """A test at 5 % is wrong about 5 % of the time."""
    chance = Random(3)
    wrong = 0
    for _ in range(200):
        one = scores(*(chance.random() for _ in range(12)))
        other = scores(*(chance.random() for _ in range(12)))
        p = permutation_p(one, other)
        wrong += p is not None and p < 0.05
    assert 2 <= wrong <= 20
