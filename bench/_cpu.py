"""Processor seconds of this process and all below it, by what they are for, read now and then while they live."""

from __future__ import annotations

import threading
from collections.abc import Collection
from typing import Self

import psutil

SECONDS = 1.0
"""Between two readings: what a process uses after its last one is not counted."""
SANDBOX = "runner.py"
RAY = ("raylet", "gcs_server", "dashboard", "log_monitor", "runtime_env", "monitor.py", "agent.py")


class CpuWatch:
    """Reads while the context lasts."""

    def __init__(self, *, without: Collection[int] = ()) -> None:
        """`without` are processes that do not count, such as a server."""
        self._without = set(without)
        self._used: dict[tuple[int, float], tuple[str, float]] = {}
        self._own = psutil.Process()
        self._began = _used(self._own)
        self._machine = _busy()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def seconds(self) -> dict[str, float]:
        """Processor seconds so far, user and system: "driver" (this process), "workers" (the broker's among them),
        "ray", "sandboxes", and "others" for what else the machine was busy with, the processes left out included."""
        sums = {"driver": _used(self._own) - self._began}
        for kind, used in self._used.values():
            sums[kind] = sums.get(kind, 0.0) + used
        return {**sums, "others": max(0.0, _busy() - self._machine - sum(sums.values()))}

    def _watch(self) -> None:
        while not self._over.wait(SECONDS):
            self._read()

    def _read(self) -> None:
        try:
            below = self._own.children(recursive=True)
        except psutil.Error:
            return
        for process in below:
            if process.pid in self._without:
                continue
            try:
                with process.oneshot():
                    key = process.pid, process.create_time()
                    kind = self._used[key][0] if key in self._used else _kind(process)
                    self._used[key] = kind, _used(process)
            except psutil.Error:
                continue


def _used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _busy() -> float:
    """Return the processor seconds that the machine was busy since it came up."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0))


def _kind(process: psutil.Process) -> str:
    words = " ".join(process.cmdline())
    if SANDBOX in words:
        return "sandboxes"
    return "ray" if any(name in words for name in RAY) else "workers"
