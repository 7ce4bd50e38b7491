"""`evolve score`: measure one program, or every seed, without a search."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

import click

if TYPE_CHECKING:
    from evolve.attempt import Result
    from evolve.config import Config
    from evolve.evaluation.splits import Work
    from evolve.summary import Score
    from evolve.summary.costs import CandidateCost


class Measured(TypedDict):
    """One program's line."""

    program: str
    score: Score | None
    categories: dict[str, float]
    program_faults: int
    infrastructure_faults: int
    reasons: list[str]
    seconds: float
    cost: CandidateCost


@click.command()
@click.argument("program")
@click.argument("target", metavar="CONFIG|TASK")
@click.option(
    "--split",
    type=click.Choice(["static", "test"]),
    default="static",
    help="The queries that a search sees (the default), or the held-out ones.",
)
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set a key of the configuration; repeatable."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(program: str, target: str, split: str, settings: tuple[str, ...], as_json: bool) -> None:
    """Measure a memory program on a task, without a search.

    PROGRAM is a file, a name in seeds/, or "all" for every seed.

    \b
    evolve score all chronicle
    evolve score my_program.py locomo --split test
    """
    from evolve.config import load_config
    from evolve.errors import BudgetSpent
    from evolve.evaluation.splits import make_splits
    from evolve.paths import seeds_dir
    from evolve.program import load
    from evolve.session import find_program, measuring
    from evolve.tasks import load as load_task

    names = sorted(path.stem for path in seeds_dir().glob("*.py")) if program == "all" else [program]
    programs = {name: load(find_program(name)) for name in names}
    config = load_config(target, settings).resolved()
    splits = make_splits(load_task(config.task, config.task_options), config.evaluation, seed=config.seed)
    queries = splits.test if split == "test" else splits.static
    works = splits.work(queries)
    rows, unpaid = [], ""
    with measuring(config, say=_say) as meter:
        _say(f"sandbox: {meter.sandbox.describe()}")
        for name, parsed in programs.items():
            _say(f"measuring {name} on {len(queries)} queries")
            try:
                rows.append(_measured(name, meter.evaluate(parsed, works)))
            except BudgetSpent as spent:
                unpaid = f"{name} and what comes after it are not measured: {spent}"
                if not rows:
                    raise
                break
    rows.sort(key=lambda row: -row["score"]["mean"] if row["score"] else 1.0)
    if as_json:
        held = {"task": config.task, "split": split, "queries": len(queries), "programs": rows}
        click.echo(json.dumps(held, ensure_ascii=False, indent=2))
    else:
        _print(rows, config, split, works)
    if unpaid:
        _say(unpaid)


def _say(line: str) -> None:
    click.echo(line, err=True)


def _measured(name: str, tested: Result) -> Measured:
    from evolve.summary import score
    from evolve.summary.costs import candidate_cost

    cases = tested.evaluation.cases
    categories = {}
    for category in sorted({case.category for case in cases if case.category}):
        known = [case.score for case in cases if case.category == category and case.score is not None]
        if known:
            categories[category] = sum(known) / len(known)
    return Measured(
        program=name,
        score=score({case.query: case.score for case in cases if case.score is not None}),
        categories=categories,
        program_faults=sum(case.outcome == "program" for case in cases),
        infrastructure_faults=sum(case.outcome == "infrastructure" for case in cases),
        reasons=list(dict.fromkeys(case.reason for case in cases if case.reason)),
        seconds=round(tested.evaluation.seconds, 3),
        cost=candidate_cost(tested.cost),
    )


def _print(rows: Sequence[Measured], config: Config, split: str, works: Sequence[Work]) -> None:
    from evolve.cli.text import console, count, cut, dollars, duration, plain, print_block, span, table
    from evolve.summary import agent_name, meaning

    out, scorer = console(), config.evaluation.scorer or "support"
    queries, episodes = sum(len(work.queries) for work in works), sum(len(work.episodes) for work in works)
    which = "held-out queries" if split == "test" else "queries that a search sees"
    out.print(f"{config.task}: {scorer} on {queries} {which}, after {count(episodes, 'episode')}", style="bold")
    categories = sorted({category for row in rows for category in row["categories"]})
    cost = ("calls", "cost") if config.models.by_role else ()
    right = (scorer, *categories, *cost, "time")
    shown = table("program", scorer, "95 % interval", *categories, *cost, "time", right=right)
    for row in rows:
        means = [f"{row['categories'][name]:.2f}" if name in row["categories"] else "-" for name in categories]
        paid = [f"{row['cost']['calls']:,}", dollars(row["cost"]["usd"])] if cost else []
        shown.add_row(row["program"], plain(row["score"]), span(row["score"]), *means, *paid, duration(row["seconds"]))
    out.print(shown)
    faults = []
    for row in rows:
        whose = ((row["program_faults"], "the program"), (row["infrastructure_faults"], "the infrastructure"))
        for number, what in whose:
            if number:
                reason = cut(row["reasons"][0], 200)
                faults.append(f"  {row['program']}: {count(number, 'query')} failed in {what}; {reason}")
    print_block(out, "Faults (the program's count as 0, the infrastructure's are left out)", faults)
    out.print(f"\n{meaning(scorer, agent_name(config.models.agent))}")
