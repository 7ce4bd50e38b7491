"""Workflows are induced from successes only, with placeholders, and equal ones are one."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest


def clean(thing: str, place: str, outcome: str = "success in 6 steps") -> str:
    return (
        f"Task: put a clean {thing} in coffeemachine.\nKind: pick_clean_then_place\nYou are in a room.\n"
        f"> go to drawer 7\nYou see nothing.\n> go to {place} 2\nYou see a {thing} 1.\n"
        f"> take {thing} 1 from {place} 2\nYou pick it up.\n> clean {thing} 1 with sinkbasin 1\nDone.\n"
        f"> move {thing} 1 to coffeemachine 1\nDone.\nOutcome: {outcome}"
    )


def test_commands_become_one_workflow_with_placeholders_and_examples(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    module = seed("zoo/agent_workflow_memory", WORKFLOWS=1)
    base = module.KnowledgeBase(new_toolkit())
    other = (
        "Task: read a book.\n> take book 1 from bed 1\n> examine book 1 with desklamp 1\nOutcome: success in 2 steps"
    )
    for text in (clean("mug", "desk"), other, clean("cup", "shelf"), clean("pan", "stoveburner", "failure")):
        base.write(module.KnowledgeItem(task="", steps=[]), text)
    assert base.read(module.Query("Task: put a clean cup in fridge.")).splitlines() == [
        "put a clean cup in coffeemachine (2 uses)",
        "1. go to {1} (go to shelf 2; go to desk 2)",
        "2. take {2} from {1} (take cup 1 from shelf 2; take mug 1 from desk 2)",
        "3. clean {2} with {3} (clean cup 1 with sinkbasin 1; clean mug 1 with sinkbasin 1)",
        "4. move {2} to {4} (move cup 1 to coffeemachine 1; move mug 1 to coffeemachine 1)",
    ]


def test_steps_of_a_talk_lose_their_names_and_numbers(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/agent_workflow_memory", EXAMPLES=0)
    base = module.KnowledgeBase(new_toolkit())
    steps = ["Ann: I asked for Rex twice.", "They gave 30 euros to Rex."]
    base.write(module.KnowledgeItem(task="getting a dog", steps=steps), "Ann: I asked for Rex twice.")
    found = base.read(module.Query("dog"))
    assert found == "getting a dog\n1. {1}: I asked for {2} twice.\n2. They gave {3} euros to {2}."


def test_the_model_induces_with_existing_workflows_in_view(toolkit_module: ModuleType, seed: Callable[..., ModuleType]):
    prompts: list[str] = []

    def answer(messages: list[dict[str, str]], options: dict[str, Any]) -> str:
        prompts.append(messages[0]["content"])
        one = {"description": f"clean a thing, form {len(prompts)}", "steps": ["take {thing}", "clean {thing}"]}
        return f"Here it is: {json.dumps([one, {'description': 'too short', 'steps': ['take {thing}']}])}."

    module = seed("zoo/agent_workflow_memory")
    base = module.KnowledgeBase(toolkit_module.Toolkit(call_llm=answer, log=lambda message: None))
    base.write(module.KnowledgeItem(task="", steps=[]), clean("mug", "desk"))
    base.write(module.KnowledgeItem(task="", steps=[]), clean("cup", "shelf"))
    assert "clean a thing, form 1" not in prompts[0]
    assert "clean a thing, form 1" in prompts[1]
    found = base.read(module.Query("clean something"))
    assert found.splitlines()[1:] == ["1. take {thing}", "2. clean {thing}"]
    assert "(2 uses)" in found


@pytest.mark.parametrize("reply", ["", "I cannot.", "[{]", '[1, null, "x"]', '[{"description": 1, "steps": {}}]'])
def test_a_broken_reply_leaves_the_rule(reply: str, toolkit_module: ModuleType, seed: Callable[..., ModuleType]):
    module = seed("zoo/agent_workflow_memory")
    toolkit = toolkit_module.Toolkit(call_llm=lambda messages, options: reply, log=lambda message: None)
    base = module.KnowledgeBase(toolkit)
    base.write(module.KnowledgeItem(task="", steps=[]), clean("mug", "desk"))
    assert "take {2} from {1}" in base.read(module.Query("put a clean mug somewhere"))
