"""`evolve inspect` on a real, small run."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from evolve.cli.main import main
from evolve.folder import open_run
from evolve.paths import RunPaths

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
    others = {each["against"]: each for each in held["comparisons"]}
    assert others.keys() >= set(held["seeds"]) - {held["best"]}
    assert all(each["split"] == "test" and each["n"] == held["test"]["n"] for each in others.values())
    assert all(each["low"] <= each["difference"] <= each["high"] for each in others.values())
    assert held["scopes"] == {"test": 1, "fresh": 1, "static": 1}
    scored = [candidate for candidate in held["candidates"] if candidate["outcome"] == "scored"]
    assert all(c["score"]["low"] <= c["score"]["mean"] <= c["score"]["high"] for c in scored)
    nothing = {"calls": 0, "cached": 0, "usd": 0.0}
    assert all(candidate["cost"].items() >= nothing.items() for candidate in held["candidates"])


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


def test_no_score_is_printed_without_its_interval_and_number_of_queries(
    at_runs: Any, capsys: pytest.CaptureFixture[str], bare_scores: Callable[[str], list[str]]
) -> None:
    assert bare_scores("c001    0.540  0.23 to 0.84\n0.54 better") == ["c001    0.540  0.23 to 0.84", "0.54 better"]
    assert not bare_scores("0.489 (95 % interval 0.07 to 0.92) on the 6 queries")
    assert main(["inspect", "tiny"]) == 0
    shown = capsys.readouterr().out.split("Where points are lost")[0]
    assert main(["inspect", "tiny", "best"]) == 0
    best = capsys.readouterr().out.split("\nScores\n")[1].split("Where points are lost")[0]
    for text in (at_runs.finished.out, shown, best):
        assert len(re.findall(r"\d\.\d{3}\b", text)) >= 3
        assert bare_scores(text) == []


def test_the_winner_is_compared_with_what_it_has_to_beat(at_runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "tiny", "--json"]) == 0
    held = json.loads(capsys.readouterr().out)
    assert main(["inspect", "tiny"]) == 0
    told = capsys.readouterr().out.split("against what it has to beat, paired by query:")[1].split("\n\n")[0]
    assert "nothing is said of other scopes" in told, "all queries of a split are about one life"
    rows = _rows(told)
    for each in held["comparisons"]:
        difference, interval, n, p, *words = rows[each["against"]]
        assert difference == f"{each['difference']:+.3f}"
        assert interval == f"{each['low']:+.2f} to {each['high']:+.2f}"
        assert (n, p) == (str(each["n"]), f"{each['p']:.4f}")
        assert words[-1] == "held out"


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


def test_a_run_without_models_shows_where_points_are_lost_and_no_cost(
    at_runs: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", "tiny"]) == 0
    out = capsys.readouterr().out
    assert "Where points are lost" in out
    assert "\nCost\n" not in out
    assert main(["inspect", "tiny", "--json"]) == 0
    held = json.loads(capsys.readouterr().out)
    best = next(candidate for candidate in held["candidates"] if candidate["id"] == held["best"])
    assert sum(stage["share"] for stage in held["lost"]["stages"]) == pytest.approx(1 - best["score"]["mean"])


def test_the_run_shows_lost_points_and_cost(paid_run: RunPaths, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "paid"]) == 0
    out = capsys.readouterr().out
    assert "Judge is the share of answers that a model found right" in out
    lost = _rows(out.split("Where points are lost (c001")[1])
    assert lost["extraction"][:4] == ["0.5", "16.7%", "1", "0.5"]
    assert lost["read"][:4] == ["1.0", "33.3%", "1", "1.0"]
    assert lost["all"][:4] == ["1.5", "50.0%", "2", "1.5"]
    cost = _rows(out.split("\nCost\n")[1])
    assert cost["reflector"][:3] == ["openai:gpt-5-mini", "4", "0"]
    assert cost["reflector"][-1] == "$0.2000"
    assert cost["reflect"][:2] == ["2", "20"]
    assert cost["reflect"][-3:] == ["$0.2400", "0.167", "0.694"]
    assert "Models: $0.2600 of $0.5000; 28 calls." in out
    board = _rows(out.split("Leaderboard (judge")[1].replace("*", " "))
    assert "$0.1200" in board["c001"]


def test_a_candidate_shows_its_diagnosis_and_what_became_of_each_round(
    paid_run: RunPaths, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", "paid", "c001"]) == 0
    out = capsys.readouterr().out
    critique = out.split("\nCritique\n")[1].split("\nScores")[0]
    assert [line.strip() for line in critique.splitlines()[:5] if line.strip()] == [
        "Dates are",
        "lost.",
        "Round 1: the patch has no anchor",
        "Round 2: the change was taken.",
    ]
    assert "a lie" not in critique, "what is quoted from a reply is no outcome"
    command = next(line for line in critique.splitlines() if line.strip().startswith("git "))
    shown = subprocess.run(command.split(), capture_output=True, text=True, check=True).stdout
    assert "the prompt of round two" in shown
    assert "cost $0.1200 (agent $0.0200, reflector $0.1000): 10 calls and 0 answers" in out


def test_the_worst_cases_tell_what_was_read_answered_and_judged(
    paid_run: RunPaths, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", "paid", "c001"]) == 0
    worst = capsys.readouterr().out.split("Worst cases")[1]
    for told in (
        "read 14 characters: something else",
        "answered: in Rome",
        "why: The gold answer is Oslo.",
        "lost at read: in the memory, not returned by read",
    ):
        assert told in worst


def test_an_attempt_without_a_program_has_a_critique_too(
    paid_run: RunPaths, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", "paid", "c002"]) == 0
    out = capsys.readouterr().out
    assert "no patch applied" in out
    assert "It is too slow." in out
    assert main(["inspect", "paid", "c002", "--critique"]) == 0
    assert "the prompt of round one" in capsys.readouterr().out
    assert main(["inspect", "paid", "c002", "--json"]) == 0
    held = json.loads(capsys.readouterr().out)
    assert (held["lost"], held["source"]) == (None, None)
    assert held["critique"].startswith("# Diagnosis")


def test_a_critique_that_is_not_there_is_one_line(paid_run: RunPaths, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "paid", "c000", "--critique"]) == 2
    assert "c000 was made without a model (seed); candidates that have one are c001, c002" in capsys.readouterr().err
    assert main(["inspect", "paid", "--critique"]) == 2
    assert "evolve inspect paid best --critique" in capsys.readouterr().err


def _rows(text: str) -> dict[str, list[str]]:
    """Cells by the first of their line; cells are two spaces apart."""
    lines = [re.split(r"\s{2,}", line.strip()) for line in text.splitlines() if line.strip()]
    return {first: rest for first, *rest in reversed(lines)}
