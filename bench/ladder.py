"""Model calls of a run with the ladder and of the same run without, and how good their winners are: medians.

Each run has 3 seeds, 120 episodes and 60 static queries in 6 scopes, 5 rotating ones a time, 20 children that load, a
final choice, and 100 test queries that nobody was asked before. The reflector is scripted (evolve.testing.planted): of
the 20 rewrites that it knows some help, some harm and some change nothing, and those that change what is kept also word
anew how episodes are extracted, so that all of these are. The task agent says what the extractive agent would. What a
run has asked before is free for both. The run with the ladder is given the children of the other, in their order: what
differs is how they are measured, and not which ones luck has made.

The winners are compared on the test queries, paired, with whole scopes drawn: the ladder's is worse only where the
interval of the difference lies below 0.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from _targets import at_least, at_most, print_targets

from evolve.config import Config
from evolve.evaluation.statistics import Interval, paired_difference
from evolve.events import AttemptEnded, Event, Measured
from evolve.population import SEED, Population
from evolve.testing.planted.models import PLANTED
from evolve.testing.planted.optimum import rewritten
from evolve.testing.planted.swift import Swift, calls, swift

SEEDS = 10
CHILDREN = 20
STARTS: Sequence[Sequence[str]] = (
    ("Keep every line that was said",),
    ("Keep every line that was said", "Keep notes at their full length"),
    ("Keep every line that was said", "Prefer what was said last", "Return as much as fits"),
)
"""What the seeds have of the library."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How one run went."""

    calls: Counter[str]
    """For the seeds, for children, and for the final choice and the test."""
    ends: Counter[str]
    """How many children were scored, dropped at the gate or in the race, or not measured at all."""
    winner: str
    """Its digest."""
    scores: dict[str, float]
    """Of the winner, on the test queries."""
    static: float
    seconds: float

    @property
    def all_calls(self) -> int:
        """Everything."""
        return self.calls.total()


@dataclass(frozen=True, slots=True)
class Pair:
    """The same run with and without the ladder."""

    on: Ended
    off: Ended
    difference: Interval
    """Test score of the ladder's winner minus that of the other's."""

    @property
    def is_as_good(self) -> bool:
        """Tell whether the winner is the same, or not shown to be worse."""
        return self.on.winner == self.off.winner or self.difference.high >= 0


def compared(seed: int) -> Pair:
    """Run twice, and compare the winners."""
    with TemporaryDirectory() as given:
        folder = Path(given)
        starts = [folder / f"start_{number}.py" for number in range(len(STARTS))]
        for path, titles in zip(starts, STARTS, strict=True):
            path.write_text(rewritten(titles), encoding="utf-8")
        table = {
            "task": "chronicle",
            "seed": seed,
            "task_options": {"lives": 12, "sessions": 24, "turns": 10, "queries": 30},
            "models": {"agent": PLANTED},
            "search": {"operators": ["reflect"], "seeds": [str(path) for path in starts]},
            "evaluation": {"scorer": "support"},
            "budget": {"candidates": 2 * CHILDREN},
        }
        on = Config.checked(table).resolved()
        off = on.model_copy(update={"evaluation": on.evaluation.model_copy(update={"ladder": "none"})})
        task = swift(on)
        second, children = _run(task, off, folder / "off")
        first, _ = _run(task, on, folder / "on", children=children)
        scopes = {query.id: query.scope for query in task.splits.test}
    difference = paired_difference(first.scores, second.scores, scopes=scopes)
    assert difference is not None, "both winners were tested"
    return Pair(first, second, difference)


def _run(task: Swift, config: Config, folder: Path, *, children: Sequence[str] = ()) -> tuple[Ended, Sequence[str]]:
    """Run with these children, or else with those that the reflector makes; return them too."""
    spent: Counter[str] = Counter()
    began = time.monotonic()

    def observe(event: Event, population: Population) -> None:
        match event:
            case AttemptEnded():
                spent["seeds" if event.operator == SEED else "children"] += calls(event)
            case Measured():
                spent["children" if event.split == "static" else "final"] += calls(event)

    def enough(population: Population) -> bool:
        return sum(each.operator != SEED and each.digest != "" for each in population.candidates.values()) >= CHILDREN

    population = task.run(config, folder, observer=observe, enough=enough, final=True, rewords=True, children=children)
    winner = population.best
    assert winner is not None, "a seed could be measured"
    made = [each for each in population.candidates.values() if each.operator != SEED]
    ends = Counter[str](each.dropped or each.outcome for each in made)
    ended = Ended(spent, ends, winner.digest, dict(winner.test), winner.mean, time.monotonic() - began)
    return ended, [each.source for each in made if each.source is not None]


def main() -> None:
    """Print a table and a JSON line; an argument is another number of seeds."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        pairs = list(pool.map(compared, range(seeds)))
    print("Calls with the ladder / without: for seeds, for children, for the final choice and the test, and in all;")
    print("children that were scored, dropped at the gate, dropped in the race, not measured; the winner's test lead.")
    for seed, pair in enumerate(pairs):
        parts = [
            f"{part} {pair.on.calls[part]:4d}/{pair.off.calls[part]:4d}" for part in ("seeds", "children", "final")
        ]
        ratio, lead, ends = pair.on.all_calls / pair.off.all_calls, pair.difference, pair.on.ends
        print(
            f"{seed:2d}  {'  '.join(parts)}  all {pair.on.all_calls:4d}/{pair.off.all_calls:4d} = {ratio:4.0%}  "
            f"{ends['scored']:2d} {ends['gate']:2d} {ends['race']:2d} {ends['rejected']:2d}  "
            f"{lead.mean:+.3f} [{lead.low:+.3f}, {lead.high:+.3f}]{'' if pair.is_as_good else ' worse'}"
        )
    ratio = statistics.median(pair.on.all_calls / pair.off.all_calls for pair in pairs)
    children = statistics.median(pair.on.calls["children"] / pair.off.calls["children"] for pair in pairs)
    as_good = sum(pair.is_as_good for pair in pairs)
    mean_lead = statistics.fmean(pair.difference.mean for pair in pairs)
    print(f"Medians: {ratio:.0%} of all calls, {children:.0%} of those for children.")
    print(f"{as_good} of {seeds} winners are the same or as good within the interval; mean lead {mean_lead:+.3f}.")
    table = {"calls_ratio": ratio, "children_ratio": children, "as_good": as_good, "lead": mean_lead}
    targets = [
        at_most("calls for children, with the ladder and without", children, 0.45, "of the calls"),
        at_most("all calls, seeds and final test included", ratio, 0.45, "of the calls"),
        at_least("winners that are the same or as good", as_good, seeds),
    ]
    print_targets(targets)
    print(json.dumps({"bench": "ladder", "seeds": seeds, **table, "targets": targets}))


if __name__ == "__main__":
    main()
