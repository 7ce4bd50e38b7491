"""Calls side by side: results in order, nothing begun that nobody waits for, nothing left running."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from evolve.evaluation.calls import Calls, Rank, Results, Stopped


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


def queued(calls: Calls, ranks: list[Rank], made: list[Rank]) -> list[Results[None]]:
    """Queue a call of each rank behind one that holds the only thread until all are there."""
    release = threading.Event()
    calls.ahead(lambda number: release.wait(10), [0], Rank.ANSWER)
    results = [calls.ahead(made.append, [rank], rank) for rank in ranks]
    release.set()
    return results


def test_answers_go_before_extractions_and_these_before_formulations() -> None:
    made: list[Rank] = []
    with Calls(1) as calls:
        ranks = [Rank.FORMULATE, Rank.EXTRACT, Rank.FORMULATE, Rank.ANSWER]
        last = queued(calls, ranks, made)[2]
        while len(made) < len(ranks):
            threading.Event().wait(0.001)
        assert list(last) == [None]
    assert made == [Rank.ANSWER, Rank.EXTRACT, Rank.FORMULATE, Rank.FORMULATE]


def test_what_somebody_waits_for_goes_before_what_nobody_does() -> None:
    made: list[str] = []
    release = threading.Event()
    with Calls(1) as calls:
        calls.ahead(lambda number: release.wait(10), [0], Rank.ANSWER)
        others = calls.ahead(made.append, ["other"] * 50, Rank.EXTRACT)
        mine = calls.ahead(made.append, ["mine"], Rank.FORMULATE)
        waiter = threading.Thread(target=lambda: list(mine))
        waiter.start()
        waiter.join(0.2)  # it waits, and has said so
        release.set()
        waiter.join(10)
        list(others)
    assert made == ["mine", *["other"] * 50]


def test_calls_ahead_begin_before_anybody_asks_for_them() -> None:
    begun = threading.Event()
    with Calls(1) as calls:
        calls.ahead(lambda number: begun.set(), [0], Rank.FORMULATE)
        assert begun.wait(10)


def test_without_threads_nothing_begins_ahead() -> None:
    made: list[int] = []
    with Calls(0) as calls:
        results = calls.ahead(made.append, range(3), Rank.EXTRACT)
        assert made == []
        assert next(iter(results)) is None
    assert made == [0]


def test_threads_are_started_when_they_are_needed() -> None:
    before = threading.active_count()
    with Calls(64) as calls:
        for number in range(5):
            assert list(calls.each(abs, [-number])) == [number]
        assert threading.active_count() - before <= 5
