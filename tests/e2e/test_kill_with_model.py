"""kill -9 in the middle of a run with a model: it goes on from there, and no answer is paid for twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from evolve.journal import Journal
from evolve.population import fold
from evolve.testing.model_server import ModelServer
from evolve.testing.weak_models import speak
from evolve.testing.weak_runs import weak_run

pytestmark = pytest.mark.alone

CONCURRENCY = 4
CHANGES: dict[str, Any] = {"workers": 1, "models__concurrency": CONCURRENCY, "budget__candidates": 2}
DRIVER = """
import json, sys
from pathlib import Path
from types import SimpleNamespace
from evolve.testing.weak_runs import weak_run
folder, address, openai, changes = sys.argv[1:]
weak_run(Path(folder), SimpleNamespace(address=address, openai=openai), **json.loads(changes))
"""
KILLED_AT = (40, 110)
"""Requests that the server has answered by then: while the seeds are measured, and while the first children are."""


@pytest.mark.slow
def test_a_killed_run_goes_on_and_pays_for_no_answer_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVOLVE_RUNS", str(tmp_path / "runs"))
    with ModelServer(speak, latency=0.02) as server:
        for count in KILLED_AT:
            kill(tmp_path, server, count)
        held = fold(Journal(tmp_path / "runs/weak/journal.jsonl").read())
        run = weak_run(tmp_path, server, **CHANGES)
        asked = Counter(json.dumps(each.asked.body, sort_keys=True) for each in server.arrivals if each.asked)
    assert held.candidates, "it was killed before anything was finished"
    assert run.status == "finished"
    assert all(
        run.population.candidates[name].scores == candidate.scores for name, candidate in held.candidates.items()
    )
    preflights = {body for body in asked if "Reply with" in body}
    again = sum(count - 1 for body, count in asked.items() if body not in preflights)
    assert again <= CONCURRENCY * len(KILLED_AT), "only what was in flight when it was killed"
    spent = sum(cost.usd or 0.0 for each in run.candidates for cost in each.cost.values())
    assert 0 < spent <= server.usd(input=5.0, output=20.0)


def kill(folder: Path, server: ModelServer, count: int) -> None:
    """Start the run, or go on with it, in a process of its own; kill that when so many requests are answered."""
    command = [sys.executable, "-c", DRIVER, str(folder), server.address, server.openai, json.dumps(CHANGES)]
    driver = subprocess.Popen(command)
    end = time.monotonic() + 120
    while len(server.arrivals) < count:
        assert driver.poll() is None, "it ended before it was killed"
        assert time.monotonic() < end
        time.sleep(0.005)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
