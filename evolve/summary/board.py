"""Programs compared on one task, as plain values: the rows of `evolve score`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

from evolve.evaluation.statistics import paired_difference
from evolve.summary import Score, agent_name, score
from evolve.summary.costs import CandidateCost, candidate_cost
from evolve.tasks import open_family
from evolve.types import Case, Operation

if TYPE_CHECKING:
    from evolve.attempt import Result
    from evolve.comparison import Comparison


class Behind(TypedDict):
    """The best program minus this one on the same queries, with its 95 % bootstrap interval."""

    difference: float
    n: int
    low: float
    high: float


class Expense(TypedDict):
    """What one write, or one read, takes on average."""

    count: int
    calls: float
    """Completions that the program asks for."""
    tokens: float
    chars: float
    """Length of the episode, or of what was read."""
    p50_ms: float
    p95_ms: float


class Row(TypedDict):
    """One program."""

    program: str
    score: Score | None
    behind: Behind | None
    """None for the best."""
    categories: dict[str, Score]
    measures: dict[str, float]
    """Means of what else was measured."""
    write: Expense
    read: Expense
    program_faults: int
    infrastructure_faults: int
    reasons: list[str]
    seconds: float
    cost: CandidateCost


class Board(TypedDict):
    """A comparison, best program first."""

    task: str
    options: dict[str, object]
    agent: str
    scorer: str
    split: str
    queries: int
    episodes: int
    categories: dict[str, int]
    """How many queries each category has."""
    notes: list[str]
    programs: list[Row]


def board(comparison: Comparison) -> Board:
    """Return the comparison as plain JSON values."""
    config, results = comparison.config, comparison.results
    scores = {name: _scores(result.evaluation.cases) for name, result in results.items()}
    ranked = sorted(results, key=lambda name: -_mean(scores[name]))
    queries = [query for work in comparison.works for query in work.queries]
    scopes = {query.id: query.scope for query in queries}
    names = sorted({query.category for query in queries if query.category})
    return Board(
        task=config.task,
        options=dict(config.task_options),
        agent=agent_name(config.models.agent),
        scorer=config.evaluation.scorer or "",
        split=comparison.split,
        queries=len(queries),
        episodes=sum(len(work.episodes) for work in comparison.works),
        categories={name: sum(query.category == name for query in queries) for name in names},
        notes=list(open_family(config.task, config.task_options).notes()),
        programs=[_row(name, results[name], scores[name], scores[ranked[0]], scopes) for name in ranked],
    )


def _row(
    name: str, result: Result, scores: Mapping[str, float], best: Mapping[str, float], scopes: Mapping[str, str]
) -> Row:
    evaluation = result.evaluation
    behind = paired_difference(best, scores, scopes=scopes) if scores is not best else None
    return Row(
        program=name,
        score=score(scores, scopes),
        behind=Behind(difference=behind.mean, n=behind.n, low=behind.low, high=behind.high) if behind else None,
        categories=_by_category(evaluation.cases, scopes),
        measures=_measures(evaluation.cases),
        write=expense(evaluation.operations.get("write", Operation())),
        read=expense(evaluation.operations.get("read", Operation())),
        program_faults=sum(case.outcome == "program" for case in evaluation.cases),
        infrastructure_faults=sum(case.outcome == "infrastructure" for case in evaluation.cases),
        reasons=list(dict.fromkeys(case.reason for case in evaluation.cases if case.reason)),
        seconds=round(evaluation.seconds, 3),
        cost=candidate_cost(result.cost),
    )


def _scores(cases: Sequence[Case]) -> dict[str, float]:
    return {case.query: case.score for case in cases if case.score is not None}


def _mean(scores: Mapping[str, float]) -> float:
    return sum(scores.values()) / len(scores) if scores else -1.0


def _by_category(cases: Sequence[Case], scopes: Mapping[str, str]) -> dict[str, Score]:
    groups = {name: _scores([case for case in cases if case.category == name]) for name in _names(cases)}
    return {name: found for name, scores in groups.items() if (found := score(scores, scopes))}


def _names(cases: Sequence[Case]) -> list[str]:
    return sorted({case.category for case in cases if case.category})


def _measures(cases: Sequence[Case]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for case in cases:
        for name, value in case.measures.items():
            found.setdefault(name, []).append(value)
    return {name: sum(values) / len(values) for name, values in found.items()}


def expense(operation: Operation) -> Expense:
    """Return what one of these operations takes on average."""
    each = operation.count or 1
    return Expense(
        count=operation.count,
        calls=operation.calls / each,
        tokens=operation.tokens / each,
        chars=operation.chars / each,
        p50_ms=round(operation.p50 * 1000, 2),
        p95_ms=round(operation.p95 * 1000, 2),
    )
