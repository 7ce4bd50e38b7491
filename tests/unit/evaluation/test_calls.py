"""Calls side by side: results in order, nothing begun that nobody waits for, nothing left running."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from evolve.evaluation.calls import Calls, Stopped


def test_results_come_in_the_order_of_their_arguments_however_long_each_takes() -> None:
    later = threading.Event()

    def first_waits(number: int) -> int:
        if number == 0:
            assert later.wait(10)
        else:
            later.set()
        return number * number

    with Calls(2) as calls:
        assert list(calls.each(first_waits, range(5))) == [0, 1, 4, 9, 16]


@pytest.mark.parametrize("threads", [0, 4])
def test_what_arguments_raise_comes_after_the_results_before_it(threads: int) -> None:
    def arguments() -> Iterator[int]:
        yield from (1, 2)
        raise LookupError("no more")

    with Calls(threads) as calls:
        results = calls.each(lambda number: number + 1, arguments())
        assert [next(results), next(results)] == [2, 3]
        with pytest.raises(LookupError):
            next(results)


@pytest.mark.parametrize("threads", [0, 4])
def test_what_the_function_raises_comes_in_its_turn(threads: int) -> None:
    with Calls(threads) as calls:
        results = calls.each(lambda number: 6 // number, [3, 2, 0, 1])
        assert [next(results), next(results)] == [2, 3]
        with pytest.raises(ZeroDivisionError):
            next(results)


def test_without_threads_a_call_is_made_when_its_result_is_wanted() -> None:
    made: list[int] = []
    with Calls(0) as calls:
        results = calls.each(made.append, range(10))
        next(results)
        next(results)
    assert made == [0, 1]


def test_what_nobody_waits_for_is_not_begun() -> None:
    begun: list[int] = []
    release = threading.Event()

    def wait(number: int) -> None:
        begun.append(number)
        if number:
            assert release.wait(10)

    with Calls(2) as calls:
        results = calls.each(wait, range(100))
        next(results)
        results.close()
        release.set()
    assert len(begun) <= 4  # the first, the two at work, and one that began before the close


@pytest.mark.parametrize("threads", [0, 4])
def test_nothing_begins_after_a_stop(threads: int) -> None:
    made: list[int] = []
    with Calls(threads) as calls:
        calls.stop()
        with pytest.raises(Stopped):
            list(calls.each(made.append, range(10)))
    assert made == []


def test_no_thread_is_left() -> None:
    before = set(threading.enumerate())
    with Calls(8) as calls:
        assert sum(calls.each(abs, range(-20, 0))) == 210
    assert set(threading.enumerate()) <= before
