"""What holds for every task without a judge: a perfect memory scores 1.0, an empty one less; splits share nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evolve.comparison import FLOOR, ORACLE, chosen_programs, compare
from evolve.config import load_config
from evolve.evaluation.splits import make_splits
from evolve.tasks import built_in, load, resolve, traits

TASKS: dict[str, tuple[str, ...]] = {
    "alfworld": ("games=generated", "episodes=20", "queries=20", "held_out=10"),
    "chronicle": ("lives=2", "queries=10"),
    "hotpotqa": ("file=hotpotqa/hotpot_dev_distractor_100.json.gz", "questions=20"),
    "locomo": ("conversations=[1, 2]",),
    "longmemeval": ("file=longmemeval/three_haystacks.json.gz",),
    "memoryagentbench": ("sources=[sh_6k]",),
}
NEED_A_JUDGE = {"healthbench", "prbench"}
"""Measured with one in their own tests."""


def settings(task: str) -> list[str]:
    given = [f"task_options.{option}" for option in TASKS[task]]
    return [*(each.replace("[sh_6k]", '["sh_6k"]') for each in given), "sandbox.kind=process", "evaluation.static=20"]


def needs_data(task: str) -> None:
    if task not in ("alfworld", "chronicle") and not Path(os.environ.get("EVOLVE_DATA", "-"), task).is_dir():
        pytest.skip(f"needs {task} in the folder that EVOLVE_DATA names")


def test_no_task_is_forgotten() -> None:
    assert set(built_in()) == set(TASKS) | NEED_A_JUDGE
    assert {task for task in built_in() if not traits(task).answers and not traits(task).interactive} == NEED_A_JUDGE


@pytest.mark.parametrize("task", TASKS)
def test_a_perfect_memory_scores_all_and_an_empty_one_does_not(task: str) -> None:
    needs_data(task)
    config = resolve(load_config(task, settings(task)))
    programs = {**chosen_programs(ORACLE), **chosen_programs(FLOOR)}
    found = {name: result.evaluation for name, result in compare(config, programs, "static", workers=1).results.items()}
    perfect, empty = found[ORACLE], found[FLOOR]
    assert len(perfect.cases) == len(empty.cases) >= 5
    assert {case.outcome for case in (*perfect.cases, *empty.cases)} == {"scored"}
    assert perfect.mean == 1.0
    assert empty.mean is not None
    assert empty.mean < 0.9


@pytest.mark.parametrize("task", TASKS)
def test_no_query_is_in_two_splits_and_no_test_scope_is_searched_on(task: str) -> None:
    needs_data(task)
    config = resolve(load_config(task, settings(task)))
    loaded = load(config.task, config.task_options)
    splits = make_splits(loaded, config.evaluation, seed=0)
    parts = [{query.id for query in getattr(splits, name)} for name in ("static", "rotating", "fresh", "test")]
    assert sum(map(len, parts)) == len(set().union(*parts))
    assert parts[3] <= loaded.held_out
    assert not loaded.held_out & set().union(*parts[:3])
    again = load(config.task, config.task_options)
    assert again.digest == loaded.digest
