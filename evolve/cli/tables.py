"""A run's tables: leaderboard, lineage, what was rejected, where points are lost, where the money went."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from evolve.cli.text import cut, dollars, in_full, plain, size, span, table, tokens, used, what
from evolve.population import SEED
from evolve.summary import CandidateSummary, Summary
from evolve.summary.costs import FINAL, OperatorCost
from evolve.summary.losses import Lost

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text
    from rich.tree import Tree

SHOWN = 15
"""Rows of the leaderboard; candidates that were tested are shown beyond it."""
LINEAGE = 60
"""Candidates whose lineage is shown, the best ones; more would be lines that nobody reads."""
NAMED, REASON_CHARS = 4, 80
"""Candidates that are named for one reason, and the length of a reason."""
CATEGORIES = 5
"""Where a task has more of them, they are in --json alone."""

_KINDS = (
    (re.compile(r"behaves like c\d+"), "behave like a candidate that is measured already"),
    (re.compile(r"[\d.]+ on \d+ rotating"), "dropped at the gate: worse than their parent on rotating queries"),
    (re.compile(r"[\d.]+ on \d+ of \d+ static"), "dropped in the race: worse than the best on what they were asked"),
    (re.compile(r"[\d.]+ on the cheap rung"), "worse than their best parent on the cheap rung"),
    (re.compile(r"fails its smoke test"), "fail their smoke test"),
    (re.compile(r".* do not recombine"), "parents that do not recombine"),
    (re.compile(r"no usable change .*It does not apply"), "a model's change does not apply"),
    (re.compile(r"no usable change .*It breaks the contract"), "a model's change breaks the contract"),
    (re.compile(r"no usable change .*failed when it was tried"), "a model's program fails on real episodes"),
    (re.compile(r"no usable change .*measured or rejected before"), "a model's program is one that the run has had"),
)


def leaderboard(run: Summary) -> Table:
    """Return the best candidates and all that were tested, best first, with what they are."""
    scorer, cost = run["scorer"], ("cost",) if used(run["budget"]) else ()
    rows = table(
        "", "id", scorer, "95 % interval", "n", "test", "95 % interval ", "n ", *cost, "operator", "what it is",
        right=(scorer, "n", "test", "n ", "cost"), last="what it is",
    )  # fmt: skip
    for candidate in _shown(run):
        test = candidate["test"]
        rows.add_row(
            "*" if candidate["id"] == run["best"] else "",
            candidate["id"],
            plain(candidate["score"]),
            span(candidate["score"]),
            size(candidate["score"]),
            plain(test) if test else "",
            span(test),
            size(test),
            *([dollars(candidate["cost"]["usd"])] if cost else []),
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
    return sum(candidate["outcome"] == "scored" for candidate in run["candidates"]) - len(_shown(run))


def lineage(run: Summary) -> Tree:
    """Return the candidates whose scores are told below their first parents; a second parent is named."""
    from rich.tree import Tree

    tree = Tree("Lineage", style="bold", guide_style="dim", hide_root=True)
    branches: dict[str, Tree] = {}
    for candidate in run["candidates"]:
        if candidate["outcome"] == "rejected" or (candidate["outcome"] == "scored" and not candidate["score"]):
            continue
        if candidate["parents"] and candidate["parents"][0] not in branches:
            continue
        others = "".join(f" + {parent}" for parent in candidate["parents"][1:])
        mark = "best, " if candidate["id"] == run["best"] else ""
        score = in_full(candidate["score"]) if candidate["score"] else "void"
        label = f"{candidate['id']}  {score}  {mark}{candidate['operator']}{others}: {what(candidate)}"
        above = branches[candidate["parents"][0]] if candidate["parents"] else tree
        branches[candidate["id"]] = above.add(_line(label), style="not bold")
    return tree


def untold(run: Summary) -> int:
    """Return how many scored candidates are not in the lineage."""
    return sum(candidate["outcome"] == "scored" and not candidate["score"] for candidate in run["candidates"])


def rejected(run: Summary) -> list[str]:
    """Return one line for each reason for which attempts were rejected or are void, the most frequent first."""
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for candidate in run["candidates"]:
        if candidate["outcome"] != "scored":
            ids[_kind(candidate["reason"])].append(candidate["id"])
    lines = []
    for reason, held in sorted(ids.items(), key=lambda each: -len(each[1])):
        more = ", ..." if len(held) > NAMED else ""
        lines.append(f"{len(held):4}  {cut(reason, REASON_CHARS)}: {', '.join(held[:NAMED])}{more}")
    return lines


def _kind(reason: str) -> str:
    return next((kind for pattern, kind in _KINDS if pattern.match(reason)), reason)


def _line(text: str) -> Text:
    from rich.text import Text

    return Text(text, no_wrap=True, overflow="ellipsis")


def losses(lost: Lost) -> Table:
    """Return the stages at which answers are lost, with points, their share and the categories they are lost in."""
    names = sorted({name for stage in lost["stages"] for name in stage["categories"]})
    categories = names if len(names) <= CATEGORIES else []
    right = ("points", "share", "queries", *categories)
    rows = table("stage", *right, "what it means", right=right, last="what it means")
    for stage in lost["stages"]:
        by = [f"{points:.1f}" if (points := stage["categories"].get(name)) else "" for name in categories]
        share = f"{stage['share']:.1%}"
        rows.add_row(stage["stage"], f"{stage['points']:.1f}", share, str(stage["queries"]), *by, stage["what"])
    whole = [sum(stage["categories"].get(name, 0.0) for stage in lost["stages"]) for name in categories]
    share, asked = f"{lost['points'] / lost['queries']:.1%}", sum(stage["queries"] for stage in lost["stages"])
    rows.add_row("all", f"{lost['points']:.1f}", share, str(asked), *(f"{each:.1f}" for each in whole), "1 - the score")
    return rows


def cost_by_role(run: Summary) -> Table:
    """Return what each role's calls came to."""
    rows = table("role", "model", "calls", "stored", "tokens", "dollars", right=("calls", "stored", "dollars"))
    for role, cost in run["costs"]["by_role"].items():
        model, calls = run["models"].get(role, ""), f"{cost['calls']:,}"
        rows.add_row(role, model, calls, f"{cost['cached']:,}", tokens(cost), dollars(cost["usd"]))
    return rows


def cost_by_operator(run: Summary) -> Table:
    """Return what each operator's attempts cost and brought, and what belongs to no attempt."""
    rows = table(
        "operator", "attempts", "calls", "stored", "tokens", "dollars", "gain", "gain per dollar",
        right=("attempts", "calls", "stored", "dollars", "gain", "gain per dollar"),
    )  # fmt: skip
    costs = run["costs"]
    for name, cost in costs["by_operator"].items():
        calls, kept = f"{cost['calls']:,}", f"{cost['cached']:,}"
        attempts = str(cost["attempts"] or "")
        rows.add_row(name, attempts, calls, kept, tokens(cost), dollars(cost["usd"]), *_earned(name, cost))
    if other := costs["other"]:
        rows.add_row("other", "", f"{other['calls']:,}", "0", tokens(other), dollars(other["usd"]), "", "")
    return rows


def _earned(name: str, cost: OperatorCost) -> tuple[str, str]:
    if name in (SEED, FINAL):
        return "", ""
    per_usd = cost["gain_per_usd"]
    return f"{cost['gain']:.3f}", "" if per_usd is None else f"{per_usd:.3f}"
