"""What all tasks share: the split, the final check, the digest, the date line."""

from __future__ import annotations

import dataclasses
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolve.errors import DataError
from evolve.tasks.base import date_line, hold_out, make_task
from evolve.types import Episode, Evidence, Query, Task

EPISODES = (Episode("e1", "s", "Ann: I like tea.\nBo: Why?"), Episode("e2", "s", "Ann: I like coffee now."))
QUERIES = (
    Query("q1", "s", "What did Ann like?", "tea", (Evidence("e1", "I like tea."),), "recall"),
    Query("q2", "s", "What does Ann like?", "coffee", (Evidence("e2", "I like coffee now."),)),
)


def task(
    episodes: tuple[Episode, ...] = EPISODES,
    queries: tuple[Query, ...] = QUERIES,
    held_out: frozenset[str] = frozenset({"q2"}),
) -> Task:
    return make_task("small", options={"seed": 0}, episodes=episodes, queries=queries, held_out=held_out)


def asked(scopes: list[int]) -> list[Query]:
    return [Query(f"q{n}", f"s{scope}", f"Question {n}?", "yes") for n, scope in enumerate(scopes)]


@given(st.lists(st.integers(0, 9), min_size=2, max_size=60), st.floats(0.05, 0.95), st.integers(0, 5))
def test_both_sides_of_a_split_have_queries_and_scopes_stay_whole(scopes: list[int], share: float, seed: int) -> None:
    queries = asked(scopes)
    held_out = hold_out(queries, share=share, seed=seed)
    assert 0 < len(held_out) < len(queries)
    assert hold_out(queries[::-1], share=share, seed=seed) == held_out
    if len(set(scopes)) >= 4:
        tested = {query.scope for query in queries if query.id in held_out}
        assert not tested & {query.scope for query in queries if query.id not in held_out}


def test_the_split_follows_the_share_and_the_seed() -> None:
    queries = asked([0] * 100)
    assert len(hold_out(queries, share=0.3)) == 30
    assert hold_out(queries, seed=1) != hold_out(queries, seed=2)


def test_the_split_follows_the_content() -> None:
    queries = asked([0] * 40)
    reworded = [dataclasses.replace(query, text=query.text.upper()) for query in queries]
    assert hold_out(queries) != hold_out(reworded)


def test_equal_parts_make_equal_digests() -> None:
    assert task() == task()
    assert len(task().digest) == 64
    assert task().options == {"seed": 0}


def test_the_digest_covers_every_part() -> None:
    other_text = (EPISODES[0], dataclasses.replace(EPISODES[1], text=EPISODES[1].text + "!"))
    other_answer = (QUERIES[0], dataclasses.replace(QUERIES[1], answer="Coffee"))
    other_category = (dataclasses.replace(QUERIES[0], category=""), QUERIES[1])
    less_evidence = (dataclasses.replace(QUERIES[0], evidence=()), QUERIES[1])
    variants = [
        task(),
        task(episodes=other_text),
        task(episodes=EPISODES[::-1]),
        task(queries=other_answer),
        task(queries=other_category),
        task(queries=less_evidence),
        task(held_out=frozenset({"q1"})),
        make_task("big", options={"seed": 0}, episodes=EPISODES, queries=QUERIES, held_out=frozenset({"q2"})),
        make_task("small", options={"seed": 1}, episodes=EPISODES, queries=QUERIES, held_out=frozenset({"q2"})),
    ]
    assert len({variant.digest for variant in variants}) == len(variants)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"episodes": (*EPISODES, EPISODES[0])}, "the episode id 'e1' is used twice"),
        ({"queries": (*QUERIES, QUERIES[1])}, "the query id 'q2' is used twice"),
        ({"queries": (*QUERIES, Query("q3", "t", "Who?", "x"))}, "its scope 't' has no episode"),
        ({"queries": (*QUERIES, Query("q3", "s", "?", "x", (Evidence("e2", "tea"),)))}, "not verbatim in episode 'e2'"),
        ({"queries": (*QUERIES, Query("q3", "s", "?", "x", (Evidence("e9", "tea"),)))}, "not verbatim in episode 'e9'"),
        ({"held_out": frozenset()}, "0 of 2 queries"),
        ({"held_out": frozenset({"q1", "q2"})}, "2 of 2 queries"),
        ({"held_out": frozenset({"q9"})}, "1 of 2 queries"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        task(**change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("moment", "line"),
    [
        (datetime(2023, 5, 8, 13, 56), "Date: 1:56 pm on 8 May, 2023"),
        (datetime(2024, 12, 31, 0, 5), "Date: 12:05 am on 31 December, 2024"),
        (datetime(2024, 1, 1, 12, 0), "Date: 12:00 pm on 1 January, 2024"),
    ],
)
def test_dates_read_as_in_locomo(moment: datetime, line: str) -> None:
    assert date_line(moment) == line
