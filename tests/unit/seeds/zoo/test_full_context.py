"""Full context: the newest lines that fit are read, whatever the question."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any


def _read(module: ModuleType, toolkit: Any, question: str) -> str:
    base = module.KnowledgeBase(toolkit)
    for day in range(1, 101):
        base.write(
            module.KnowledgeItem(f"day {day}"), f"Date: day {day}\nAnna: I counted {day} boats today.\nTom: Fine."
        )
    return base.read(module.Query(question))


def test_reads_the_tail_that_fits_in_order_and_ignores_the_question(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    read = _read(seed("zoo/full_context"), new_toolkit(), "Who counted 3 boats?")
    assert 2900 < len(read) <= 3000
    assert read.endswith(
        "[day 99]\nAnna: I counted 99 boats today.\nTom: Fine.\n[day 100]\nAnna: I counted 100 boats today.\nTom: Fine."
    )
    assert "counted 3 boats" not in read
    assert _read(seed("zoo/full_context"), new_toolkit(), "") == read


def test_newest_first_and_shortened_lines_reach_farther_back(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    module = seed("zoo/full_context", ORDER="newest", LINE_CHARS=16)
    read = _read(module, new_toolkit(), "")
    assert read.startswith("[day 100]\nTom: Fine.\nAnna: I counted \n[day 99]")
    assert read.count("[day") > _read(seed("zoo/full_context"), new_toolkit(), "").count("[day")


def test_line_longer_than_the_room_is_cut_not_left_out(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/full_context")
    base = module.KnowledgeBase(new_toolkit())
    base.write(module.KnowledgeItem("d" * 90), "start " + "x" * 10_000)
    read = base.read(module.Query(""))
    assert "start xxx" in read
    assert len(read) <= 3000
