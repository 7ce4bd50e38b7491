"""Of statements that differ only in their value, `latest_value` holds the last, and reads it first."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

FACTS = """Here is a list of facts:
0. The capital of Borduria is Szohod.
1. Tapioca plays the position of goalkeeper.
2. Borduria is located in the continent of Europe.
3. The capital of Borduria is Klow.
4. The capital of Syldavia is Szohod."""


def read(module: ModuleType, toolkit: Any, question: str, *episodes: tuple[str, str]) -> str:
    base = module.KnowledgeBase(toolkit)
    for date, text in episodes:
        base.write(module.KnowledgeItem(date=date), text)
    found = base.read(module.Query(text=question))
    assert isinstance(found, str)
    return found


def test_numbered_facts_keep_the_higher_number(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/latest_value")
    question = "Which city is the capital of Borduria?"
    found = read(module, new_toolkit(), question, ("", FACTS)).splitlines()
    assert found[0] == "3. The capital of Borduria is Klow."
    assert "0. The capital of Borduria is Szohod." not in found
    assert "4. The capital of Syldavia is Szohod." in found
    head, tail = FACTS.splitlines()[:3], FACTS.splitlines()[3:]
    backwards = read(module, new_toolkit(), question, ("", "\n".join(tail)), ("", "\n".join(head)))
    assert backwards.splitlines()[0] == "3. The capital of Borduria is Klow."


def test_conversation_keeps_what_each_speaker_said_last(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    episodes = (
        ("1 May", "Anna: My car is a Saab.\nTom: My car is a Fiat."),
        ("2 May", "Anna: My car is a Jazz now.\nTom: The Jazz is small."),
        ("3 May", "Tom: Ours? Anna, tell me, is your car still the car of a year ago?"),
    )
    found = read(seed("zoo/latest_value"), new_toolkit(), "What is Anna's car now?", *episodes)
    assert found.startswith("[2 May] Anna: My car is a Jazz now.")
    assert "Saab" not in found
    assert "Tom: My car is a Fiat." in found


def test_a_statement_is_found_inside_a_longer_line(seed: Callable[..., ModuleType]):
    statements = seed("zoo/latest_value").statements
    told = "Tom: The office in Split closed, so the city I'm living in now is Brno. It rains."
    assert list(statements(told)) == [("tom: the city i'm living in is", "Brno", 0)]
    assert list(statements("Tom: Do you finally live in Brno?")) == []
