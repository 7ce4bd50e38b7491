"""`ama` routes a question to facts, summaries or raw lines, and drops facts that new ones overrule."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

TOLD = "Anna: The Saab is sold, hooray, and what I drive now is a Jazz."


def write(module: ModuleType, toolkit: Any, *facts: str) -> Any:
    base = module.KnowledgeBase(toolkit)
    for day, fact in enumerate(facts, 1):
        item = module.KnowledgeItem(date=f"{day} May", facts=[fact], summary="Anna talks of her car, to Tom.")
        base.write(item, f"Date: {day} May\n{TOLD}")
    return base


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("How many cars does Anna own, and is one a Jazz?", "[1 May] Anna | owns | a Jazz"),
        ("Why does Anna talk of her car?", "[1 May] Anna talks of her car, to Tom."),
        ("What exactly said Anna about the Saab?", f"[1 May] {TOLD}"),
    ],
)
def test_question_goes_to_the_store_that_suits_it(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any], question: str, first: str
):
    module = seed("zoo/ama")
    found = write(module, new_toolkit(), "Anna | owns | a Jazz").read(module.Query(text=question))
    assert found.splitlines()[0] == first
    assert len(found.splitlines()) == 3


def test_poor_hits_send_the_question_to_the_raw_lines(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/ama")
    found = write(module, new_toolkit(), "Zoe | bakes | bread").read(module.Query(text="How much is a Saab, sold now?"))
    assert found.startswith(f"[1 May] {TOLD}")


@pytest.mark.parametrize(
    ("old", "new"),
    [("Anna | owns | a Saab", "Anna | owns | a Jazz"), ("Anna's car is a Saab.", "Anna's car is a Jazz.")],
)
def test_fact_overrules_that_of_the_same_subject_and_predicate(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any], old: str, new: str
):
    base = write(seed("zoo/ama"), new_toolkit(), old, "Tom | owns | a Fiat", new)
    assert base.stores["fact"] == ["[2 May] Tom | owns | a Fiat", f"[3 May] {new}"]
    assert len(base.vectors["fact"]) == len(base.keys) == 2
    assert len(base.stores["raw"]) == 3


def test_the_call_names_what_is_overruled(seed: Callable[..., ModuleType], toolkit_module: ModuleType):
    prompts = []

    def refresh(messages: list[dict[str, Any]], options: dict[str, Any]) -> str:
        prompts.append(messages[0]["content"])
        return '{"overruled": []}' if len(prompts) < 3 else 'Both. {"overruled": [1, 0, 7]}'

    toolkit = toolkit_module.Toolkit(call_llm=refresh, log=print)
    base = write(seed("zoo/ama"), toolkit, "Anna | owns | a Saab", "Anna | owns | a boat", "Anna | sold | all she had")
    assert "(none)" in prompts[0]
    assert "Anna | owns | a Saab" in prompts[2]
    assert "- Anna | sold | all she had" in prompts[2]
    assert base.stores["fact"] == ["[3 May] Anna | sold | all she had"]


@pytest.mark.parametrize("reply", ["", "none", "[0]", '{"overruled": ["0"]}', '{"overruled": null}', '{"over'])
def test_broken_reply_refreshes_by_key(seed: Callable[..., ModuleType], toolkit_module: ModuleType, reply: str):
    toolkit = toolkit_module.Toolkit(call_llm=lambda messages, options: reply, log=print)
    base = write(seed("zoo/ama"), toolkit, "Anna | owns | a Saab", "Anna | owns | a Jazz")
    assert base.stores["fact"] == ["[2 May] Anna | owns | a Jazz"]
