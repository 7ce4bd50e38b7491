"""Clusters of several nodes, on this machine: workers spread over them, follow nodes that join, and outlive one."""

from __future__ import annotations

import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import evolve
from evolve.cli.main import main
from evolve.cli.nodes import Look, Node, differs
from evolve.executors.base import Key
from evolve.executors.ray import Cluster, RayExecutor

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(250)]
NODE = {"num_cpus": 1, "object_store_memory": 80 << 20}


@dataclass(frozen=True, slots=True)
class Placed:
    """A worker that waits, leaves a line, and tells which node of the cluster it lives on."""

    diary: Path

    def run(self, job: str, stage: Callable[[str], None], /) -> str:
        import ray

        node = str(ray.get_runtime_context().get_node_id())
        time.sleep(0.5)
        with self.diary.open("a") as file:
            file.write(f"{job}\n")
        return node

    def close(self) -> None:
        """Nothing to close."""


def deaf(key: Key, text: str) -> None:
    """Hear no stages."""


@pytest.fixture
def machines() -> Iterator[Any]:
    """A cluster whose first node only knows the others."""
    from ray.cluster_utils import Cluster as Machines

    machines = Machines(initialize_head=True, head_node_args={**NODE, "num_cpus": 0})
    yield machines
    machines.shutdown()


def all_done(executor: RayExecutor[str, str], jobs: int, *, at: dict[int, Callable[[], object]]) -> list[str]:
    """Do so many jobs, never more at a time than there are slots, and return where each was done.

    After so many as `at` says, something happens.
    """
    done: dict[Key, str] = {}
    submitted = 0
    while len(done) < jobs:
        while submitted < jobs and submitted - len(done) < executor.slots:
            executor.submit(submitted, str(submitted))
            submitted += 1
        if (ended := executor.next()) is not None:
            assert ended[0] not in done, "no job comes back twice"
            done[ended[0]] = ended[1]
            at.pop(len(done), lambda: None)()
    return list(done.values())


def test_a_cluster_without_room_is_told_and_a_node_that_joins_is_used(machines: Any, tmp_path: Path) -> None:
    notes: list[str] = []

    def heard(note: str) -> None:
        notes.append(note)
        machines.add_node(**NODE)

    with closing(Cluster(2, machines.address, note=heard)) as cluster:
        executor: RayExecutor[str, str] = RayExecutor(cluster, partial(Placed, tmp_path / "diary"), deaf)
        with closing(executor):
            nodes = set(all_done(executor, 1, at={}))
            assert [note.split(";")[0] for note in notes] == [
                "waiting for a Ray worker: no node of the cluster has a free processor"
            ]
            for _ in range(2):  # one more than the workers that are wanted
                machines.add_node(**NODE)
            until = time.monotonic() + 20
            while len(nodes) < 2 and time.monotonic() < until:
                nodes |= set(all_done(executor, 4, at={}))
            assert executor.slots == 2
    assert len(nodes) == 2


def test_a_node_that_dies_loses_only_what_was_in_flight(machines: Any, tmp_path: Path) -> None:
    nodes = [machines.add_node(**NODE) for _ in range(3)]
    diary = tmp_path / "diary"
    with closing(Cluster(8, machines.address)) as cluster:
        executor: RayExecutor[str, str] = RayExecutor(cluster, partial(Placed, diary), deaf, lanes=2)
        with closing(executor):
            assert executor.slots == 6
            all_done(executor, 12, at={})  # all are up
            diary.unlink()
            kill = {10: lambda: machines.remove_node(nodes[0], allow_graceful=False)}
            where = all_done(executor, 40, at=kill)
            assert executor.slots == 4
    assert len(set(where[:10])) == 3
    assert len(set(where[-10:])) == 2
    times = Counter(diary.read_text().split())
    assert set(times) == {str(number) for number in range(40)}
    assert sum(times.values()) <= 42, "done again is at most what its lanes had at work"


def test_check_looks_at_every_node_from_within(machines: Any, capsys: pytest.CaptureFixture[str]) -> None:
    machines.add_node(**NODE)
    words = ["check", "--cluster", "--set", f"ray.address={machines.address}", "--set", "sandbox.kind=process"]
    assert main(words) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if " node " in line]
    assert len(lines) == 2
    for line in lines:
        assert line.startswith("ok ")
        assert f"evolve {evolve.__version__}, Python {platform.python_version()}, process" in line
        assert "a box worked, the broker was reached" in line


def test_a_node_with_another_version_is_named() -> None:
    there = Node("", "10.0.0.3", 4.0)
    assert differs(Look(there, evolve.__version__, platform.python_version())) == ""
    assert differs(Look(there, "0.0.1", platform.python_version())).startswith("evolve 0.0.1, and the driver has")
    assert differs(Look(there, evolve.__version__, "3.11.0")).startswith("Python 3.11.0, and the driver has")
