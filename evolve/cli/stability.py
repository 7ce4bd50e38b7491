"""`evolve run --seeds N`: the same search with several seeds, and how much its result varies."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from evolve.config import Config
    from evolve.folder import Run
    from evolve.summary import Difference, Score


class Repeated(TypedDict):
    """One of the runs."""

    run: str
    seed: int
    ended: str
    """"finished", "interrupted" or "budget"."""
    test: Score | None
    versus: Difference | None
    """Its winner minus the best seed, held out; None where the best seed won."""


class Stability(TypedDict):
    """What the same search came to with several seeds."""

    runs: list[Repeated]
    mean: float | None
    """Of the held-out means."""
    deviation: float | None
    """Sample standard deviation of these; None for fewer than two."""
    wins: int
    """Runs whose winner beats the best seed, the 95 % interval of the difference above 0."""


def repeat(config: Config, name: str, seeds: int, run: Callable[[Config, str], Run]) -> Stability:
    """Run the search with the seeds `config.seed`, + 1, ...: each a run of its own, named NAME-SEED."""
    done = []
    for seed in range(config.seed, config.seed + seeds):
        done.append(run(config.model_copy(update={"seed": seed}), f"{name}-{seed}"))
        if done[-1].status != "finished":
            break
    return stability(done)


def stability(runs: Sequence[Run]) -> Stability:
    """Return what the runs came to."""
    from evolve.summary import summary

    rows = []
    for run in runs:
        shown = summary(run)
        stopped = run.population.stopped
        rows.append(
            Repeated(
                run=run.name,
                seed=run.config.seed,
                ended=stopped.reason if stopped else "interrupted",
                test=shown["test"],
                versus=shown["test_vs_best_seed"],
            )
        )
    means = [row["test"]["mean"] for row in rows if row["test"]]
    return Stability(
        runs=rows,
        mean=statistics.fmean(means) if means else None,
        deviation=statistics.stdev(means) if len(means) > 1 else None,
        wins=sum(row["versus"] is not None and row["versus"]["low"] > 0 for row in rows),
    )


def print_stability(found: Stability) -> None:
    """Print a line for each run, and their mean."""
    from evolve.cli.text import console, count, plain, size, span, table

    out = console()
    columns = ("run", "seed", "held out", "95 % interval", "n", "best seed", "difference", "95 % interval ", "n ")
    shown = table(*columns, right=("seed", "n", "n "))
    for row in found["runs"]:
        versus = row["versus"]
        shown.add_row(
            row["run"], str(row["seed"]), plain(row["test"]), span(row["test"]), size(row["test"]),
            versus["seed"] if versus else "-",
            f"{versus['difference']:+.3f}" if versus else "-",
            f"{versus['low']:+.2f} to {versus['high']:+.2f}" if versus else "",
            f"{versus['n']:,}" if versus else "",
        )  # fmt: skip
    out.print(shown)
    if found["mean"] is not None:
        spread = "" if found["deviation"] is None else f", standard deviation {found['deviation']:.3f}"
        tested = count(sum(row["test"] is not None for row in found["runs"]), "run")
        wins = f"better than the best seed in {found['wins']} of {len(found['runs'])}"
        out.print(f"\nMean {found['mean']:.3f}{spread}, over {tested}; {wins}.")
