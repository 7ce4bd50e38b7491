"""Insights gather votes and lose them; the most similar successes are read beside the list."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

RULE = "Look into the fridge first."


def write(module: ModuleType, base: Any, insights: list[str], outcome: str = "success", task: str = "heat egg") -> None:
    base.write(module.KnowledgeItem(task="", insights=insights), f"Task: {task}.\n> do it\nOutcome: {outcome}")


def insights(module: ModuleType, base: Any) -> list[str]:
    return [line for line in base.read(module.Query("heat egg")).splitlines() if line.startswith("- ")]


def test_success_agrees_failure_disagrees_and_at_no_votes_an_insight_goes(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    module = seed("zoo/expel")
    base = module.KnowledgeBase(new_toolkit())
    write(module, base, [RULE, "Violins need new strings."])
    assert insights(module, base) == [f"- {RULE} (2 votes)", "- Violins need new strings. (2 votes)"]
    write(module, base, ["Look into the fridge first!"])
    assert insights(module, base)[0] == f"- {RULE} (3 votes)"
    for left in (2, 1):
        write(module, base, [RULE], "failure")
        assert f"- {RULE} ({left} votes)" in insights(module, base)
    write(module, base, [RULE], "failure")
    assert insights(module, base) == ["- Violins need new strings. (2 votes)"]


def test_an_insight_that_says_more_edits_the_one_it_says_again(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    module = seed("zoo/expel")
    base = module.KnowledgeBase(new_toolkit())
    write(module, base, ["look into the fridge first"])
    write(module, base, ["always look into the fridge first"])
    assert insights(module, base) == ["- always look into the fridge first (3 votes)"]


def test_the_most_similar_success_is_read_and_no_failure(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    module = seed("zoo/expel", EPISODES=1)
    base = module.KnowledgeBase(new_toolkit())
    write(module, base, [], task="paint gate")
    write(module, base, [], task="heat apple")
    write(module, base, [], "failure", task="heat egg")
    assert base.read(module.Query("Task: heat egg.")) == "Task: heat apple.\n> do it\nOutcome: success"


def test_the_model_votes_with_the_other_outcome_in_view(toolkit_module: ModuleType, seed: Callable[..., ModuleType]):
    prompts: list[str] = []

    def answer(messages: list[dict[str, str]], options: dict[str, Any]) -> str:
        prompts.append(messages[0]["content"])
        add = [{"op": "ADD", "text": "Mind the heat."}, {"op": "ADD", "text": "Hurry."}, 7, {"op": "AGREE", "id": 99}]
        change = [{"op": "EDIT", "id": 0, "text": "Mind heat and lid."}, {"op": "DISAGREE", "id": 1}]
        return json.dumps(add if len(prompts) == 1 else change)

    module = seed("zoo/expel")
    base = module.KnowledgeBase(toolkit_module.Toolkit(call_llm=answer, log=lambda message: None))
    write(module, base, ["not this"])
    write(module, base, ["not this"], "failure")
    assert insights(module, base) == ["- Mind heat and lid. (3 votes)", "- Hurry. (1 votes)"]
    assert "1. Hurry. (2 votes)" in prompts[1]
    assert "Failure: heat egg" in prompts[1]
    assert prompts[1].endswith("Task: heat egg.\n> do it\nOutcome: success")
    write(module, base, [], "success")
    assert insights(module, base) == ["- Mind heat and lid. (4 votes)"]


@pytest.mark.parametrize("reply", ["", "No.", "[{]", "[1, 2]", '[{"op": "ADD", "text": 3}]'])
def test_a_broken_reply_leaves_the_rule(reply: str, toolkit_module: ModuleType, seed: Callable[..., ModuleType]):
    module = seed("zoo/expel")
    toolkit = toolkit_module.Toolkit(call_llm=lambda messages, options: reply, log=lambda message: None)
    base = module.KnowledgeBase(toolkit)
    write(module, base, [RULE])
    assert insights(module, base) == [f"- {RULE} (2 votes)"]
