"""What the rest of a run will cost, and when it stops for that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evolve.config import Config, load_config
from evolve.evaluation.splits import Splits
from evolve.forecast import Forecast, compared, finalists, total
from evolve.models.base import Spent
from evolve.population import Candidate, Population
from evolve.types import Cost, Episode, Query

EPISODES = tuple(Episode(str(n), "s", "text") for n in range(7))


def queries(split: str, count: int) -> tuple[Query, ...]:
    return tuple(Query(f"{split}{n}", "s", "?", "!") for n in range(count))


SPLITS = Splits(queries("static", 3), (), queries("fresh", 2), queries("test", 5), (), EPISODES)


def config_of(*overrides: str) -> Config:
    return load_config("chronicle", ["models.agent=openai:x", "budget.candidates=10", *overrides]).resolved()


def candidate(name: str, *, operator: str = "seed", outcome: str = "scored", usd: float | None = 0.1) -> Candidate:
    cost = {"agent": Cost(calls=20, usd=usd)}
    return Candidate(name, (), operator, "", outcome, "", "x", name, "", {"q": 0.5}, 0.0, 0, "", cost=cost)  # type: ignore[arg-type]


def population(*candidates: Candidate) -> Population:
    return Population(candidates={each.id: each for each in candidates})


SEEDS = (candidate("c000"), candidate("c001"))


def test_the_final_is_three_fresh_measurements_and_three_tests_at_the_price_of_a_call() -> None:
    final = Forecast(config_of(), SPLITS).final(population(*SEEDS))
    assert final.calls == 3 * (2 * 2) + 3 * (7 + 2 * 5)
    assert final.usd == pytest.approx(final.calls * 0.1 / 20)


def test_few_fresh_queries_have_two_finalists() -> None:
    few = replace(SPLITS, static=queries("static", 4))
    assert (finalists(SPLITS), finalists(few)) == (3, 2)
    assert Forecast(config_of(), few).final(population(*SEEDS)).calls == 2 * (2 * 2) + 3 * (7 + 2 * 5)


def test_what_is_measured_already_is_not_paid_again() -> None:
    forecast = Forecast(config_of(), SPLITS)
    tested = replace(SEEDS[0], test={"q": 0.5}, fresh={"q": 0.5})
    assert forecast.final(population(tested, SEEDS[1])).calls == 2 * (2 * 2) + 2 * (7 + 2 * 5)


def test_who_is_tested_beside_the_winner_is_known_with_the_winner() -> None:
    """The best seed, the winner, and the better of its parents, which here is not a seed."""
    forecast, best = Forecast(config_of(), SPLITS), replace(SEEDS[0], scores={"q": 0.6}, test={"q": 0.5})
    parents = [candidate(name, operator="tune") for name in ("c002", "c003")]
    parents[1] = replace(parents[1], scores={"q": 0.9})
    child = replace(candidate("c004", operator="merge"), parents=("c002", "c003"))
    ended = population(best, SEEDS[1], *parents, child)
    assert [each.id for each in compared(ended, paid=True)] == ["c000"]
    assert [each.id for each in compared(replace(ended, winner="c004"), paid=True)] == ["c000", "c004", "c003"]
    assert [each.id for each in compared(replace(ended, winner="c000"), paid=False)] == ["c000", "c001"]
    assert forecast.final(replace(ended, winner="c004")).calls == 2 * (7 + 2 * 5)
    assert forecast.final(replace(ended, winner="c000")).calls == 0


def test_without_held_out_queries_the_comparison_is_on_fresh_ones() -> None:
    forecast = Forecast(config_of(), replace(SPLITS, test=(), test_episodes=()))
    assert forecast.final(population(*SEEDS)).calls == (3 + 2) * (2 * 2)
    assert forecast.final(replace(population(*SEEDS), winner="c001")).calls == 2 * (2 * 2), "the winner and the best"


def test_a_dropped_child_is_a_child_and_its_second_look_is_paid_for_it() -> None:
    later = {"agent": Cost(calls=10, usd=0.05)}
    dropped = replace(candidate("c002", operator="reflect", outcome="rejected"), dropped="race", later_cost=later)
    child = Forecast(config_of(), SPLITS).child(population(*SEEDS, dropped))
    assert (child.calls, child.usd) == (30, pytest.approx(0.15))


def test_a_judge_is_a_third_call_for_every_query() -> None:
    judged = Forecast(config_of("evaluation.scorer=judge"), SPLITS).final(population(*SEEDS))
    assert judged.calls == 3 * (3 * 2) + 3 * (7 + 3 * 5)


def test_the_extractive_agent_tests_for_nothing() -> None:
    config = load_config("chronicle", ["models.reflector=openai:x"]).resolved()
    assert Forecast(config, SPLITS).final(population(*SEEDS)) == Cost()


def test_a_child_costs_what_the_rejected_ones_on_the_way_cost_too() -> None:
    made = [candidate("c002", operator="reflect"), candidate("c003", operator="reflect", outcome="rejected")]
    child = Forecast(config_of(), SPLITS).child(population(*SEEDS, *made))
    assert (child.calls, child.usd) == (40, pytest.approx(0.2))
    assert Forecast(config_of(), SPLITS).child(population(*SEEDS)).usd == pytest.approx(0.1), "seeds, before any child"


@pytest.mark.parametrize(("spent", "at_work", "stops"), [(0.5, 0, False), (0.59, 0, True), (0.5, 2, True)])
def test_final_test_and_children_at_work_are_kept_back(spent: float, at_work: int, stops: bool) -> None:
    """The final needs 63 calls: $0.32; a child $0.10."""
    forecast = Forecast(config_of("budget.usd=1.0"), SPLITS)
    why = forecast.why_stop(population(*SEEDS), Spent(100, spent, 0.0), at_work=at_work)
    assert bool(why) is stops
    if why:
        assert "the 10 candidates that are left would have cost about $1.00" in why
        assert "the final test needs about $0.32" in why


def test_calls_are_capped_alike() -> None:
    forecast = Forecast(config_of("budget.calls=200"), SPLITS)
    assert forecast.why_stop(population(*SEEDS), Spent(117, None, 0.0), at_work=0) == ""
    assert "budget.calls = 200: 118 are made" in forecast.why_stop(population(*SEEDS), Spent(118, None, 0.0), at_work=0)


def test_an_unknown_price_makes_a_sum_unknown() -> None:
    assert total([{"agent": Cost(1, usd=0.1)}, {"agent": Cost(1, usd=None)}]) == Cost(2, usd=None)
    assert Forecast(config_of(), SPLITS).rest(population(candidate("c000", usd=None))).endswith("calls")
