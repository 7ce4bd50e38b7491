"""Calls to the task agent and the scorer: many at a time where a model answers, in turn where nothing is waited for."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
R = TypeVar("R")


class Stopped(Exception):
    """Something else failed for good, and this was not begun any more."""


class Calls:
    """The threads of one evaluation, shared by its scopes; none is left when it is closed."""

    def __init__(self, threads: int) -> None:
        """Take so many calls at a time; with 0, each is made in its caller's thread when its result is wanted."""
        self._pool = ThreadPoolExecutor(threads, "evolve-call") if threads else None
        self.stopped = False

    def __enter__(self) -> Calls:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def stop(self) -> None:
        """Begin nothing any more: from now on, what would begin raises Stopped."""
        self.stopped = True

    def check(self) -> None:
        """Raise Stopped where nothing may begin any more."""
        if self.stopped:
            raise Stopped

    def each(self, function: Callable[[A], R], arguments: Iterable[A]) -> Generator[R, None, None]:
        """Yield the function's result for each argument, in their order.

        An argument is taken as soon as it is there; what the function or the arguments raise comes in its turn. Close
        the generator to have nothing more begun.
        """
        if self._pool is None:
            for argument in arguments:
                yield self._call(function, argument)
            return
        waiting: list[Future[R]] = []
        broken: Exception | None = None
        try:
            try:
                for argument in arguments:
                    waiting.append(self._pool.submit(self._call, function, argument))
            except Exception as error:
                broken = error
            for future in waiting:
                yield future.result()
            if broken is not None:
                raise broken
        finally:
            for future in waiting:
                future.cancel()

    def _call(self, function: Callable[[A], R], argument: A) -> R:
        self.check()
        return function(argument)
