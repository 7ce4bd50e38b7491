"""Similar tasks are linked, and insights live by the votes of the tasks around those that support them."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

PLAIN = {"EVERY": 1, "HITS": 1}


def write(module: ModuleType, base: Any, task: str, outcome: str = "success", insights: tuple[str, ...] = ()) -> None:
    item = module.KnowledgeItem(task="not this", key_steps=["not this"], insights=list(insights))
    base.write(item, f"Task: {task}.\n> do {task}\nDone.\nOutcome: {outcome}")


def test_a_task_linked_to_a_hit_is_read_with_it(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    tasks = ["heat an egg in the microwave", "paint the garden gate", "heat an apple in the microwave"]
    for cosine, linked in ((0.6, True), (0.95, False)):
        module = seed("zoo/g_memory", **PLAIN, LINK_COSINE=cosine)
        base = module.KnowledgeBase(new_toolkit())
        for task in tasks:
            write(module, base, task, "failure" if "apple" in task else "success")
        found = base.read(module.Query("Task: heat an egg in the oven."))
        assert "Task: heat an egg in the microwave (success)\n> do heat an egg in the microwave\n" in found
        assert ("Task: heat an apple in the microwave (failure)" in found) is linked
        assert "paint" not in found


def test_failures_of_similar_tasks_vote_an_insight_out(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/g_memory", **PLAIN)
    for task, outcome, kept in (
        ("heat a big egg", "success", True),
        ("heat a big egg", "failure", False),
        ("paint the garden gate", "failure", True),
    ):
        base = module.KnowledgeBase(new_toolkit())
        write(module, base, "heat an egg", insights=("Look into the fridge first.",))
        write(module, base, task, outcome)
        assert ("- Look into the fridge first." in base.read(module.Query("heat an egg"))) is kept, (task, outcome)


def test_insights_come_in_order_of_the_related_tasks_that_share_them(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    module = seed("zoo/g_memory", **PLAIN)
    base = module.KnowledgeBase(new_toolkit())
    write(module, base, "heat an egg", insights=("Boil water for eggs.", "Look into the fridge first."))
    write(module, base, "heat a big egg", insights=("Look into the fridge first!",))
    write(module, base, "paint the garden gate", insights=("Brushes need cleaning.",))
    found = base.read(module.Query("heat an egg")).splitlines()
    assert found[:2] == ["- Look into the fridge first.", "- Boil water for eggs."]
    assert "- Brushes need cleaning." not in found


def test_the_model_revises_the_insights_every_few_tasks(toolkit_module: ModuleType, seed: Callable[..., ModuleType]):
    prompts: list[str] = []

    def answer(messages: list[dict[str, str]], options: dict[str, Any]) -> str:
        prompts.append(messages[0]["content"])
        first = [{"op": "ADD", "text": "Mind the heat."}, {"op": "ADD", "text": "Hurry."}, {"op": "REMOVE", "id": 9}]
        second = [{"op": "EDIT", "id": 0, "text": "Mind the heat and the lid."}, {"op": "REMOVE", "id": 1}, "junk"]
        return json.dumps(first if len(prompts) == 1 else second)

    module = seed("zoo/g_memory", EVERY=2, HITS=2)
    base = module.KnowledgeBase(toolkit_module.Toolkit(call_llm=answer, log=lambda message: None))
    for number in range(5):
        write(module, base, f"heat egg number {number}", insights=("not this",))
    assert len(prompts) == 2
    assert "1. Hurry." in prompts[1]
    assert "> do heat egg number 3" in prompts[1]
    found = base.read(module.Query("heat egg"))
    assert found.startswith("- Mind the heat and the lid.\n")
    assert "Hurry" not in found


@pytest.mark.parametrize("reply", ["", "No.", "[{]", '{"op": "ADD"}'])
def test_a_broken_reply_leaves_the_task_agents_insights(
    reply: str, toolkit_module: ModuleType, seed: Callable[..., ModuleType]
):
    module = seed("zoo/g_memory", **PLAIN)
    toolkit = toolkit_module.Toolkit(call_llm=lambda messages, options: reply, log=lambda message: None)
    base = module.KnowledgeBase(toolkit)
    write(module, base, "heat an egg", insights=("Mind the heat.",))
    assert base.read(module.Query("heat an egg")).startswith("- Mind the heat.\n")
