"""`mem0` adds, updates, deletes or leaves a fact, by the model's operations or by rules."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

CARS = ("Anna: My car is a Saab.", "Anna: My car is a Jazz now.")
LIST = "0. The capital of Norland is Oslo.\n1. Rex was born in the city of Ghent.\n2. The capital of Norland is Porto."


def write(module: ModuleType, toolkit: Any, *statements: str, raw: str = "") -> Any:
    base = module.KnowledgeBase(toolkit)
    for day, statement in enumerate(statements, 1):
        base.write(module.KnowledgeItem(statements=[statement], date=f"{day} May"), raw)
    return base


def test_new_value_updates_the_fact(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/mem0")
    base = write(module, new_toolkit(), CARS[0], "Tom: My car is a Fiat.", CARS[1], CARS[1])
    assert base.facts == [CARS[1], "Tom: My car is a Fiat."]
    assert f"[3 May] {CARS[1]}" in base.read(module.Query(text="Which car does Anna drive?")).splitlines()


def test_latest_of_numbered_facts_is_read_first(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/mem0")
    found = write(module, new_toolkit(), "", raw=LIST).read(module.Query(text="What is the capital of Norland?"))
    assert found.splitlines()[0] == "[1 May] 2. The capital of Norland is Porto."
    assert "Oslo" not in found
    assert "Ghent" in found


def test_event_is_no_new_value_and_denial_deletes(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    events = ("Anna: My trip was great.", "Anna: My trip was awful.", "Anna: It is late.", "Anna: It is early.")
    assert len(write(seed("zoo/mem0"), new_toolkit(), *events).facts) == 4
    base = write(seed("zoo/mem0"), new_toolkit(), "Anna: I play the violin.", "Anna: I no longer play the violin.")
    assert base.facts == [""]
    assert base.read(seed("zoo/mem0").Query(text="violin")) == ""


def test_model_decides(seed: Callable[..., ModuleType], toolkit_module: ModuleType):
    prompts = []

    def decide(messages: list[dict[str, Any]], options: dict[str, Any]) -> str:
        prompts.append(messages[0]["content"])
        change = '{"fact": 0, "operation": "UPDATE", "id": 0, "text": "Anna swapped her Saab for a Jazz."}'
        return f'Sure: {{"operations": [{{"fact": 7}}, "x", {change}]}}'

    base = write(seed("zoo/mem0"), toolkit_module.Toolkit(call_llm=decide, log=print), CARS[0], "Anna swapped it.")
    assert len(prompts) == 1
    assert f"0: {CARS[0]}" in prompts[0]
    assert "0: Anna swapped it." in prompts[0]
    assert base.facts == ["Anna swapped her Saab for a Jazz."]


@pytest.mark.parametrize("reply", ["", "{", "[]", '{"operations": 3}', '{"operations": [{"fact": [0], "id": {}}]}'])
def test_broken_reply_leaves_it_to_the_rules(seed: Callable[..., ModuleType], toolkit_module: ModuleType, reply: str):
    toolkit = toolkit_module.Toolkit(call_llm=lambda messages, options: reply, log=print)
    assert write(seed("zoo/mem0"), toolkit, *CARS).facts == [CARS[1]]
