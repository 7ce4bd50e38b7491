"""`role_aware` reads what is about the person asked about, and standing instructions always."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

CHAT = """Date: 8 May, 2023
Anna: I play the cello in an orchestra.
Tom: I play the tuba in an orchestra.
Tom: You play the cello so well, and Bertil plays the harp.
Anna: Thanks! Bertil left the orchestra, though."""


def write(module: ModuleType, toolkit: Any, *texts: str, **about: str) -> Any:
    base = module.KnowledgeBase(toolkit)
    for text in texts:
        base.write(module.KnowledgeItem(date="8 May", about=about), text)
    return base


def read(seed: Callable[..., ModuleType], toolkit: Any, question: str, *people: str, **constants: object) -> list[str]:
    module = seed("zoo/role_aware", **constants)
    base = write(module, toolkit, CHAT, Bertil="He plays the harp.")
    return [line.removeprefix("[8 May] ") for line in base.read(module.Query(question, list(people))).splitlines()]


def test_read_is_filtered_by_whom_it_asks_about(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    question = "What instrument does Anna play in the orchestra?"
    own, praise = "Anna: I play the cello in an orchestra.", CHAT.splitlines()[3]
    assert read(seed, new_toolkit(), question) == [own, praise]
    assert any("tuba" in line for line in read(seed, new_toolkit(), question, ROLE_FILTER="off"))
    assert "Tom: I play the tuba in an orchestra." in read(seed, new_toolkit(), question, "Tom")
    assert len(read(seed, new_toolkit(), "Who plays an instrument in the orchestra?")) == 5


def test_who_is_only_spoken_of_has_a_part_too(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    found = read(seed, new_toolkit(), "What does Bertil play?")
    assert sorted(found) == sorted([CHAT.splitlines()[3], CHAT.splitlines()[4], "About Bertil: He plays the harp."])


def test_headings_are_no_people(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    text = "Task: put a mug on the desk.\n> take mug 1\nYou pick up the mug.\nOutcome: success"
    module = seed("zoo/role_aware")
    found = write(module, new_toolkit(), text, Task="Put a mug on the desk.").read(
        module.Query("Task: put a mug in the sink.")
    )
    assert len(found.splitlines()) == 4


def test_own_words_come_before_those_of_others(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    text = "Tom: You like tea, Anna.\nAnna: I like tea, Tom."
    firsts = []
    for weight in (0.1, 1.0):
        module = seed("zoo/role_aware", OTHERS_WEIGHT=weight)
        found = write(module, new_toolkit(), text, Task="Put a mug on the desk.").read(
            module.Query("You like tea, Anna?")
        )
        firsts.append(found.splitlines()[0])
    assert firsts == ["[8 May] Anna: I like tea, Tom.", "[8 May] Tom: You like tea, Anna."]


def test_standing_instructions_are_always_read(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    orders = [f"Tom: Hello. Always answer in rhyme number {n}." for n in range(3)]
    module = seed("zoo/role_aware", INSTRUCTIONS=2)
    base = write(module, new_toolkit(), CHAT, "\n".join([*orders, orders[1]]))
    found = base.read(module.Query("What does Anna play?")).splitlines()
    assert found[:2] == [f"[8 May] {orders[1]}", f"[8 May] {orders[2]}"]
    assert not any("number 0" in line for line in found)
