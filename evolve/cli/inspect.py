"""`evolve inspect`: what a run found, why it is better, and how sure that is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from evolve.folder import Run
    from evolve.population import Candidate
    from evolve.summary import CandidateSummary, Summary
    from evolve.summary.losses import Lost
    from evolve.types import Case

WORST = 3
"""Cases of a candidate that are shown in full."""
ASKED_CHARS, READ_CHARS, SAID_CHARS = 200, 500, 300
"""Of what was asked, what was read, and what an agent or a judge said, as it is shown."""
WITH_CRITIQUE = ("reflect", "merge")
"""Operators that ask a model."""
SPLITS = {"static": "search", "fresh": "fresh", "test": "held-out"}
"""Splits in the order in which they are measured, and what their queries are called."""


@click.command()
@click.argument("run", metavar="RUN")
@click.argument("candidate", required=False)
@click.option("--diff", is_flag=True, help="Show the difference: of the best to its seed, of CANDIDATE to its parent.")
@click.option("--critique", is_flag=True, help="Print how a model came to CANDIDATE: every prompt and reply.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(run: str, candidate: str | None, diff: bool, critique: bool, as_json: bool) -> None:
    """Show what a run found.

    RUN is a name below runs/ or a folder, also of a run that is at work. CANDIDATE is an id such as c012, or "best".
    """
    from evolve.cli.tables import LINEAGE
    from evolve.cli.text import console
    from evolve.folder import open_run
    from evolve.summary import summary

    opened = open_run(run)
    chosen = opened.candidate(candidate) if candidate else None
    if critique and not as_json:
        click.echo(_critique(opened, chosen).rstrip("\n"))
        return
    shown = summary(opened, best_only=None if as_json else LINEAGE)
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
    """The candidate's part of the summary, with its program, its critique and its cases."""
    from dataclasses import asdict

    from evolve.summary.losses import lost

    cases = {split: run.cases(candidate.id, split) for split in SPLITS}
    return {
        **_part(shown, candidate),
        "lost": lost(candidate.id, cases["static"]),
        "source": candidate.source,
        "critique": run.critique(candidate.id),
        "cases": {split: [asdict(case) for case in held] for split, held in cases.items()},
    }


def _part(shown: Summary, candidate: Candidate) -> CandidateSummary:
    return next(each for each in shown["candidates"] if each["id"] == candidate.id)


def _critique(run: Run, candidate: Candidate | None) -> str:
    from evolve.errors import ConfigError

    if candidate is None:
        raise ConfigError(f"--critique needs a candidate: `evolve inspect {run.name} best --critique`.")
    text = run.critique(candidate.id)
    if not text:
        asked = [each.id for each in run.candidates if each.operator in WITH_CRITIQUE]
        hint = f"candidates that have one are {', '.join(asked[:8])}" if asked else "no candidate of this run has one"
        raise ConfigError(f"{candidate.id} was made without a model ({candidate.operator}); {hint}.")
    return text


def _print_run(out: Console, run: Run, shown: Summary, *, diff: bool) -> None:
    from evolve.cli.tables import leaderboard, left_out, lineage, rejected, untold
    from evolve.cli.text import print_block, print_outcome
    from evolve.summary import first_ancestor

    print_outcome(out, shown)
    best = run.best
    if best is None:
        return
    out.print(
        f"\nLeaderboard ({shown['scorer']} on the search's own queries; test where it was measured)", style="bold"
    )
    out.print(leaderboard(shown))
    if more := left_out(shown):
        out.print(f"and {more} more; --json has all of them")
    out.print("\nLineage", style="bold")
    out.print(lineage(shown))
    if more := untold(shown):
        out.print(f"and {more} more, which none of these descends from; --json has all of them")
    print_block(out, "Rejected", rejected(shown))
    _print_lost(out, shown["lost"])
    _print_costs(out, shown)
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


def _print_lost(out: Console, lost: Lost | None) -> None:
    from evolve.cli.tables import losses

    if lost is None or not lost["stages"]:
        return
    out.print(f"\nWhere points are lost ({lost['candidate']}, on the search's own queries)", style="bold")
    out.print(losses(lost))


def _print_costs(out: Console, shown: Summary) -> None:
    from evolve.cli.tables import cost_by_operator, cost_by_role
    from evolve.cli.text import used

    if not used(shown["budget"]):
        return
    out.print("\nCost", style="bold")
    out.print(cost_by_role(shown))
    out.print()
    out.print(cost_by_operator(shown))
    if shown["costs"]["other"]:
        out.print("other: work that did not come to its end, answers that were discarded, the calls that try a model")


def _print_candidate(out: Console, run: Run, candidate: Candidate, shown: Summary, *, diff: bool) -> None:
    from evolve.summary.losses import lost

    _print_facts(out, run, candidate, shown)
    _print_diagnosis(out, run, candidate)
    measured = {split: cases for split in SPLITS if (cases := run.cases(candidate.id, split))}
    if measured:
        _print_scores(out, measured, shown["scorer"])
        _print_lost(out, lost(candidate.id, measured.get("static", ())))
        _print_worst(out, measured.get("static", ()), answered=shown["agent"] != "extractive")
    if candidate.source is None:
        return
    if not diff:
        out.print("\nProgram", style="bold")
        _print_code(out, candidate.source, "python")
    elif candidate.parents:
        _print_diff(out, run.candidate(candidate.parents[0]), candidate)
    else:
        out.print("\nA seed has no parent to differ from.")


def _print_facts(out: Console, run: Run, candidate: Candidate, shown: Summary) -> None:
    from evolve.cli.text import count, dollars, duration, used
    from evolve.summary.phases import describe

    part = _part(shown, candidate)
    out.print(f"{candidate.id} {part['name']}".strip() + f": {candidate.outcome}", style="bold")
    if candidate.reason:
        out.print(f"  {candidate.reason}")
    parents = f" of {', '.join(candidate.parents)}" if candidate.parents else ""
    out.print(f"  {candidate.operator}{parents}: {candidate.note}".rstrip(": "))
    if candidate.id == shown["best"]:
        out.print("  the best candidate of the run")
    stale = f"; {count(candidate.stale, 'attempt')} ended after its parents were chosen" if candidate.stale else ""
    out.print(f"  took {duration(candidate.seconds)}{stale}")
    if used(shown["budget"]):
        cost = part["cost"]
        roles = ", ".join(f"{role} {dollars(each['usd'])}" for role, each in cost["by_role"].items())
        calls = f"{count(cost['calls'], 'call')} and {count(cost['cached'], 'answer')} from the run's own store"
        out.print(f"  cost {dollars(cost['usd'])}{f' ({roles})' if roles else ''}: {calls}")
    if phases := describe(candidate):
        out.print(f"  {phases}")
    if candidate.commit:
        out.print(f"  commit {candidate.commit[:12]} in {run.paths.lineage}")


def _print_diagnosis(out: Console, run: Run, candidate: Candidate) -> None:
    """What the model found wrong and what became of each of its changes; and where all of it can be read."""
    from evolve.operators.critique import essence

    text = run.critique(candidate.id)
    if not text:
        return
    out.print("\nCritique", style="bold")
    for line in essence(text):
        out.print(f"  {line}".rstrip())
    out.print(f"  Every prompt and reply: `evolve inspect {run.name} {candidate.id} --critique`, or")
    where = f"refs/candidates/{candidate.id}:critique.md"
    out.print(f"  git -C {run.paths.lineage} show {where}", soft_wrap=True)


def _print_scores(out: Console, measured: Mapping[str, Sequence[Case]], scorer: str) -> None:
    from evolve.cli.text import plain, size, span, table
    from evolve.summary import score

    out.print("\nScores", style="bold")
    rows = table("queries", scorer, "95 % interval", "n", "faults", right=("n", scorer, "faults"))
    for split, cases in measured.items():
        groups = {SPLITS[split]: cases, **_by_category(cases)}
        for name, group in groups.items():
            found = {case.query: case.score for case in group if case.score is not None}
            held = score(found, {case.query: case.scope for case in group})
            faults = sum(case.outcome != "scored" for case in group)
            rows.add_row(name, plain(held), span(held), size(held), str(faults or ""))
    out.print(rows)


def _by_category(cases: Sequence[Case]) -> dict[str, list[Case]]:
    names = sorted({case.category for case in cases if case.category})
    return {f"  {name}": [case for case in cases if case.category == name] for name in names}


def _print_worst(out: Console, cases: Iterable[Case], *, answered: bool) -> None:
    from rich.padding import Padding

    lost = [(case.score, case.query, case) for case in cases if case.score is not None and case.score < 1]
    worst = [case for _, _, case in sorted(lost, key=lambda each: each[:2])]
    if not worst:
        return
    out.print("\nWorst cases", style="bold")
    for case in worst[:WORST]:
        out.print(f"  {case.score:.2f}  {case.question}  ({case.query}{f', {case.category}' if case.category else ''})")
        for line in _story(case, answered=answered):
            out.print(Padding(line, (0, 0, 0, 8)))


def _story(case: Case, *, answered: bool) -> Iterator[str]:
    """What became of a question: asked, read, answered, judged, and where its answer was lost."""
    from evolve.cli.text import cut
    from evolve.summary.losses import STAGES

    yield f"asked: {cut(json.dumps(dict(case.formulated), ensure_ascii=False), ASKED_CHARS)}"
    if case.outcome == "scored":
        yield f"read {len(case.read):,} characters: {cut(case.read, READ_CHARS) or 'nothing'}"
        if answered:
            yield f"answered: {cut(case.answer, SAID_CHARS) or 'nothing'}"
    if case.reason:
        yield f"fault: {case.reason}"
    if case.judgement:
        yield f"why: {cut(case.judgement, SAID_CHARS)}"
    if case.stage:
        yield f"lost at {case.stage}: {STAGES[case.stage]}"


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
