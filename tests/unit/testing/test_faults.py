"""The storm: shares as told, equal storms equal, and a limited request let in when it was told to come."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from evolve.testing.faults import Faults, Storm


def first_strikes(storm: Storm, count: int = 4000) -> list[str]:
    return [storm.strike(f"request {number}")[0] for number in range(count)]


def test_the_shares_are_as_told() -> None:
    found = Counter(first_strikes(Storm(Faults(0))))
    shares = {fault: count / 4000 for fault, count in found.items()}
    assert shares == pytest.approx({"limited": 0.30, "broken": 0.05, "timeout": 0.05, "cut": 0.02, "": 0.58}, abs=0.025)


def test_draws_depend_on_the_request_and_not_on_the_order() -> None:
    requests = [f"request {number % 100}" for number in range(300)]
    calm_limits = Faults(1, limited=0.0)

    def struck(order: list[str]) -> dict[str, list[str]]:
        storm, found = Storm(calm_limits), {}
        for request in order:
            found.setdefault(request, []).append(storm.strike(request)[0])
        return found

    assert struck(requests) == struck(requests[::-1])
    assert first_strikes(Storm(Faults(1))) != first_strikes(Storm(Faults(2)))


def test_a_limited_request_is_refused_until_it_may_come_back_and_then_not_limited_again() -> None:
    storm = Storm(Faults(0, limited=1.0, broken=0.0, timeouts=0.0, cut=0.0, retry_after=0.1))
    assert storm.strike("a") == ("limited", 0.1)
    fault, wait = storm.strike("a")
    assert fault == "limited"
    assert 0 < wait < 0.1
    time.sleep(0.11)
    assert [storm.strike("a")[0] for _ in range(20)] == [""] * 20


def test_a_client_that_comes_back_in_time_is_answered_soon() -> None:
    """What the whole design rests on: far fewer than 1.6 requests for each answer, whoever retries as told."""
    storm = Storm(Faults(0, retry_after=0.0))
    arrivals = 0
    for number in range(2000):
        while True:
            arrivals += 1
            if storm.strike(f"request {number}")[0] == "":
                break
    assert arrivals / 2000 == pytest.approx(1.45, abs=0.05)
