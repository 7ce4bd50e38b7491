"""`preference` strengthens what is said again, and revises what is contradicted often enough."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest


def write(module: ModuleType, toolkit: Any, *texts: str) -> Any:
    base = module.KnowledgeBase(toolkit)
    for day, text in enumerate(texts, 1):
        base.write(module.KnowledgeItem(date=f"{day} May"), f"Date: {day} May\n{text}")
    return base


def test_repeated_preference_grows_and_contradicted_one_is_revised(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    module = seed("zoo/preference")
    base = write(module, new_toolkit(), "Anna: I love tea.", "Tom: I like tea too.", "Anna: I really like tea, always.")
    assert base.preferences[0] == ("Anna", "tea", "likes", 2.0, "1 May", "")
    contradicted = write(module, new_toolkit(), "Anna: I love tea.", "Anna: I don't like tea.")
    assert contradicted.preferences == [("Anna", "tea", "dislikes", 1.0, "2 May", "likes")]
    found = contradicted.read(module.Query("Which drink does Anna like?"))
    assert found.startswith("Anna | tea | dislikes (strength 1, since 2 May, before: likes)\n[")


def test_strong_preference_outlives_one_contradiction(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/preference")
    said = [*["Anna: I love tea."] * 3, "Anna: I hate tea."]
    assert write(module, new_toolkit(), *said).preferences == [("Anna", "tea", "likes", 1.0, "1 May", "")]
    said.append("Anna: I hate tea.")
    assert write(module, new_toolkit(), *said).preferences == [("Anna", "tea", "dislikes", 1.0, "5 May", "likes")]


def test_favourite_has_one_value(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/preference")
    said = (
        "Tom: My favourite place for lunch is the soup cart.",
        "Tom: Well, my favourite place for lunch now is Ama's.",
    )
    base = write(module, new_toolkit(), *said)
    assert base.preferences == [("Tom", "favourite place for lunch", "Ama's", 1.0, "2 May", "soup cart")]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("Anna: I gave up on raw food, and I'm into high protein.", [("Anna", "raw food", "dislikes")]),
        ("Anna: Tom really hates queues because they bore him!", [("Tom", "queues", "dislikes")]),
        (
            "Anna: I'm a big fan of jazz. We no longer enjoy opera.",
            [("Anna", "jazz", "likes"), ("Anna", "opera", "dislikes")],
        ),
        ("Anna: It looks like rain. She likes it.", []),
    ],
)
def test_opinions_are_found_in_a_line(seed: Callable[..., ModuleType], line: str, found: list[tuple[str, str, str]]):
    assert list(seed("zoo/preference").opinions(line)) == found


def test_the_call_matches_with_what_is_known(seed: Callable[..., ModuleType], toolkit_module: ModuleType):
    def match(messages: list[dict[str, Any]], options: dict[str, Any]) -> str:
        prompt = messages[0]["content"]
        if "(none)" in prompt:
            return '[{"known": null, "person": "Anna", "about": "hot drinks", "value": "tea"}]'
        assert "0. Anna | hot drinks | tea (strength 1, since 1 May)" in prompt
        assert "Coffee it is" in prompt
        return 'So: [{"known": 0, "person": "Anna", "about": "drinks", "value": "coffee"}]'

    module = seed("zoo/preference")
    toolkit = toolkit_module.Toolkit(call_llm=match, log=print)
    base = write(module, toolkit, "Anna: Tea it is.", "Anna: Coffee it is.")
    assert base.preferences == [("Anna", "hot drinks", "coffee", 1.0, "2 May", "tea")]


@pytest.mark.parametrize("reply", ["", "none", "[1]", '[{"known": "0"}]', '[{"known": 0, "person": "A"}]', '[{"kn'])
def test_broken_reply_finds_by_pattern(seed: Callable[..., ModuleType], toolkit_module: ModuleType, reply: str):
    toolkit = toolkit_module.Toolkit(call_llm=lambda messages, options: reply, log=print)
    base = write(seed("zoo/preference"), toolkit, "Anna: I love tea.", "Anna: I love tea.")
    assert base.preferences == [("Anna", "tea", "likes", 2.0, "1 May", "")]
