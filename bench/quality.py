"""Model calls until a search has 95 % of a known best score, for our default and for three other ways: medians.

The task is chronicle with all its sub-tasks, a model is the task agent, and what is counted are the calls that reach
it or the reflector; what the run has asked before is free for all. The reflector is scripted (evolve.testing.planted):
it knows 20 rewrites, sees nothing but the prompt, and the best program takes five of them. The task agent says what
the extractive agent would, so that nothing but the search differs. The ways:

- ours: the default configuration.
- M*: one child after the other of a parent drawn by softmax at 0.15, no failure stages, no ladder, no merge.
- GEPA-like: parents from the frontier of the queries, reflect and merge, a child must be better than its parent on 5
  rotating queries and is then measured on everything; no failure stages.
- random: as M*, with parents drawn evenly.

A search that has not found it after CAP calls counts as CAP. More arguments than the number of seeds are names of ways
from EXTRA, which say what each part of ours is worth.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from _targets import at_most, print_targets

from evolve.config import Config
from evolve.events import Event
from evolve.population import SEED, Population
from evolve.testing.planted.models import PLANTED
from evolve.testing.planted.optimum import BEST_OF_ALL, rewritten
from evolve.testing.planted.start import START
from evolve.testing.planted.swift import calls, swift

SEEDS = 5
SHARE = 0.95
CAP = 3_000
"""Model calls."""
LONG, FEW = ("GEPA-like", "random"), 2
"""These seldom find it within CAP, and have fewer seeds for it: a search that runs to its cap takes half a minute."""
MOST = 1_000
"""Children, so that nothing but CAP ends a search."""

Way = Mapping[str, Mapping[str, object]]
_SERIAL = {"operators": ["reflect"], "reflect": {"stages": False}}
WAYS: Mapping[str, Way] = {
    "ours": {},
    "M*": {"search": _SERIAL, "evaluation": {"ladder": "none"}},
    "GEPA-like": {
        "search": {"operators": ["reflect", "merge"], "selection": "pareto", "reflect": {"stages": False}},
        "evaluation": {"race": {"gate": 5, "margin": -0.001, "blocks": 1}},
    },
    "random": {"search": {**_SERIAL, "temperature": 1e6}, "evaluation": {"ladder": "none"}},
}
EXTRA: Mapping[str, Way] = {
    "no-stages": {"search": {"reflect": {"stages": False}}},
    "no-ladder": {"evaluation": {"ladder": "none"}},
    "no-gate": {"evaluation": {"race": {"gate": 0}}},
    "strict-gate": {"evaluation": {"race": {"margin": 0.0}}},
    "reflect-only": {"search": {"operators": ["reflect"]}},
    "no-merge": {"search": {"operators": ["reflect", "tune", "recombine"]}},
    "greedy": {"search": {"selection": "greedy"}},
    "pareto": {"search": {"selection": "pareto"}},
    "cold": {"search": {"temperature": 0.05}},
    "M*-stages": {"search": {"operators": ["reflect"]}, "evaluation": {"ladder": "none"}},
}


@dataclass(frozen=True, slots=True)
class Found:
    """How one search went."""

    calls: int
    """Until it had found the best, or CAP."""
    attempts: int
    measured: int
    """Of the attempts, those whose child was asked all static queries."""
    dropped: int
    """Those whose child was dropped at the gate or in the race."""
    share: float
    """Of the known best score, that of the best program found."""
    seconds: float

    @property
    def found(self) -> bool:
        """Tell whether it came to 95 %."""
        return self.share >= SHARE


def config_of(way: Way, seed: int, start: Path) -> Config:
    """Return the configuration of one search; `start` is the program that it starts from."""
    base = {"static": 60, "train_ratio": 0, "test": 1, "scorer": "support"}
    return Config.checked(
        {
            "task": "chronicle",
            "seed": seed,
            "task_options": {"lives": 10, "sessions": 16, "turns": 10, "queries": 30},
            "models": {"agent": PLANTED},
            "search": {"seeds": [str(start)], **way.get("search", {})},
            "evaluation": {**base, **way.get("evaluation", {})},
            "budget": {"candidates": MOST},
        }
    ).resolved()


def searched(name: str, seed: int) -> Found:
    """Search once, one attempt at a time."""
    began, spent = time.monotonic(), 0
    with TemporaryDirectory() as given:
        folder = Path(given)
        start = folder / "start.py"
        start.write_text(START, encoding="utf-8")
        config = config_of({**WAYS, **EXTRA}[name], seed, start)
        task = swift(config)
        known = task.measure(rewritten(BEST_OF_ALL), task.splits.static, folder / "known.sqlite").mean
        assert known is not None, "no query could be measured"

        def observe(event: Event, population: Population) -> None:
            nonlocal spent
            spent += calls(event)

        def share(population: Population) -> float:
            return population.best.mean / known if population.best else 0.0

        seen = task.run(
            config,
            folder / "run",
            observer=observe,
            enough=lambda population: share(population) >= SHARE or spent >= CAP,
        )
    children = [each for each in seen.candidates.values() if each.operator != SEED]
    return Found(
        calls=spent if share(seen) >= SHARE else CAP,
        attempts=len(children),
        measured=sum(each.outcome == "scored" for each in children),
        dropped=sum(each.dropped != "" for each in children),
        share=share(seen),
        seconds=time.monotonic() - began,
    )


def _found(searches: Sequence[Found]) -> str:
    return f"{sum(each.found for each in searches)}/{len(searches)}"


def main() -> None:
    """Print a table and a JSON line; arguments are another number of seeds, and names of ways from EXTRA."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS
    ways = [*WAYS, *sys.argv[2:]]
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        searches = {
            (way, seed): pool.submit(searched, way, seed)
            for seed in range(seeds)
            for way in ways
            if seed < FEW or way not in LONG
        }
        found = {way: [each.result() for (named, _), each in searches.items() if named == way] for way in ways}
    medians = {way: statistics.median(each.calls for each in found[way]) for way in ways}
    print(f"Until {SHARE:.0%} of the known best, medians over {seeds} seeds; not found counts as {CAP:,} calls.")
    print(
        f"{'':14s} {'calls':>6s} {'of M*':>6s} {'found':>6s} {'attempts':>8s} {'measured':>8s} {'dropped':>8s}  calls"
    )
    for way, each in found.items():
        figures = [statistics.median(getattr(one, key) for one in each) for key in ("attempts", "measured", "dropped")]
        each_calls = " ".join(f"{one.calls}{'' if one.found else '+'}" for one in each)
        print(
            f"{way:14s} {medians[way]:6.0f} {medians[way] / medians['M*']:6.2f} {_found(each):>6s} "
            f"{figures[0]:8.0f} {figures[1]:8.0f} {figures[2]:8.0f}  {each_calls}"
        )
    ratio = medians["ours"] / medians["M*"]
    table = {way: {"calls": medians[way], "found": sum(one.found for one in found[way])} for way in ways}
    targets = [at_most("calls of ours and of M*", ratio, 0.5, "times")]
    print_targets(targets)
    found_by = {"seeds": seeds, "cap": CAP, "ways": table}
    print(json.dumps({"bench": "quality", **found_by, "of_mstar": ratio, "targets": targets}))


if __name__ == "__main__":
    main()
