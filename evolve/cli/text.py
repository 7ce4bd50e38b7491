"""How a run looks in a terminal: numbers, tables, the lineage. Everything here comes from `evolve.summary`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from evolve.summary import WHAT_SUPPORT_IS, CandidateSummary, Score, Summary

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text
    from rich.tree import Tree

PIPE_WIDTH = 120
"""Columns where the output is not a terminal's."""
SHOWN = 15
"""Rows of the leaderboard; candidates that were tested are shown beyond it."""

_KINDS = (
    (re.compile(r"behaves like c\d+"), "behave like a candidate that is measured already"),
    (re.compile(r"[\d.]+ on the cheap rung"), "worse than their best parent on the cheap rung"),
    (re.compile(r"fails its smoke test"), "fail their smoke test"),
    (re.compile(r".* do not recombine"), "parents that do not recombine"),
)


def console(*, stderr: bool = False) -> Console:
    """Return a console that prints text as it is, on a pipe with a fixed width."""
    from rich.console import Console

    made = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not made.is_terminal:
        made.width = PIPE_WIDTH
    return made


def duration(seconds: float) -> str:
    """Return "12 s", "3:05 min" or "2:03 h"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    return f"{whole // 3600}:{whole // 60 % 60:02} h"


def count(number: int, noun: str) -> str:
    """Return "1 query" or "3 queries"."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun[:-1]}ies" if noun.endswith("y") else f"{number:,} {noun}s"


def plain(score: Score | None) -> str:
    """Return the mean with three digits."""
    return f"{score['mean']:.3f}" if score else "-"


def span(score: Score | None) -> str:
    """Return the 95 % interval with two digits."""
    return f"{score['low']:.2f} to {score['high']:.2f}" if score else ""


def what(candidate: CandidateSummary) -> str:
    """Return what a candidate is in a few words: a seed's name, or what was changed."""
    return candidate["name"] or candidate["note"]


def table(*columns: str, right: Sequence[str] = (), last: str = "") -> Table:
    """Return a table without lines; `right` names columns of numbers, `last` the one that is cut where space ends."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", expand=bool(last))
    for column in columns:
        made.add_column(
            column,
            justify="right" if column in right else "left",
            no_wrap=True,
            overflow="ellipsis",
            ratio=1 if column == last else None,
        )
    return made


def print_result(out: Console, run: Summary) -> None:
    """Print what came of the run, and what to type next."""
    print_outcome(out, run)
    if run["best"] is None:
        return
    out.print("\nNext:", style="bold")
    repository = f"{run['folder']}/lineage.git"
    for words in (
        f"evolve inspect {run['run']}",
        f"evolve inspect {run['run']} best --diff",
        f"git -C {repository} log --graph --all --oneline",
    ):
        out.print(f"  {words}", soft_wrap=True)


def print_outcome(out: Console, run: Summary) -> None:
    """Print the best candidate, the held-out test, and what was spent."""
    why = f": {run['why']}" if run["why"] else ""
    out.print(f"Run {run['run']} is {run['status']}{why}.", style="bold")
    best = next((candidate for candidate in run["candidates"] if candidate["id"] == run["best"]), None)
    if best is None:
        out.print("No candidate has been measured yet.")
        return
    by_id = {candidate["id"]: candidate for candidate in run["candidates"]}
    out.print()
    out.print(f"Best: {best['id']} ({_origin(best, by_id)})")
    if best["name"] == "":
        out.print(f"  {best['note']}")
    if best["score"]:
        searched = f"on the {count(best['score']['n'], 'query')} that the search saw"
        out.print(f"  support {plain(best['score'])} (95 % interval {span(best['score'])}) {searched}")
    out.print()
    _print_test(out, run, best, by_id)
    out.print()
    out.print(WHAT_SUPPORT_IS)
    out.print()
    out.print(spent(run))


def _print_test(out: Console, run: Summary, best: CandidateSummary, by_id: dict[str, CandidateSummary]) -> None:
    if run["test"] is None:
        over = run["status"] == "finished"
        out.print("No query is held out." if over else "The held-out test comes at the end of the run.")
        return
    out.print(f"Held-out test, {count(run['test']['n'], 'query')} that chose nobody:")
    rows = table("", "support", "95 % interval", "", right=("support",))
    rows.add_row(f"  {best['id']}", plain(run["test"]), span(run["test"]), "the best candidate")
    versus = run["test_vs_best_seed"]
    if versus is None:
        out.print(rows)
        if not best["parents"]:
            out.print("  The best candidate is a seed: the search found nothing better.")
        return
    rival = by_id[versus["seed"]]
    rows.add_row(f"  {rival['id']}", plain(rival["test"]), span(rival["test"]), f"the best seed, {rival['name']}")
    rows.add_row(
        "  difference",
        f"{versus['difference']:+.3f}",
        f"{versus['low']:+.2f} to {versus['high']:+.2f}",
        f"paired; permutation test p = {versus['p']:.4f}",
    )
    out.print(rows)
    out.print(f"  {_verdict(versus['low'], versus['high'])}")


def _verdict(low: float, high: float) -> str:
    if low > 0:
        return "Better than the best seed: the interval is above 0."
    if high < 0:
        return "Worse than the best seed: the interval is below 0."
    return "Not shown to be better than the best seed: the interval includes 0."


def spent(run: Summary) -> str:
    """Return one line: how many candidates of which outcome, and how long it took."""
    outcomes = Counter(candidate["outcome"] for candidate in run["candidates"])
    parts = [f"{count(outcomes['scored'], 'candidate')} measured, of them {count(len(run['seeds']), 'seed')}"]
    if outcomes["rejected"]:
        parts.append(f"{outcomes['rejected']} rejected")
    if outcomes["void"]:
        parts.append(f"{outcomes['void']} void")
    models = "no model called" if run["budget"]["calls"] == 0 else count(run["budget"]["calls"], "call")
    return f"{', '.join(parts)}; {duration(run['seconds'])}; {models}; {run['sandbox']} sandbox."


def leaderboard(run: Summary) -> Table:
    """Return the best candidates and all that were tested, best first, with what they are."""
    rows = table(
        "", "id", "support", "95 % interval", "test", "95 % interval ", "operator", "what it is",
        right=("support", "test"), last="what it is",
    )  # fmt: skip
    for candidate in _shown(run):
        mark = "*" if candidate["id"] == run["best"] else ""
        test = candidate["test"]
        rows.add_row(
            mark,
            candidate["id"],
            plain(candidate["score"]),
            span(candidate["score"]),
            plain(test) if test else "",
            span(test),
            candidate["operator"],
            what(candidate),
        )
    return rows


def _shown(run: Summary) -> list[CandidateSummary]:
    means = {candidate["id"]: score["mean"] for candidate in run["candidates"] if (score := candidate["score"])}
    ranked = sorted((c for c in run["candidates"] if c["id"] in means), key=lambda candidate: -means[candidate["id"]])
    return [candidate for place, candidate in enumerate(ranked) if place < SHOWN or candidate["test"]]


def left_out(run: Summary) -> int:
    """Return how many scored candidates the leaderboard has no room for."""
    return sum(candidate["score"] is not None for candidate in run["candidates"]) - len(_shown(run))


def lineage(run: Summary) -> Tree:
    """Return the scored candidates below their first parents; a second parent is named."""
    from rich.tree import Tree

    tree = Tree("Lineage", style="bold", guide_style="dim", hide_root=True)
    branches: dict[str, Tree] = {}
    for candidate in run["candidates"]:
        if candidate["outcome"] == "rejected":
            continue
        others = "".join(f" + {parent}" for parent in candidate["parents"][1:])
        mark = "best, " if candidate["id"] == run["best"] else ""
        score = plain(candidate["score"]) if candidate["score"] else "void "
        label = f"{candidate['id']}  {score}  {mark}{candidate['operator']}{others}: {what(candidate)}"
        above = branches.get(candidate["parents"][0], tree) if candidate["parents"] else tree
        branches[candidate["id"]] = above.add(_line(label), style="not bold")
    return tree


def rejected(run: Summary) -> list[str]:
    """Return one line for each reason for which attempts were rejected or are void, the most frequent first."""
    counted: Counter[str] = Counter()
    for candidate in run["candidates"]:
        if candidate["outcome"] != "scored":
            counted[_kind(candidate["reason"])] += 1
    return [f"{number:4}  {reason}" for reason, number in counted.most_common()]


def cut(text: str, width: int) -> str:
    """Return the text on one line, cut with an ellipsis where it is longer than `width`."""
    line = " ".join(text.split())
    return line if len(line) <= width else f"{line[: width - 1]}…"


def print_block(out: Console, heading: str, lines: Iterable[str]) -> None:
    """Print a heading and indented lines; nothing at all where there are no lines."""
    held = list(lines)
    if held:
        out.print(f"\n{heading}", style="bold")
        for line in held:
            out.print(line)


def _origin(candidate: CandidateSummary, by_id: dict[str, CandidateSummary]) -> str:
    if not candidate["parents"]:
        return f"seed {candidate['name']}"
    return f"{candidate['operator']} of {' and '.join(_named(by_id[parent]) for parent in candidate['parents'])}"


def _named(candidate: CandidateSummary) -> str:
    return f"{candidate['id']} {candidate['name']}".strip()


def _kind(reason: str) -> str:
    return next((kind for pattern, kind in _KINDS if pattern.match(reason)), reason)


def _line(text: str) -> Text:
    from rich.text import Text

    return Text(text, no_wrap=True, overflow="ellipsis")
