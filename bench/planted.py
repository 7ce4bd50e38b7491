"""Attempts until a search has 95 % of a known best score, with failure stages in the prompt and without: medians.

The reflector is scripted (evolve.testing.planted): it knows 20 rewrites and sees nothing but the prompt. The first
column is the score of the best known program, which is the best that the good rewrites make together. A search that
has not found it after 40 attempts counts as 40, so that the ratio is the least that it can be.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from evolve.tasks.families.chronicle.world import SUBTASKS, Subtask
from evolve.testing.planted.hunt import Hunt, hunt
from evolve.testing.planted.optimum import BEST, measuring, planted_config, rewritten, search_all

SEEDS = 3
MOST = 40


def hunted(subtask: Subtask, seed: int, *, stages: bool) -> Hunt:
    """One search in a folder of its own."""
    with TemporaryDirectory() as folder:
        os.environ["EVOLVE_RUNS"] = folder
        return hunt(subtask, Path(folder), name="planted", seed=seed, stages=stages, most=MOST)


def known(subtask: Subtask) -> tuple[float, float]:
    """Score of the best known program, and of the best of all that good rewrites make."""
    with measuring(planted_config(subtask, start=Path("start.py"), reflector="http://127.0.0.1/v1")) as measure:
        return measure(rewritten(BEST[subtask])), max(search_all(measure).values())


def main() -> None:
    """Print a table and a JSON line; an argument is another number of seeds."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS
    figures: dict[str, dict[str, float]] = {}
    print(f"{'sub-task':10s} {'known':>6s} {'of all':>6s} {'shown':>6s} {'hidden':>6s} {'ratio':>6s}  found")
    # Spawned: a forked process would share the threads of this one's pool.
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        best = {subtask: pool.submit(known, subtask) for subtask in SUBTASKS}
        hunts = {
            (subtask, stages): [pool.submit(hunted, subtask, seed, stages=stages) for seed in range(seeds)]
            for subtask in SUBTASKS
            for stages in (True, False)
        }
        for subtask in SUBTASKS:
            shown, hidden = ([each.result() for each in hunts[subtask, stages]] for stages in (True, False))
            score, most = best[subtask].result()
            medians = [
                statistics.median(each.attempts if each.found else MOST for each in found) for found in (shown, hidden)
            ]
            ratio = medians[1] / medians[0]
            found = f"{sum(each.found for each in shown)} and {sum(each.found for each in hidden)} of {seeds}"
            print(f"{subtask:10s} {score:6.3f} {most:6.3f} {medians[0]:6.0f} {medians[1]:6.0f} {ratio:6.1f}  {found}")
            figures[subtask] = {"known": score, "of_all": most, "shown": medians[0], "hidden": medians[1]}
    totals = [sum(each[key] for each in figures.values()) for key in ("shown", "hidden")]
    print(f"{'together':10s} {'':6s} {'':6s} {totals[0]:6.0f} {totals[1]:6.0f} {totals[1] / totals[0]:6.1f}")
    print(json.dumps({"bench": "planted", "seeds": seeds, "most": MOST, "subtasks": figures}))


if __name__ == "__main__":
    main()
