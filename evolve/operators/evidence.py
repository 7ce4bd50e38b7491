"""What a reflector learns from: rotating queries traced through a parent, and the cases among them that are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from evolve.operators.base import Ground
from evolve.types import Case, Evaluation, Program, Query, Write

DRAWS = 3
"""How often rotating queries are drawn in the hope of cases that lost points."""
SCOPES = 2
ENOUGH = 2
"""Cases that lost points: with so many there is something to learn."""
FAILURES = 3
SUCCESS = 0.5
"""Score from which a case shows what works."""


@dataclass(frozen=True, slots=True)
class Traced:
    """Rotating queries and what became of them in one program."""

    gold: dict[str, Query]
    """By id: the only queries whose gold answers and evidence may be shown to a model."""
    cases: tuple[Case, ...]
    """Those with a score, and of these queries only."""
    writes: tuple[Write, ...]

    @property
    def lost(self) -> tuple[Case, ...]:
        """The cases that lost points."""
        return tuple(case for case in self.cases if points_lost(case) > 0)

    @property
    def mean(self) -> float | None:
        """Mean score; None without a case."""
        return 1 - sum(map(points_lost, self.cases)) / len(self.cases) if self.cases else None


def points_lost(case: Case) -> float:
    """Return 1 minus the score; a case without a score has lost nothing."""
    return 0.0 if case.score is None else 1 - case.score


def traced(queries: Sequence[Query], evaluations: Sequence[Evaluation]) -> Traced:
    """Put evaluations of these queries together."""
    gold = {query.id: query for query in queries}
    cases = [case for evaluation in evaluations for case in evaluation.counted if case.query in gold]
    writes = [write for evaluation in evaluations for write in evaluation.writes]
    return Traced(gold, tuple(cases), tuple(writes))


def gather(ground: Ground, program: Program) -> Traced:
    """Trace rotating queries through the program, and more of them while fewer than 2 cases have lost points."""
    size = ground.config.evaluation.rotating
    order = few_scopes_first(ground.rotating, ground.draw)
    asked: list[Query] = []
    found: list[Evaluation] = []
    for start in range(0, min(size * DRAWS, len(order)), size):
        queries = order[start : start + size]
        asked += queries
        found.append(ground.trace(program, queries))
        if len(traced(asked, found).lost) >= ENOUGH:
            break
    return traced(asked, found)


def few_scopes_first(queries: Sequence[Query], draw: Random) -> list[Query]:
    """Return the queries in an order drawn by chance, two scopes at a time: each has to be remembered to be asked."""
    scopes = list(dict.fromkeys(query.scope for query in queries))
    draw.shuffle(scopes)
    order: list[Query] = []
    for start in range(0, len(scopes), SCOPES):
        some = [query for query in queries if query.scope in scopes[start : start + SCOPES]]
        order += draw.sample(some, len(some))
    return order


def choose(cases: Sequence[Case], draw: Random) -> tuple[tuple[Case, ...], Case | None]:
    """Return up to 3 cases that lost points, low scores more likely, and one that went well.

    Drawn without replacement by the keys u^(1/w) with w = 1 - score (Efraimidis and Spirakis 2006).
    """
    keyed = [(draw.random() ** (1 / points_lost(case)), case) for case in cases if points_lost(case) > 0]
    keyed.sort(key=lambda pair: pair[0], reverse=True)
    failed = tuple(case for _, case in keyed[:FAILURES])
    rest = [case for case in cases if case not in failed and points_lost(case) <= 1 - SUCCESS]
    return failed, min(rest, key=points_lost, default=None)
