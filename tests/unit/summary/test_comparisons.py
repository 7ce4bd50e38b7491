"""Whom the winner is compared with, on which queries, and what a p is worth among several."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evolve.evaluation.statistics import paired_difference, permutation_p
from evolve.population import Candidate, Population
from evolve.summary.comparisons import Compared, comparisons


def scores(split: str, *values: float) -> dict[str, float]:
    return {f"{split}{number}": value for number, value in enumerate(values)}


def candidate(name: str, *parents: str, static: float, test: float | None = None) -> Candidate:
    """The test scores of two candidates differ by nearly the same on every one of 12 queries."""
    asked = {} if test is None else scores("t", *(test + number / 1000 for number in range(12)))
    operator = "merge" if parents else "seed"
    found = scores("s", *[static] * 4)
    return Candidate(name, parents, operator, "", "scored", "", "x", name, "", found, 0.0, 0, "", test=asked)


SEEDS = (
    candidate("c000", static=0.2, test=0.3),
    candidate("c001", static=0.5, test=0.4),
    candidate("c002", static=0.1),
)
PARENTS = (candidate("c003", "c000", static=0.6), candidate("c004", "c000", static=0.7, test=0.6))
WINNER = candidate("c005", "c003", "c004", static=0.8, test=0.7)
RUN = Population(candidates={each.id: each for each in (*SEEDS, *PARENTS, WINNER)}, winner="c005")


def by_rival(population: Population, scopes: dict[str, str] | None = None) -> dict[str, Compared]:
    return {each["against"]: each for each in comparisons(population, scopes or {})}


def test_best_seed_better_parent_and_every_seed_are_compared_once() -> None:
    found = comparisons(RUN, {})
    assert [(each["against"], each["roles"]) for each in found] == [
        ("c001", ["baseline", "seed"]), ("c004", ["parent"]), ("c000", ["seed"]), ("c002", ["seed"]),
    ]  # fmt: skip


def test_the_most_honest_queries_that_both_have_been_asked_are_taken() -> None:
    fresh = {"f0": 0.5, "f1": 0.6}
    given = {**RUN.candidates, "c002": replace(SEEDS[2], fresh=fresh), "c005": replace(WINNER, fresh=fresh)}
    found = by_rival(Population(candidates=given, winner="c005"))
    assert {name: (each["split"], each["n"]) for name, each in found.items()} == {
        "c001": ("test", 12), "c004": ("test", 12), "c000": ("test", 12), "c002": ("fresh", 2),
    }  # fmt: skip
    assert by_rival(RUN)["c002"]["split"] == "static"
    assert by_rival(RUN)["c002"]["difference"] == pytest.approx(0.7)


def test_figures_are_those_of_the_paired_statistics_and_p_is_corrected_for_all() -> None:
    found = by_rival(RUN)
    for name, each in found.items():
        if each["split"] == "test":
            interval = paired_difference(WINNER.test, RUN.candidates[name].test)
            assert interval is not None
            assert (each["difference"], each["low"], each["high"]) == (interval.mean, interval.low, interval.high)
    alone = permutation_p(WINNER.test, SEEDS[1].test)
    assert alone is not None
    assert alone < 0.002
    assert found["c001"]["p"] >= 2 * alone, "three comparisons are about as clear, one is not"
    assert found["c002"]["p"] == pytest.approx(permutation_p(WINNER.scores, SEEDS[2].scores)), "the least clear one"


def test_scopes_reach_the_statistics() -> None:
    """Six scopes of two queries: 2 of 64 patterns of whole scopes are as extreme, whatever the queries say."""
    scopes = {f"t{number}": str(number // 2) for number in range(12)}
    only = Population(candidates={each.id: each for each in (SEEDS[0], WINNER, *PARENTS)}, winner="c005")
    assert by_rival(only, scopes)["c000"]["p"] == pytest.approx(2 * 2 / 64, abs=0.02), "corrected for two"
    assert by_rival(only)["c000"]["p"] < 0.01


def test_a_seed_is_not_compared_with_itself_and_nothing_with_nothing() -> None:
    assert comparisons(Population(), {}) == []
    assert comparisons(Population(candidates={"c000": SEEDS[0]}), {}) == []
    won = replace(RUN, winner="c001")
    assert [(each["against"], each["roles"]) for each in comparisons(won, {})] == [
        ("c000", ["seed"]),
        ("c002", ["seed"]),
    ]
