"""RAPTOR: similar lines are grouped, summaries of groups join the tree, and any height can be read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

DOGS = tuple(f"Anna: My dog Rex chased the {thing} and barked." for thing in ("cat", "postman", "ball", "bird", "fox"))
PUMPS = tuple(f"Tom: The pump valve {n} leaked oil onto the engine." for n in ("A", "B", "C", "D", "E"))
MIXED = [line for pair in zip(DOGS, PUMPS, strict=True) for line in pair]


def _written(module: ModuleType, toolkit: Any) -> Any:
    base = module.KnowledgeBase(toolkit)
    for line in MIXED:
        base.write(module.KnowledgeItem(), line)
    return base


def _topics(text: str) -> int:
    return ("Rex" in text) + ("pump" in text)


def test_lines_of_a_kind_are_grouped_and_summaries_are_grouped_again(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    base = _written(seed("zoo/raptor", WAITING=10, SOFTNESS=0.0), new_toolkit())
    groups = [[base.passages[i] for i in parts] for parts in base.parts if parts]
    assert sorted(len(group) for group in groups) == [5, 5]
    assert all(_topics(" ".join(group)) == 1 for group in groups)
    extracts = [text for text in base.passages if text.startswith("Summary: ")]
    assert all(_topics(extract) == 1 for extract in extracts)

    deep = _written(seed("zoo/raptor", WAITING=4, GROUP=2, SOFTNESS=0.15), new_toolkit())
    assert any(deep.parts[part] for parts in deep.parts for part in parts)


def test_soft_groups_share_members(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    base = _written(seed("zoo/raptor", WAITING=10, SOFTNESS=1.0), new_toolkit())
    assert [len(parts) for parts in base.parts if parts] == [10, 10]


def test_summary_of_the_model_is_read_where_no_line_has_the_words(
    seed: Callable[..., ModuleType], toolkit_module: ModuleType
):
    def summarise(messages: list[dict[str, Any]], options: dict[str, Any]) -> str:
        groups = re.split(r"Group \d+:\n", messages[0]["content"])[1:]
        assert [_topics(group) for group in groups] == [1, 1]
        texts = ["Animal companionship." if "Rex" in group else "Industrial maintenance." for group in groups]
        return "Here you are:\n" + json.dumps({"summaries": texts})

    module = seed("zoo/raptor", WAITING=10, SOFTNESS=0.0)
    base = _written(module, toolkit_module.Toolkit(call_llm=summarise, log=lambda message: None))
    assert base.read(module.Query("animal companionship")).startswith("Summary: Animal companionship.")
    assert base.read(module.Query("Which valve leaked oil?")).startswith("Tom: The pump valve")


@pytest.mark.parametrize("reply", ["", "{", '{"summaries": 3}', '{"summaries": [null, ""]}', "[1]"])
def test_broken_reply_leaves_extracts(seed: Callable[..., ModuleType], toolkit_module: ModuleType, reply: str):
    toolkit = toolkit_module.Toolkit(call_llm=lambda messages, options: reply, log=lambda message: None)
    base = _written(seed("zoo/raptor", WAITING=10, SOFTNESS=0.0), toolkit)
    extracts = [text for text in base.passages if text.startswith("Summary: ")]
    assert len(extracts) == 2
    assert all(_topics(extract) == 1 for extract in extracts)
