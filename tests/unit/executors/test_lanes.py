"""Several jobs at a time in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from evolve.errors import ConfigError
from evolve.executors.lanes import LaneExecutor


class Meeting:
    """A worker whose jobs wait for each other: it gets stuck where they do not run side by side."""

    def __init__(self, parties: int) -> None:
        self.barrier = threading.Barrier(parties)
        self.closed = False

    def run(self, job: str, stage: Callable[[str], None]) -> str:
        if job == "wrong":
            raise ConfigError("this is wrong.")
        stage("meeting")
        stage("meeting")
        self.barrier.wait(timeout=20)
        return job.upper()

    def close(self) -> None:
        self.closed = True
        self.barrier.abort()


def test_jobs_run_side_by_side_and_every_stage_is_heard_once() -> None:
    worker, heard = Meeting(3), []
    executor: LaneExecutor[str, str] = LaneExecutor(
        lambda: worker, lambda key, text: heard.append((key, text)), lanes=3
    )
    assert executor.slots == 3
    for key, job in enumerate("abc"):
        executor.submit(key, job)
    told = [executor.next() for _ in range(6)]
    assert told.count(None) == 3
    assert sorted(done for done in told if done is not None) == [(0, "A"), (1, "B"), (2, "C")]
    assert sorted(heard) == [(0, "meeting"), (1, "meeting"), (2, "meeting")]
    executor.close()
    assert worker.closed
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("evolve-job")]


def to_the_end(executor: LaneExecutor[str, str]) -> None:
    while True:
        executor.next()


def test_what_a_job_raises_is_raised_here_and_closing_ends_the_others() -> None:
    worker = Meeting(2)
    executor: LaneExecutor[str, str] = LaneExecutor(lambda: worker, lambda key, text: None, lanes=2)
    executor.submit("waits", "a")
    executor.submit("fails", "wrong")
    with pytest.raises(ConfigError, match="this is wrong"):
        to_the_end(executor)
    executor.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("evolve-job")]
