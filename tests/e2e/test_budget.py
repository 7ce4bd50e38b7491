"""Caps hold to the cent by the provider's own count, and what was paid for is kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from evolve.session import open_run
from evolve.testing.diary import write_diary
from evolve.testing.model_server import ModelServer
from evolve.testing.weak_models import speak
from evolve.testing.weak_runs import PRICE, SETTINGS, model
from evolve.types import JSON

CAP = 0.50


def evolve(folder: Path, server: ModelServer, settings: dict[str, JSON]) -> subprocess.CompletedProcess[str]:
    """Run the command line on the diary."""
    if not (folder / "diary").exists():
        write_diary(folder / "diary")
    settings = {**SETTINGS, "models.agent": model(server), **settings}
    words = [f"{key}={toml(value)}" for key, value in settings.items()]
    command = [sys.executable, "-m", "evolve", "run", str(folder / "diary"), "--name", "capped", "--workers", "1"]
    command += [word for each in words for word in ("--set", each)]
    environment = {**os.environ, "EVOLVE_RUNS": str(folder / "runs")}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=280)


def toml(value: JSON) -> str:
    """A value as it is written in TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    return json.dumps(value)


PRICED: dict[str, JSON] = {"models.prices": {"openai:weak": dict(PRICE)}}


@pytest.mark.slow
def test_dollars_are_never_overdrawn(tmp_path: Path) -> None:
    with ModelServer(speak) as server:
        done = evolve(tmp_path, server, {"budget.usd": CAP, "budget.candidates": 60, **PRICED})
        spent = server.usd(**PRICE)
    assert done.returncode == 0, done.stderr
    assert 0.5 * CAP < spent <= CAP
    run = open_run(tmp_path / "runs" / "capped")
    assert [candidate for candidate in run.candidates if candidate.outcome == "scored"]
    assert len(run.candidates) < 60
    assert "the rest" in " ".join((done.stdout + done.stderr).split())


@pytest.mark.slow
def test_calls_are_never_overdrawn(tmp_path: Path) -> None:
    with ModelServer(speak) as server:
        done = evolve(tmp_path, server, {"budget.calls": 150, "budget.candidates": 60})
        assert 75 < len(server.arrivals) <= 150
    assert done.returncode == 0, done.stderr
    run = open_run(tmp_path / "runs" / "capped")
    assert [candidate for candidate in run.candidates if candidate.outcome == "scored"]


def test_a_cap_in_dollars_needs_a_price(tmp_path: Path) -> None:
    with ModelServer(speak) as server:
        done = evolve(tmp_path, server, {"budget.usd": CAP})
        assert not server.arrivals
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert "openai:weak" in line
    assert "models.prices" in line
