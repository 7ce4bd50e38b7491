"""Where an exported harness comes from, as plain JSON values: what it was measured on, and all that is known of it.

Every figure is the run's own, by the functions that `evolve inspect` uses; what the run did not measure is null.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import urlsplit

from evolve.events import Split
from evolve.export.expenses import Answering, answering
from evolve.folder import Run
from evolve.operators.critique import essence
from evolve.plan import program_of
from evolve.population import Candidate, added
from evolve.summary import Score, agent_name, meaning, name_of, score
from evolve.summary.board import expense
from evolve.summary.comparisons import Compared, comparisons, scores_on
from evolve.summary.costs import CandidateCost, Cost, candidate_cost, cost, paid
from evolve.summary.losses import Lost, lost
from evolve.tasks import built_in, family, open_family, traits
from evolve.traits import scorer_traits
from evolve.types import JSON, Case

if TYPE_CHECKING:
    from evolve.export.checks.rows import Row
    from evolve.export.readiness import Readiness
    from evolve.harness.program import Harness

FORMAT = 1
"""Version of this description."""
SPLITS: Mapping[Split, str] = {
    "test": "held out: they chose nobody",
    "fresh": "chose the winner among the finalists",
    "static": "chose the finalists",
}
"""The splits, the most honest first, and what each decided in the run."""


class About(TypedDict):
    """The harness."""

    name: str
    version: str
    digest: str
    """sha256 of the memory program."""
    candidate: str
    bets_on: str
    """The program's docstring."""
    won: bool
    """False where it is another candidate than the run's winner."""


class AboutRun(TypedDict):
    """The search that found it."""

    name: str
    status: str
    began: str | None
    """UTC, ISO 8601."""
    seconds: float
    seeds: int
    children: int
    """Measured, in full or in part."""
    cost: Cost
    """Of all calls to models."""


class AboutTask(TypedDict):
    """What it was searched and measured on."""

    name: str
    digest: str | None
    """sha256 of all episodes, queries and options."""
    options: dict[str, JSON]
    published: list[dict[str, str]]
    """The files that the task is published as: path, url, sha256 and licence; none for a folder of one's own."""
    notes: list[str]
    queries: dict[str, int]
    """By split, those that the run had."""
    scorer: str
    means: str
    """What a score is, and what it is not."""


class Measured(TypedDict):
    """Its scores on the queries of one split."""

    decided: str
    score: Score
    scopes: int
    faults: int
    """Queries without a score of its own making: the infrastructure failed."""
    categories: dict[str, Score]


class Operated(TypedDict):
    """What one of the program's operations took in the sandbox, on average."""

    count: int
    calls: float
    """Completions that the program asked for. Of their price nothing is known: most came from the run's own store."""
    chars: float
    """Written: of the episode. Read: of what was returned."""
    p50_ms: float
    """With the wait for completions, as far as the run had to wait for them."""
    p95_ms: float


class Rival(Compared):
    """Another candidate, and this one minus that one."""

    name: str


class Ancestor(TypedDict):
    """A candidate that it descends from, or itself."""

    id: str
    name: str
    parents: list[str]
    operator: str
    note: str
    score: Score | None
    """On the static queries."""
    commit: str | None
    """In the run's lineage.git."""


class Critique(TypedDict):
    """What a model found wrong with a program before it wrote the next one."""

    candidate: str
    """The one that came of it."""
    text: str


class Check(TypedDict):
    """One row of the readiness check."""

    check: str
    result: str
    """One of "passed", "warning", "failed", "not measured"."""
    said: str
    figures: dict[str, JSON]


class Provenance(TypedDict):
    """All of it."""

    format: int
    harness: About
    evolve: str | None
    run: AboutRun
    task: AboutTask
    models: dict[str, str | None]
    """By role; None where no model plays it."""
    sandbox: dict[str, str | None]
    """"kind", and "image" where it was a container's."""
    versions: dict[str, str]
    """Of Python and packages, when the run began."""
    prompts: dict[str, str]
    config: dict[str, JSON]
    scores: dict[str, Measured | None]
    """By split."""
    compared: list[Rival]
    """With the best seed, its parent and every seed."""
    operations: dict[str, dict[str, Operated] | None]
    """By split, the program's "write" and "read"; memories that stayed open from an earlier split have no "write"."""
    answering: Answering | None
    """What the task agent's own calls to its model took; None where no model answers, or that is not on record."""
    cost: CandidateCost
    """Of its attempt and its measurements."""
    lost: Lost | None
    """Where it loses points on the static queries."""
    lineage: list[Ancestor]
    """From itself back to the seeds."""
    critiques: list[Critique]
    readiness: list[Check] | None
    """None where it was not checked."""


def provenance(run: Run, candidate: Candidate, harness: Harness, readiness: Readiness | None) -> Provenance:
    """Return where a harness comes from. Raises RunFolderError where the run's folder is damaged."""
    cases: dict[Split, tuple[Case, ...]] = {split: run.cases(candidate.id, split) for split in SPLITS}
    scopes = {case.query: case.scope for asked in cases.values() for case in asked}
    locked = _locked(run)
    versions: dict[str, str] = locked.get("versions", {})
    started = run.population.started
    line = list(_line(run, candidate))
    return Provenance(
        format=FORMAT,
        harness=About(
            name=harness.name,
            version=harness.version,
            digest=harness.digest,
            candidate=candidate.id,
            bets_on=program_of(candidate).docstring,
            won=run.population.winner == candidate.id,
        ),
        evolve=versions.get("evolve"),
        run=_run(run),
        task=_task(run),
        models=_models(run),
        sandbox={"kind": started.sandbox if started else None, "image": locked.get("image")},
        versions=versions,
        prompts=locked.get("prompts", {}),
        config=_config(run),
        scores={split: _measured(candidate, split, cases[split], scopes) for split in SPLITS},
        compared=_compared(run, candidate, scopes),
        operations={split: _operations(run, candidate, split) for split in SPLITS},
        answering=answering(run, candidate),
        cost=candidate_cost(added(candidate.cost, candidate.later_cost)),
        lost=lost(candidate.id, cases["static"]),
        lineage=[_ancestor(run, each) for each in line],
        critiques=[
            Critique(candidate=each.id, text="\n".join(essence(text)).strip())
            for each in line
            if (text := run.critique(each.id))
        ],
        readiness=None if readiness is None else [_check(row) for row in readiness.rows],
    )


def _run(run: Run) -> AboutRun:
    population = run.population
    return AboutRun(
        name=run.name,
        status=run.status,
        began=population.started.clock.at if population.started else None,
        seconds=population.elapsed,
        seeds=len(population.seeds),
        children=population.children,
        cost=cost(paid(run)),
    )


def _models(run: Run) -> dict[str, str | None]:
    models = run.config.models
    roles: dict[str, str | None] = dict.fromkeys(("agent", "toolkit", "embedding", "judge", "reflector"))
    roles |= {role: table.model for role, table in models.by_role.items()} | {"agent": agent_name(models.agent)}
    if not scorer_traits(run.config.evaluation.scorer, traits(run.config.task)).judge_calls:
        roles["judge"] = None  # the agent's model stands ready as one, and was not asked
    return roles


def _task(run: Run) -> AboutTask:
    config, started = run.config, run.population.started
    published: list[dict[str, str]] = []
    notes: list[str] = []
    if config.task in built_in():
        sources = family(config.task).sources
        published = [{"path": s.path, "url": s.url, "sha256": s.sha256, "licence": s.licence} for s in sources]
        notes = list(open_family(config.task, config.task_options).notes())
    scorer = started.scorer if started else config.evaluation.scorer or ""
    agent = agent_name(config.models.agent)
    return AboutTask(
        name=started.task if started else Path(config.task).name,
        digest=started.task_digest if started else None,
        options=dict(config.task_options),
        published=published,
        notes=notes,
        queries=dict(started.queries) if started else {},
        scorer=scorer,
        means=meaning(scorer, agent, config.task),
    )


def _locked(run: Run) -> dict[str, Any]:
    """Return what `lock.json` holds, {} where a run has none."""
    if not run.paths.versions.exists():
        return {}
    held: dict[str, Any] = json.loads(run.paths.versions.read_text(encoding="utf-8"))
    return held


def _config(run: Run) -> dict[str, JSON]:
    """Return the configuration without what is this machine's: folders, and who signs in at an address."""
    table = run.config.model_dump(mode="json", exclude_none=True)
    table["task"] = Path(run.config.task).name
    table["search"]["seeds"] = [Path(seed).stem for seed in run.config.search.seeds]
    for each in table["models"].values():
        if isinstance(each, dict) and each.get("base_url"):
            parts = urlsplit(each["base_url"])
            each["base_url"] = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
    return table


def _measured(candidate: Candidate, split: Split, cases: Sequence[Case], scopes: Mapping[str, str]) -> Measured | None:
    if split == "static" and candidate.outcome != "scored":
        return None  # it was asked a part of them: its mean cannot be compared with others'
    held = score(scores_on(candidate, split), scopes)
    if held is None:
        return None
    names = sorted({case.category for case in cases if case.category})
    groups = {name: _scores(case for case in cases if case.category == name) for name in names}
    return Measured(
        decided=SPLITS[split],
        score=held,
        scopes=len({scopes[query] for query in scores_on(candidate, split) if query in scopes}),
        faults=sum(case.outcome == "infrastructure" for case in cases),
        categories={name: found for name, group in groups.items() if (found := score(group, scopes))},
    )


def _scores(cases: Iterable[Case]) -> dict[str, float]:
    return {case.query: case.score for case in cases if case.score is not None}


def _compared(run: Run, candidate: Candidate, scopes: Mapping[str, str]) -> list[Rival]:
    """Compare it as the winner is compared, be it the winner or not."""
    held = run.population.candidates
    found = comparisons(replace(run.population, winner=candidate.id), scopes)
    return [Rival(**each, name=name_of(run, held[each["against"]])) for each in found]


def _operations(run: Run, candidate: Candidate, split: Split) -> dict[str, Operated] | None:
    found = {}
    for name, operation in run.operations(candidate.id, split).items():
        if operation.count:
            each = expense(operation)
            found[name] = Operated(
                count=each["count"],
                calls=each["calls"],
                chars=each["chars"],
                p50_ms=each["p50_ms"],
                p95_ms=each["p95_ms"],
            )
    return found or None


def _line(run: Run, candidate: Candidate) -> Iterator[Candidate]:
    """Yield the candidate and all that it descends from, the nearest first."""
    left, seen = [candidate.id], set[str]()
    while left:
        each = run.population.candidates[left.pop(0)]
        if each.id not in seen:
            seen.add(each.id)
            yield each
            left += each.parents


def _ancestor(run: Run, candidate: Candidate) -> Ancestor:
    return Ancestor(
        id=candidate.id,
        name=name_of(run, candidate),
        parents=list(candidate.parents),
        operator=candidate.operator,
        note=candidate.note,
        score=score(candidate.scores, _scopes(run, candidate)) if candidate.outcome == "scored" else None,
        commit=candidate.commit or None,
    )


def _scopes(run: Run, candidate: Candidate) -> dict[str, str]:
    return {case.query: case.scope for case in run.cases(candidate.id)}


def _check(row: Row) -> Check:
    return Check(check=row.check, result=row.result, said=row.said, figures=dict(row.figures))
