"""Intervals and permutation tests against values that are known without them."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolve.evaluation.statistics import Interval, holm, mean_interval, paired_difference, permutation_p


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


def test_a_coin_has_the_interval_of_the_binomial_widened_for_twenty_draws() -> None:
    """10 of 20: Student's t makes 1.59 % of 2.5 %, and P(X <= 4) < 1.59 % < P(X <= 5) for Binomial(20, 1/2)."""
    interval = mean_interval([1.0] * 10 + [0.0] * 10)
    assert interval is not None
    assert (interval.low, interval.mean, interval.high) == (0.25, 0.5, 0.75)


@pytest.mark.parametrize("scopes", [8, 20])
@pytest.mark.parametrize("shared", [0.0, 0.15])
def test_whole_scopes_are_drawn_and_the_interval_holds_the_truth(scopes: int, shared: float) -> None:
    """Of 300 intervals about 285 hold the mean, also where queries of a scope have a part of their scores in common."""
    chance, held, plain = Random(1), 0, 0
    groups = [f"s{number}" for number in range(scopes) for _ in range(10)]
    for _ in range(300):
        subject = {name: chance.gauss(0, math.sqrt(shared)) for name in set(groups)}
        found = [subject[name] + chance.gauss(0, math.sqrt(1 - shared)) for name in groups]
        by_scope, by_query = mean_interval(found, groups), mean_interval(found)
        assert by_scope is not None
        assert by_query is not None
        held += by_scope.low <= 0 <= by_scope.high
        plain += by_query.low <= 0 <= by_query.high
    assert held >= 270
    if shared:
        assert plain < 255, "as if the queries were independent, the intervals are too narrow"


def test_queries_in_a_scope_each_are_queries_and_few_scopes_are_not_drawn() -> None:
    values = [0.1, 0.9, 0.4, 0.5, 0.7, 0.2, 0.3]
    assert mean_interval(values, [str(number) for number in range(7)]) == mean_interval(values)
    assert mean_interval(values, list("aaabbcc")) == mean_interval(values)


def test_scopes_of_different_sizes_keep_the_mean_over_queries() -> None:
    values = [1.0] * 10 + [0.0] * 6
    interval = mean_interval(values, [*"aaaaabbbbbcdefgh"])
    assert interval is not None
    assert (interval.mean, interval.n) == (10 / 16, 16)
    assert interval.low < 10 / 16 < interval.high


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


def test_scopes_are_flipped_as_wholes() -> None:
    """Six scopes that all gain: 2 of 64 patterns are as extreme, however many queries a scope has."""
    one, other = scores(*[0.9] * 30), scores(*[0.1] * 30)
    scopes = {query: f"s{number % 6}" for number, query in enumerate(one)}
    assert permutation_p(one, other, scopes=scopes) == pytest.approx(2 / 64, abs=0.01)
    few = {query: f"s{number % 5}" for number, query in enumerate(one)}
    assert permutation_p(one, other, scopes=few) == permutation_p(one, other)


def test_holm_is_known_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_only_raises_and_keeps_the_order(ps: list[float]) -> None:
    corrected = holm(ps)
    assert all(p <= held <= 1 for p, held in zip(ps, corrected, strict=True))
    assert min(corrected) == pytest.approx(min(1.0, len(ps) * min(ps)))
    by_p = [held for _, held in sorted(zip(ps, corrected, strict=True))]
    assert by_p == sorted(by_p)
