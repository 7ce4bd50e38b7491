"""What only Ray can get wrong: workers that never live, and clusters that are not there."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
import pytest

from evolve.errors import ConfigError, EvolveError, PrerequisiteError
from evolve.executors.base import D, Key
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


def ended(executor: RayExecutor[str, D]) -> tuple[Key, D]:
    """The next job that is done, whatever else changes meanwhile."""
    while (done := executor.next()) is None:
        pass
    return done


@pytest.mark.timeout(200)
def test_a_job_that_kills_every_worker_ends_the_run_and_close_leaves_nothing(tmp_path: Path) -> None:
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    cluster = Cluster(2, "")
    executor: RayExecutor[str, str] = RayExecutor(cluster, partial(Mortal, tmp_path), deaf)
    try:
        executor.submit(1, "die")
        with pytest.raises(EvolveError, match=f"died {ATTEMPTS} times") as caught:
            ended(executor)
        assert "\n" not in str(caught.value)
        executor.submit(2, "echo")
        assert ended(executor) == (2, "echo")
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


def test_ray_client_is_refused() -> None:
    with pytest.raises(ConfigError, match="start evolve on a node of the cluster"):
        Cluster(1, "ray://127.0.0.1:10001")


@dataclass(frozen=True, slots=True)
class Made:
    """Makes workers, and leaves a mark each time that it is pickled."""

    marks: Path

    def __call__(self) -> Waiting:
        with (self.marks / "made").open("a") as file:
            file.write(f"{os.getpid()}\n")
        return Waiting()

    def __reduce__(self) -> tuple[object, ...]:
        with (self.marks / "pickled").open("a") as file:
            file.write(f"{os.getpid()}\n")
        return Made, (self.marks,)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A worker whose jobs wait as a model makes them wait; each tells who did it, and when."""

    def run(self, job: str, stage: Callable[[str], None], /) -> tuple[int, float, float]:
        began = time.monotonic()
        time.sleep(float(job))
        return os.getpid(), began, time.monotonic()

    def close(self) -> None:
        """Nothing to close."""


@pytest.mark.timeout(100)
def test_lanes_work_side_by_side_in_workers_that_are_made_once_from_what_is_sent_once(tmp_path: Path) -> None:
    cluster = Cluster(2, "")
    executor: RayExecutor[str, tuple[int, float, float]] = RayExecutor(cluster, Made(tmp_path), deaf, lanes=3)
    try:
        assert executor.slots == 6
        for number in range(12):  # more at a time than there are slots: they wait for a lane
            executor.submit(number, "1.5")
        done = [ended(executor)[1] for _ in range(12)]
    finally:
        executor.close()
        cluster.close()
    most = max(sum(began <= at < until for _, began, until in done) for _, at, _ in done)
    assert most == 6, "as many at a time as there are slots, never more"
    workers = {pid for pid, _, _ in done}
    assert len(workers) == 2
    assert (tmp_path / "pickled").read_text().split() == [str(os.getpid())]
    assert sorted(map(int, (tmp_path / "made").read_text().split())) == sorted(workers)
