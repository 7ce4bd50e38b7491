"""`nemori` cuts episodes where the talk turns, and learns only what it could not have predicted."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

CHAT = (
    "Anna: I adopted a terrier called Rex.\nTom: Rex is a terrier?\nAnna: Yes, Rex is a small terrier.\n"
    "Tom: The orchestra plays Mahler in Vienna.\nTom: Vienna loves the orchestra and Mahler."
)


def write(module: ModuleType, toolkit: Any, *facts: str, text: str = "Anna: Hm.") -> Any:
    base = module.KnowledgeBase(toolkit)
    for day, fact in enumerate(facts, 1):
        base.write(module.KnowledgeItem(date=f"{day} May", facts=[fact]), text)
    return base


def test_learns_only_what_it_does_not_predict(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    facts = ("Anna owns a Saab.", "Tom sings.", "Anna owns a Saab.", "Anna owns a Jazz.")
    base = write(seed("zoo/nemori"), new_toolkit(), *facts)
    assert base.statements == ["[1 May] Anna owns a Saab.", "[2 May] Tom sings.", "[4 May] Anna owns a Jazz."]
    assert len(base.statement_vectors) == 3


def test_episodes_end_where_the_talk_turns(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/nemori")
    base = write(module, new_toolkit(), "Rex is a terrier.", text=f"Date: 1 May\n{CHAT}")
    assert [episode.count("\n") + 1 for episode in base.episodes] == [3, 2]
    found = base.read(module.Query(text="Who plays Mahler?"))
    assert found.startswith("[1 May] Rex is a terrier.\n[1 May] Tom: The orchestra plays Mahler in Vienna.\nTom: ")


def test_the_call_says_what_was_missed(seed: Callable[..., ModuleType], toolkit_module: ModuleType):
    prompts = []

    def predict(messages: list[dict[str, Any]], options: dict[str, Any]) -> str:
        prompts.append(messages[0]["content"])
        return json.dumps(["Anna's terrier is called Rex."] if len(prompts) == 1 else [])

    module = seed("zoo/nemori")
    base = write(module, toolkit_module.Toolkit(call_llm=predict, log=print), "A dog.", "A cat.", text=CHAT)
    assert base.statements == ["[1 May] Anna's terrier is called Rex."]
    assert "(nothing)" in prompts[0]
    assert "- A dog." in prompts[0]
    assert "[1 May] Anna's terrier is called Rex." in prompts[1]
    assert "orchestra plays Mahler" in prompts[1]


@pytest.mark.parametrize("reply", ["", "None.", "[1, 2]", '["cut', '{"new": null}'])
def test_broken_reply_predicts_by_words(seed: Callable[..., ModuleType], toolkit_module: ModuleType, reply: str):
    toolkit = toolkit_module.Toolkit(call_llm=lambda messages, options: reply, log=print)
    base = write(seed("zoo/nemori"), toolkit, "Anna owns a Saab.", "Anna owns a Saab.")
    assert base.statements == ["[1 May] Anna owns a Saab."]
