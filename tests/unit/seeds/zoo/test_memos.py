"""`memos` shows the latest memories first, merges and tags likes, and archives the least used when a place is full."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

SEA = ["Anna: The harbour of Ghent is big.", "Anna: The harbour of Ghent is big and old."]


def write(module: ModuleType, toolkit: Any, *statements: str, tags: tuple[str, ...] = ()) -> Any:
    base = module.KnowledgeBase(toolkit)
    for statement in statements:
        base.write(module.KnowledgeItem(statements=[statement], tags=list(tags)), "")
    return base


def active(base: Any) -> list[str]:
    return [memory["text"] for memory in base.memories if memory["active"]]


def test_working_set_comes_first_and_then_what_matches(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/memos", WORKING=1, HITS=2)
    base = write(module, new_toolkit(), "Tom: Rex the dog is two.", "Tom: I paint.", "Anna: Rain all day.")
    found = base.read(module.Query(text="How old is Rex the dog?")).splitlines()
    assert found[:2] == ["Anna: Rain all day.", "Tom: Rex the dog is two."]


def test_what_says_the_same_is_merged(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    base = write(seed("zoo/memos", MERGE=0.8), new_toolkit(), *SEA, "Anna: The harbour of Ghent is small.")
    assert active(base) == [SEA[1], "Anna: The harbour of Ghent is small."]
    assert base.memories[1]["used"] >= 1


def test_likes_share_tags_and_tags_are_found(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    lines = ("Tom: We sail on Sundays from the old pier.", "Tom: We sail on Sundays, a regatta from the old pier.")
    noise = [f"Tom: regatta talk number {n} of a dull evening" for n in range(3)]
    module = seed("zoo/memos", WORKING=0, TAG_WEIGHT=1.0, HITS=2, RELATE=0.6, MERGE=1.0)
    base = write(module, new_toolkit(), *lines, tags=("regatta",))
    base.write(module.KnowledgeItem(statements=noise), "")
    assert base.memories[0]["tags"] == ["regatta"]
    found = base.read(module.Query(text="zebra", tags=["regatta"])).splitlines()
    assert sorted(found) == sorted(lines)


def test_full_place_archives_the_least_used(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    base = write(
        seed("zoo/memos", LONG_TERM=2, MERGE=1.0), new_toolkit(), *SEA, "Tom: Rex barked.", "Tom: My name is Tom."
    )
    assert active(base) == [SEA[0], "Tom: Rex barked.", "Tom: My name is Tom."]


def test_model_reorganises(seed: Callable[..., ModuleType], toolkit_module: ModuleType):
    prompts = []

    def reorganise(messages: list[dict[str, Any]], options: dict[str, Any]) -> str:
        prompts.append(messages[0]["content"])
        return '{"merge": [{"ids": [0, 1], "text": "Ghent has a big old harbour."}], "tags": {"1": ["Sea"], "7": []}}'

    base = write(seed("zoo/memos"), toolkit_module.Toolkit(call_llm=reorganise, log=print), *SEA)
    assert len(prompts) == 1
    assert f"0: {SEA[0]}" in prompts[0]
    assert active(base) == ["Ghent has a big old harbour."]
    assert base.memories[1]["tags"] == ["sea"]


@pytest.mark.parametrize("reply", ["", "{", '{"merge": 3}', '{"merge": [{}]}', '{"archive": 4}', '{"tags": []}'])
def test_broken_reply_changes_only_tags(seed: Callable[..., ModuleType], toolkit_module: ModuleType, reply: str):
    toolkit = toolkit_module.Toolkit(call_llm=lambda messages, options: reply, log=print)
    base = write(seed("zoo/memos", MERGE=0.8), toolkit, *SEA, tags=("old",))
    assert active(base) == [SEA[1]]
    assert base.memories[0]["tags"] == ["old"]
