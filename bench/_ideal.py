"""The wall-clock that latencies and the dependency chain allow: the same calls with nothing in between.

A run is replayed as events, from the latencies that its own calls met. Nothing of ours takes time, and any number of
calls is in flight; what needs an answer waits for it:

- an evaluation: a scope's episodes all at once, the formulation of its queries beside them, a query's answer when both
  are there; the seeds side by side;
- a child: its parent's traces of the rotating queries, then its rewrite, in as many lanes as there are proposals in
  flight; a lane takes the next rewrite, in the order in which they were asked for, as soon as it is free; the child's
  evaluation is in nobody's way;
- the end: the finalists side by side when the last child is measured, then the winner.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

from evolve.testing.simulated import Kind, Served


@dataclass(frozen=True, slots=True)
class Calls:
    """How many requests went to the provider for one evaluation."""

    extract: int = 0
    formulate: int = 0
    answer: int = 0


@dataclass(frozen=True, slots=True)
class Shape:
    """What a run did."""

    seeds: Sequence[Calls]
    children: Sequence[Calls]
    finalists: Sequence[Calls]
    tests: Sequence[Calls]
    rotating: int
    lanes: int
    scopes: int


class Draws:
    """The latencies that a run's calls met, by kind, in the order in which they were asked for; over again where more
    are wanted."""

    def __init__(self, served: Sequence[Served]) -> None:
        kinds: dict[Kind, list[float]] = {}
        for call in served:
            kinds.setdefault(call.kind, []).append(call.latency)
        self._next: Mapping[Kind, Iterator[float]] = {kind: cycle(found) for kind, found in kinds.items()}

    def take(self, kind: Kind, count: int) -> list[float]:
        """Return the next `count` latencies of a kind."""
        return [next(self._next[kind]) for _ in range(count)]

    def evaluation(self, calls: Calls, scopes: int) -> float:
        """Return the seconds of an evaluation whose episodes and queries are spread over so many scopes."""
        extracted = self.take("extract", calls.extract)
        filled = [max(extracted[scope::scopes], default=0.0) for scope in range(scopes)]
        formulated = self.take("formulate", calls.formulate) + [0.0] * (calls.answer - calls.formulate)
        answered = self.take("answer", calls.answer)
        queries = enumerate(zip(formulated, answered, strict=False))
        return max(
            [max(filled[number % scopes], asked) + told for number, (asked, told) in queries], default=max(filled)
        )


def ideal(shape: Shape, served: Sequence[Served]) -> dict[str, float]:
    """Return the seconds of each phase: "seeds", "search", "final"."""
    draws = Draws(served)
    seeds = max(draws.evaluation(calls, shape.scopes) for calls in shape.seeds)
    lanes = [0.0] * shape.lanes
    ended = 0.0
    for calls in shape.children:
        begun = heapq.heappop(lanes)
        traced = draws.evaluation(Calls(0, shape.rotating, shape.rotating), shape.scopes)
        proposed = begun + traced + draws.take("rewrite", 1)[0]
        heapq.heappush(lanes, proposed)
        ended = max(ended, proposed + draws.evaluation(calls, shape.scopes))
    final = [
        max((draws.evaluation(c, shape.scopes) for c in part), default=0.0) for part in (shape.finalists, shape.tests)
    ]
    return {"seeds": seeds, "search": ended, "final": sum(final)}
