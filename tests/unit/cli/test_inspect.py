"""`evolve inspect` on a real, small run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evolve.cli.main import main
from evolve.session import open_run

KEYS = {"run", "status", "task", "agent", "sandbox", "seeds", "best", "budget", "test", "candidates"}
CANDIDATE_KEYS = {"id", "parents", "operator", "note", "outcome", "score", "cost", "seconds"}


def test_json_keeps_the_names_of_the_design(at_runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "tiny", "--json"]) == 0
    held = json.loads(capsys.readouterr().out)
    assert held.keys() >= KEYS
    assert all(candidate.keys() >= CANDIDATE_KEYS for candidate in held["candidates"])
    assert (held["run"], held["status"], held["task"]) == ("tiny", "finished", "chronicle")
    assert (held["agent"], held["sandbox"]) == ("extractive", "process")
    assert held["test"].keys() == {"mean", "n", "low", "high"}
    assert held["budget"]["candidates"] == 2
    scored = [candidate for candidate in held["candidates"] if candidate["outcome"] == "scored"]
    assert all(c["score"]["low"] <= c["score"]["mean"] <= c["score"]["high"] for c in scored)
    assert all(candidate["cost"] == {"calls": 0, "cached": 0, "usd": 0.0} for candidate in held["candidates"])


def test_the_run_shows_every_scored_candidate_in_leaderboard_and_lineage(
    at_runs: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", "tiny"]) == 0
    out = capsys.readouterr().out
    board, lineage = out.split("Leaderboard")[1].split("Lineage")
    run = open_run(at_runs.runs / "tiny")
    for candidate in run.population.scored:
        assert candidate.id in board
        assert candidate.id in lineage
        assert f"{candidate.mean:.3f}" in board
    means = [float(line.replace("*", " ").split()[1]) for line in board.splitlines()[2:] if line.strip()]
    assert means == sorted(means, reverse=True)
    refused = sum(candidate.outcome == "rejected" for candidate in run.candidates)
    assert ("Rejected" in out) == bool(refused)


def test_diff_of_a_child_is_what_git_has(at_runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run = open_run(at_runs.runs / "tiny")
    child = next(candidate for candidate in run.population.scored if candidate.parents)
    parent = run.candidate(child.parents[0])
    assert main(["inspect", "tiny", child.id, "--diff"]) == 0
    lines = capsys.readouterr().out.splitlines()
    changes = lines[lines.index(f"+++ {child.id}/program.py") + 1 :]
    assert parent.source is not None
    assert child.source is not None
    assert [line[1:] for line in changes if line[:1] == "+"]
    assert all(line[1:] in child.source.splitlines() for line in changes if line[:1] == "+")
    assert all(line[1:] in parent.source.splitlines() for line in changes if line[:1] == "-")


def test_a_candidate_shows_its_program_categories_and_worst_cases(
    at_runs: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run = open_run(at_runs.runs / "tiny")
    assert run.best is not None
    assert run.best.source is not None
    assert main(["inspect", "tiny", "best"]) == 0
    out = capsys.readouterr().out
    assert run.best.source.rstrip("\n") in out
    cases = run.cases(run.best.id)
    assert all(f"  {case.category}" in out for case in cases)
    worst = min((case for case in cases if case.score is not None), key=lambda case: (case.score, case.query))
    assert worst.question in " ".join(out.split())
    assert out.count("asked: ") == 3


def test_a_candidate_as_json_has_its_program_and_full_cases(at_runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "tiny", "c000", "--json"]) == 0
    held = json.loads(capsys.readouterr().out)
    assert "class KnowledgeBase" in held["source"]
    assert held["name"] == "bm25"
    assert len(held["cases"]["static"]) == held["score"]["n"]
    assert {"question", "read", "score"} <= held["cases"]["test"][0].keys()
