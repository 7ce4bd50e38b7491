"""`a_mem` links notes that are alike, lets a new note change the tags of an older one, and reads along the links."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

NOISE = "\n".join(f"Tom: In week {n} the weather was dull again." for n in range(12))
TALK = "Anna: My brother Bertil repairs old violins.\nTom: Nice.\nAnna: Bertil repairs violins by the harbour of Ghent."


def write(module: ModuleType, toolkit: Any, *texts: str, keywords: tuple[str, ...] = ()) -> Any:
    base = module.KnowledgeBase(toolkit)
    for text in texts:
        base.write(module.KnowledgeItem(keywords=list(keywords)), text)
    return base


def test_links_bring_what_the_question_does_not_name(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    query = {"text": "What is Anna's brother called?"}
    module = seed("zoo/a_mem", HITS=1)
    found = write(module, new_toolkit(), NOISE, TALK).read(module.Query(**query)).splitlines()
    assert found[0] == TALK.splitlines()[0]
    assert "-> " + TALK.splitlines()[2] in found
    alone = seed("zoo/a_mem", HITS=1, LINK_FROM=0.99)
    assert write(alone, new_toolkit(), NOISE, TALK).read(alone.Query(**query)).splitlines() == found[:1]


def test_new_note_changes_the_tags_of_its_like(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    base = write(seed("zoo/a_mem", LINK_FROM=0.4), new_toolkit(), TALK, keywords=("Ghent", "brother"))
    first, _, last = base.notes
    assert first["keywords"] == ["brother"]
    assert first["tags"] == ["Ghent"]
    assert first["links"] == [2]
    assert last["links"] == [0]
    untagged = write(seed("zoo/a_mem", LINK_FROM=0.4, TAGS=0), new_toolkit(), TALK, keywords=("Ghent", "brother"))
    ghent = new_toolkit().embed(["Ghent"])[0]
    assert (base.vectors @ ghent)[0] > (untagged.vectors @ ghent)[0] + 0.05


def test_model_chooses_links_and_tags(seed: Callable[..., ModuleType], toolkit_module: ModuleType):
    prompts = []

    def evolve(messages: list[dict[str, Any]], options: dict[str, Any]) -> str:
        prompts.append(messages[0]["content"])
        return 'So: {"links": [[2, 0], [2, 77], 4], "tags": {"0": ["craft"], "9": ["x"]}}'

    module = seed("zoo/a_mem")
    base = write(module, toolkit_module.Toolkit(call_llm=evolve, log=print), TALK, keywords=("Ghent",))
    assert len(prompts) == 1
    assert "2: Anna: Bertil repairs violins by the harbour" in prompts[0]
    assert base.notes[0]["links"] == [2]
    assert base.notes[0]["tags"] == []  # the third pair is no pair: what came before it stays
    assert base.notes[1]["links"] == []


@pytest.mark.parametrize("reply", ["", "{", "[]", '{"links": 3}', '{"links": [5], "tags": []}'])
def test_broken_reply_links_what_is_alike(seed: Callable[..., ModuleType], toolkit_module: ModuleType, reply: str):
    toolkit = toolkit_module.Toolkit(call_llm=lambda messages, options: reply, log=print)
    assert write(seed("zoo/a_mem"), toolkit, TALK).notes[0]["links"] == [2]
