"""Programs measured side by side on the same queries, without a search."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from evolve.attempt import Done, Job, Measurement, Result, Unpaid
from evolve.config import Config
from evolve.errors import BudgetSpent
from evolve.evaluation.splits import Work, make_splits
from evolve.executors.base import Executor
from evolve.paths import ZOO, shipped_programs
from evolve.program import load
from evolve.sandbox.base import Say
from evolve.tasks import load as load_task
from evolve.wiring import check_keys, find_program, hired, sandbox_of

if TYPE_CHECKING:
    from evolve.types import Program

ORACLE = "oracle"
"""In place of a program: a perfect memory, which is the ceiling of the task for its agent and scorer."""
FLOOR = "no_memory"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What several programs came to, in the order in which they were named."""

    config: Config
    split: Literal["static", "test"]
    works: tuple[Work, ...]
    results: Mapping[str, Result]
    unpaid: str
    """Why the programs without a result have none."""


def chosen_programs(name: str) -> dict[str, Program]:
    """Return the programs that one word stands for: "all" seeds, the "zoo" with them, the "oracle", a name or a path.

    Raises ConfigError.
    """
    if name == ORACLE:
        return {ORACLE: load(find_program(FLOOR))}
    names = shipped_programs("" if name == "all" else ZOO) if name in ("all", ZOO) else [name]
    return {name: load(find_program(name)) for name in names}


def compare(
    config: Config,
    programs: Mapping[str, Program],
    split: Literal["static", "test"],
    *,
    workers: int | None = None,
    say: Say = lambda line: None,
) -> Comparison:
    """Measure the programs under a resolved configuration, a worker each; what is called "oracle" is not run.

    `workers` defaults to one a processor; answers of models are not kept. Raises EvolveError, BudgetSpent where a
    budget did not last for one program.
    """
    check_keys(config)
    splits = make_splits(load_task(config.task, config.task_options), config.evaluation, seed=config.seed)
    works = splits.work(getattr(splits, split))
    jobs = {name: Measurement(name, program, split, oracle=name == ORACLE) for name, program in programs.items()}
    asked = sum(len(work.queries) for work in works)
    count = min(workers or os.cpu_count() or 1, len(jobs))
    with (
        TemporaryDirectory() as folder,
        closing(sandbox_of(config, config.sandbox.kind, workers=count, say=say)) as sandbox,
    ):
        say(f"sandbox: {sandbox.describe()}")
        calls = Path(folder) / "llm.sqlite"
        with hired(config, splits, sandbox, calls, workers=count, on_stage=lambda key, text: None, say=say) as (
            executor,
            _,
        ):
            results, unpaid = _run(executor, jobs, lambda name: say(f"measured {name} on {asked:,} queries"))
    if unpaid and not results:
        raise BudgetSpent(unpaid)
    return Comparison(config, split, works, {name: results[name] for name in jobs if name in results}, unpaid)


def _run(
    executor: Executor[Job, Done], jobs: Mapping[str, Measurement], heard: Callable[[str], None]
) -> tuple[dict[str, Result], str]:
    """Return the results by name, and why there are not more of them."""
    left, at_work = list(jobs), 0
    results: dict[str, Result] = {}
    unpaid = ""
    while left or at_work:
        while left and at_work < executor.slots:
            name = left.pop(0)
            executor.submit(name, jobs[name])
            at_work += 1
        if (ended := executor.next()) is None:
            continue
        key, done = ended
        at_work -= 1
        if isinstance(done, Unpaid):
            unpaid = unpaid or done.reason
            left.clear()
        elif isinstance(done, Result):
            results[str(key)] = done
            heard(str(key))
    return results, unpaid
