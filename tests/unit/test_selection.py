"""Selection and the operators' bandit draw as often as their formulas say."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from evolve.population import Candidate, Population
from evolve.selection import ALIVE, choose_operator, complement, greedy, pareto, recency, softmax
from evolve.types import Cost


def candidate(name: str, mean: float) -> Candidate:
    return scored(name, {"q": mean})


def scored(name: str, scores: dict[str, float], *, operator: str = "seed", **others: Any) -> Candidate:
    return Candidate(
        name, others.pop("parents", ()), operator, "", "scored", "", "x", name, "", scores, 0.0, 0, "", **others
    )


def shares(draws: Iterable[str]) -> dict[str, float]:
    counted = Counter(draws)
    return {name: count / counted.total() for name, count in counted.items()}


def test_a_single_candidate_is_drawn() -> None:
    only = candidate("a", 0.0)
    assert softmax([only], 0.15, Random(0)) is only


@pytest.mark.parametrize("temperature", [0.15, 1.0])
def test_shares_are_those_of_the_formula(temperature: float) -> None:
    means = {"a": 0.2, "b": 0.4, "c": 0.5}
    pool = [candidate(name, mean) for name, mean in means.items()]
    chance = Random(1)
    draws = 20_000
    seen = Counter(softmax(pool, temperature, chance).id for _ in range(draws))
    weights = {name: math.exp(mean / temperature) for name, mean in means.items()}
    for name, weight in weights.items():
        assert seen[name] / draws == pytest.approx(weight / sum(weights.values()), abs=0.015)


def test_equal_scores_have_equal_chances() -> None:
    chance = Random(2)
    pool = [candidate(name, 0.0) for name in "abcd"]
    seen = Counter(softmax(pool, 0.15, chance).id for _ in range(8_000))
    assert all(count == pytest.approx(2_000, abs=200) for count in seen.values())


@pytest.mark.parametrize("temperature", [1e-300, 1e-9, 1e300])
def test_extreme_temperatures_draw_somebody(temperature: float) -> None:
    pool = [candidate("a", 0.1), candidate("b", 0.9)]
    drawn = {softmax(pool, temperature, Random(seed)).id for seed in range(50)}
    assert drawn == ({"a", "b"} if temperature > 1 else {"b"})


def test_equal_chance_draws_equally() -> None:
    pool = [candidate(str(number), number / 10) for number in range(10)]
    one = [softmax(pool, 0.15, Random(f"0:{n}")).id for n in range(20)]
    assert one == [softmax(pool, 0.15, Random(f"0:{n}")).id for n in range(20)]
    assert len(set(one)) > 1


def test_greedy_takes_the_best_and_the_earliest_of_equals() -> None:
    pool = [candidate("a", 0.4), candidate("b", 0.6), candidate("c", 0.6)]
    assert greedy(pool, 0.15, Random(0)).id == "b"


def test_recency_falls_by_a_fifth_for_each_newer_candidate() -> None:
    pool = [candidate(name, 0.5) for name in "abc"]
    chance = Random(3)
    seen = shares(recency(pool, 0.15, chance).id for _ in range(20_000))
    whole = 1 + 0.8 + 0.64
    assert seen == pytest.approx({"c": 1 / whole, "b": 0.8 / whole, "a": 0.64 / whole}, abs=0.015)


def test_pareto_draws_by_the_queries_that_a_candidate_answers_best() -> None:
    pool = [
        scored("wide", {"1": 1.0, "2": 1.0, "3": 0.0}),
        scored("other", {"1": 0.0, "2": 0.0, "3": 1.0}),
        scored("below", {"1": 0.9, "2": 0.9, "3": 0.9}),  # a better mean than "other", and best nowhere
    ]
    chance = Random(4)
    seen = shares(pareto(pool, 0.15, chance).id for _ in range(20_000))
    assert seen == pytest.approx({"wide": 2 / 3, "other": 1 / 3}, abs=0.015)


def test_pareto_leaves_out_who_shares_every_front_with_a_better_one() -> None:
    pool = [scored("ties", {"1": 1.0, "2": 0.0}), scored("best", {"1": 1.0, "2": 1.0})]
    assert {pareto(pool, 0.15, Random(seed)).id for seed in range(50)} == {"best"}


def test_of_equal_candidates_pareto_keeps_somebody() -> None:
    pool = [scored(name, {"1": 0.5}) for name in "abc"]
    assert len({pareto(pool, 0.15, Random(seed)).id for seed in range(50)}) == 1


def test_a_partner_wins_where_the_first_loses_and_loses_where_it_wins() -> None:
    first = scored("first", {"1": 1.0, "2": 0.0, "3": 0.5})
    better = scored("better", {"1": 1.0, "2": 1.0, "3": 1.0})  # nothing to merge: it is the first and more
    other = scored("other", {"1": 0.0, "2": 1.0, "3": 0.5})
    pool = [first, better, other]
    assert {complement(first, pool, Random(seed)).id for seed in range(50)} == {"other"}  # type: ignore[union-attr]
    assert complement(first, [first, better], Random(0)) is None


def population(*candidates: Candidate) -> Population:
    return Population(candidates={each.id: each for each in candidates})


SEED = candidate("s", 0.5)


def child(name: str, operator: str, mean: float, *, usd: float | None = 0.01) -> Candidate:
    cost = {"reflector": Cost(calls=1, input_tokens=9_000, output_tokens=1_000, usd=usd)}
    return scored(name, {"q": mean}, operator=operator, parents=("s",), cost=cost, asked=10)


def drawn(names: list[str], *candidates: Candidate) -> dict[str, float]:
    chance = Random(5)
    return shares(choose_operator(names, population(SEED, *candidates), chance) for _ in range(20_000))


def test_untried_operators_are_drawn_alike() -> None:
    assert drawn(["reflect", "tune"]) == pytest.approx({"reflect": 0.5, "tune": 0.5}, abs=0.015)


def test_an_operator_is_drawn_by_what_it_earned_for_its_cost() -> None:
    gains, nothing = child("a", "reflect", 0.7), child("b", "tune", 0.5)
    seen = drawn(["reflect", "tune"], gains, nothing)
    assert seen["reflect"] > 0.75
    assert seen["tune"] > ALIVE / 2, "no operator dies"
    dear = drawn(["reflect", "tune"], child("a", "reflect", 0.7, usd=1.0), nothing)
    assert dear["reflect"] < seen["reflect"]


def test_what_was_earned_long_ago_counts_less() -> None:
    early = [child("a", "reflect", 0.7), *(child(str(n), "tune", 0.5) for n in range(40))]
    late = [*(child(str(n), "tune", 0.5) for n in range(40)), child("a", "reflect", 0.7)]
    assert drawn(["reflect", "tune"], *early)["reflect"] < drawn(["reflect", "tune"], *late)["reflect"]


def test_a_rejected_attempt_earns_nothing_and_costs() -> None:
    rejected = replace(child("a", "reflect", 0.9), outcome="rejected")
    assert drawn(["reflect", "tune"], rejected)["reflect"] < 0.5


def test_tokens_stand_in_for_an_unknown_price() -> None:
    known, unknown = child("a", "reflect", 0.6, usd=0.01), child("a", "reflect", 0.6, usd=None)
    assert drawn(["reflect", "tune"], known) == drawn(["reflect", "tune"], unknown)
