"""`memgpt` always reads its small core, pages messages out into an archive, and searches the log of all messages."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

CARS = ("Anna: My car is a Saab.", "Anna: My car is a Jazz now.")


def write(module: ModuleType, toolkit: Any, *texts: str) -> Any:
    base = module.KnowledgeBase(toolkit)
    for day, text in enumerate(texts, 1):
        base.write(module.KnowledgeItem(date=f"{day} May"), f"Date: {day} May\n{text}")
    return base


def test_core_is_always_read_and_keeps_the_latest(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/memgpt")
    base = write(module, new_toolkit(), CARS[0], "Tom: Is it my turn?", CARS[1])
    assert base.read(module.Query(text="xylophone")) == f"Core:\n{CARS[1]}"
    found = base.read(module.Query(text="Saab")).splitlines()
    assert found == ["Core:", CARS[1], "Messages:", f"[1 May] {CARS[0]}"]


def test_full_core_and_full_queue_go_into_the_archive(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/memgpt", CORE_CHARS=30, QUEUE=4)
    base = write(module, new_toolkit(), "Anna: I am a vet.", "Tom: My dog is Rex.", "Tom: Hi.", "Tom: It rains.")
    assert base.core == ["Tom: My dog is Rex."]
    assert base.archive == ["Anna: I am a vet."]
    base.write(module.KnowledgeItem(), "Tom: Bye.")
    assert base.queue == ["[4 May] Tom: It rains.", "Tom: Bye."]
    assert base.archive[1:] == ["[1 May] Anna: I am a vet.\n[2 May] Tom: My dog is Rex.\n[3 May] Tom: Hi."]
    found = base.read(module.Query(text="animal doctor"))
    assert found.startswith("Core:\nTom: My dog is Rex.\nArchive:\n")
    assert "Anna: I am a vet." in found


def test_model_edits_the_core_and_archives(seed: Callable[..., ModuleType], toolkit_module: ModuleType):
    prompts = []

    def edit(messages: list[dict[str, Any]], options: dict[str, Any]) -> str:
        prompts.append(messages[0]["content"])
        if len(prompts) == 1:
            return '{"core": [{"old": "", "new": "Anna drives a Saab."}]}'
        change = '{"old": "Anna drives a Saab.", "new": "Anna drives a Jazz."}'
        return f'So: {{"core": [{change}, {{"old": "", "new": "Tom is tall."}}], "archive": ["Anna sold a Saab."]}}'

    module = seed("zoo/memgpt", QUEUE=2)
    base = write(module, toolkit_module.Toolkit(call_llm=edit, log=print), CARS[0], f"{CARS[1]}\nTom: Well.")
    assert "Anna drives a Saab." in prompts[1]
    assert f"leave the queue:\n[1 May] {CARS[0]}\n[2 May] {CARS[1]}\nEdit" in prompts[1]
    assert base.core == ["Anna drives a Jazz.", "Tom is tall."]
    assert base.archive == ["Anna sold a Saab."]


@pytest.mark.parametrize("reply", ["", "{", "[]", '{"core": 3}', '{"core": [{}]}', '{"core": [], "archive": 4}'])
def test_broken_reply_keeps_what_people_say_of_themselves(
    seed: Callable[..., ModuleType], toolkit_module: ModuleType, reply: str
):
    toolkit = toolkit_module.Toolkit(call_llm=lambda messages, options: reply, log=print)
    assert write(seed("zoo/memgpt"), toolkit, *CARS).core == [CARS[1]]
