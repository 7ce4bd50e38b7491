"""The gate on a clock of its own: what it lets through, when it shuts, and when it gives up."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from evolve.errors import ProviderError, RequestRefused
from evolve.models.base import RateLimited, Unavailable
from evolve.models.gate import MOST, RECENT, ROW, START, Clock, Gate


class Time:
    """A clock that goes on only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.now, sleep=self.sleep, jitter=lambda: 1.0)


def make(time: Time, *, highest: int = 64, patience: float = 900.0) -> tuple[Gate, list[str]]:
    notes: list[str] = []
    return Gate("openai:m", highest, note=notes.append, clock=time.clock, patience=patience), notes


def fail(gate: Gate, fault: Exception) -> None:
    with pytest.raises(type(fault)), gate.call():
        raise fault


def succeed(gate: Gate, times: int = 1) -> None:
    for _ in range(times):
        with gate.call():
            pass


def crowd(gate: Gate, faults: list[Exception | None]) -> None:
    """Have so many calls inside together, and let them end in this order."""
    held = [gate.call() for _ in faults]
    for each in held:
        each.__enter__()
    for each, fault in zip(held, faults, strict=True):
        each.__exit__(type(fault) if fault else None, fault, None)


def test_the_limit_doubles_in_a_window_until_the_provider_first_says_no() -> None:
    gate, _ = make(Time(), highest=64)
    trace = [gate.limit]
    for _ in range(4):
        succeed(gate, gate.limit)
        trace.append(gate.limit)
    assert trace == [8, 16, 32, 64, 64]


def test_after_that_it_grows_by_about_one_a_window() -> None:
    time = Time()
    gate, _ = make(time, highest=10)
    fail(gate, RateLimited("slow down"))
    trace = [gate.limit]
    for _ in range(4):
        succeed(gate, gate.limit + 1)
        trace.append(gate.limit)
    assert trace == [4, 5, 6, 7, 8]


def test_a_small_configured_most_is_kept_from_the_start() -> None:
    gate, _ = make(Time(), highest=3)
    succeed(gate, 20)
    assert gate.limit == 3


def test_calls_that_were_sent_together_halve_the_limit_once() -> None:
    gate, _ = make(Time())
    crowd(gate, [RateLimited("busy"), RateLimited("busy"), RateLimited("busy"), None])
    assert gate.limit == START // 2
    fail(gate, RateLimited("busy"))
    assert gate.limit == START // 4
    for _ in range(3):
        fail(gate, RateLimited("busy"))
    assert gate.limit == 1


def test_a_failure_that_is_no_rate_limit_leaves_the_limit() -> None:
    gate, _ = make(Time())
    fail(gate, Unavailable("no connection"))
    assert gate.limit == START
    fail(gate, RequestRefused("too long"))
    assert gate.limit == START + 1, "it was answered"


def test_retry_after_shuts_the_gate_for_everyone_until_then() -> None:
    time = Time()
    gate, _ = make(time)
    crowd(gate, [RateLimited("busy", 30.0), RateLimited("busy", 12.0)])
    succeed(gate)
    assert time.slept == [30.0]
    succeed(gate)
    assert time.slept == [30.0]


def test_the_circuit_opens_after_failures_in_a_row_probes_and_closes() -> None:
    time = Time()
    gate, notes = make(time)
    for _ in range(ROW - 1):
        fail(gate, Unavailable("no connection"))
    assert (notes, time.slept) == ([], [])
    fail(gate, Unavailable("no connection"))
    assert len(notes) == 1
    assert "openai:m" in notes[0]
    assert "no connection" in notes[0]
    for _ in range(6):
        fail(gate, Unavailable("no connection"))
    succeed(gate)
    assert time.slept == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert notes[1:] == ["openai:m answers again."]
    for _ in range(ROW):
        fail(gate, Unavailable("no connection"))
    succeed(gate)
    assert time.slept[7:] == [2.0]  # the pauses begin anew


def test_the_circuit_opens_when_most_calls_fail_though_never_many_in_a_row() -> None:
    gate, notes = make(Time())
    for number in range(RECENT - 1):
        assert notes == []
        if number % 4 == 3:
            succeed(gate)
        else:
            fail(gate, Unavailable("500"))
    assert RECENT - RECENT // 4 == MOST
    assert len(notes) == 1


def test_in_weather_the_circuit_stays_closed() -> None:
    gate, notes = make(Time())
    for number in range(200):
        if number % 2:
            succeed(gate)
        else:
            fail(gate, Unavailable("500"))
    assert notes == []


def test_only_one_call_probes_an_open_circuit_and_the_others_follow_its_success() -> None:
    time = Time()
    gate, _ = make(time)
    for _ in range(ROW):
        fail(gate, Unavailable("500"))
    entered, end_probe = threading.Semaphore(0), threading.Event()
    inside: list[int] = []

    def call(number: int) -> None:
        with gate.call():
            inside.append(number)
            entered.release()
            end_probe.wait(10)

    with ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(call, number) for number in range(6)]
        assert entered.acquire(timeout=10)
        assert not entered.acquire(timeout=0.2)
        assert len(inside) == 1
        end_probe.set()
        for each in calls:
            each.result(10)
    assert sorted(inside) == list(range(6))


def test_after_its_patience_the_gate_tells_callers_and_still_probes() -> None:
    time = Time()
    gate, notes = make(time, patience=100.0)
    for _ in range(ROW + 5):
        fail(gate, Unavailable("no connection"))  # the last probe at 62 s; the next one is due at 122 s
    with pytest.raises(ProviderError, match=r"openai:m has not answered a call for 62 s"), gate.call():
        pass
    time.now += 60.0
    succeed(gate)
    assert notes[-1] == "openai:m answers again."


def test_patience_is_not_used_up_by_a_quiet_time() -> None:
    time = Time()
    gate, _ = make(time, patience=100.0)
    succeed(gate)
    time.now += 10_000.0
    fail(gate, Unavailable("no connection"))
    succeed(gate)


def test_a_provider_that_asks_for_longer_than_the_patience_is_an_error_at_once() -> None:
    time = Time()
    gate, _ = make(time, patience=100.0)
    fail(gate, RateLimited("quota of the day", 3_600.0))
    with pytest.raises(ProviderError, match=r"asks to be left alone for 3600 s"), gate.call():
        pass
    assert time.slept == []


def test_no_more_calls_are_inside_than_the_limit_and_none_starves() -> None:
    gate = Gate("openai:m", 5, note=print)
    lock, inside, most = threading.Lock(), 0, 0

    def call(number: int) -> int:
        nonlocal inside, most
        with gate.call():
            with lock:
                inside += 1
                most = max(most, inside)
            threading.Event().wait(0.002)
            with lock:
                inside -= 1
        return number

    with ThreadPoolExecutor(40) as pool:
        assert list(pool.map(call, range(200), timeout=30)) == list(range(200))
    assert most == 5
