"""The summary of runs whose numbers are known beforehand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from evolve.config import Config
from evolve.events import AttemptEnded, Clock, Event, Measured, RunStarted, RunStopped, WinnerChosen
from evolve.folder import Run
from evolve.paths import RunPaths
from evolve.population import fold
from evolve.summary import first_ancestor, meaning, summary

CLOCK = Clock("2026-01-01T00:00:00.000+00:00", 12.5, 2.0)
STATIC = ("q1", "q2", "q3", "q4")
TEST = tuple(f"t{number}" for number in range(20))


def _ended(
    number: int, operator: str, *parents: str, scores: Mapping[str, float | None], reason: str = ""
) -> AttemptEnded:
    outcome = "rejected" if reason else "scored"
    return AttemptEnded(
        number,
        f"c{number:03d}",
        operator,
        parents,
        "a note",
        outcome,
        CLOCK,
        reason,
        source="x = 1\n",
        digest=f"d{number}",
        scores=scores,
    )


def _flat(value: float) -> dict[str, float | None]:
    return dict.fromkeys(STATIC, value)


def _run(folder: Path, *events: Event) -> Run:
    config = Config.checked({"task": "chronicle", "search": {"seeds": ["bm25", "mine/special.py"]}}).resolved()
    started = RunStarted("r", "chronicle", "0" * 64, "extractive", "process", {"static": 4, "test": 20}, CLOCK)
    return Run(RunPaths(folder), config, fold([started, *events]))


SEARCHED = (
    _ended(0, "seed", scores=_flat(0.2)),
    _ended(1, "seed", scores=_flat(0.5)),
    _ended(2, "tune", "c001", scores={"q1": 0.1}, reason="0.100 on the cheap rung, c001 has 0.500"),
    _ended(3, "recombine", "c001", "c000", scores={**_flat(0.8), "q4": None}),
)
TESTED = (
    WinnerChosen("c003", CLOCK),
    Measured("c000", "test", dict.fromkeys(TEST, 0.6), CLOCK),
    Measured("c001", "test", dict.fromkeys(TEST, 0.4), CLOCK),
    Measured("c003", "test", dict.fromkeys(TEST, 0.7), CLOCK),
    RunStopped("finished", "1 candidates are measured", CLOCK),
)


def test_the_winner_is_compared_with_the_seed_that_did_best_on_the_test_itself(tmp_path: Path) -> None:
    held = summary(_run(tmp_path, *SEARCHED, *TESTED))
    assert held["test"] == {"mean": pytest.approx(0.7), "n": 20, "low": pytest.approx(0.7), "high": pytest.approx(0.7)}
    versus = held["test_vs_best_seed"]
    assert versus is not None
    assert versus["seed"] == "c000", "c001 did better in the search, c000 in the test"
    assert versus["difference"] == pytest.approx(0.1)
    assert versus["low"] > 0
    assert versus["p"] < 0.001


def test_only_measured_candidates_have_a_score_and_lost_queries_are_left_out(tmp_path: Path) -> None:
    held = summary(_run(tmp_path, *SEARCHED))
    rejected, child = held["candidates"][2:]
    assert rejected["score"] is None
    assert rejected["reason"].startswith("0.100 on the cheap rung")
    assert child["score"] is not None
    assert (child["score"]["n"], child["score"]["mean"]) == (3, pytest.approx(0.8))
    assert child["parents"] == ["c001", "c000"]


def test_the_scores_of_the_best_alone_come_with_what_they_descend_from(tmp_path: Path) -> None:
    others = [_ended(number, "tune", "c000", scores=_flat(0.3)) for number in range(4, 9)]
    run = _run(tmp_path, *SEARCHED, *others)
    whole, brief = summary(run), summary(run, best_only=1)
    told = {each["id"]: each["score"] for each in brief["candidates"] if each["score"]}
    assert told == {each["id"]: each["score"] for each in whole["candidates"] if each["id"] in ("c001", "c003")}
    assert [{**each, "score": None} for each in brief["candidates"]] == [
        {**each, "score": None} for each in whole["candidates"]
    ], "all else is there"
    assert {**brief, "candidates": []} == {**whole, "candidates": []}


def test_seeds_have_the_names_of_the_configuration(tmp_path: Path) -> None:
    held = summary(_run(tmp_path, *SEARCHED))
    assert held["seeds"] == ["c000", "c001"]
    assert [candidate["name"] for candidate in held["candidates"]] == ["bm25", "special", "", ""]


def test_spending_counts_measured_children_and_no_calls(tmp_path: Path) -> None:
    budget = summary(_run(tmp_path, *SEARCHED))["budget"]
    assert (budget["candidates"], budget["calls"], budget["usd"]) == (1, 0, 0.0)
    assert budget["limits"] == {"candidates": 20, "hours": None, "usd": None, "calls": None}


def test_before_the_test_there_is_no_comparison(tmp_path: Path) -> None:
    held = summary(_run(tmp_path, *SEARCHED))
    assert (held["best"], held["test"], held["test_vs_best_seed"]) == ("c003", None, None)
    assert held["status"] == "interrupted"


def test_a_seed_that_wins_is_not_compared_with_itself(tmp_path: Path) -> None:
    events = (WinnerChosen("c000", CLOCK), Measured("c000", "test", dict.fromkeys(TEST, 0.6), CLOCK))
    held = summary(_run(tmp_path, SEARCHED[0], *events))
    assert held["test"] is not None
    assert held["test_vs_best_seed"] is None


def test_an_empty_run_is_plain_json(tmp_path: Path) -> None:
    held = json.loads(json.dumps(summary(Run(RunPaths(tmp_path), Config(task="chronicle"), fold([])))))
    assert held["candidates"] == []
    assert (held["best"], held["agent"], held["task"]) == (None, "extractive", "chronicle")


def test_the_first_ancestor_follows_first_parents(tmp_path: Path) -> None:
    run = _run(tmp_path, *SEARCHED)
    assert first_ancestor(run, run.candidate("c003")).id == "c001"
    assert first_ancestor(run, run.candidate("c000")).id == "c000"


def test_the_score_is_the_one_that_the_run_began_with(tmp_path: Path) -> None:
    started = RunStarted("r", "chronicle", "0" * 64, "openai:m", "process", {"static": 4}, CLOCK, scorer="f1")
    config = Config.checked({"task": "chronicle", "models": {"agent": "openai:m"}}).resolved()
    held = summary(Run(RunPaths(tmp_path), config, fold([started])))
    assert (held["scorer"], held["agent"]) == ("f1", "openai:m")
    assert held["models"] == dict.fromkeys(("agent", "reflector", "toolkit", "judge"), "openai:m")


def test_a_journal_from_before_the_models_is_scored_by_support(tmp_path: Path) -> None:
    held = summary(_run(tmp_path, *SEARCHED))
    assert (held["scorer"], held["models"], held["lost"]) == ("support", {}, None)


def test_support_says_whether_a_model_has_answered() -> None:
    assert meaning("support", "extractive", "locomo").endswith("no model has answered a question.")
    assert meaning("support", "openai:m", "locomo").endswith("what the agent answered is not scored.")
    assert "measures retrieval" not in meaning("f1", "openai:m", "locomo")
