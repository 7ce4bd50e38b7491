"""`evolve inspect`: what a run found, why it is better, and how sure that is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from evolve.population import Candidate
    from evolve.session import Run
    from evolve.summary import Summary
    from evolve.types import Case

WORST = 3
"""Cases of a candidate that are shown in full."""
ASKED_CHARS, READ_CHARS = 200, 500
"""Of what was asked and read, as it is shown."""
SPLITS = {"static": "search", "fresh": "fresh", "test": "held-out"}
"""Splits in the order in which they are measured, and what their queries are called."""


@click.command()
@click.argument("run", metavar="RUN")
@click.argument("candidate", required=False)
@click.option("--diff", is_flag=True, help="Show the difference: of the best to its seed, of CANDIDATE to its parent.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(run: str, candidate: str | None, diff: bool, as_json: bool) -> None:
    """Show what a run found.

    RUN is a name below runs/ or a folder, also of a run that is at work. CANDIDATE is an id such as c012, or "best".
    """
    from evolve.cli.text import console
    from evolve.session import open_run
    from evolve.summary import summary

    opened = open_run(run)
    chosen = opened.candidate(candidate) if candidate else None
    shown = summary(opened)
    if as_json:
        held: object = shown if chosen is None else _candidate_json(opened, chosen, shown)
        click.echo(json.dumps(held, ensure_ascii=False, indent=2))
        return
    out = console()
    if chosen is None:
        _print_run(out, opened, shown, diff=diff)
    else:
        _print_candidate(out, opened, chosen, shown, diff=diff)


def _candidate_json(run: Run, candidate: Candidate, shown: Summary) -> dict[str, object]:
    """The candidate's part of the summary, with its program and its cases."""
    from dataclasses import asdict

    part = next(each for each in shown["candidates"] if each["id"] == candidate.id)
    cases = {split: [asdict(case) for case in _cases(run, candidate, split)] for split in SPLITS}
    return {**part, "source": candidate.source, "cases": cases}


def _print_run(out: Console, run: Run, shown: Summary, *, diff: bool) -> None:
    from evolve.cli.text import leaderboard, left_out, lineage, print_block, print_outcome, rejected
    from evolve.summary import first_ancestor

    print_outcome(out, shown)
    best = run.best
    if best is None:
        return
    out.print("\nLeaderboard (support on the search's own queries; test where it was measured)", style="bold")
    out.print(leaderboard(shown))
    if more := left_out(shown):
        out.print(f"and {more} more; --json has all of them")
    out.print("\nLineage", style="bold")
    out.print(lineage(shown))
    print_block(out, "Rejected", rejected(shown))
    seed = first_ancestor(run, best)
    if seed.id == best.id:
        return
    from evolve.program import structural_diff

    change = structural_diff(seed.source or "", best.source or "").describe()
    out.print(f"\nFrom seed {seed.id} to {best.id}: {change}")
    if diff:
        _print_diff(out, seed, best)
    else:
        out.print(f"`evolve inspect {run.name} --diff` shows it in full, `evolve inspect {run.name} best` the program.")


def _print_candidate(out: Console, run: Run, candidate: Candidate, shown: Summary, *, diff: bool) -> None:
    from evolve.cli.text import count, duration

    part = next(each for each in shown["candidates"] if each["id"] == candidate.id)
    out.print(f"{candidate.id} {part['name']}".strip() + f": {candidate.outcome}", style="bold")
    if candidate.reason:
        out.print(f"  {candidate.reason}")
    parents = f" of {', '.join(candidate.parents)}" if candidate.parents else ""
    out.print(f"  {candidate.operator}{parents}: {candidate.note}")
    if candidate.id == shown["best"]:
        out.print("  the best candidate of the run")
    stale = f"; {count(candidate.stale, 'attempt')} ended after its parents were chosen" if candidate.stale else ""
    out.print(f"  took {duration(candidate.seconds)}{stale}")
    if candidate.commit:
        out.print(f"  commit {candidate.commit[:12]} in {run.paths.lineage}")
    measured = {split: cases for split in SPLITS if (cases := _cases(run, candidate, split))}
    if measured:
        _print_scores(out, measured)
        _print_worst(out, measured.get("static", ()))
    if candidate.source is None:
        return
    if not diff:
        out.print("\nProgram", style="bold")
        _print_code(out, candidate.source, "python")
    elif candidate.parents:
        _print_diff(out, run.candidate(candidate.parents[0]), candidate)
    else:
        out.print("\nA seed has no parent to differ from.")


def _print_scores(out: Console, measured: Mapping[str, Sequence[Case]]) -> None:
    from evolve.cli.text import plain, span, table
    from evolve.summary import score

    out.print("\nSupport", style="bold")
    rows = table("queries", "number", "support", "95 % interval", "faults", right=("number", "support", "faults"))
    for split, cases in measured.items():
        groups = {SPLITS[split]: cases, **_by_category(cases)}
        for name, group in groups.items():
            held = score({case.query: case.score for case in group if case.score is not None})
            faults = sum(case.outcome != "scored" for case in group)
            rows.add_row(name, str(len(group)), plain(held), span(held), str(faults or ""))
    out.print(rows)


def _by_category(cases: Sequence[Case]) -> dict[str, list[Case]]:
    names = sorted({case.category for case in cases if case.category})
    return {f"  {name}": [case for case in cases if case.category == name] for name in names}


def _print_worst(out: Console, cases: Iterable[Case]) -> None:
    from rich.padding import Padding

    from evolve.cli.text import cut

    worst = sorted((case for case in cases if case.score is not None), key=lambda case: (case.score, case.query))
    if not worst:
        return
    out.print("\nWorst cases", style="bold")
    for case in worst[:WORST]:
        out.print(f"  {case.score:.2f}  {case.question}  ({case.query}{f', {case.category}' if case.category else ''})")
        lines = [f"asked: {cut(json.dumps(dict(case.formulated), ensure_ascii=False), ASKED_CHARS)}"]
        if case.reason:
            lines.append(f"fault: {case.reason}")
        else:
            lines.append(f"read {len(case.read):,} characters: {cut(case.read, READ_CHARS) or 'nothing'}")
        for line in lines:
            out.print(Padding(line, (0, 0, 0, 8)))


def _print_diff(out: Console, old: Candidate, new: Candidate) -> None:
    from evolve.program import unified_diff

    names = {"old_name": f"{old.id}/program.py", "new_name": f"{new.id}/program.py"}
    text = unified_diff(old.source or "", new.source or "", **names)
    out.print()
    _print_code(out, text, "diff")


def _print_code(out: Console, text: str, language: str) -> None:
    """Highlighted in a terminal; elsewhere as it is, so that it can be applied or run."""
    if not out.is_terminal:
        click.echo(text.rstrip("\n"))
        return
    from rich.syntax import Syntax

    out.print(Syntax(text, language, theme="ansi_dark", background_color="default", word_wrap=True))


def _cases(run: Run, candidate: Candidate, split: str) -> tuple[Case, ...]:
    return run.cases(candidate.id, split) if candidate.commit else ()
