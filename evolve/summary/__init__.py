"""A run in plain numbers: what `evolve inspect --json` prints, and what every other view is made from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from evolve.evaluation.statistics import mean_interval, paired_difference, permutation_p
from evolve.population import SEED, Candidate, added
from evolve.summary.costs import CandidateCost, Costs, candidate_cost, costs, paid
from evolve.summary.losses import Lost, lost
from evolve.tasks import traits
from evolve.traits import scorer_traits
from evolve.types import Cost

if TYPE_CHECKING:
    from evolve.config import ModelTable
    from evolve.folder import Run


class Score(TypedDict):
    """A mean in [0, 1] with its 95 % bootstrap interval."""

    mean: float
    n: int
    low: float
    high: float


class Difference(TypedDict):
    """The winner minus a seed on the same held-out queries: 95 % bootstrap interval, p of a permutation test."""

    seed: str
    difference: float
    n: int
    low: float
    high: float
    p: float


class Limits(TypedDict):
    """What the run may spend; None for no limit."""

    candidates: int
    hours: float | None
    usd: float | None
    calls: int | None


class Spent(TypedDict):
    """What the run has spent so far."""

    candidates: int
    hours: float
    calls: int
    cached: int
    usd: float | None
    limits: Limits


class CandidateSummary(TypedDict):
    """One candidate."""

    id: str
    name: str
    parents: list[str]
    operator: str
    note: str
    outcome: str
    reason: str
    score: Score | None
    test: Score | None
    cost: CandidateCost
    seconds: float
    stale: int
    digest: str
    commit: str


class Summary(TypedDict):
    """One run; the keys of design section 10 keep their names."""

    run: str
    folder: str
    status: str
    why: str
    task: str
    agent: str
    models: dict[str, str]
    scorer: str
    sandbox: str
    queries: dict[str, int]
    seeds: list[str]
    best: str | None
    budget: Spent
    costs: Costs
    test: Score | None
    test_vs_best_seed: Difference | None
    lost: Lost | None
    seconds: float
    candidates: list[CandidateSummary]


def summary(run: Run) -> Summary:
    """Return the run as plain JSON values, candidates in the order in which their attempts ended."""
    population, config = run.population, run.config
    started, stopped, best = population.started, population.stopped, population.best
    spent = paid(run)
    return Summary(
        run=run.name,
        folder=str(run.paths.root),
        status=run.status,
        why=stopped.why if stopped else "",
        task=started.task if started else config.task,
        agent=started.agent if started else agent_name(config.models.agent),
        models={role: table.model for role, table in config.models.by_role.items()},
        scorer=started.scorer if started else config.evaluation.scorer or "",
        sandbox=started.sandbox if started else config.sandbox.kind,
        queries=dict(started.queries) if started else {},
        seeds=[seed.id for seed in population.seeds],
        best=best.id if best else None,
        budget=_spent(run, spent),
        costs=costs(population, spent),
        test=score(best.test) if best else None,
        test_vs_best_seed=versus_best_seed(run),
        lost=lost(best.id, run.cases(best.id)) if best else None,
        seconds=population.elapsed,
        candidates=[_candidate(run, candidate) for candidate in run.candidates],
    )


def score(scores: Mapping[str, float]) -> Score | None:
    """Return the mean with its interval, None for no scores.

    Single scores may be below 0 (rubrics with negative criteria); a mean is reported within 0 and 1, as HealthBench's.
    """
    interval = mean_interval(list(scores.values()))
    if interval is None:
        return None
    mean, low, high = (min(1.0, max(0.0, value)) for value in (interval.mean, interval.low, interval.high))
    return Score(mean=mean, n=interval.n, low=low, high=high)


def meaning(scorer: str, agent: str, task: str) -> str:
    """Return in words what a score of a task is, and what it is not."""
    answered = (
        "no model has answered a question." if agent == "extractive" else "what the agent answered is not scored."
    )
    return scorer_traits(scorer, traits(task)).means.format(answered=answered)


def agent_name(agent: str | ModelTable) -> str:
    """Return "extractive", or the model's name."""
    return agent if isinstance(agent, str) else agent.model


def versus_best_seed(run: Run) -> Difference | None:
    """Compare the winner with the seed that did best on the held-out queries themselves, which favours the seed.

    None where the winner is that seed, or nothing is held out.
    """
    best = run.best
    tested = [seed for seed in run.population.seeds if seed.test]
    if best is None or not best.test or not tested:
        return None
    rival = max(tested, key=lambda seed: sum(seed.test.values()) / len(seed.test))
    interval, p = paired_difference(best.test, rival.test), permutation_p(best.test, rival.test)
    if rival.id == best.id or interval is None or p is None:
        return None
    return Difference(seed=rival.id, difference=interval.mean, n=interval.n, low=interval.low, high=interval.high, p=p)


def name_of(run: Run, candidate: Candidate) -> str:
    """Return the name under which the configuration lists a seed, "" for a child."""
    number = int(candidate.id[1:])
    listed = run.config.search.seeds
    return Path(listed[number]).stem if candidate.operator == SEED and number < len(listed) else ""


def first_ancestor(run: Run, candidate: Candidate) -> Candidate:
    """Return the seed at the end of the line of first parents; the candidate itself for a seed."""
    while candidate.parents:
        candidate = run.population.candidates[candidate.parents[0]]
    return candidate


def _spent(run: Run, spent: Cost) -> Spent:
    population, budget = run.population, run.config.budget
    return Spent(
        candidates=population.children,
        hours=round(population.elapsed / 3600, 4),
        calls=spent.calls,
        cached=spent.cached,
        usd=spent.usd,
        limits=Limits(candidates=budget.candidates, hours=budget.hours, usd=budget.usd, calls=budget.calls),
    )


def _candidate(run: Run, candidate: Candidate) -> CandidateSummary:
    scored = candidate.outcome == "scored"
    return CandidateSummary(
        id=candidate.id,
        name=name_of(run, candidate),
        parents=list(candidate.parents),
        operator=candidate.operator,
        note=candidate.note,
        outcome=candidate.outcome,
        reason=candidate.reason,
        # A rejected candidate saw the cheap rung only: its mean cannot be compared with the others'.
        score=score(candidate.scores) if scored else None,
        test=score(candidate.test),
        cost=candidate_cost(added(candidate.cost, candidate.later_cost)),
        seconds=candidate.seconds,
        stale=candidate.stale,
        digest=candidate.digest,
        commit=candidate.commit,
    )
