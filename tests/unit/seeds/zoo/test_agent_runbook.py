"""Three pools, each searched by a question of its own; raw states come with their neighbours."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

TALK = "Ann: The sea was cold.\nBob: How is Rex, the dog?\nAnn: He is two.\nBob: I paint lighthouses.\nAnn: So do I."


def test_each_pool_is_searched_by_its_own_question(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/agent_runbook", STATES=1, EVENTS=1, NOTES=1, RADIUS=0)
    base = module.KnowledgeBase(new_toolkit())
    item = module.KnowledgeItem(
        procedure="First boil the water, then add tea.",
        hints=["The kettle leaks.", "The gate is locked on Sundays."],
        events=["The shop was open, now it is closed.", "The lamp was off, now it is on."],
        date="8 May, 2023",
    )
    base.write(item, TALK)
    found = base.read(module.Query("a painter of lighthouses", "when did the shop close", "a leaking kettle"))
    assert found.splitlines() == [
        "Notes:",
        "[8 May, 2023] First boil the water, then add tea.",
        "[8 May, 2023] The kettle leaks.",
        "",
        "Events:",
        "[8 May, 2023] The shop was open, now it is closed.",
        "",
        "Raw states:",
        "[8 May, 2023]",
        "Bob: I paint lighthouses.",
    ]


def test_a_raw_state_brings_its_neighbours_and_no_line_comes_twice(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    module = seed("zoo/agent_runbook", STATES=2)
    base = module.KnowledgeBase(new_toolkit())
    base.write(module.KnowledgeItem(), TALK)
    lines = base.read(module.Query("How is Rex, the dog?")).splitlines()
    assert "Ann: He is two." in lines
    assert len(lines) == len(set(lines)) > 3


def test_the_neighbours_are_of_the_same_episode(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/agent_runbook", STATES=1)
    base = module.KnowledgeBase(new_toolkit())
    base.write(module.KnowledgeItem(), TALK)
    base.write(module.KnowledgeItem(), "Tom: Another day.")
    assert base.read(module.Query("So do I.")) == "Raw states:\nBob: I paint lighthouses.\nAnn: So do I."


def test_commands_with_what_followed_are_the_events_of_a_trajectory(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    module = seed("zoo/agent_runbook", EVENTS=1)
    base = module.KnowledgeBase(new_toolkit())
    text = "Task: put a mug on desk.\n> open fridge 1\nIt is empty.\n> take mug 1 from shelf 3\nYou pick up the mug 1."
    base.write(module.KnowledgeItem(events=["not this"]), text)
    found = base.read(module.Query("mug", "Where was the mug taken from?"))
    assert "Events:\n> take mug 1 from shelf 3 -> You pick up the mug 1.\n" in found
    assert "not this" not in found
