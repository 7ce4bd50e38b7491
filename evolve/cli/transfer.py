"""`evolve transfer`: the winners of several runs on each other's tasks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypedDict

import click

if TYPE_CHECKING:
    from evolve.folder import Run
    from evolve.summary import Score


class Transferred(TypedDict):
    """One winner on one run's task."""

    winner: str
    """The run that found it."""
    task: str
    """The run on whose task it is measured."""
    score: Score | None
    behind: float | None
    """That run's own winner minus this one, on the queries of both."""
    low: float | None
    high: float | None
    n: int | None
    """Queries of both."""


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option("--workers", type=click.IntRange(min=1), help="Programs at work at a time; default: one per processor.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(runs: tuple[str, ...], workers: int | None, as_json: bool) -> None:
    """Measure the winners of several runs on each other's held-out queries.

    Each column is a run's task, with that run's agent, scorer and sandbox; each row a winner. Where models answer, it
    costs what these tests cost, within each run's own budget.

    \b
    evolve transfer recall-run latest-run count-run
    """
    from evolve.folder import open_run
    from evolve.paths import runs_dir

    opened = [open_run(runs_dir() / name) for name in dict.fromkeys(runs)]
    cells = [cell for target in opened for cell in _column(target, opened, workers)]
    if as_json:
        click.echo(json.dumps({"runs": [run.name for run in opened], "cells": cells}, ensure_ascii=False, indent=2))
    else:
        _print(opened, cells)


def _column(target: Run, runs: list[Run], workers: int | None) -> list[Transferred]:
    """Measure every winner on the task of one run."""
    from evolve.comparison import compare
    from evolve.errors import RunFolderError
    from evolve.evaluation.statistics import paired_difference
    from evolve.program import parse
    from evolve.summary import score

    programs = {}
    for run in runs:
        if run.best is None or run.best.source is None:
            raise RunFolderError(f"run {run.name!r} has no winner yet; `evolve run` goes on with it.")
        programs[run.name] = parse(run.best.source)
    click.echo(f"{target.name}: {len(programs)} winners on its held-out queries", err=True)
    compared = compare(target.config, programs, "test", workers=workers, say=lambda line: click.echo(line, err=True))
    scopes = {query.id: work.scope for work in compared.works for query in work.queries}
    scores = {
        name: {case.query: case.score for case in result.evaluation.cases if case.score is not None}
        for name, result in compared.results.items()
    }
    cells = []
    for name in programs:
        own, other = scores.get(target.name, {}), scores.get(name, {})
        behind = paired_difference(own, other, scopes=scopes) if name != target.name else None
        cells.append(
            Transferred(
                winner=name,
                task=target.name,
                score=score(scores[name], scopes) if name in scores else None,
                behind=behind.mean if behind else None,
                low=behind.low if behind else None,
                high=behind.high if behind else None,
                n=behind.n if behind else None,
            )
        )
    return cells


def _print(runs: list[Run], cells: list[Transferred]) -> None:
    from evolve.cli.text import console, print_block, table

    out, names = console(), [run.name for run in runs]
    out.print("Winners (rows) on the held-out queries of each run's task (columns)", style="bold")
    shown = table("winner of", *names, right=names)
    by_place = {(cell["winner"], cell["task"]): cell for cell in cells}
    for winner in names:
        row = [by_place[winner, task] for task in names]
        shown.add_row(winner, *(_cell(cell) for cell in row))
    out.print(shown)
    out.print("* the program that was searched for on this task", style="dim")
    for cell in cells:
        if cell["behind"] is not None and cell["low"] is not None and cell["high"] is not None:
            out.print(
                f"On {cell['task']}, its own winner is {cell['behind']:+.3f} from the winner of {cell['winner']} "
                f"(95 % interval {cell['low']:+.2f} to {cell['high']:+.2f}, n {cell['n']:,})."
            )
    for run in runs:
        out.print(f"{run.name}: {run.config.task}, {run.config.evaluation.scorer}", style="dim")
    print_block(out, "How the winners differ", _differences(runs))


def _cell(cell: Transferred) -> str:
    """Return "0.712* (0.60 to 0.80, n 60)"; the star marks the program that was searched for on this task."""
    from evolve.cli.text import plain, size, span

    star = "*" if cell["task"] == cell["winner"] else " "
    return f"{plain(cell['score'])}{star} ({span(cell['score'])}, n {size(cell['score'])})" if cell["score"] else "-"


def _differences(runs: list[Run]) -> list[str]:
    """Return a line for each pair of winners: which parts of the programs differ."""
    from evolve.program import structural_diff

    lines = []
    for number, one in enumerate(runs):
        for other in runs[number + 1 :]:
            assert one.best is not None
            assert other.best is not None
            change = structural_diff(one.best.source or "", other.best.source or "")
            parts = f"{len(change.changed)} parts changed, {len(change.added)} added, {len(change.removed)} removed"
            lines.append(f"  {one.name} to {other.name}: {parts} ({change.describe()})")
    return lines
