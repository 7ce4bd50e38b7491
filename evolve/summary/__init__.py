"""A run in plain numbers: what `evolve inspect --json` prints, and what every other view is made from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from evolve.evaluation.statistics import mean_interval, paired_difference, permutation_p
from evolve.population import SEED, Candidate, Population, added
from evolve.summary.comparisons import HONEST, Compared, comparisons
from evolve.summary.costs import CandidateCost, Costs, candidate_cost, costs, paid
from evolve.summary.losses import Lost, lost
from evolve.summary.phases import Phase, Reuse, phases, reuse
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
    """Not corrected: of several comparisons, `Summary.comparisons` has corrected ones."""


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
    dropped: str
    """"gate" or "race" where it was given up before it had been asked everything."""
    reason: str
    score: Score | None
    """On the static queries, which chose the finalists."""
    fresh: Score | None
    """On the fresh queries, which chose the winner among the finalists."""
    test: Score | None
    cost: CandidateCost
    phases: dict[str, Phase]
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
    scopes: dict[str, int]
    """Scopes that the queries of each split come from, as far as the best candidate was asked them."""
    seeds: list[str]
    best: str | None
    budget: Spent
    costs: Costs
    reuse: Reuse | None
    test: Score | None
    test_vs_best_seed: Difference | None
    comparisons: list[Compared]
    """The best candidate with the best seed, its parent and every seed."""
    lost: Lost | None
    seconds: float
    candidates: list[CandidateSummary]


def summary(run: Run, *, best_only: int | None = None) -> Summary:
    """Return the run as plain JSON values, candidates in the order in which their attempts ended.

    `best_only`: only so many of the best candidates, with what they descend from and all that were tested, get their
    scores and intervals, which take most of the time that a large run's summary takes.
    """
    population, config = run.population, run.config
    started, stopped, best = population.started, population.stopped, population.best
    spent = paid(run)
    cases = {split: run.cases(best.id, split) if best else () for split in HONEST}
    scopes = {case.query: case.scope for asked in cases.values() for case in asked}
    told = _told(population, best_only)
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
        scopes={split: len({case.scope for case in asked}) for split, asked in cases.items() if asked},
        seeds=[seed.id for seed in population.seeds],
        best=best.id if best else None,
        budget=_spent(run, spent),
        costs=costs(population, spent),
        reuse=reuse(run.candidates),
        test=score(best.test, scopes) if best else None,
        test_vs_best_seed=versus_best_seed(run, scopes),
        comparisons=comparisons(population, scopes),
        lost=lost(best.id, cases["static"]) if best else None,
        seconds=population.elapsed,
        candidates=[_candidate(run, each, scopes, told=each.id in told) for each in run.candidates],
    )


def score(scores: Mapping[str, float], scopes: Mapping[str, str] | None = None) -> Score | None:
    """Return the mean with its interval, None for no scores; `scopes` has the scope of every query, where it is known.

    Single scores may be below 0 (rubrics with negative criteria); a mean is reported within 0 and 1, as HealthBench's.
    """
    interval = mean_interval(list(scores.values()), [scopes.get(query, query) for query in scores] if scopes else [])
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


def versus_best_seed(run: Run, scopes: Mapping[str, str] | None = None) -> Difference | None:
    """Compare the winner with the seed that did best on the held-out queries themselves, which favours the seed.

    None where the winner is that seed, or nothing is held out.
    """
    best = run.best
    tested = [seed for seed in run.population.seeds if seed.test]
    if best is None or not best.test or not tested:
        return None
    rival = max(tested, key=lambda seed: sum(seed.test.values()) / len(seed.test))
    interval = paired_difference(best.test, rival.test, scopes=scopes)
    p = permutation_p(best.test, rival.test, scopes=scopes)
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


def _told(population: Population, best_only: int | None) -> Collection[str]:
    """Return the ids of the candidates whose scores are told."""
    if best_only is None:
        return population.candidates.keys()
    ranked = sorted(population.scored, key=lambda candidate: -candidate.mean)
    left = [each.id for place, each in enumerate(ranked) if place < best_only or each.test or each.fresh]
    told: set[str] = set()
    while left:
        candidate = left.pop()
        if candidate not in told:
            told.add(candidate)
            left += population.candidates[candidate].parents[:1]
    return told


def _candidate(run: Run, candidate: Candidate, scopes: Mapping[str, str], *, told: bool) -> CandidateSummary:
    return CandidateSummary(
        id=candidate.id,
        name=name_of(run, candidate),
        parents=list(candidate.parents),
        operator=candidate.operator,
        note=candidate.note,
        outcome=candidate.outcome,
        dropped=candidate.dropped,
        reason=candidate.reason,
        # A rejected candidate was asked a part of the queries: its mean cannot be compared with the others'.
        score=score(candidate.scores, scopes) if told and candidate.outcome == "scored" else None,
        fresh=score(candidate.fresh, scopes),
        test=score(candidate.test, scopes),
        cost=candidate_cost(added(candidate.cost, candidate.later_cost)),
        phases=phases(candidate),
        seconds=candidate.seconds,
        stale=candidate.stale,
        digest=candidate.digest,
        commit=candidate.commit,
    )
