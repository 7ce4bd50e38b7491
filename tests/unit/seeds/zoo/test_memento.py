"""Cases: positive and negative ones, duplicates, and win rates that new outcomes change."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest


def episode(task: str, outcome: str, *commands: str) -> str:
    steps = "\n".join(f"> {command}\nDone." for command in commands)
    return f"Task: {task}.\n{steps}\nOutcome: {outcome}"


def written(module: ModuleType, toolkit: Any, *texts: str) -> Any:
    base = module.KnowledgeBase(toolkit)
    for text in texts:
        base.write(module.KnowledgeItem(task="not this", plan="not this"), text)
    return base


def test_positive_cases_come_before_negative_ones(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/memento", POSITIVES=1, NEGATIVES=1)
    texts = [
        episode("heat an egg", "failure in 50 steps", "open fridge 1"),
        episode("heat an apple", "success in 2 steps", "take apple 1 from shelf 2", "heat apple 1 with microwave 1"),
        episode("read a book", "success in 1 steps", "take book 1 from bed 1"),
        episode("wash a car", "failure in 50 steps", "go to street 1"),
    ]
    found = written(module, new_toolkit(), *texts).read(module.Query("Task: heat an egg slowly."))
    positive, negative = found.split("\n\n")
    assert positive.startswith("Positive case")
    assert "> take apple 1 from shelf 2" in positive
    assert negative.startswith("Negative case")
    assert "> open fridge 1" in negative


def test_a_case_that_was_followed_by_failures_falls_behind(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    start = [
        episode("heat a red egg", "success", "go to microwave 1"),
        episode("cool a cup", "success", "go to fridge 1"),
    ]
    again = [episode(f"heat a {colour} egg", "failure", "go to sofa 1") for colour in ("brown", "white")]
    for weight, first in ((0.0, "helped 1 of 3 times: heat a red egg"), (1.0, "case: cool a cup")):
        module = seed("zoo/memento", POSITIVES=1, NEGATIVES=0, WIN_WEIGHT=weight)
        base = written(module, new_toolkit(), *start, *again)
        found = base.read(module.Query("heat an egg"))
        assert found.splitlines()[0].endswith(first)
        assert base.read(module.Query("heat an egg")) == found


def test_of_one_task_a_success_replaces_a_failure_and_the_shorter_success_stays(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    module = seed("zoo/memento")
    texts = [
        episode("heat an egg", "failure", "a"),
        episode("heat an egg", "success", "b", "c", "d"),
        episode("heat an egg", "success", "e"),
        episode("heat an egg", "failure", "f"),
    ]
    found = written(module, new_toolkit(), *texts).read(module.Query("heat an egg"))
    assert found.splitlines()[1:] == ["> e"]


def test_the_model_judges_an_episode_without_an_outcome_only(
    toolkit_module: ModuleType, seed: Callable[..., ModuleType]
):
    prompts: list[str] = []

    def answer(messages: list[dict[str, str]], options: dict[str, Any]) -> str:
        prompts.append(messages[0]["content"])
        return f"I think {json.dumps({'success': False, 'plan': 'Asked the wrong person.'})}"

    module = seed("zoo/memento")
    toolkit = toolkit_module.Toolkit(call_llm=answer, log=lambda message: None)
    base = written(module, toolkit, "Task: find Ann.\nBob: She is not here.", episode("eat", "success", "bite"))
    assert len(prompts) == 1
    assert "She is not here" in prompts[0]
    assert base.read(module.Query("find Ann")).endswith(
        "Negative case, helped 1 of 1 times: find Ann\nAsked the wrong person."
    )


@pytest.mark.parametrize("reply", ["", "Yes.", "{", "[]", '{"success": "yes", "plan": "x"}', '{"success": true}'])
def test_a_broken_judgement_leaves_a_success_as_the_task_agent_sums_it_up(
    reply: str, toolkit_module: ModuleType, seed: Callable[..., ModuleType]
):
    module = seed("zoo/memento")
    base = module.KnowledgeBase(toolkit_module.Toolkit(call_llm=lambda messages, options: reply, log=lambda m: None))
    base.write(module.KnowledgeItem(task="finding Ann", plan="Asked Bob.", date="8 May"), "Bob: She is here.")
    assert base.read(module.Query("Ann")) == "Positive case [8 May]: finding Ann\nAsked Bob."
