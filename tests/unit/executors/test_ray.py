"""What only Ray can get wrong: workers that never live, and clusters that are not there."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
import pytest

from evolve.errors import EvolveError, PrerequisiteError
from evolve.executors.base import Key
from evolve.executors.ray import ATTEMPTS, Cluster, RayExecutor


@dataclass(frozen=True, slots=True)
class Mortal:
    """A worker that dies of the job "die", and leaves a mark when it is closed."""

    closed: Path

    def run(self, job: str, stage: Callable[[str], None], /) -> str:
        if job == "die":
            os._exit(3)
        return job

    def close(self) -> None:
        """Leave a mark."""
        (self.closed / str(os.getpid())).touch()


def deaf(key: Key, text: str) -> None:
    """Hear no stages."""


@pytest.mark.timeout(200)
def test_a_job_that_kills_every_worker_ends_the_run_and_close_leaves_nothing(tmp_path: Path) -> None:
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    cluster = Cluster(2, "")
    executor: RayExecutor[str, str] = RayExecutor(cluster, partial(Mortal, tmp_path), deaf)
    try:
        executor.submit(1, "die")
        with pytest.raises(EvolveError, match=f"died {ATTEMPTS} times") as caught:
            executor.next()
        assert "\n" not in str(caught.value)
        executor.submit(2, "echo")
        assert executor.next() == (2, "echo")
    finally:
        executor.close()
        cluster.close()
    assert len(list(tmp_path.iterdir())) == 1  # the other worker was closed; a dead one cannot be
    left = [process for process in psutil.Process().children(recursive=True) if process.pid not in before]
    _, alive = psutil.wait_procs(left, timeout=20)
    assert alive == []


@pytest.mark.timeout(200)
def test_a_cluster_that_is_not_there_is_said() -> None:
    with pytest.raises(PrerequisiteError, match=r"the Ray cluster at 127\.0\.0\.1:1 does not start") as caught:
        Cluster(1, "127.0.0.1:1")
    assert "twice" not in str(caught.value)


@dataclass(frozen=True, slots=True)
class Placed:
    """A worker that tells which node of the cluster it lives on."""

    def run(self, job: str, stage: Callable[[str], None], /) -> str:
        import ray

        return str(ray.get_runtime_context().get_node_id())

    def close(self) -> None:
        """Nothing to close."""


@pytest.mark.slow
@pytest.mark.timeout(250)
def test_workers_spread_over_the_nodes_of_a_cluster() -> None:
    from ray.cluster_utils import Cluster as Machines

    machines = Machines(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        machines.add_node(num_cpus=1)
        cluster = Cluster(2, machines.address)
        executor: RayExecutor[str, str] = RayExecutor(cluster, Placed, deaf)
        try:
            for number in range(2):
                executor.submit(number, "where")
            nodes = {executor.next()[1] for _ in range(2)}
        finally:
            executor.close()
            cluster.close()
    finally:
        machines.shutdown()
    assert len(nodes) == 2
