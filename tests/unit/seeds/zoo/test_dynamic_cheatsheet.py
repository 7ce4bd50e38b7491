"""One sheet: repeats are counted, the curator rewrites all of it, and what is used least is lost."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest


def test_a_fact_told_again_is_counted_and_outlives_newer_ones(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    module = seed("zoo/dynamic_cheatsheet", SHEET_CHARS=100, READ_ORDER="count")
    base = module.KnowledgeBase(new_toolkit())
    facts = ["Rex is a dog.", "Lighthouses are painted white.", "Rex is a dog!", "Violins need new strings."]
    for fact in [*facts, "The seal of the pump failed in winter."]:
        base.write(module.KnowledgeItem([fact]), fact)
    assert base.read(module.Query("strings")).splitlines() == [
        "- Rex is a dog. (count 2)",
        "- Violins need new strings. (count 1)",
        "- The seal of the pump failed in winter. (count 1)",
    ]


def test_the_entries_closest_to_the_question_come_first(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    module = seed("zoo/dynamic_cheatsheet")
    base = module.KnowledgeBase(new_toolkit())
    base.write(module.KnowledgeItem(["Rex is a dog.", "Violins need new strings."]), "text")
    assert base.read(module.Query("Which strings for a violin?")).startswith("- Violins")


def test_what_the_curator_does_not_copy_is_lost(toolkit_module: ModuleType, seed: Callable[..., ModuleType]):
    prompts: list[str] = []

    def answer(messages: list[dict[str, str]], options: dict[str, Any]) -> str:
        prompts.append(messages[0]["content"])
        first = "<memory_item>\nTea: boil water\n</memory_item>\n** Count: 1\n<memory_item>Salt</memory_item> Count: 2"
        return (
            first
            if len(prompts) == 1
            else "Sure.\n<memory_item>\nTea: boil the water well\n</memory_item>\n** Count: 2"
        )

    module = seed("zoo/dynamic_cheatsheet")
    base = module.KnowledgeBase(toolkit_module.Toolkit(call_llm=answer, log=lambda message: None))
    base.write(module.KnowledgeItem(["not this"]), "How to make tea")
    assert base.read(module.Query("tea")) == "- Tea: boil water (count 1)\n- Salt (count 2)"
    base.write(module.KnowledgeItem(["not this"]), "More on tea")
    assert "Tea: boil water\n</memory_item>\n** Count: 1" in prompts[1]
    assert base.read(module.Query("tea")) == "- Tea: boil the water well (count 2)"


@pytest.mark.parametrize("reply", ["", "Nothing to add.", "<memory_item>", "<memory_item>  </memory_item>"])
def test_a_broken_reply_loses_nothing(reply: str, toolkit_module: ModuleType, seed: Callable[..., ModuleType]):
    module = seed("zoo/dynamic_cheatsheet")
    toolkit = toolkit_module.Toolkit(call_llm=lambda messages, options: reply, log=lambda message: None)
    base = module.KnowledgeBase(toolkit)
    base.write(module.KnowledgeItem(["Rex is a dog."]), "text")
    base.write(module.KnowledgeItem([]), "text")
    assert base.read(module.Query("dog")) == "- Rex is a dog. (count 1)"
