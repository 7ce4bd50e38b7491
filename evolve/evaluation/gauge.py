"""How long a program's writes and reads take, and what they ask of a model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from evolve.errors import ProgramFault
from evolve.models.base import Purpose, Reply
from evolve.types import JSON, Operation

Complete = Callable[[list[JSON], dict[str, JSON], Purpose], Reply]
"""Answers a program's `llm_completion(messages, **kwargs)`, given what it is for;
raises as `evolve.models.toolkit.completions` says."""


class Completions:
    """A program's completions: answered and counted while it works, refused while it is only probed."""

    def __init__(self, complete: Complete) -> None:
        self._complete = complete
        self.closed = False
        self.refused = False
        self.calls = 0
        self.tokens = 0
        self.purpose: Purpose = ""
        """Of the operation at work."""

    def __call__(self, messages: list[JSON], kwargs: dict[str, JSON]) -> str:
        """Answer as `evolve.sandbox.box.CallLLM`."""
        if self.closed:
            self.refused = True
            raise ProgramFault("raised", "no completion is made for a probe")
        reply = self._complete(messages, kwargs, self.purpose)
        self.calls += 1
        self.tokens += reply.usage.input_tokens + reply.usage.output_tokens
        return reply.text


@dataclass(slots=True)
class Gauge:
    """The operations of one kind in one scope."""

    seconds: list[float] = field(default_factory=list)
    calls: int = 0
    tokens: int = 0
    chars: int = 0
    purpose: Purpose = ""
    """"write" or "read"."""

    @contextmanager
    def measuring(self, completions: Completions) -> Iterator[None]:
        """Measure one operation; one that raises counts as well."""
        calls, tokens, began = completions.calls, completions.tokens, time.perf_counter()
        completions.purpose = self.purpose
        try:
            yield
        finally:
            self.seconds.append(time.perf_counter() - began)
            self.calls += completions.calls - calls
            self.tokens += completions.tokens - tokens


def operation(gauges: Iterable[Gauge]) -> Operation:
    """Return the sum over all scopes."""
    listed = list(gauges)
    seconds = sorted(second for gauge in listed for second in gauge.seconds)
    return Operation(
        count=len(seconds),
        calls=sum(gauge.calls for gauge in listed),
        tokens=sum(gauge.tokens for gauge in listed),
        chars=sum(gauge.chars for gauge in listed),
        p50=quantile(seconds, 0.5),
        p95=quantile(seconds, 0.95),
    )


def both(one: Operation, other: Operation) -> Operation:
    """Return two measurements of a program as one: its median weighted by the counts, its p95 the larger of the two."""
    count = one.count + other.count
    weighted = one.count * one.p50 + other.count * other.p50
    return Operation(
        count=count,
        calls=one.calls + other.calls,
        tokens=one.tokens + other.tokens,
        chars=one.chars + other.chars,
        p50=weighted / count if count else 0.0,
        p95=max(one.p95, other.p95),
    )


def quantile(ascending: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` of the values do not exceed; 0.0 for none."""
    if not ascending:
        return 0.0
    return ascending[min(len(ascending) - 1, max(0, -int(-share * len(ascending) // 1) - 1))]
