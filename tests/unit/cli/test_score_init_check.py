"""`evolve score`, `evolve init` and `evolve check`, for real."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from evolve.cli.main import main
from evolve.paths import seeds_dir
from evolve.tasks import load

SMALL = ("--set", "task_options.lives=2", "--set", "task_options.queries=10", "--set", "sandbox.kind=process")


def test_score_says_which_queries_and_shows_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = tmp_path / "failing.py"
    source = (seeds_dir() / "no_memory.py").read_text()
    program.write_text(source.replace('return ""', 'raise LookupError("lost it")'))
    assert "lost it" in program.read_text()
    assert main(["score", str(program), "chronicle", *SMALL, "--split", "test"]) == 0
    out = capsys.readouterr().out
    assert "support on 10 held-out queries" in out
    assert "10 queries failed in the program; raised: " in " ".join(out.split())  # lines are wrapped
    assert "lost it" in out
    assert "It measures retrieval" in out


def test_score_json_of_a_seed_is_between_nothing_and_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", "bm25", "chronicle", *SMALL, "--json"]) == 0
    held = json.loads(capsys.readouterr().out)
    assert (held["split"], held["task"]) == ("static", "chronicle")
    [row] = held["programs"]
    assert row["program"] == "bm25"
    assert row["score"]["n"] == held["queries"]
    assert 0 < row["score"]["low"] <= row["score"]["mean"] <= row["score"]["high"] < 1
    assert set(row["categories"]) <= {"recall", "latest", "count", "temporal", "two_hop"}
    assert (row["program_faults"], row["infrastructure_faults"]) == (0, 0)


def test_init_writes_a_task_and_names_the_next_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "mine"
    assert main(["init", str(folder)]) == 0
    out = capsys.readouterr().out
    written = [Path(line.removeprefix("wrote ")) for line in out.splitlines() if line.startswith("wrote ")]
    assert sorted(path.name for path in written) == ["episodes.jsonl", "queries.jsonl", "task.toml"]
    assert "name" in tomllib.loads((folder / "task.toml").read_text())
    assert out.endswith(f"evolve run {folder}\n")


def test_init_copies_a_built_in_task_with_its_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path / "mine")
    assert main(["init", folder, "--from", "chronicle", "--set", "task_options.lives=2"]) == 0
    assert capsys.readouterr().out.endswith(f"evolve run {folder}\n")
    copied, task = load(folder), load("chronicle", {"lives": 2})
    assert (copied.episodes, copied.queries, copied.held_out) == (task.episodes, task.queries, task.held_out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "locmo"], "--from 'locmo': not a built-in task; good values: "),
        (["--from", "chronicle", "--set", "task_options.live=2"], "Did you mean 'lives'?"),
        (["--set", "task_options.lives=2"], "add --from TASK"),
    ],
)
def test_init_refuses_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["init", str(tmp_path / "mine"), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("Error: ")
    assert error.count("\n") == 1
    assert message in error
    assert not (tmp_path / "mine").exists()


def test_check_lists_every_prerequisite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EVOLVE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("EVOLVE_DATA", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")
    assert main(["check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for start in ("ok        Python", "ok        git", "optional  Docker", "ok        runs folder", "ok        Ray"):
        assert any(line.startswith(start) for line in lines), start
    assert any("process" in line and "starts in" in line for line in lines)
    assert any(line.startswith("optional  task locomo: no data yet") for line in lines)
    assert not (tmp_path / "runs").exists(), "a check writes nothing"
    assert not (tmp_path / "locomo").exists(), "a check downloads nothing"


def test_check_fails_where_docker_is_demanded_and_no_engine_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")
    config = tmp_path / "run.toml"
    config.write_text('task = "chronicle"\n[sandbox]\nkind = "docker"\n')
    assert main(["check", str(config)]) == 3
    assert "missing   Docker: no Docker engine answers" in capsys.readouterr().out


def test_check_names_what_is_wrong_in_a_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "run.toml"
    config.write_text('task = "chronicle"\n[budget]\ncandidates = "many"\n')
    assert main(["check", str(config)]) == 2
    assert "wrong     configuration: budget.candidates = 'many'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("", "wrong     cluster: there is no address; give --set ray.address=auto"),
        ("ray://127.0.0.1:1", "wrong     cluster: ray.address = 'ray://127.0.0.1:1': Ray Client is not supported"),
        ("127.0.0.1:1", "missing   cluster: the Ray cluster at 127.0.0.1:1 does not start"),
    ],
)
def test_check_says_why_there_is_no_cluster(address: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--cluster", "--set", f"ray.address={address}"]) == (3 if "missing" in says else 2)
    assert says in capsys.readouterr().out


@pytest.mark.docker
def test_check_names_engine_and_image(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    out = capsys.readouterr().out
    assert "ok        Docker engine" in out
    assert "MB" in next(line for line in out.splitlines() if "sandbox image" in line)
    assert "leftovers: none" in out
