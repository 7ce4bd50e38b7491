"""What writes and reads are said to take."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolve.errors import ProgramFault
from evolve.evaluation.gauge import Completions, Gauge, both, operation, quantile
from evolve.models.base import Purpose, Reply, Usage
from evolve.types import JSON, Operation


def test_quantile_is_the_smallest_value_that_the_share_does_not_exceed() -> None:
    assert quantile([], 0.5) == 0.0
    assert [quantile([1, 2, 3, 4], share) for share in (0.25, 0.5, 0.51, 0.95, 1.0)] == [1, 2, 3, 4, 4]


@given(st.lists(st.floats(0, 9), min_size=1), st.sampled_from([0.5, 0.95]))
def test_at_least_the_share_is_no_larger(values: list[float], share: float) -> None:
    values.sort()
    found = quantile(values, share)
    assert sum(value <= found for value in values) >= share * len(values)
    assert sum(value < found for value in values) < share * len(values)


def test_completions_are_counted_with_the_operation_that_asks() -> None:
    purposes: list[Purpose] = []

    def answer(messages: list[JSON], kwargs: dict[str, JSON], purpose: Purpose) -> Reply:
        purposes.append(purpose)
        return Reply("yes", Usage(10, 0, 0, 2), 0.0)

    completions = Completions(answer)
    write, read = Gauge(purpose="write"), Gauge(purpose="read")
    with write.measuring(completions):
        assert completions([], {}) == "yes"
        completions([], {})
    with suppress(ProgramFault), read.measuring(completions):
        completions([], {})
        raise ProgramFault("raised", "in the read")
    assert (write.calls, write.tokens, len(write.seconds)) == (2, 24, 1)
    assert (read.calls, read.tokens, len(read.seconds)) == (1, 12, 1)
    assert purposes == ["write", "write", "read"]


def test_a_probe_gets_no_completion() -> None:
    completions = Completions(lambda messages, kwargs, purpose: Reply("yes", Usage(), 0.0))
    completions.closed = True
    with pytest.raises(ProgramFault, match="no completion is made for a probe"):
        completions([], {})
    assert completions.refused
    assert completions.calls == 0


def test_scopes_are_added_and_two_measurements_joined() -> None:
    one = operation([Gauge([0.1, 0.3], 1, 10, 100), Gauge([0.2], 0, 0, 50)])
    assert one == Operation(count=3, calls=1, tokens=10, chars=150, p50=0.2, p95=0.3)
    joined = both(one, Operation(count=1, calls=1, tokens=5, chars=10, p50=0.6, p95=0.6))
    assert (joined.count, joined.calls, joined.tokens, joined.chars, joined.p95) == (4, 2, 15, 160, 0.6)
    assert joined.p50 == pytest.approx(0.3)
    assert both(Operation(), Operation()) == Operation()
