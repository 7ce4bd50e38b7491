"""What goes wrong around a run: one line, the right exit code, nothing lost."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from evolve.evaluation.evaluate import Evaluator, Lease
from evolve.evaluation.splits import Work
from evolve.program import load
from evolve.session import find_program, open_run
from evolve.tasks import load as load_task

pytestmark = pytest.mark.alone

SMALL = [
    *("--set", "task_options.lives=2", "--set", "task_options.sessions=16", "--set", "task_options.queries=10"),
    *("--set", "search.seeds=['bm25','hybrid']", "--set", "evaluation.static=6", "--set", "evaluation.rotating=2"),
    *("--set", "budget.candidates=2", "--set", "sandbox.kind=process", "--workers", "1"),
]


def evolve(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-m", "evolve", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, timeout=200)


def errors(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The error lines of a command that failed."""
    assert "Traceback" not in done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("Error: ")]


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A small file system of its own; needs root."""
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True).returncode:
        pytest.skip("mounting a file system needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_stops_the_run_and_room_lets_it_go_on(tmp_path: Path) -> None:
    with mounted(tmp_path / "runs", "size=1m") as runs:
        filler = runs / "filler"
        filler.write_bytes(bytes(720 << 10))
        stopped = evolve("run", "chronicle", *SMALL, EVOLVE_RUNS=str(runs))
        assert stopped.returncode == 4, stopped.stderr
        assert len(errors(stopped)) == 1
        held = set(open_run(runs / "chronicle").population.candidates)
        filler.unlink()
        subprocess.run(["mount", "-o", "remount,size=64m", str(runs)], check=True)
        resumed = evolve("run", "chronicle", *SMALL, EVOLVE_RUNS=str(runs))
        assert resumed.returncode == 0, resumed.stderr
        run = open_run(runs / "chronicle")
        assert run.status == "finished"
        assert held <= set(run.population.candidates)


def test_a_read_only_runs_folder(tmp_path: Path) -> None:
    with mounted(tmp_path / "runs", "ro") as runs:
        done = evolve("run", "chronicle", *SMALL, EVOLVE_RUNS=str(runs))
    assert done.returncode == 4
    (line,) = errors(done)
    assert "EVOLVE_RUNS" in line


def test_docker_demanded_without_an_engine(tmp_path: Path) -> None:
    settings = [*SMALL, "--set", "sandbox.kind=docker"]
    done = evolve("run", "chronicle", *settings, EVOLVE_RUNS=str(tmp_path), DOCKER_HOST="unix:///nowhere.sock")
    assert done.returncode == 3
    (line,) = errors(done)
    assert "no Docker engine answers" in line
    assert "sandbox.kind" in line


def test_auto_without_an_engine_says_that_it_takes_the_process_sandbox(tmp_path: Path) -> None:
    settings = [*SMALL, "--set", "sandbox.kind=auto", "--set", "budget.candidates=0"]
    done = evolve("run", "chronicle", *settings, EVOLVE_RUNS=str(tmp_path), DOCKER_HOST="unix:///nowhere.sock")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[0].startswith("sandbox: process")


def test_a_full_disk_of_scratch_is_the_programs_fault(tmp_path: Path) -> None:
    """The other side of the same coin: what a program fills is its own."""
    from evolve.errors import ProgramFault
    from evolve.sandbox.process import ProcessSandbox
    from evolve.testing.programs import LIMITS, no_completions, program

    sandbox = ProcessSandbox(LIMITS, warm=0)
    try:
        source = program(read="open('/tmp/full', 'wb').write(bytes(64 << 20)); return ''")
        memory = sandbox.start().open(source, call_llm=no_completions)
        with pytest.raises(ProgramFault):
            memory.read({})
    finally:
        sandbox.close()


@pytest.mark.docker
def test_containers_killed_from_outside_cost_nothing_but_time() -> None:
    """Infrastructure faults are tried again; the scores are those of an undisturbed evaluation."""
    from evolve.agents.extractive import ExtractiveAgent
    from evolve.config import Limits
    from evolve.sandbox.docker import LABEL, DockerSandbox, connect
    from evolve.scoring import SupportScorer

    task = load_task("chronicle", {"lives": 2, "sessions": 16, "queries": 10})
    scope = task.episodes[0].scope
    work = Work(
        scope,
        tuple(episode for episode in task.episodes if episode.scope == scope),
        tuple(query for query in task.queries if query.scope == scope),
    )
    program = load(find_program("bm25"))
    client = connect()
    sandbox = DockerSandbox(Limits(pids=223), warm=0)
    evaluator = Evaluator(ExtractiveAgent(), SupportScorer(), sandbox)
    kills = 0

    def kill_twice(stage: str) -> None:
        nonlocal kills
        if stage == "asking" and kills < 2:
            kills += 1
            for container in client.api.containers(filters={"label": LABEL}):
                if '"pids":223' in container["Command"]:
                    client.api.kill(container["Id"])

    try:
        with Lease(sandbox) as lease:
            calm = evaluator.evaluate(program, [work], lease, stage=lambda stage: None)
        with Lease(sandbox) as lease:
            stormy = evaluator.evaluate(program, [work], lease, stage=kill_twice)
    finally:
        sandbox.close()
        client.close()
    assert kills == 2
    assert stormy.cases == calm.cases
    assert stormy.coverage == 1.0
