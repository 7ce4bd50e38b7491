"""How often the ladder drops a child that it should keep, and one that it should not: rates over simulated scores.

A/A: a child as good as the best candidate; A/B: one that is 0.05 better; and children that are worse. Each is compared
as a run compares it: at the gate with its parent (which is the best candidate here) on 5 rotating queries, then in the
race on 60 static queries of 6 scopes, in blocks of whole scopes, after each block but the last. A score is 0, 1 or
something between, as F1 is; queries differ in difficulty; of every query's answers a share is drawn anew, as with a
model at temperature > 0; and where an effect is said to differ, it differs from scope to scope by that much.

The last rows are real: scores of published systems on LoCoMo (EVOLVE_DATA). An equal child has for each question the
answer of one of two systems, drawn by a coin, and the best candidate has that of the other.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from random import Random
from statistics import fmean
from typing import TypeAlias

from _targets import at_most, print_targets

from evolve.config import Race
from evolve.evaluation.race import losing, risk_at
from evolve.evaluation.splits import make_blocks
from evolve.types import Query

REPEATS = 2_000
SCOPES, STATIC, ROTATING = 6, 60, 5
RACE = Race(gate=ROTATING)
DRAWN_ANEW = 0.25
"""Share of the answers that a second asking of the same program would change."""
OPTIMISTS = 10
"""Candidates of which the luckiest is the best: its scores are then better than it is."""
WORSE_SYSTEM, BETTER_SYSTEM = "fc_gpt-4o-mini-memos", "fc_gpt-4.1-mini-memos"

Scores: TypeAlias = dict[str, float]
Pair: TypeAlias = tuple[Scores, Scores, Sequence[Query]]
"""Scores of a child, of what it is compared with, and the queries: the static ones, then the rotating ones."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What became of many children of one kind."""

    better: float
    """Mean true difference to the best candidate."""
    gate: float
    """Share dropped at the gate, were there nothing else."""
    race: float
    """Share dropped in the race, were there nothing else."""
    both: float
    asked: float
    """Mean share of the static set that was asked, gate and race together."""


def simulated(effect: float, spread: float, optimists: int, draw: Random) -> Pair:
    """A child whose true mean is `effect` above the best's on these scopes, with that standard deviation over them."""
    queries = _queries(draw)
    usual = {query.id: _score(draw) for query in queries}

    def asked() -> Scores:
        return {id: _score(draw) if draw.random() < DRAWN_ANEW else score for id, score in usual.items()}

    best = max((asked() for _ in range(optimists)), key=lambda scores: _mean(scores, queries[:STATIC]))
    shifts = [draw.gauss(0, spread) for _ in range(SCOPES)]
    by_scope = {str(scope): effect + shift - fmean(shifts) for scope, shift in enumerate(shifts)}
    child = asked()
    for query in queries:
        goal = 1.0 if by_scope[query.scope] > 0 else 0.0
        if draw.random() < abs(by_scope[query.scope]) / abs(goal - AVERAGE):
            child[query.id] = goal
    return child, best, queries


def published(draw: Random, *, equal: bool) -> Pair:
    """A child and a best with the answers that two published systems gave to the same questions of LoCoMo."""
    systems = _systems()
    worse, better = systems[WORSE_SYSTEM], systems[BETTER_SYSTEM]
    scopes = draw.sample(sorted({scope for scope, _ in worse}), SCOPES)
    by_scope = {scope: draw.sample(sorted(key for key in worse if key[0] == scope), 20) for scope in scopes}
    static = [key for scope in scopes for key in by_scope[scope][: STATIC // SCOPES]]
    rotating = draw.sample([key for scope in scopes for key in by_scope[scope][STATIC // SCOPES :]], ROTATING)
    queries = [Query(id=id, scope=scope, text="", answer="") for scope, id in [*static, *rotating]]
    child, best = {}, {}
    for scope, id in [*static, *rotating]:
        pair = [better[scope, id], worse[scope, id]]
        if equal:
            draw.shuffle(pair)
        child[id], best[id] = pair
    return child, best, queries


KINDS: Mapping[str, Callable[[Random], Pair]] = {
    "equal": lambda draw: simulated(0, 0, 1, draw),
    "equal, effect differs by 0.05": lambda draw: simulated(0, 0.05, 1, draw),
    "equal, effect differs by 0.1": lambda draw: simulated(0, 0.1, 1, draw),
    f"equal, best is the luckiest of {OPTIMISTS}": lambda draw: simulated(0, 0, OPTIMISTS, draw),
    "0.05 better": lambda draw: simulated(0.05, 0, 1, draw),
    "0.05 better, effect differs by 0.05": lambda draw: simulated(0.05, 0.05, 1, draw),
    "0.1 worse": lambda draw: simulated(-0.1, 0.05, 1, draw),
    "0.2 worse": lambda draw: simulated(-0.2, 0.05, 1, draw),
    "0.3 worse": lambda draw: simulated(-0.3, 0.05, 1, draw),
}
REAL: Mapping[str, Callable[[Random], Pair]] = {
    "real answers, equal": lambda draw: published(draw, equal=True),
    "real answers, 0.085 better": lambda draw: published(draw, equal=False),
}


def rates(kind: str, repeats: int) -> Rates:
    """Simulate children of one kind."""
    make = {**KINDS, **REAL}[kind]
    found = [_dropped(make(Random(f"{kind}:{number}")), number) for number in range(repeats)]
    better, gate, race, asked = zip(*found, strict=True)
    both = [at_gate or in_race for at_gate, in_race in zip(gate, race, strict=True)]
    return Rates(fmean(better), fmean(gate), fmean(race), fmean(both), fmean(asked))


def _dropped(pair: Pair, number: int) -> tuple[float, bool, bool, float]:
    """The child's lead, whether the gate drops it, whether the race does, and the share of the static set asked."""
    child, best, queries = pair
    static, rotating = queries[:STATIC], queries[STATIC:]
    gate = _mean(child, rotating) < _mean(best, rotating) - RACE.margin
    blocks = make_blocks(static, RACE.blocks, seed=number)
    seen: Scores = {}
    race = False
    for block in blocks:
        seen |= {query.id: child[query.id] for query in block}
        race = len(seen) < STATIC and losing(seen, best, risk=risk_at(RACE.risk, len(blocks)))
        if race:
            break
    lead = _mean(child, static) - _mean(best, static)
    return lead, gate, race, 0.0 if gate else len(seen) / STATIC


def _queries(draw: Random) -> list[Query]:
    """Static queries, of a different number in each scope, then rotating ones."""
    cuts = sorted(draw.sample(range(1, STATIC // 2), SCOPES - 1))
    sizes = [end - start + 5 for start, end in zip([0, *cuts], [*cuts, STATIC - 5 * SCOPES], strict=True)]
    scopes = [str(scope) for scope, size in enumerate(sizes) for _ in range(size)]
    scopes += [str(draw.randrange(SCOPES)) for _ in range(ROTATING)]
    return [Query(id=f"q{number}", scope=scope, text="", answer="") for number, scope in enumerate(scopes)]


ZEROS, ONES = 0.25, 0.35
"""Shares of the answers that score 0 and 1; the others lie anywhere between."""
AVERAGE = ONES + (1 - ZEROS - ONES) / 2


def _score(draw: Random) -> float:
    kind = draw.random()
    return 0.0 if kind < ZEROS else 1.0 if kind < ZEROS + ONES else draw.random()


def _mean(scores: Scores, queries: Sequence[Query]) -> float:
    return fmean(scores[query.id] for query in queries)


def _graded() -> Path | None:
    path = Path(os.environ.get("EVOLVE_DATA", "")) / "locomo" / "graded_answers.jsonl.gz"
    return path if "EVOLVE_DATA" in os.environ and path.is_file() else None


@cache
def _systems() -> Mapping[str, Mapping[tuple[str, str], float]]:
    """Official F1 by system, conversation and question."""
    path = _graded()
    assert path is not None, "the real rows are left out without the data"
    found: dict[str, dict[tuple[str, str], float]] = {WORSE_SYSTEM: {}, BETTER_SYSTEM: {}}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            if row["system"] in found:
                found[row["system"]][row["qid"].rpartition("_")[0], row["qid"]] = row["f1_official"]
    return found


def main() -> None:
    """Print a table and a JSON line; an argument is another number of repeats."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else REPEATS
    kinds = [*KINDS, *(REAL if _graded() else ())]
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        found = dict(zip(kinds, pool.map(rates, kinds, [repeats] * len(kinds)), strict=True))
    worst = 196 * (0.1 * 0.9 / repeats) ** 0.5
    print(f"{repeats:,} children of each kind; the race's risk is {RACE.risk}, the gate's margin {RACE.margin}.")
    print(f"Dropped at the gate, in the race and by both together (a rate of 10 % is known to {worst:.1f} points).")
    print(f"{'the child is':38s} {'lead':>7s} {'gate':>7s} {'race':>7s} {'both':>7s} {'asked':>7s}")
    for kind, each in found.items():
        print(f"{kind:38s} {each.better:+7.3f} {each.gate:7.1%} {each.race:7.1%} {each.both:7.1%} {each.asked:7.0%}")
    if not _graded():
        print("Real answers are left out: EVOLVE_DATA names no folder with LoCoMo's graded answers.")
    table = {
        kind: {"dropped_at_gate": each.gate, "dropped_in_race": each.race, "dropped": each.both, "asked": each.asked}
        for kind, each in found.items()
    }
    targets = [at_most("an equal child is dropped in the race", found["equal"].race, RACE.risk)]
    print_targets(targets)
    settings = {"repeats": repeats, "risk": RACE.risk, "margin": RACE.margin}
    print(json.dumps({"bench": "race", **settings, "kinds": table, "targets": targets}))


if __name__ == "__main__":
    main()
