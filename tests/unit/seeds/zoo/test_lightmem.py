"""`lightmem` drops small talk, waits for a full buffer, asks once for it, and merges in its sleep."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

CHAT = (
    "Anna: Wow! I adopted a terrier called Rex from the shelter in Porto.\nTom: Oh. Nice.\nAnna: Small terriers bark.\n"
    "Tom: The orchestra plays Mahler and Bruckner in Vienna next Sunday.\nTom: Vienna likes Mahler and Bruckner."
)


def write(module: ModuleType, toolkit: Any, *texts: str) -> Any:
    base = module.KnowledgeBase(toolkit)
    for day, text in enumerate(texts, 1):
        base.write(module.KnowledgeItem(date=f"{day} May, 2023"), text)
    return base


def test_small_talk_is_dropped_and_topics_are_cut(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/lightmem", KEPT_SHARE=0.5)
    base = write(module, new_toolkit(), CHAT)
    assert [len(segment) for segment in base.buffer] == [2, 2]
    found = base.read(module.Query(text="Which dog did Anna adopt?"))
    assert found.startswith("[1 May, 2023] Anna: I adopted a terrier called Rex")
    assert "Wow" not in found
    assert "Nice" not in found
    assert found.index("Rex") < found.index("Mahler")


def test_sleep_merges_what_is_alike_and_keeps_the_last_date(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    texts = ("Anna: I adopted a terrier called Rex.", "Tom: Mahler in Vienna.", "Anna: I adopted a terrier called Rex.")
    awake = seed("zoo/lightmem", KEPT_SHARE=1.0, BUFFER_CHARS=1, SLEEP_EVERY=100)
    assert len(write(awake, new_toolkit(), *texts).entries) == 3
    asleep = seed("zoo/lightmem", KEPT_SHARE=1.0, BUFFER_CHARS=1, SLEEP_EVERY=3)
    base = write(asleep, new_toolkit(), *texts)
    assert len(base.entries) == len(base.vectors) == 2
    found = base.read(asleep.Query(text="What is the terrier called?"))
    assert found == "[3 May, 2023] Anna: I adopted a terrier called Rex.\n[2 May, 2023] Tom: Mahler in Vienna."


def test_one_call_sums_up_a_full_buffer(seed: Callable[..., ModuleType], toolkit_module: ModuleType):
    prompts = []

    def sum_up(messages: list[dict[str, Any]], options: dict[str, Any]) -> str:
        prompts.append(messages[0]["content"])
        return "Here: " + json.dumps([{"segment": 0, "memory": "Anna has a dog."}, {"segment": 99, "memory": "?"}])

    module = seed("zoo/lightmem", BUFFER_CHARS=200)
    base = write(module, toolkit_module.Toolkit(call_llm=sum_up, log=print), CHAT[:80], CHAT)
    assert len(prompts) == 1
    assert "terrier called Rex" in prompts[0]
    assert base.buffer == []
    found = base.read(module.Query(text="Does Anna have a dog?"))
    assert "[1 May, 2023] Anna has a dog." in found
    assert "[2 May, 2023] Tom: The orchestra" in found


@pytest.mark.parametrize("reply", ["", "I cannot.", "[1, {}]", '[{"segment": 0}]', '[{"segment": 0, "memory": null}]'])
def test_broken_reply_leaves_the_segments(seed: Callable[..., ModuleType], toolkit_module: ModuleType, reply: str):
    module = seed("zoo/lightmem", BUFFER_CHARS=1)
    base = write(module, toolkit_module.Toolkit(call_llm=lambda messages, options: reply, log=print), CHAT)
    assert "terrier called Rex" in base.read(module.Query(text="Which dog did Anna adopt?"))
