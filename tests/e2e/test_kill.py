"""`kill -9` of the driver loses no finished evaluation, and leaves no process, no container and no lock."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from evolve.events import AttemptEnded, Event, Measured
from evolve.journal import Journal, canonical

pytestmark = pytest.mark.alone

POINTS = 20
"""Kills spread over one run; each is resumed to the end."""
LAST_EVENTS = 6
"""So many before its end, a run is not killed any more: it could have ended before the signal comes."""
MARK = 211
"""A limit that no other run uses: it stands in every runner's command line, and so finds them."""
SETTINGS: dict[str, Any] = {
    "task_options": {"lives": 2, "sessions": 16, "queries": 10},
    "search__seeds": ["bm25", "hybrid"],
    "evaluation__static": 6,
    "evaluation__rotating": 2,
    "budget__candidates": 3,
    "sandbox__kind": "process",
    "sandbox__limits": {"pids": MARK},
}
DRIVER = """
import json, sys
from evolve.session import run
if __name__ == "__main__":
    run("chronicle", name=sys.argv[1], workers=int(sys.argv[2]), **json.loads(sys.argv[3]))
"""


def start(runs: Path, name: str, *, workers: int = 1, **changes: object) -> subprocess.Popen[bytes]:
    """Start a driver in a process of its own."""
    import json

    environment = {**os.environ, "EVOLVE_RUNS": str(runs)}
    command = [sys.executable, "-c", DRIVER, name, str(workers), json.dumps({**SETTINGS, **changes})]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(runs: Path, name: str, **options: Any) -> None:
    """Run a driver to its end."""
    driver = start(runs, name, **options)
    _, words = driver.communicate(timeout=240)
    assert driver.returncode == 0, words.decode()


def events(runs: Path, name: str) -> list[Event]:
    """The journal as it stands, a torn last line left out."""
    return list(Journal(runs / name / "journal.jsonl").read())


def finished(journal: list[Event]) -> list[dict[str, Any]]:
    """What was measured, without the clock and without git's hashes, which hold the time of the commit."""
    ends = [canonical(event) for event in journal if isinstance(event, AttemptEnded | Measured)]
    return [{key: value for key, value in end.items() if key != "commit"} for end in ends]


def runners() -> list[psutil.Process]:
    """Every sandbox process of these tests that is alive."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = " ".join(process.info["cmdline"] or [])
        if f'"pids":{MARK}' in words and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def ray_processes() -> list[psutil.Process]:
    """Every daemon of Ray that is alive."""
    daemons = {"raylet", "gcs_server"}
    found = psutil.process_iter(["name", "status"])
    return [p for p in found if p.info["name"] in daemons and p.info["status"] != psutil.STATUS_ZOMBIE]


def soon(condition: Callable[[], bool], seconds: float = 15.0) -> bool:
    """True as soon as the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def kill_at(driver: subprocess.Popen[bytes], ready: Callable[[], bool], *, pause: float = 0.0) -> bool:
    """Send SIGKILL `pause` seconds after it is `ready`; False where the driver had ended before."""
    while not ready():
        if driver.poll() is not None:
            return False
        time.sleep(0.01)
    time.sleep(pause)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    return True


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_twenty_kills_lose_nothing(tmp_path: Path) -> None:
    """One run is killed at 20 points; from each, a copy is resumed to the end and compared with an unbroken run."""
    finish(tmp_path, "unbroken")
    expected = finished(events(tmp_path, "unbroken"))
    length = len(events(tmp_path, "unbroken"))
    chance = random.Random(0)
    kills = 0
    for point in range(POINTS):
        want = 1 + point * (length - LAST_EVENTS) // POINTS
        journal = tmp_path / "killed" / "journal.jsonl"
        driver = start(tmp_path, "killed")

        def reached(journal: Path = journal, want: int = want) -> bool:
            return journal.exists() and journal.read_bytes().count(b"\n") >= want

        if kill_at(driver, reached, pause=chance.uniform(0.0, 0.5)) and soon(lambda: not runners()):
            kills += 1
        copy = f"copy{point}"
        shutil.copytree(tmp_path / "killed", tmp_path / copy)
        before = finished(events(tmp_path, copy))
        finish(tmp_path, copy)
        after = events(tmp_path, copy)
        assert finished(after)[: len(before)] == before, f"point {point}: a finished evaluation was lost"
        assert finished(after) == expected, f"point {point}"
        assert not list((tmp_path / copy / "lineage.git").rglob("*.lock"))
    assert kills == POINTS
    assert soon(lambda: not runners())


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_torn_last_line_is_cut(tmp_path: Path) -> None:
    finish(tmp_path, "whole")
    expected = finished(events(tmp_path, "whole"))
    journal = tmp_path / "whole" / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    middle = len(lines) // 2
    journal.write_bytes(b"".join(lines[:middle]) + lines[middle][:40])
    finish(tmp_path, "whole")
    assert finished(events(tmp_path, "whole")) == expected


@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.timeout(600)
@pytest.mark.parametrize("delay", [0.0, 1.0, 3.0])
def test_a_killed_ray_run_leaves_no_container_and_goes_on(tmp_path: Path, delay: float) -> None:
    from evolve.sandbox.docker import LABEL, connect

    client = connect()

    def containers() -> set[str]:
        found = client.api.containers(all=True, filters={"label": LABEL})
        return {str(c["Id"]) for c in found if f'"pids":{MARK}' in c["Command"] or str(MARK) in str(c)}

    others = {daemon.pid for daemon in ray_processes()}
    driver = start(tmp_path, "ray", workers=2, sandbox__kind="docker")
    journal = tmp_path / "ray" / "journal.jsonl"
    began = time.monotonic()

    def working() -> bool:
        return journal.exists() and journal.read_bytes().count(b"\n") >= 3 and time.monotonic() - began > delay

    assert kill_at(driver, working)
    before = [end["candidate"] for end in finished(events(tmp_path, "ray"))]
    assert soon(lambda: not containers(), 30.0)
    assert soon(lambda: not {daemon.pid for daemon in ray_processes()} - others, 30.0)
    finish(tmp_path, "ray", workers=2, sandbox__kind="docker")
    after = [end["candidate"] for end in finished(events(tmp_path, "ray"))]
    assert after[: len(before)] == before
    assert soon(lambda: not containers(), 30.0)
    client.close()
