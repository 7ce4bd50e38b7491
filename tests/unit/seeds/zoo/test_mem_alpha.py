"""`mem_alpha` keeps a core that is always read, and facts and dated events that are searched apart."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

LINES = ["Anna: I am a vet.", "Tom: The harbour of Ghent is big.", "Anna: We went to Ghent.", "Anna: We went to Ghent."]


def write(module: ModuleType, toolkit: Any, *days: list[str]) -> Any:
    base = module.KnowledgeBase(toolkit)
    for day, statements in enumerate(days, 1):
        base.write(module.KnowledgeItem(statements=statements, date=f"{day} May"), "")
    return base


def test_three_memories(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/mem_alpha")
    base = write(module, new_toolkit(), LINES)
    assert base.read(module.Query(text="xylophone")) == "Anna: I am a vet."
    assert base.read(module.Query(text="Ghent")) == (
        "Anna: I am a vet.\n\nFacts:\nTom: The harbour of Ghent is big.\n\nEvents:\nAt 1 May, Anna: We went to Ghent."
    )


def test_core_has_a_size_and_the_latest_stays(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    base = write(
        seed("zoo/mem_alpha", CORE_CHARS=40), new_toolkit(), ["Anna: I am a vet."], ["Tom: My dog is a Boxer."]
    )
    assert base.core == ["Tom: My dog is a Boxer."]
    assert list(base.facts.values()) == ["Anna: I am a vet.", "Tom: My dog is a Boxer."]


def test_share_divides_the_room(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    facts = [f"Tom: The harbour of Ghent has berth {n}, {'a long way off, ' * 20}" for n in range(20)]
    events = [f"Tom: I went to Ghent, visit {n}, {'a long way off, ' * 20}" for n in range(20)]
    for share, expected in ((0.0, "Facts"), (1.0, "Events")):
        module = seed("zoo/mem_alpha", SHARE=share, CORE_CHARS=0)
        found = write(module, new_toolkit(), facts, events).read(module.Query(text="Ghent"))
        sections = {part.split(":\n")[0]: part.count("\n") for part in found.split("\n\n")}
        assert max(sections, key=sections.get) == expected


def test_model_edits_core_and_entries(seed: Callable[..., ModuleType], toolkit_module: ModuleType):
    prompts = []

    def edit(messages: list[dict[str, Any]], options: dict[str, Any]) -> str:
        prompts.append(messages[0]["content"])
        return '{"core": "Anna, a vet, has a Jazz.", "update": {"1": "Anna drives a Jazz.", "8": "x"}, "delete": [2]}'

    module = seed("zoo/mem_alpha")
    toolkit = toolkit_module.Toolkit(call_llm=edit, log=print)
    base = write(module, toolkit, ["Anna drives a Saab.", "Anna drives a car.", "Anna bought a Saab yesterday."])
    assert "S 1: Anna drives a Saab." in prompts[0]
    assert "E 3: At 1 May, Anna bought a Saab yesterday." in prompts[0]
    assert base.read(module.Query(text="Anna drives")) == (
        "Anna, a vet, has a Jazz.\n\nFacts:\nAnna drives a Jazz.\n\nEvents:\nAt 1 May, Anna bought a Saab yesterday."
    )


@pytest.mark.parametrize(
    "reply", ["", "{", '{"core": 3}', '{"core": "x", "update": [4]}', '{"core": "x", "delete": 4}']
)
def test_broken_reply_keeps_what_people_say_of_themselves(
    seed: Callable[..., ModuleType], toolkit_module: ModuleType, reply: str
):
    toolkit = toolkit_module.Toolkit(call_llm=lambda messages, options: reply, log=print)
    base = write(seed("zoo/mem_alpha"), toolkit, LINES)
    assert base.core == ["Anna: I am a vet."]
