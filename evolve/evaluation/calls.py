"""Calls to the task agent and the scorer: many at a time where a model answers, in turn where nothing is waited for."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from enum import IntEnum
from functools import partial
from threading import Condition, Thread
from typing import Generic, TypeVar

A = TypeVar("A")
R = TypeVar("R")


class Rank(IntEnum):
    """What goes first where calls queue; equal ones go in the order in which they came."""

    ANSWER = 0
    AWAITED = 1
    """Whatever it was: somebody cannot go on without it."""
    EXTRACT = 2
    FORMULATE = 3


class Stopped(Exception):
    """Something else failed for good, and this was not begun any more."""


class Results(Generic[R]):
    """What calls return, in the order of their arguments; what a call or the arguments raise comes in its turn."""

    def __init__(self, results: Iterator[R], cancel: Callable[[], None]) -> None:
        self._results = results
        self._cancel = cancel

    def __iter__(self) -> Iterator[R]:
        return self._results

    def close(self) -> None:
        """Have nothing more of them begun."""
        self._cancel()


class Calls:
    """The threads of one evaluation, shared by its scopes: started when they are needed, none left after `close`."""

    def __init__(self, threads: int) -> None:
        """Take so many calls at a time; with 0, each is made in its caller's thread when its result is wanted."""
        self._most = threads
        self._threads: list[Thread] = []
        self._queue: list[tuple[Rank, int, Future[object], Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._changed = Condition()
        self._idle = 0
        self._is_closed = False
        self.stopped = False

    def __enter__(self) -> Calls:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Cancel what is not begun, and wait for what is."""
        with self._changed:
            self._is_closed = True
            for _, _, future, _ in self._queue:
                future.cancel()
            self._queue.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

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
        with closing(self.ahead(function, arguments, Rank.ANSWER)) as results:
            yield from results

    def ahead(self, function: Callable[[A], R], arguments: Iterable[A], rank: Rank) -> Results[R]:
        """As `each`, but where there are threads all arguments are taken, and their calls queued, before it returns."""
        if not self._most:
            return Results((self._call(function, argument) for argument in arguments), lambda: None)
        queued: list[tuple[Future[R], Callable[[], R]]] = []
        broken: Exception | None = None
        try:
            for argument in arguments:
                queued.append(self._put(rank, partial(self._call, function, argument)))
        except Exception as error:
            broken = error

        def cancel() -> None:
            for future, _ in queued:
                future.cancel()

        return Results(self._awaited(queued, rank, broken), cancel)

    def _awaited(
        self, queued: Sequence[tuple[Future[R], Callable[[], R]]], rank: Rank, broken: Exception | None
    ) -> Iterator[R]:
        if rank > Rank.AWAITED:
            with self._changed:
                for future, work in queued:
                    self._push(Rank.AWAITED, future, work)  # a second time: whoever comes to the first finds it begun
        for future, _ in queued:
            yield future.result()
        if broken is not None:
            raise broken

    def _call(self, function: Callable[[A], R], argument: A) -> R:
        self.check()
        return function(argument)

    def _put(self, rank: Rank, work: Callable[[], R]) -> tuple[Future[R], Callable[[], R]]:
        future: Future[R] = Future()
        with self._changed:
            self._push(rank, future, work)
            if self._idle < len(self._queue) and len(self._threads) < self._most:
                thread = Thread(target=self._serve, name=f"evolve-call-{len(self._threads)}", daemon=True)
                thread.start()
                self._threads.append(thread)
            self._changed.notify()
        return future, work

    def _push(self, rank: Rank, future: Future[R], work: Callable[[], R]) -> None:
        if not _is_begun(future):
            heapq.heappush(self._queue, (rank, next(self._numbers), future, work))  # type: ignore[misc]

    def _serve(self) -> None:
        while (begun := self._next()) is not None:
            future, work = begun
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)
            del begun, future, work  # what was asked and answered is not kept alive while this thread is idle

    def _next(self) -> tuple[Future[object], Callable[[], object]] | None:
        """Wait for something to do; None where there is nothing more to come."""
        with self._changed:
            while True:
                while self._queue:
                    _, _, future, work = heapq.heappop(self._queue)
                    if not _is_begun(future) and future.set_running_or_notify_cancel():
                        return future, work
                if self._is_closed:
                    return None
                self._idle += 1
                self._changed.wait()
                self._idle -= 1


def _is_begun(future: Future[R]) -> bool:
    return future.running() or future.done()
