"""One small real run, interrupted once and then resumed, that many tests look at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

SETTINGS = (
    "task_options.lives=2",
    "task_options.sessions=16",
    "task_options.queries=10",
    'search.seeds=["bm25", "hybrid"]',
    "budget.candidates=2",
    "sandbox.kind=process",
)
TINY = tuple(word for setting in SETTINGS for word in ("--set", setting))
"""The words that make a run small."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a process said, and how it ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class TinyRun:
    """A run that one Ctrl-C stopped and the same command finished."""

    runs: Path
    settings: tuple[str, ...]
    interrupted: Ended
    finished: Ended


def start(runs: Path, *words: str) -> subprocess.Popen[str]:
    """Start the command line as a user would, on a pipe."""
    return subprocess.Popen(
        [sys.executable, "-m", "evolve", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "EVOLVE_RUNS": str(runs)},
    )


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """Run the bundled task with two seeds and two children, in this machine's process sandbox."""
    runs = tmp_path_factory.mktemp("runs")
    command = ("run", "chronicle", "--name", "tiny", "--workers", "1", *TINY)
    process = start(runs, *command)
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if line.startswith("c000"):
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=200)
    interrupted = Ended(process.returncode, out, "".join(lines) + err)
    process = start(runs, *command)
    out, err = process.communicate(timeout=200)
    return TinyRun(runs, TINY, interrupted, Ended(process.returncode, out, err))


@pytest.fixture
def at_runs(tiny_run: TinyRun, monkeypatch: pytest.MonkeyPatch) -> TinyRun:
    """The small run, found by this process too."""
    monkeypatch.setenv("EVOLVE_RUNS", str(tiny_run.runs))
    return tiny_run
