"""`memory_t1` searches only the sessions of the time that the question names."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from types import ModuleType
from typing import Any

import pytest

SESSIONS = {
    "9 am on 8 May, 2023": "Anna: I went hiking in the hills.\nTom: I cooked.",
    "9 am on 2 August, 2023": "Anna: I went hiking along the river.",
    "2024/03/05 (Tue) 10:00": "Anna: I went sailing.",
}
ALL = {"hills", "river", "sailing"}


def write(module: ModuleType, toolkit: Any) -> Any:
    base = module.KnowledgeBase(toolkit)
    for day, text in SESSIONS.items():
        base.write(module.KnowledgeItem(date=day), f"Date: {day}\n{text}")
    return base


@pytest.mark.parametrize(
    ("question", "dates", "read"),
    [
        ("Where did Anna go hiking at the end of July?", ["30 July 2023"], {"river"}),
        ("Where did Anna go hiking in May?", [], {"hills"}),
        ("What did Anna do in 2023?", [], {"hills", "river"}),
        ("What did Anna do on 2024-03-01?", [], {"sailing"}),
        ("Where did Anna go hiking?", [], ALL),
        ("Where did Anna go hiking in 1999?", [], ALL),
        ("Did Mary, the mayor, decide that Anna may go hiking?", [], ALL),
    ],
)
def test_dates_narrow_what_is_searched(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any], question: str, dates: list[str], read: set[str]
):
    module = seed("zoo/memory_t1")
    found = write(module, new_toolkit()).read(module.Query(text=question, dates=dates))
    assert {place for place in ALL if place in found} == read


def test_relevance_decides_among_what_the_dates_leave(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/memory_t1", CANDIDATES=1)
    base = write(module, new_toolkit())
    assert "sailing" in base.read(module.Query(text="When did Anna go sailing?"))
    assert base.read(module.Query(text="Where was the river in 2023?")) == (
        "[9 am on 2 August, 2023] Anna: I went hiking along the river."
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("8 May, 2023", [(date(2023, 5, 8), date(2023, 5, 8))]),
        ("May 8th, 2023", [(date(2023, 5, 8), date(2023, 5, 8))]),
        ("February 2024", [(date(2024, 2, 1), date(2024, 2, 29))]),
        ("Dec 2023", [(date(2023, 12, 1), date(2023, 12, 31))]),
        ("in 2023", [(date(2023, 1, 1), date(2023, 12, 31))]),
        ("September", [(date(2022, 9, 1), date(2022, 9, 30)), (date(2023, 9, 1), date(2023, 9, 30))]),
        ("31 February 2023", []),
        ("Augusta and Junior", []),
    ],
)
def test_dates_are_read_as_spans(seed: Callable[..., ModuleType], text: str, found: list[tuple[date, date]]):
    assert list(seed("zoo/memory_t1").spans(text, [2022, 2023])) == found


def test_the_call_picks_among_the_candidates(seed: Callable[..., ModuleType], toolkit_module: ModuleType):
    def pick(messages: list[dict[str, Any]], options: dict[str, Any]) -> str:
        assert "0. [9 am on 8 May, 2023] Anna: I went hiking" in messages[0]["content"]
        assert "sailing" not in messages[0]["content"]
        return "Session 1: [1, 2]"

    module = seed("zoo/memory_t1")
    base = write(module, toolkit_module.Toolkit(call_llm=pick, log=print))
    found = base.read(module.Query(text="Where did Anna go hiking in 2023?"))
    assert found == "[9 am on 2 August, 2023] Anna: I went hiking along the river."


@pytest.mark.parametrize("reply", ["", "none", "[[1]]", '["1"]', "[99]", "[1"])
def test_broken_reply_keeps_all_candidates(seed: Callable[..., ModuleType], toolkit_module: ModuleType, reply: str):
    module = seed("zoo/memory_t1")
    base = write(module, toolkit_module.Toolkit(call_llm=lambda messages, options: reply, log=print))
    found = base.read(module.Query(text="Where did Anna go hiking in 2023?"))
    assert {place for place in ALL if place in found} == {"hills", "river"}
