"""The seam to the executors: the only things that know about concurrency."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

J = TypeVar("J")
D = TypeVar("D")
Takes = TypeVar("Takes", contravariant=True)
Gives = TypeVar("Gives", covariant=True)
Key = int | str


class Works(Protocol[Takes, Gives]):
    """A worker: does as many jobs at a time as it has lanes, each in a thread of its own."""

    def run(self, job: Takes, stage: Callable[[str], None], /) -> Gives:
        """Do the job, saying now and then what is being done."""
        ...

    def close(self) -> None:
        """Leave nothing running."""
        ...


OnStage = Callable[[Key, str], None]
"""Hears which job is at which stage."""


class Executor(Protocol[Takes, Gives]):
    """Hands jobs to workers. Used by one thread."""

    @property
    def slots(self) -> int:
        """Jobs that can be at work at a time: workers times lanes. Changes where workers come and go."""
        ...

    def submit(self, key: Key, job: Takes) -> None:
        """Hand over a job; never more than `slots` at a time."""
        ...

    def next(self) -> tuple[Key, Gives] | None:
        """Block until a job is done and return it, or None where a job's stage or the number of slots changed.

        Raises what the worker raised, EvolveError where workers keep dying.
        """
        ...

    def close(self) -> None:
        """End the workers and what they started."""
        ...
