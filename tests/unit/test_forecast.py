"""What the rest of a run will cost, and when it stops for that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evolve.config import Config, load_config
from evolve.evaluation.splits import Splits
from evolve.forecast import Forecast, total
from evolve.models.base import Spent
from evolve.population import Candidate, Population
from evolve.types import Cost, Episode, Query

EPISODES = tuple(Episode(str(n), "s", "text") for n in range(7))


def queries(split: str, count: int) -> tuple[Query, ...]:
    return tuple(Query(f"{split}{n}", "s", "?", "!") for n in range(count))


SPLITS = Splits(queries("static", 4), (), queries("fresh", 2), queries("test", 5), (), EPISODES)


def config_of(*overrides: str) -> Config:
    return load_config("chronicle", ["models.agent=openai:x", "budget.candidates=10", *overrides]).resolved()


def candidate(name: str, *, operator: str = "seed", outcome: str = "scored", usd: float | None = 0.1) -> Candidate:
    cost = {"agent": Cost(calls=20, usd=usd)}
    return Candidate(name, (), operator, "", outcome, "", "x", name, "", {"q": 0.5}, 0.0, 0, "", cost=cost)  # type: ignore[arg-type]


def population(*candidates: Candidate) -> Population:
    return Population(candidates={each.id: each for each in candidates})


SEEDS = (candidate("c000"), candidate("c001"))


def test_the_final_is_three_fresh_measurements_and_two_tests_at_the_price_of_a_call() -> None:
    final = Forecast(config_of(), SPLITS).final(population(*SEEDS))
    assert final.calls == 3 * (2 * 2) + 2 * (7 + 2 * 5)
    assert final.usd == pytest.approx(final.calls * 0.1 / 20)


def test_what_is_tested_already_is_not_paid_again() -> None:
    tested = replace(SEEDS[0], test={"q": 0.5})
    whole = replace(population(tested, SEEDS[1]), winner="c000")
    assert Forecast(config_of(), SPLITS).final(whole).calls == 7 + 2 * 5


def test_a_judge_is_a_third_call_for_every_query() -> None:
    judged = Forecast(config_of("evaluation.scorer=judge"), SPLITS).final(population(*SEEDS))
    assert judged.calls == 3 * (3 * 2) + 2 * (7 + 3 * 5)


def test_the_extractive_agent_tests_for_nothing() -> None:
    config = load_config("chronicle", ["models.reflector=openai:x"]).resolved()
    assert Forecast(config, SPLITS).final(population(*SEEDS)) == Cost()


def test_a_child_costs_what_the_rejected_ones_on_the_way_cost_too() -> None:
    made = [candidate("c002", operator="reflect"), candidate("c003", operator="reflect", outcome="rejected")]
    child = Forecast(config_of(), SPLITS).child(population(*SEEDS, *made))
    assert (child.calls, child.usd) == (40, pytest.approx(0.2))
    assert Forecast(config_of(), SPLITS).child(population(*SEEDS)).usd == pytest.approx(0.1), "seeds, before any child"


@pytest.mark.parametrize(("spent", "at_work", "stops"), [(0.5, 0, False), (0.68, 0, True), (0.5, 2, True)])
def test_final_test_and_children_at_work_are_kept_back(spent: float, at_work: int, stops: bool) -> None:
    """The final needs 46 calls: $0.23; a child $0.10."""
    forecast = Forecast(config_of("budget.usd=1.0"), SPLITS)
    why = forecast.why_stop(population(*SEEDS), Spent(100, spent, 0.0), at_work=at_work)
    assert bool(why) is stops
    if why:
        assert "the 10 candidates that are left would have cost about $1.00" in why
        assert "the final test needs about $0.23" in why


def test_calls_are_capped_alike() -> None:
    forecast = Forecast(config_of("budget.calls=200"), SPLITS)
    assert forecast.why_stop(population(*SEEDS), Spent(134, None, 0.0), at_work=0) == ""
    assert "budget.calls = 200: 135 are made" in forecast.why_stop(population(*SEEDS), Spent(135, None, 0.0), at_work=0)


def test_an_unknown_price_makes_a_sum_unknown() -> None:
    assert total([{"agent": Cost(1, usd=0.1)}, {"agent": Cost(1, usd=None)}]) == Cost(2, usd=None)
    assert Forecast(config_of(), SPLITS).rest(population(candidate("c000", usd=None))).endswith("calls")
