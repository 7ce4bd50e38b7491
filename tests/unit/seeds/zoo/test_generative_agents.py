"""Generative Agents: recency, importance and relevance each decide between lines that are otherwise equal; insights."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

QUIET: dict[str, object] = {"REFLECT_AT": 1000}


def _base(module: ModuleType, toolkit: Any, *episodes: tuple[str, str, list[str]]) -> Any:
    base = module.KnowledgeBase(toolkit)
    for date, text, important in episodes:
        base.write(module.KnowledgeItem(important, date), text)
    return base


def test_what_was_called_to_mind_lately_comes_first(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    episodes = [
        ("1 May, 2023", "Tom: The violin is old.", []),
        ("2 May, 2023", "Tom: The trumpet is new.", []),
        ("9 May, 2023", "Tom: That old violin is the old violin.", []),
    ]
    module = seed("zoo/generative_agents", **QUIET, RELEVANCE=0.5, IMPORTANCE=0.0)
    base = _base(module, new_toolkit(), *episodes)
    assert base.accessed == [base.today, base.today - 7, base.today]
    lines = base.read(module.Query("bread")).splitlines()
    assert "trumpet" in lines[-1]
    module = seed("zoo/generative_agents", **QUIET, RECENCY=0.0, IMPORTANCE=0.0)
    assert "trumpet" in _base(module, new_toolkit(), *episodes).read(module.Query("a new trumpet")).splitlines()[0]


def test_episodes_without_dates_are_a_day_apart(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/generative_agents", **QUIET)
    base = _base(module, new_toolkit(), ("", "Bread.", []), ("", "Trumpets.", []))
    assert base.today - base.accessed[0] == 1


def test_what_the_agent_called_important_comes_first(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    text = "Tom: The bus was late.\nTom: My father died.\nTom: It rained."
    for weight, expected in ((0.0, "bus was late"), (3.0, "father died")):
        module = seed("zoo/generative_agents", **QUIET, IMPORTANCE=weight, RELEVANCE=0.5)
        base = _base(module, new_toolkit(), ("1 May, 2023", text, ["My father died."]))
        assert expected in base.read(module.Query("Was the bus late?")).splitlines()[0]


def test_enough_importance_sets_off_insights_without_a_model(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    text = "\n".join(f"Tom: The greenhouse lost pane number {n}." for n in range(10))
    important = ["The greenhouse lost pane number 7."]
    for bound, expected in ((50, 1), (1000, 0)):
        module = seed("zoo/generative_agents", REFLECT_AT=bound)
        base = _base(module, new_toolkit(), ("1 May, 2023", text, important), ("2 May, 2023", "Anna: Hm.", []))
        insights = [line for line in base.passages if line.startswith("Insight: greenhouse: ")]
        assert len(insights) == expected
        assert all("pane number 7" in line for line in insights)
    assert base.unreflected > 50


def test_insights_of_the_model_are_read_and_call_their_grounds_to_mind(
    seed: Callable[..., ModuleType], toolkit_module: ModuleType
):
    calls = []

    def reflect(messages: list[dict[str, Any]], options: dict[str, Any]) -> str:
        calls.append(messages[0]["content"])
        assert calls[-1].startswith("0. [1 May, 2023] Tom: The trumpet is new.\n1. [")
        entries = [{"text": "Klaus loves research.", "because": [0, 77, "x"]}, {"text": " ", "because": []}]
        return f"Insights: {json.dumps({'insights': entries})}"

    module = seed("zoo/generative_agents", REFLECT_AT=50)
    toolkit = toolkit_module.Toolkit(call_llm=reflect, log=lambda message: None)
    library = "\n".join(f"Anna: Page {n} of his thesis lies in the library." for n in range(40))
    base = _base(module, toolkit, ("1 May, 2023", "Tom: The trumpet is new.", []), ("9 May, 2023", library, [library]))
    assert len(calls) == 1
    assert base.accessed[0] == base.today
    assert base.read(module.Query("Does Klaus love research?")).startswith("Insight: Klaus loves research.")


@pytest.mark.parametrize("reply", ["", "{", '{"insights": 3}', '{"insights": [{"text": 1}]}', '{"insights": ["x"]}'])
def test_broken_reply_leaves_extracts(seed: Callable[..., ModuleType], toolkit_module: ModuleType, reply: str):
    module = seed("zoo/generative_agents", REFLECT_AT=50)
    toolkit = toolkit_module.Toolkit(call_llm=lambda messages, options: reply, log=lambda message: None)
    text = "\n".join(f"Tom: The greenhouse lost pane number {n}." for n in range(10))
    base = _base(module, toolkit, ("1 May, 2023", text, ["The greenhouse lost pane number 7."]))
    assert any(line.startswith("Insight: greenhouse: ") for line in base.passages)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1:56 pm on 8 May, 2023", "2023-05-08"),
        ("May 8, 2023", "2023-05-08"),
        ("31st December 2022", "2022-12-31"),
        ("2023/05/20 (Sat) 02:21", "2023-05-20"),
        ("31 February 2023", ""),
        ("next week", ""),
    ],
)
def test_dates_are_counted_in_days(seed: Callable[..., ModuleType], text: str, expected: str):
    import datetime

    day = seed("zoo/generative_agents").day_of(text)
    assert (datetime.date.fromordinal(day).isoformat() if day else "") == expected
