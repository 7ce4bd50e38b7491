"""One job at a time in this process: repeatable, and the easiest to debug."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic

from evolve.executors.base import D, J, Key, OnStage, Works


class SerialExecutor(Generic[J, D]):
    """Does a job when its result is asked for."""

    def __init__(self, make_worker: Callable[[], Works[J, D]], on_stage: OnStage) -> None:
        self._worker = make_worker()
        self._on_stage = on_stage
        self._waiting: list[tuple[Key, J]] = []

    @property
    def slots(self) -> int:
        """One."""
        return 1

    def submit(self, key: Key, job: J) -> None:
        """Keep the job for `next`."""
        self._waiting.append((key, job))

    def next(self) -> tuple[Key, D]:
        """Do the job that was submitted first."""
        key, job = self._waiting.pop(0)
        return key, self._worker.run(job, lambda text: self._on_stage(key, text))

    def close(self) -> None:
        """Close the worker."""
        self._worker.close()
