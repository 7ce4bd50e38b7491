"""Several jobs at a time in this process, each in a thread: for work that waits, on one machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Generic

from evolve.executors.base import D, J, Key, OnStage, Works

CLOSE_SECONDS = 10.0
"""What is still at work when the worker is closed may take so long to notice."""


class LaneExecutor(Generic[J, D]):
    """One worker with so many lanes. Nothing has to be started for it, and calls to models take no detour."""

    def __init__(self, make_worker: Callable[[], Works[J, D]], on_stage: OnStage, *, lanes: int) -> None:
        self._worker = make_worker()
        self._on_stage = on_stage
        self._lanes = lanes
        self._heard: SimpleQueue[tuple[Key, str | None, D | BaseException | None]] = SimpleQueue()
        self._threads: dict[Key, Thread] = {}

    @property
    def slots(self) -> int:
        """The lanes."""
        return self._lanes

    def submit(self, key: Key, job: J) -> None:
        """Begin the job."""
        # A daemon, for the second Ctrl-C: a call that a provider does not answer must not keep the process alive.
        thread = Thread(target=self._run, args=(key, job), name=f"evolve-job-{key}", daemon=True)
        self._threads[key] = thread
        thread.start()

    def next(self) -> tuple[Key, D] | None:
        """Wait for whatever a job says or brings first; None for a stage. Raises what the worker raised."""
        key, stage, done = self._heard.get()
        if stage is not None:
            self._on_stage(key, stage)
            return None
        self._threads.pop(key).join()
        if isinstance(done, BaseException):
            raise done
        assert done is not None
        return key, done

    def close(self) -> None:
        """Close the worker; what is at work ends with it."""
        self._worker.close()
        end = time.monotonic() + CLOSE_SECONDS
        for thread in self._threads.values():
            thread.join(max(0.0, end - time.monotonic()))

    def _run(self, key: Key, job: J) -> None:
        last = ""

        def say(text: str) -> None:
            nonlocal last
            if text != last:
                last = text
                self._heard.put((key, text, None))

        try:
            self._heard.put((key, None, self._worker.run(job, say)))
        except BaseException as error:
            self._heard.put((key, None, error))
