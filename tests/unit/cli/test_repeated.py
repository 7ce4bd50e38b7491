"""The same search with several seeds, winners on each other's tasks, and what a run would cost."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable
from pathlib import Path

import pytest

from evolve.cli.main import main
from evolve.cli.stability import stability
from evolve.session import open_run

SMALL = (
    "task_options.lives=2", "task_options.sessions=16", "task_options.queries=10", 'search.seeds=["bm25", "no_memory"]',
    "budget.candidates=1", "sandbox.kind=process",
)  # fmt: skip
WORDS = tuple(word for setting in SMALL for word in ("--set", setting))


def test_seeds_are_runs_of_their_own_and_their_winners_are_compared(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    bare_scores: Callable[[str], list[str]],
) -> None:
    monkeypatch.setenv("EVOLVE_RUNS", str(tmp_path))
    assert main(["run", "chronicle", "--name", "some", "--seeds", "2", "--workers", "1", *WORDS]) == 0
    out = capsys.readouterr().out
    runs = [open_run(tmp_path / f"some-{seed}") for seed in (0, 1)]
    assert [run.config.seed for run in runs] == [0, 1]
    assert all(run.status == "finished" for run in runs)
    assert [row["ended"] for row in stability(runs)["runs"]] == ["finished", "finished"]
    means = [statistics.fmean(run.best.test.values()) for run in runs if run.best]
    mean = f"Mean {statistics.fmean(means):.3f}, standard deviation {statistics.stdev(means):.3f}, over 2 runs"
    assert mean in out
    assert bare_scores(out.replace(mean, "")) == []

    assert main(["transfer", "some-0", "some-1", "--workers", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["runs"] == ["some-0", "some-1"]
    assert [(cell["winner"], cell["task"]) for cell in found["cells"]] == [
        ("some-0", "some-0"), ("some-1", "some-0"), ("some-0", "some-1"), ("some-1", "some-1"),
    ]  # fmt: skip
    own = [cell["score"]["mean"] for cell in found["cells"] if cell["winner"] == cell["task"]]
    assert own == pytest.approx(means), "a winner on its own task is its held-out test again"
    away = [cell for cell in found["cells"] if cell["winner"] != cell["task"]]
    homes = {cell["task"]: cell["score"]["mean"] for cell in found["cells"] if cell["winner"] == cell["task"]}
    assert [cell["behind"] for cell in away] == pytest.approx(
        [homes[cell["task"]] - cell["score"]["mean"] for cell in away]
    )
    assert main(["transfer", "some-0", "--workers", "1"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"some-0 +0\.\d{3}\*", out)
    assert bare_scores(out) == []


def test_a_run_without_a_winner_transfers_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EVOLVE_RUNS", str(tmp_path))
    assert main(["transfer", "nobody"]) == 4
    assert "nobody" in capsys.readouterr().err


def test_a_dry_run_counts_every_phase_and_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EVOLVE_RUNS", str(tmp_path))
    model = ("--set", "models.agent=openai:gpt-5-mini", "--set", "evaluation.scorer=f1")
    assert main(["run", "chronicle", *WORDS, *model, "--dry-run"]) == 0
    out = capsys.readouterr().out
    lines = [line.split("  ", 1) for line in out.splitlines()[2:7]]
    calls = {name: int(rest.split()[0].replace(",", "")) for name, rest in lines}
    sizes = re.findall(r"(\d+) (static|rotating|fresh|test)", out)
    asked = {name: int(number) for number, name in sizes}
    episodes = int(re.search(r"after (\d+) episodes", out)[1])  # type: ignore[index]
    one = episodes + 2 * asked["static"]
    assert calls["2 seeds"] == 2 * one
    rotating = min(5, asked["rotating"])
    told = "one reflection, the parent's traces on rotating queries, and the child's gate on as many"
    assert calls["1 children"] == one + 2 * 2 * rotating + 1, told
    tested = re.search(r"held-out test of (\d)", out)
    assert tested is not None
    assert int(tested[1]) == 3, "the winner, its parent and the best seed"
    assert calls["held-out test of 3"] % 3 == 0
    assert calls["all"] == sum(number for name, number in calls.items() if name != "all")
    assert "$" in out
    assert not list(tmp_path.iterdir())


def test_a_dry_run_without_a_model_costs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "chronicle", *WORDS, "--dry-run"]) == 0
    assert "no calls, no dollars" in capsys.readouterr().out
