"""`memory_r1` manages facts by operations, and reads only what is left of them after a distillation."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

CARS = ("Anna: My car is a Saab.", "Anna: My car is a Jazz now.")
TALK = (*CARS, "Tom: Rex the dog is two.", "Tom: I paint lighthouses.", "Anna: The weather is dull.", "Tom: Bye.")


def write(module: ModuleType, toolkit: Any, *statements: str) -> Any:
    base = module.KnowledgeBase(toolkit)
    for day, statement in enumerate(statements, 1):
        base.write(module.KnowledgeItem(statements=[statement], date=f"{day} May"), "")
    return base


def texts(base: Any) -> list[str]:
    return [text for text, _ in base.facts]


def test_operations_without_a_model(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    base = write(seed("zoo/memory_r1"), new_toolkit(), *CARS, CARS[1], "Tom: I like tea.", "Tom: I no longer like tea.")
    assert texts(base) == [CARS[1], ""]


def test_distillation_leaves_the_useless_out(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/memory_r1")
    found = write(module, new_toolkit(), *TALK).read(module.Query(text="How old is Rex?"))
    assert found.splitlines()[0] == "[3 May] Tom: Rex the dog is two."
    assert "lighthouses" not in found


def test_candidates_are_counted_for_each_speaker(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/memory_r1", CANDIDATES=1, RARE=1.0)
    found = write(module, new_toolkit(), *TALK).read(module.Query(text="Is it the car, or Rex the dog, that is two?"))
    assert sorted(line.split("] ")[1].split(":")[0] for line in found.splitlines()) == ["Anna", "Tom"]


def test_model_manages_and_distils(seed: Callable[..., ModuleType], toolkit_module: ModuleType):
    prompts = []

    def answer(messages: list[dict[str, Any]], options: dict[str, Any]) -> str:
        prompts.append(messages[0]["content"])
        if "Question: Who paints?" in prompts[-1]:
            return 'These: {"useful": [1, 99, [], "0"]}'
        return '{"operations": [{"fact": 0, "operation": "DELETE", "id": 0}]}' if "Boo." in prompts[-1] else "{}"

    module = seed("zoo/memory_r1")
    toolkit = toolkit_module.Toolkit(call_llm=answer, log=print)
    base = write(module, toolkit, "Tom: Bye.", "Tom: Hello there.", "Tom: I paint lighthouses.", "Tom: Boo.")
    assert "0: Tom: Bye." in prompts[-1]
    assert texts(base) == ["", "Tom: Hello there.", "Tom: I paint lighthouses."]
    assert base.read(module.Query(text="Who paints?")) == "[2 May] Tom: Hello there."
    assert "2: 3 May: Tom: I paint lighthouses." in prompts[-1]


@pytest.mark.parametrize("reply", ["", "{", '{"operations": 3, "useful": 4}', '{"operations": [[]], "useful": [null]}'])
def test_broken_reply_leaves_it_to_the_rules(seed: Callable[..., ModuleType], toolkit_module: ModuleType, reply: str):
    module = seed("zoo/memory_r1")
    base = write(module, toolkit_module.Toolkit(call_llm=lambda messages, options: reply, log=print), *CARS, TALK[3])
    assert texts(base) == [CARS[1], TALK[3]]
    assert base.read(module.Query(text="Who paints lighthouses?")).splitlines()[0] == f"[3 May] {TALK[3]}"
