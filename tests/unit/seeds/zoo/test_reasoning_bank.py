"""Successes and failures are distilled each in their way, and found by the task they came from."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest


def test_items_are_found_by_their_task_and_say_how_it_ended(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    module = seed("zoo/reasoning_bank", TASKS=1)
    base = module.KnowledgeBase(new_toolkit())
    base.write(module.KnowledgeItem("", ["Book a table early."]), "Task: cook pasta.\nOutcome: failure")
    base.write(module.KnowledgeItem("reserving a table", ["Water needs salt."]), "Ann: We ate there.")
    found = base.read(module.Query("reserving a table in a restaurant"))
    assert found == "From a success: reserving a table\n- Water needs salt."
    found = base.read(module.Query("Task: cook pasta with tomatoes. The kitchen has a table."))
    assert found == "From a failure, to be avoided: cook pasta\n- Book a table early."


def test_the_model_is_asked_according_to_the_outcome_and_judges_where_there_is_none(
    toolkit_module: ModuleType, seed: Callable[..., ModuleType]
):
    prompts: list[str] = []

    def answer(messages: list[dict[str, str]], options: dict[str, Any]) -> str:
        prompts.append(messages[0]["content"])
        items = [{"title": "Check first", "description": "when unsure", "content": f"Look, {len(prompts)}."}, "junk"]
        return json.dumps({"success": False, "items": items})

    module = seed("zoo/reasoning_bank", TASKS=3)
    base = module.KnowledgeBase(toolkit_module.Toolkit(call_llm=answer, log=lambda message: None))
    for text in ("Task: sail.\nOutcome: success", "Task: sail.\nOutcome: failure", "Task: sail.\nWe sailed."):
        base.write(module.KnowledgeItem("", ["not this"]), text)
    assert [[word in prompt for word in ("it worked", "went wrong", "Judge first")] for prompt in prompts] == [
        [True, False, False],
        [False, True, False],
        [True, True, True],
    ]
    assert base.read(module.Query("sail")).splitlines() == [
        "From a success: sail",
        "- Check first - when unsure - Look, 1.",
        "From a failure, to be avoided: sail",
        "- Check first - when unsure - Look, 2.",
        "From a failure, to be avoided: sail",
        "- Check first - when unsure - Look, 3.",
    ]


@pytest.mark.parametrize("reply", ["", "No.", "{", '{"items": 3}', "[]", '{"items": [1, {"title": "x"}]}'])
def test_a_broken_reply_leaves_the_task_agents_lessons(
    reply: str, toolkit_module: ModuleType, seed: Callable[..., ModuleType]
):
    module = seed("zoo/reasoning_bank")
    toolkit = toolkit_module.Toolkit(call_llm=lambda messages, options: reply, log=lambda message: None)
    base = module.KnowledgeBase(toolkit)
    base.write(module.KnowledgeItem("sailing", ["Mind the boom."]), "Ann: Ouch.")
    assert base.read(module.Query("sailing")) == "From a success: sailing\n- Mind the boom."
