"""A provider in a storm, or away for a while: the run goes on, and what it measures is what a calm run measures."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from evolve.session import Run
from evolve.testing.model_server import Faults, ModelServer
from evolve.testing.weak_models import speak
from evolve.testing.weak_runs import model, weak_run

pytestmark = pytest.mark.alone

MOST_CALLS = 1.6
"""Times the calls of a calm run."""


@pytest.fixture(autouse=True)
def _runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVOLVE_RUNS", str(tmp_path / "runs"))


def measured(run: Run) -> list[Mapping[str, Any]]:
    """What a run found out about every candidate, without costs and the clock."""
    return [
        {
            "id": candidate.id,
            "parents": candidate.parents,
            "outcome": candidate.outcome,
            "digest": candidate.digest,
            "scores": dict(candidate.scores),
            "fresh": dict(candidate.fresh),
            "test": dict(candidate.test),
        }
        for candidate in run.candidates
    ]


def outcomes(run: Run) -> set[str]:
    """How the cases of all candidates ended."""
    return {case.outcome for candidate in run.candidates for case in run.cases(candidate.id)}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_storm_changes_no_score(tmp_path: Path) -> None:
    def sail(name: str, faults: Faults | None) -> tuple[Run, ModelServer]:
        with ModelServer(speak, faults) as server:
            agent = model(server, timeout_seconds=0.7)
            changes: dict[str, Any] = {"models__agent": agent, "models__concurrency": 4}
            return weak_run(tmp_path, server, name=name, workers=1, budget__candidates=3, **changes), server

    calm_run, calm = sail("calm", None)
    stormy_run, stormy = sail("storm", Faults(seed=2, hold=1.0))
    assert set(calm.ends) == {"answered"}
    assert {"limited", "broken", "timeout", "cut"} <= set(stormy.ends)
    assert outcomes(stormy_run) == {"scored"}
    assert measured(stormy_run) == measured(calm_run)
    assert stormy_run.status == calm_run.status == "finished"
    assert len(stormy.arrivals) <= MOST_CALLS * len(calm.arrivals)


@pytest.mark.slow
def test_a_server_that_is_away_for_a_while_only_delays_the_run(tmp_path: Path) -> None:
    with ModelServer(speak) as server:

        def leave() -> None:
            while len(server.arrivals) < 60:
                time.sleep(0.01)
            server.go_down(4.0)

        leaving = threading.Thread(target=leave)
        leaving.start()
        run = weak_run(tmp_path, server, workers=1, budget__candidates=2)
        leaving.join()
        assert server.ends["down"] >= 1
        assert server.ends["down"] < 60, "a breaker asks now and then, not all the time"
    assert run.status == "finished"
    assert outcomes(run) == {"scored"}
    assert all(candidate.outcome != "void" for candidate in run.candidates)
