"""Warm boxes: while one candidate works, the next one's runner starts and imports what every program needs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from evolve.errors import SandboxError
from evolve.sandbox.box import Box

LAUNCHES = 3
"""A box that does not come up is tried so often before it is the user's problem."""


class WarmPool:
    """Keeps a number of ready boxes; each is handed out once and never used again."""

    def __init__(self, launch: Callable[[], Box], ready_seconds: float, warm: int) -> None:
        self._launch = launch
        self._ready_seconds = ready_seconds
        self._warm = warm
        self._lock = threading.Lock()
        self._spare: list[Future[Box]] = []
        self._taken: list[Box] = []
        self._closed = False
        self._starter = ThreadPoolExecutor(max_workers=max(1, warm), thread_name_prefix="evolve-warm")

    def take(self) -> Box:
        """Return a ready box, and start the next one. Raises SandboxError where none comes up."""
        with self._lock:
            if self._closed:
                raise SandboxError("the sandbox is closed")
            waiting = self._spare.pop(0) if self._spare else self._starter.submit(self._up)
        box = waiting.result()
        with self._lock:
            self._taken = [other for other in self._taken if not other.ended]
            self._taken.append(box)
            while not self._closed and len(self._spare) < self._warm:
                self._spare.append(self._starter.submit(self._up))
        return box

    def close(self) -> None:
        """Kill every box that is still up, those that were handed out included."""
        with self._lock:
            self._closed = True
            spare, self._spare = self._spare, []
        for future in spare:
            if not future.cancel() and future.exception() is None:
                future.result().close()
        self._starter.shutdown(wait=True)
        for box in self._taken:
            box.close()

    def _up(self) -> Box:
        for last in (False,) * (LAUNCHES - 1) + (True,):
            try:
                box = self._launch()
                box.wait_ready(self._ready_seconds)
            except SandboxError:
                if last or self._closed:
                    raise
            else:
                return box
        raise AssertionError("the loop above returns or raises")
