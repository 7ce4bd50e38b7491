"""Warm boxes: while one candidate works, the next one's runner starts and imports what every program needs."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from evolve.errors import SandboxError
from evolve.sandbox.box import Box

LAUNCHES = 3
"""A box that does not come up is tried so often before it is the user's problem."""
CLOSED = "the sandbox is closed"


class WarmPool:
    """Keeps a number of ready boxes; each is handed out once and never used again. Used by many threads.

    Spare boxes start one after the other, and leave the other processors to those that work. Boxes that somebody waits
    for start side by side, but no more of them than there are processors.
    """

    def __init__(self, launch: Callable[[], Box], ready_seconds: float, warm: int) -> None:
        self._launch = launch
        self._ready_seconds = ready_seconds
        self._warm = warm
        self._lock = threading.Lock()
        self._taken: list[Box] = []
        self._closed = False
        self._wanted = ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="evolve-start")
        self._ahead = ThreadPoolExecutor(max_workers=1, thread_name_prefix="evolve-warm")
        self._spare = [self._ahead.submit(self._up) for _ in range(warm)]

    def take(self) -> Box:
        """Return a ready box, and start the next one. Raises SandboxError where none comes up."""
        with self._lock:
            if self._closed:
                raise SandboxError(CLOSED)
            waiting = self._next()
        box = waiting.result()
        with self._lock:
            if not self._closed:
                self._taken = [other for other in self._taken if not other.ended]
                self._taken.append(box)
                while len(self._spare) < self._warm:
                    self._spare.append(self._ahead.submit(self._up))
                return box
        box.close()
        raise SandboxError(CLOSED)

    def close(self) -> None:
        """Kill every box that is still up, those that were handed out included."""
        with self._lock:
            self._closed = True
            spare, self._spare = self._spare, []
        for future in spare:
            if not future.cancel() and future.exception() is None:
                future.result().close()
        self._ahead.shutdown(wait=True)
        self._wanted.shutdown(wait=True)
        with self._lock:
            taken = list(self._taken)
        for box in taken:
            box.close()

    def _next(self) -> Future[Box]:
        """Return the first spare box, which is ready or on its way; where there is none, start one."""
        if self._spare:
            spare = self._spare.pop(0)
            if not spare.cancel():
                return spare
        return self._wanted.submit(self._up)

    def _up(self) -> Box:
        for last in (False,) * (LAUNCHES - 1) + (True,):
            if self._closed:
                raise SandboxError(CLOSED)
            try:
                box = self._launch()
                box.wait_ready(self._ready_seconds)
            except SandboxError:
                if last:
                    raise
            else:
                return box
        raise AssertionError("the loop above returns or raises")
