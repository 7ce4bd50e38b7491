"""Splits: no query twice, no test scope in the search, for every task; and the subsets that represent them."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from evolve.config import load_config
from evolve.evaluation.splits import LARGE, LEAST, Splits, covering_indices, make_blocks, make_splits, medoid_indices
from evolve.tasks import load
from evolve.tasks.jsonl import init_folder
from evolve.types import JSON, Query, Task

CHRONICLE: list[dict[str, JSON]] = [
    {"lives": 1, "sessions": 16, "queries": 10},
    {"lives": 2, "sessions": 16, "queries": 10},
    {"lives": 3, "sessions": 16, "queries": 2, "seed": 5},
    {"lives": 4, "sessions": 16, "subtasks": ["recall"]},
    {"lives": 1, "sessions": 16, "subtasks": ["latest"], "queries": 2},
    {"lives": 5, "sessions": 16, "subtasks": ["count", "two_hop"], "queries": 7},
]
LOCOMO: list[dict[str, JSON]] = [{}, {"conversations": [1]}, {"conversations": [2, 5]}, {"conversations": "1-4"}]
SIZES = [
    [],
    ["evaluation.static=1"],
    ["evaluation.static=4", "evaluation.test=3"],
    ["evaluation.static=6", "evaluation.train_ratio=2"],
    ["evaluation.static=6", "evaluation.train_ratio=0.01", "seed=9"],
]


made: dict[tuple[str, ...], Splits] = {}


def splits_of(task: Task, *overrides: str) -> Splits:
    """Return the splits, made once: embedding a thousand questions takes a second."""
    key = (task.digest, *overrides)
    if key not in made:
        made[key] = fresh_splits(task, *overrides)
    return made[key]


def fresh_splits(task: Task, *overrides: str) -> Splits:
    config = load_config("any", overrides).resolved()
    return make_splits(task, config.evaluation, seed=config.seed)


@pytest.fixture(scope="module", params=range(len(CHRONICLE) + 2 + len(LOCOMO)))
def task(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Task:
    """Every built-in task with several options, and a folder."""
    number: int = request.param
    if number < len(CHRONICLE):
        return load("chronicle", CHRONICLE[number])
    if number < len(CHRONICLE) + 2:
        folder = tmp_path_factory.mktemp("task") / "mine"
        init_folder(folder)
        return load(str(folder), {"seed": number})
    if not os.environ.get("EVOLVE_DATA"):
        pytest.skip("EVOLVE_DATA is not set; it names the folder of benchmark data")
    if not (Path(os.environ["EVOLVE_DATA"]) / "locomo" / "locomo10.json").is_file():
        pytest.skip("EVOLVE_DATA holds no locomo/locomo10.json")
    return load("locomo", LOCOMO[number - len(CHRONICLE) - 2])


@pytest.mark.parametrize("sizes", SIZES)
def test_every_query_is_in_at_most_one_split(task: Task, sizes: list[str]) -> None:
    splits = splits_of(task, *sizes)
    parts = {name: [q.id for q in getattr(splits, name)] for name in ("static", "rotating", "fresh", "test")}
    everywhere = [id for ids in parts.values() for id in ids]
    assert len(set(everywhere)) == len(everywhere)
    assert set(parts["test"]) <= task.held_out
    assert not task.held_out & {*parts["static"], *parts["rotating"], *parts["fresh"]}
    searched = len(task.queries) - len(task.held_out)
    assert len(parts["static"]) + len(parts["rotating"]) + len(parts["fresh"]) == searched
    assert parts["static"]
    assert parts["test"]


def test_sizes_are_those_asked_for(task: Task) -> None:
    splits = splits_of(task, "evaluation.static=4", "evaluation.test=3")
    searched = len(task.queries) - len(task.held_out)
    assert len(splits.static) == min(4, max(1, int(0.6 * searched)))
    assert len(splits.test) == min(3, len(task.held_out))
    everything = splits_of(task)
    assert {query.id for query in everything.test} == task.held_out


@pytest.mark.parametrize("sizes", SIZES)
def test_no_scope_of_the_test_is_searched_in(task: Task, sizes: list[str]) -> None:
    """Only a task with too few scopes holds out single queries."""
    scopes = {query.scope for query in task.queries}
    splits = splits_of(task, *sizes)
    searched = {query.scope for query in (*splits.static, *splits.rotating, *splits.fresh)}
    tested = {query.scope for query in splits.test}
    if len(scopes) == 1 or task.name == "workshop":
        assert searched & tested
    else:
        assert not searched & tested
        assert {episode.scope for episode in splits.episodes} <= searched
    assert {episode.scope for episode in splits.test_episodes} == tested


@pytest.mark.parametrize("sizes", SIZES)
def test_a_work_holds_its_scope_in_order(task: Task, sizes: list[str]) -> None:
    splits = splits_of(task, *sizes)
    for queries in (splits.static, splits.test, splits.fresh, splits.rotating):
        works = splits.work(queries)
        assert sorted(q.id for work in works for q in work.queries) == sorted(q.id for q in queries)
        assert len({work.scope for work in works}) == len(works)
        for work in works:
            lived = [episode for episode in task.episodes if episode.scope == work.scope]
            places = [lived.index(episode) for episode in work.episodes]
            assert places == sorted(places)
            assert {query.scope for query in work.queries} == {work.scope}
            if queries is splits.test or "evaluation.train_ratio" not in "".join(sizes):
                assert len(places) == len(lived)


def test_the_same_again(task: Task) -> None:
    for sizes in SIZES[2:]:
        assert splits_of(task, *sizes) == fresh_splits(task, *sizes)


def test_another_seed_draws_others() -> None:
    task = load("chronicle", {"lives": 4, "sessions": 16})
    one, other = (splits_of(task, "evaluation.static=6", f"seed={seed}") for seed in (0, 1))
    assert one.fresh != other.fresh


@pytest.mark.parametrize(("ratio", "expected"), [("0", None), ("0.01", 1), ("1", 4), ("2.5", 10), ("1000", None)])
def test_the_train_ratio_is_episodes_per_static_query(ratio: str, expected: int | None) -> None:
    task = load("chronicle", {"lives": 2, "sessions": 16, "queries": 10})
    splits = splits_of(task, "evaluation.static=4", f"evaluation.train_ratio={ratio}")
    assert len(splits.static) == 4
    assert len(splits.episodes) == (expected or 16)


def test_test_queries_are_asked_on_their_own() -> None:
    splits = splits_of(load("chronicle", {"lives": 1, "sessions": 16, "queries": 10}))
    with pytest.raises(ValueError, match="on their own"):
        splits.work([splits.static[0], splits.test[0]])
    assert splits.work([]) == ()


@pytest.mark.parametrize("count", [1, 2, 4, 100])
def test_blocks_share_out_the_static_set_by_whole_scopes(task: Task, count: int) -> None:
    splits = splits_of(task, "evaluation.static=20", f"evaluation.race.blocks={count}")
    assert sorted(query.id for block in splits.blocks for query in block) == sorted(q.id for q in splits.static)
    assert all(splits.blocks)
    assert len(splits.blocks) <= count
    assert splits.rung == splits.blocks[0]
    size = max(LEAST, len(splits.static) / count)
    for scope in {query.scope for query in splits.static}:
        asked = [block for block in splits.blocks if any(query.scope == scope for query in block)]
        queries = sum(query.scope == scope for query in splits.static)
        assert len(asked) == 1 or queries > LARGE * size


def test_one_scope_is_asked_in_several_blocks_that_can_tell_something() -> None:
    one_scope = [Query(f"q{number}", "s", "What?", "This.") for number in range(60)]
    blocks = make_blocks(one_scope, 4, seed=0)
    assert [len(block) for block in blocks] == [15, 15, 15, 15]
    assert sorted(query.id for block in blocks for query in block) == sorted(query.id for query in one_scope)
    assert [len(block) for block in make_blocks(one_scope[:30], 4, seed=0)] == [15, 15]
    assert [len(block) for block in make_blocks(one_scope[:10], 4, seed=0)] == [10]


def test_another_seed_begins_with_another_scope() -> None:
    static = splits_of(load("chronicle", CHRONICLE[5])).static
    assert len({make_blocks(static, 4, seed=seed)[0] for seed in range(8)}) > 1
    assert make_blocks(static, 4, seed=1) == make_blocks(static, 4, seed=1)


points = st.lists(st.tuples(*[st.sampled_from([-1.0, 0.0, 0.5, 1.0])] * 3), min_size=1, max_size=12)


@given(rows=points, data=st.data())
@settings(max_examples=60)
@pytest.mark.filterwarnings("ignore")
def test_medoids_are_as_many_rows_as_asked_for(rows: list[tuple[float, ...]], data: st.DataObject) -> None:
    """Also where rows repeat, so that k-means finds fewer clusters than asked for."""
    array: NDArray[np.float32] = np.array(rows, dtype=np.float32)
    count = data.draw(st.integers(1, len(rows)))
    chosen = medoid_indices(array, count, seed=0)
    assert chosen == sorted(set(chosen))
    assert len(chosen) == count
    assert 0 <= chosen[0] <= chosen[-1] < len(rows)
    assert chosen == medoid_indices(array, count, seed=0)


def test_medoids_are_one_of_each_cluster() -> None:
    generator = np.random.default_rng(0)
    centres = np.array([[10, 0], [0, 10], [-10, 0], [0, -10]])
    rows = (centres.repeat(5, axis=0) + generator.normal(0, 0.1, (20, 2))).astype(np.float32)
    assert [index // 5 for index in medoid_indices(rows, 4, seed=0)] == [0, 1, 2, 3]


def covered(similarity: NDArray[np.float32], chosen: tuple[int, ...]) -> float:
    return float(similarity[list(chosen)].max(axis=0).sum())


@given(st.integers(2, 8), st.integers(1, 4), st.integers(0, 1000))
@settings(max_examples=60)
def test_greedy_cover_against_brute_force(size: int, count: int, seed: int) -> None:
    """Every step gains most, and the whole is within 1 - 1/e of the best subset (gains counted from similarity -1)."""
    count = min(count, size)
    rows = np.random.default_rng(seed).normal(size=(size, 3)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    similarity = rows @ rows.T
    chosen = covering_indices(rows, count)
    assert chosen == sorted(set(chosen))
    assert len(chosen) == count
    best = max(covered(similarity, subset) for subset in itertools.combinations(range(size), count))
    assert covered(similarity, tuple(chosen)) + size >= (1 - 1 / np.e) * (best + size) - 1e-4
    greedy: tuple[int, ...] = ()
    for _ in range(count):
        left = [index for index in range(size) if index not in greedy]
        greedy += (max(left, key=lambda index: covered(similarity, (*greedy, index))),)
    assert covered(similarity, tuple(chosen)) == pytest.approx(covered(similarity, greedy), abs=1e-4)


def test_equal_rows_are_covered_by_different_rows() -> None:
    rows = np.ones((5, 1), dtype=np.float32)
    assert covering_indices(rows, 3) == [0, 1, 2]
