"""How a run looks in a terminal: its numbers, its outcome, what it spent. All comes from `evolve.summary`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from evolve.evaluation.statistics import SCOPES
from evolve.summary import CandidateSummary, Score, Spent, Summary, meaning
from evolve.summary.costs import Cost
from evolve.summary.phases import describe_reuse

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

ROLES = {"baseline": "the best seed", "parent": "its parent", "seed": "a seed"}
ON = {"test": "held out", "fresh": "fresh, which chose it", "static": "the search's, which chose it"}
"""Of the queries of a comparison: whether they chose the one that is compared."""
PIPE_WIDTH = 120
"""Columns where the output is not a terminal's."""


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


def size(score: Score | None) -> str:
    """Return how many queries the mean is over."""
    return f"{score['n']:,}" if score else ""


def in_full(score: Score | None) -> str:
    """Return "0.712 (0.60 to 0.80, n 60)": a mean on its own, with its interval and number of queries."""
    return f"{plain(score)} ({span(score)}, n {size(score)})" if score else "-"


def dollars(usd: float | None) -> str:
    """Return "$1.25", below a dollar with four digits; "unknown" where a price is not known."""
    if usd is None:
        return "unknown"
    return f"${usd:.2f}" if usd >= 1 or usd == 0 else f"${usd:.4f}"


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


def print_replayed(out: Console, name: str, replay: Summary) -> None:
    """Print that a replay was the same as its run, and what that was."""
    out.print(
        f"The replay of {name} is identical to the run, event by event. It is in {replay['folder']}.", style="bold"
    )
    print_best(out, replay)


def print_outcome(out: Console, run: Summary) -> None:
    """Print the best candidate, the held-out test, and what was spent."""
    _print_status(out, run)
    print_best(out, run)


def print_best(out: Console, run: Summary) -> None:
    """Print the best candidate with its scores, and what was spent."""
    best = next((candidate for candidate in run["candidates"] if candidate["id"] == run["best"]), None)
    if best is None:
        out.print("No candidate has been measured yet.")
        if used(run["budget"]):
            out.print(paid(run))
        return
    by_id = {candidate["id"]: candidate for candidate in run["candidates"]}
    out.print()
    out.print(f"Best: {best['id']} ({_origin(best, by_id)})")
    if best["name"] == "":
        out.print(f"  {best['note']}")
    for score, which in ((best["score"], "that the search saw"), (best["fresh"], "that chose it among the finalists")):
        if score:
            asked = f"on the {count(score['n'], 'query')} {which}"
            out.print(f"  {run['scorer']} {plain(score)} (95 % interval {span(score)}) {asked}")
    out.print()
    _print_test(out, run, best, by_id)
    print_comparisons(out, run)
    out.print()
    out.print(meaning(run["scorer"], run["agent"], run["task"]))
    out.print()
    out.print(spent(run))
    if used(run["budget"]):
        out.print(paid(run))
    if run["reuse"]:
        out.print(describe_reuse(run["reuse"]))


def _print_status(out: Console, run: Summary) -> None:
    why = run["why"].rstrip(".")
    if run["status"] == "stopped" and why != "interrupted":  # a budget, whose reason has colons of its own
        out.print(f"Run {run['run']} is stopped before its end.", style="bold")
        out.print(f"{why}.")
        return
    out.print(f"Run {run['run']} is {run['status']}{f': {why}' if why else ''}.", style="bold")


def _print_test(out: Console, run: Summary, best: CandidateSummary, by_id: dict[str, CandidateSummary]) -> None:
    if run["test"] is None:
        over = run["status"] == "finished"
        out.print("No query is held out." if over else "The held-out test comes at the end of the run.")
        return
    out.print(f"Held-out test, {count(run['test']['n'], 'query')} that chose nobody:")
    rows = table("", run["scorer"], "95 % interval", "n", "", right=(run["scorer"], "n"))
    others = [by_id[each["against"]] for each in run["comparisons"]]
    for candidate in (best, *others):
        if test := candidate["test"]:
            what_it_is = _role(run, candidate["id"]) or "the best candidate"
            rows.add_row(f"  {candidate['id']}", plain(test), span(test), size(test), what_it_is)
    out.print(rows)
    if not best["parents"]:
        out.print("  The best candidate is a seed: the search found nothing better.")


def print_comparisons(out: Console, run: Summary) -> None:
    """Print the best candidate's differences, paired, with what they are worth; nothing where there are none."""
    found = run["comparisons"]
    if not found:
        return
    out.print(f"\n{run['best']} against what it has to beat, paired by query:")
    right = ("difference", "n", "p")
    rows = table("", "difference", "95 % interval", "n", "p", "", "", right=right)
    for each in found:
        rows.add_row(
            f"  {each['against']}", f"{each['difference']:+.3f}", f"{each['low']:+.2f} to {each['high']:+.2f}",
            f"{each['n']:,}", f"{each['p']:.4f}", _role(run, each["against"]), ON[each["split"]],
        )  # fmt: skip
    out.print(rows)
    several = f", corrected for {len(found)} comparisons (Holm)" if len(found) > 1 else ""
    out.print(f"  p: sign-flip permutation test{several}. {scopes_note(run)}")
    if "baseline" in found[0]["roles"] and found[0]["split"] == "test":
        out.print(f"  {_verdict(found[0]['low'], found[0]['high'])}")


def scopes_note(run: Summary) -> str:
    """Return in words whether queries of one scope are taken as independent."""
    held = run["scopes"].values()
    if not held or min(held) < SCOPES:
        few = f"from {min(held)} to {max(held)} scopes" if len(set(held)) > 1 else f"from {count(max(held), 'scope')}"
        return f"Queries {few if held else 'of a scope'} are taken as independent: nothing is said of other scopes."
    return "Whole scopes are drawn and flipped, for queries of one scope are not independent."


def _role(run: Summary, candidate: str) -> str:
    """What a candidate is to the best one, in words: "the best seed and its parent, bm25"."""
    name = next(each["name"] for each in run["candidates"] if each["id"] == candidate)
    found = next((each["roles"] for each in run["comparisons"] if each["against"] == candidate), [])
    words = [ROLES[role] for role in found if role != "seed" or "baseline" not in found]
    return f"{' and '.join(words)}{f', {name}' if name else ''}" if words else ""


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
    dropped = sum(candidate["outcome"] == "rejected" and candidate["dropped"] != "" for candidate in run["candidates"])
    if dropped:
        parts.append(f"{dropped} dropped half way")
    if outcomes["rejected"] > dropped:
        parts.append(f"{outcomes['rejected'] - dropped} rejected")
    if outcomes["void"]:
        parts.append(f"{outcomes['void']} void")
    models = "" if used(run["budget"]) else " no model called;"
    return f"{', '.join(parts)}; {duration(run['seconds'])};{models} {run['sandbox']} sandbox."


def used(spent: Spent) -> bool:
    """Return whether anything was asked of a model."""
    return bool(spent["calls"] or spent["cached"])


def paid(run: Summary) -> str:
    """Return one line: dollars and calls, of their limits where they have any."""
    budget, limits = run["budget"], run["budget"]["limits"]
    usd = "dollars unknown, for a model has no price" if budget["usd"] is None else dollars(budget["usd"])
    most_usd = "" if limits["usd"] is None else f" of {dollars(limits['usd'])}"
    calls = count(budget["calls"], "call") + ("" if limits["calls"] is None else f" of {limits['calls']:,}")
    kept = f", {count(budget['cached'], 'answer')} from the run's own store" if budget["cached"] else ""
    return f"Models: {usd}{most_usd}; {calls}{kept}."


def tokens(cost: Cost) -> str:
    """Return "12,000 in (3,000 cached), 400 out"."""
    cached = f" ({cost['cached_tokens']:,} cached)" if cost["cached_tokens"] else ""
    return f"{cost['input_tokens']:,} in{cached}, {cost['output_tokens']:,} out"


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
