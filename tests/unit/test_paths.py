"""Where things are."""

from __future__ import annotations

from pathlib import Path

import pytest

from evolve.paths import RunPaths, runs_dir, sandboxes_dir, seeds_dir


def test_what_ships_is_there() -> None:
    assert (seeds_dir() / "bm25.py").is_file()
    assert (sandboxes_dir() / "runner.py").is_file()
    assert (sandboxes_dir() / "Dockerfile").is_file()


def test_runs_are_below_the_current_folder_unless_said_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVOLVE_RUNS", raising=False)
    assert runs_dir() == Path("runs")
    monkeypatch.setenv("EVOLVE_RUNS", "elsewhere/runs")
    assert runs_dir() == Path("elsewhere/runs")


def test_the_drawing_of_a_run_folder_is_right() -> None:
    paths = RunPaths(Path("runs/mine"))
    named = {getattr(paths, name).name for name, kind in vars(RunPaths).items() if isinstance(kind, property)}
    drawn = {line.split()[1] for line in (RunPaths.__doc__ or "").splitlines() if "──" in line}
    assert named == {name.rstrip("/") for name in drawn}
    assert all(path.parent == Path("runs/mine") for path in (paths.config, paths.lock, paths.lineage))
