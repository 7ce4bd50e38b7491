"""Insights come from contrasting outcomes of one kind of task, and stay by their record."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

TASK = "Task: heat an egg.\nKind: heat\n"
WON = f"{TASK}> open fridge 1\n> take egg 2 from fridge 1\n> heat egg 2\nOutcome: success in 3 steps"
LOST = f"{TASK}> open fridge 3\n> open sofa 1\n> open bed 1\nOutcome: failure in 50 steps"


def written(module: ModuleType, toolkit: Any, *texts: str, insights: tuple[str, ...] = ()) -> Any:
    base = module.KnowledgeBase(toolkit)
    for text in texts:
        base.write(module.KnowledgeItem(task="an egg", insights=list(insights)), text)
    return base


@pytest.mark.parametrize("texts", [(WON, LOST), (LOST, WON)])
def test_the_commands_that_made_the_difference_become_insights(
    texts: tuple[str, str], seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    module = seed("zoo/insight_bank")
    found = written(module, new_toolkit(), *texts).read(module.Query("heat an egg"))
    assert set(found.splitlines()) == {
        "- Do: take egg 2 from fridge 1; heat egg 2 (heat an egg)",
        "- Avoid: open sofa 1; open bed 1 (heat an egg)",
    }


def test_a_slower_success_is_contrasted_too_but_is_nothing_to_avoid(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    module = seed("zoo/insight_bank")
    slow = LOST.replace("failure in 50", "success in 4").replace("> open bed", "> open safe 1\n> open bed")
    found = written(module, new_toolkit(), slow, WON).read(module.Query("heat an egg"))
    assert found == "- Do: take egg 2 from fridge 1; heat egg 2 (heat an egg)"


def test_other_kinds_are_not_contrasted(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/insight_bank")
    other = LOST.replace("Kind: heat", "Kind: cool")
    assert written(module, new_toolkit(), WON, other).read(module.Query("heat an egg")) == ""


def test_an_insight_with_a_bad_record_leaves_a_full_bank(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    for outcome, kept in (("success", True), ("failure", False)):
        module = seed("zoo/insight_bank", BANK=1)
        toolkit = new_toolkit()
        base = written(module, toolkit, f"Kind: heat\nOutcome: {outcome}", insights=("Mind the heat.",))
        base.write(module.KnowledgeItem("an egg", []), f"Kind: heat\nOutcome: {outcome}")
        base.write(module.KnowledgeItem("an egg", ["Violins need strings."]), f"Kind: heat\nOutcome: {outcome}")
        found = base.read(module.Query("an egg"))
        assert found.startswith("- Mind the heat. [helped 2 of 2]") is kept
        assert found.startswith("- Violins need strings.") is not kept


def test_the_record_counts_in_the_order_of_reading(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    for weight, first in ((0.0, "- Boil the egg"), (0.9, "- Mind the lid")):
        module = seed("zoo/insight_bank", HITS=1, RECORD_WEIGHT=weight)
        base = written(module, new_toolkit(), "Kind: heat\nOutcome: failure", insights=("Boil the egg.",))
        base.write(module.KnowledgeItem("an egg", []), "Kind: heat\nOutcome: failure")
        base.write(module.KnowledgeItem("an egg", ["Mind the lid."]), "Kind: heat\nOutcome: failure")
        assert base.read(module.Query("boil an egg")).startswith(first)


def test_the_model_is_shown_the_better_and_the_worse(toolkit_module: ModuleType, seed: Callable[..., ModuleType]):
    prompts: list[str] = []

    def answer(messages: list[dict[str, str]], options: dict[str, Any]) -> str:
        prompts.append(messages[0]["content"])
        return f"Lessons: {json.dumps(['Look into the fridge first.', 5])}"

    module = seed("zoo/insight_bank")
    base = written(module, toolkit_module.Toolkit(call_llm=answer, log=lambda message: None), WON, LOST)
    assert [prompt.endswith(f"Better:\n{WON}\n\nWorse:\n{LOST}") for prompt in prompts] == [True]
    assert base.read(module.Query("an egg")) == "- Look into the fridge first. (heat an egg)"


@pytest.mark.parametrize("reply", ["", "No.", "[{]", "[1, 2]", "{}"])
def test_a_broken_reply_leaves_the_rule(reply: str, toolkit_module: ModuleType, seed: Callable[..., ModuleType]):
    module = seed("zoo/insight_bank")
    toolkit = toolkit_module.Toolkit(call_llm=lambda messages, options: reply, log=lambda message: None)
    assert "Avoid: open sofa 1" in written(module, toolkit, WON, LOST).read(module.Query("an egg"))
