"""MemoryBank: turns fade with the days unless they are recalled; summaries, history and portrait stay."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

VIOLIN, KILN = "Anna: I bought an old violin in Cremona.", "Tom: The pottery kiln cracked last night."


def _base(module: ModuleType, toolkit: Any, *days: tuple[str, str]) -> Any:
    base = module.KnowledgeBase(toolkit)
    for date, text in days:
        base.write(module.KnowledgeItem("", {}, date), text)
    return base


def test_turn_that_is_not_recalled_is_forgotten(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    days = [
        ("1 May, 2023", f"{VIOLIN}\n{KILN}"),
        ("11 May, 2023", "Anna: I bought an old violin in Cremona, remember?"),
        ("2 June, 2023", "Anna: It rains."),
    ]
    module = seed("zoo/memory_bank")
    assert "kiln" in _base(module, new_toolkit(), *days[:2]).read(module.Query("the pottery kiln"))
    read = _base(module, new_toolkit(), *days).read(module.Query("the pottery kiln, the old violin"))
    assert "kiln" not in read
    assert f"[1 May, 2023] {VIOLIN}" in read
    module = seed("zoo/memory_bank", FORGET_BELOW=0.0)
    assert "kiln" in _base(module, new_toolkit(), *days).read(module.Query("the pottery kiln"))


def test_each_recall_makes_a_turn_last_longer(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/memory_bank")
    last = ("29 May, 2023", "Tom: Fog.")  # 27 days: exp(-27 / 5) < 0.05 < exp(-27 / 15)
    once = _base(module, new_toolkit(), ("2 May, 2023", VIOLIN), last)
    often = _base(module, new_toolkit(), ("2 May, 2023", VIOLIN), ("2 May, 2023", f"{VIOLIN}\n{VIOLIN}"), last)
    assert VIOLIN not in once.read(module.Query("violin"))
    assert often.read(module.Query("violin")).count(VIOLIN) == 1


def test_summaries_and_newest_impressions_stay_without_a_model(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    module = seed("zoo/memory_bank")
    base = module.KnowledgeBase(new_toolkit())
    base.write(module.KnowledgeItem("Anna bought a violin. It is old.", {"Anna": "timid"}, "1 May, 2022"), VIOLIN)
    base.write(module.KnowledgeItem("Tom mended the kiln.", {"Anna": "bold"}, "1 May, 2023"), KILN)
    lines = base.read(module.Query("What did Anna buy?")).splitlines()
    assert lines[:2] == ["Portrait: Anna: bold", "History: Tom mended the kiln. Anna bought a violin."]
    assert "Day [1 May, 2022] Anna bought a violin. It is old." in lines
    assert not any(VIOLIN in line for line in lines)


def test_model_rewrites_history_and_portrait(seed: Callable[..., ModuleType], toolkit_module: ModuleType):
    prompts = []

    def rewrite(messages: list[dict[str, Any]], options: dict[str, Any]) -> str:
        prompts.append(messages[0]["content"])
        return '```json\n{"history": "A year of\\nmusic.", "portrait": "Anna is a collector."}\n```'

    module = seed("zoo/memory_bank")
    base = module.KnowledgeBase(toolkit_module.Toolkit(call_llm=rewrite, log=lambda message: None))
    for date in ("1 May, 2023", "2 May, 2023"):
        base.write(module.KnowledgeItem("Anna bought a violin.", {"Anna": "proud"}, date), VIOLIN)
    read = base.read(module.Query("violin"))
    assert read.startswith("Portrait: Anna is a collector.\nHistory: A year of music.\n")
    assert "History so far: A year of music." in prompts[1]
    assert "Today: Day [2 May, 2023] Anna bought a violin." in prompts[1]
    assert "Today's impressions: Anna: proud" in prompts[1]


@pytest.mark.parametrize("reply", ["", "{", '{"history": "x"}', '{"history": 1, "portrait": []}', "[]"])
def test_broken_reply_leaves_extracts(seed: Callable[..., ModuleType], toolkit_module: ModuleType, reply: str):
    module = seed("zoo/memory_bank")
    toolkit = toolkit_module.Toolkit(call_llm=lambda messages, options: reply, log=lambda message: None)
    base = module.KnowledgeBase(toolkit)
    base.write(module.KnowledgeItem("Anna bought a violin.", {"Anna": "proud"}, "1 May, 2023"), VIOLIN)
    assert base.read(module.Query("violin")).startswith("Portrait: Anna: proud\nHistory: Anna bought a violin.\n")
