"""Softmax selection draws by score, as often as the formula says."""

from __future__ import annotations

import math
from collections import Counter
from random import Random

import pytest

from evolve.population import Candidate
from evolve.selection import softmax


def candidate(name: str, mean: float) -> Candidate:
    return Candidate(name, (), "seed", "", "scored", "", "x", name, "", {"q": mean}, 0.0, 0, "")


def test_a_single_candidate_is_drawn() -> None:
    only = candidate("a", 0.0)
    assert softmax([only], temperature=0.15, draw=Random(0)) is only


@pytest.mark.parametrize("temperature", [0.15, 1.0])
def test_shares_are_those_of_the_formula(temperature: float) -> None:
    means = {"a": 0.2, "b": 0.4, "c": 0.5}
    pool = [candidate(name, mean) for name, mean in means.items()]
    chance = Random(1)
    draws = 20_000
    seen = Counter(softmax(pool, temperature=temperature, draw=chance).id for _ in range(draws))
    weights = {name: math.exp(mean / temperature) for name, mean in means.items()}
    for name, weight in weights.items():
        assert seen[name] / draws == pytest.approx(weight / sum(weights.values()), abs=0.015)


def test_equal_scores_have_equal_chances() -> None:
    chance = Random(2)
    pool = [candidate(name, 0.0) for name in "abcd"]
    seen = Counter(softmax(pool, temperature=0.15, draw=chance).id for _ in range(8_000))
    assert all(count == pytest.approx(2_000, abs=200) for count in seen.values())


@pytest.mark.parametrize("temperature", [1e-300, 1e-9, 1e300])
def test_extreme_temperatures_draw_somebody(temperature: float) -> None:
    pool = [candidate("a", 0.1), candidate("b", 0.9)]
    drawn = {softmax(pool, temperature=temperature, draw=Random(seed)).id for seed in range(50)}
    assert drawn == ({"a", "b"} if temperature > 1 else {"b"})


def test_equal_chance_draws_equally() -> None:
    pool = [candidate(str(number), number / 10) for number in range(10)]
    one = [softmax(pool, temperature=0.15, draw=Random(f"0:{n}")).id for n in range(20)]
    assert one == [softmax(pool, temperature=0.15, draw=Random(f"0:{n}")).id for n in range(20)]
    assert len(set(one)) > 1
