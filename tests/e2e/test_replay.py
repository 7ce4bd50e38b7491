"""A finished run repeats itself from its own store, without a socket, event by event."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from evolve.journal import Journal, canonical
from evolve.paths import RunPaths
from evolve.testing.model_server import ModelServer
from evolve.testing.weak_models import speak
from evolve.testing.weak_runs import weak_run

OFFLINE = """
import socket, sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto") or event == "socket.bind":
        target = arguments[0]
        if not isinstance(target, socket.socket) or target.family != socket.AF_UNIX:
            raise AssertionError(f"{event} {arguments}")

sys.addaudithook(refuse)
from evolve.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
"""The command line, in a process that cannot reach any address: an audit hook cannot be taken away again."""


def replay(folder: Path, *settings: str) -> subprocess.CompletedProcess[str]:
    """Replay the run of that folder from its own configuration."""
    command = [sys.executable, "-c", OFFLINE, "run", str(folder / "runs/weak/config.toml"), "--name", "weak"]
    command += ["--quiet", "--set", "models.replay=true", *settings]
    environment = {**os.environ, "EVOLVE_RUNS": str(folder / "runs")}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240)


@pytest.mark.slow
def test_a_replay_needs_no_socket_and_gives_the_same_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVOLVE_RUNS", str(tmp_path / "runs"))
    with ModelServer(speak) as server:
        weak_run(tmp_path, server, workers=1, budget__candidates=2)
    paths = RunPaths(tmp_path / "runs" / "weak")
    before = paths.journal.read_bytes()
    done = replay(tmp_path)
    assert done.returncode == 0, done.stderr
    assert paths.journal.read_bytes() == before
    was, now = (
        [canonical(event) for event in Journal(journal).read()]
        for journal in (paths.journal, RunPaths(paths.replay).journal)
    )
    assert len(was) > 10
    assert now == was
    check_unseen(tmp_path, paths)


def check_unseen(folder: Path, paths: RunPaths) -> None:
    """A call that the store does not have is one line, and nothing is asked of anybody."""
    shutil.copy(paths.calls, folder / "kept.sqlite")
    with sqlite3.connect(paths.calls) as store:
        (last,) = store.execute("SELECT max(rowid) FROM answers").fetchone()
        store.execute("DELETE FROM answers WHERE rowid = ?", (last // 2,))
    store.close()
    done = replay(folder)
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "replay" in lines[0]
