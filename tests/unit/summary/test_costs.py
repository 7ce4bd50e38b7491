"""Costs whose sums are known beforehand, and what a run has paid for that no attempt tells of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from evolve.config import Config
from evolve.events import AttemptEnded, Clock, Event, Measured, RunStarted
from evolve.folder import Run
from evolve.models.store import Asked, Bill, Kept, Store
from evolve.paths import RunPaths
from evolve.population import fold
from evolve.summary import summary
from evolve.types import Cost

CLOCK = Clock("2026-01-01T00:00:00.000+00:00", 12.5, 2.0)
AGENT = Cost(calls=10, cached=4, input_tokens=1_000, cached_tokens=300, output_tokens=200, usd=0.01)
REFLECTOR = Cost(calls=1, input_tokens=5_000, output_tokens=900, usd=0.04)


def _ended(number: int, operator: str, *parents: str, mean: float, cost: Mapping[str, Cost]) -> AttemptEnded:
    scores = {"q1": mean, "q2": mean}
    return AttemptEnded(
        number, f"c{number:03d}", operator, parents, "", "scored", CLOCK, digest=f"d{number}", scores=scores, cost=cost
    )


def _run(folder: Path, *events: Event) -> Run:
    models = {"agent": "openai:gpt-5-mini"}
    config = Config.checked({"task": "chronicle", "models": models, "budget": {"usd": 0.5, "calls": 90}}).resolved()
    started = RunStarted("r", "chronicle", "0" * 64, "openai:m", "process", {"static": 2}, CLOCK, scorer="f1")
    return Run(RunPaths(folder), config, fold([started, *events]))


EVENTS = (
    _ended(0, "seed", mean=0.5, cost={"agent": AGENT}),
    _ended(1, "reflect", "c000", mean=0.75, cost={"agent": AGENT, "reflector": REFLECTOR}),
    _ended(2, "reflect", "c001", mean=0.25, cost={"agent": AGENT, "reflector": REFLECTOR}),
    _ended(3, "tune", "c000", mean=0.625, cost={}),
    Measured("c001", "fresh", {"f1": 1.0}, CLOCK, cost={"agent": AGENT}),
)


def test_the_parts_of_the_cost_add_up_both_ways(tmp_path: Path) -> None:
    held = summary(_run(tmp_path, *EVENTS))
    budget, costs = held["budget"], held["costs"]
    assert (budget["calls"], budget["cached"], budget["usd"]) == (42, 16, pytest.approx(0.12))
    assert budget["limits"] == {"candidates": 20, "hours": None, "usd": 0.5, "calls": 90}
    for parts in (costs["by_role"].values(), costs["by_operator"].values()):
        assert sum(part["calls"] for part in parts) == 42
        assert sum(part["usd"] or 0.0 for part in parts) == pytest.approx(0.12)
        assert sum(part["output_tokens"] for part in parts) == 4 * 200 + 2 * 900
    assert list(costs["by_operator"]) == ["seed", "reflect", "tune", "final"]
    assert costs["other"] is None


def test_a_candidate_pays_for_its_attempt_and_for_what_was_asked_of_it_later(tmp_path: Path) -> None:
    cost = summary(_run(tmp_path, *EVENTS))["candidates"][1]["cost"]
    assert (cost["calls"], cost["cached"], cost["usd"]) == (21, 8, pytest.approx(0.06))
    assert (cost["input_tokens"], cost["cached_tokens"], cost["output_tokens"]) == (7_000, 600, 1_300)
    assert {role: part["usd"] for role, part in cost["by_role"].items()} == {"agent": 0.02, "reflector": 0.04}


def test_an_operator_gains_what_its_children_are_above_their_parents(tmp_path: Path) -> None:
    by_operator = summary(_run(tmp_path, *EVENTS))["costs"]["by_operator"]
    reflect, tune = by_operator["reflect"], by_operator["tune"]
    assert (reflect["attempts"], reflect["gain"]) == (2, 0.25), "the child that is worse takes nothing away"
    assert reflect["gain_per_usd"] == pytest.approx(0.25 / 0.1)
    assert (tune["gain"], tune["gain_per_usd"]) == (0.125, None), "what costs nothing has no gain per dollar"


def test_an_unknown_price_is_not_zero(tmp_path: Path) -> None:
    unpriced = _ended(1, "reflect", "c000", mean=0.75, cost={"reflector": Cost(calls=1, usd=None)})
    held = summary(_run(tmp_path, EVENTS[0], unpriced))
    assert held["budget"]["usd"] is None
    assert [candidate["cost"]["usd"] for candidate in held["candidates"]] == [0.01, None]
    assert held["costs"]["by_operator"]["reflect"]["gain_per_usd"] is None


def test_what_was_paid_for_an_attempt_without_an_end_is_counted(tmp_path: Path) -> None:
    run = _run(tmp_path, *EVENTS[:1])
    store = Store(run.paths.calls)
    bills = (Bill(10, 1_000, 300, 0, 200, 0.01), Bill(3, 90, 0, 0, 9, 0.002))
    store.keep(
        [(Asked("agent", "m", "{}", str(key)), Kept("", truncated=False, bill=b)) for key, b in enumerate(bills)]
    )
    store.close()
    held = summary(run)
    assert (held["budget"]["calls"], held["budget"]["usd"]) == (13, pytest.approx(0.012))
    assert held["costs"]["by_role"]["agent"]["calls"] == 10
    other = held["costs"]["other"]
    assert other is not None
    assert (other["calls"], other["usd"], other["output_tokens"]) == (3, pytest.approx(0.002), 9)
