"""Think-in-Memory: thoughts fall into buckets, and are inserted, forgotten and merged there."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

THOUGHTS = [
    "Anna plays the violin in an orchestra.",
    "The pump of the engine leaks oil.",
    "Tom bakes rye bread on Sundays.",
    "The harbour office of the city is in Dock Street.",
    "Rex the dog is afraid of thunder.",
    "The court rejected the appeal.",
]


def _base(module: ModuleType, toolkit: Any, *episodes: list[str]) -> Any:
    base = module.KnowledgeBase(toolkit)
    for day, thoughts in enumerate(episodes, 1):
        base.write(module.KnowledgeItem(thoughts, f"{day} May, 2023"), "")
    return base


def test_buckets_are_read_one_after_the_other_from_that_of_the_question_on(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    module = seed("zoo/think_in_memory")
    base = _base(module, new_toolkit(), THOUGHTS)
    question = "Does Tom play an instrument in an orchestra?"
    asked = base.embed([question])[0]
    assert sorted(module.ranked(asked)) == list(range(16))
    read = base.read(module.Query(question)).splitlines()
    assert read[:2] == [f"[1 May, 2023] {THOUGHTS[2]}", f"[1 May, 2023] {THOUGHTS[0]}"]
    assert len(read) == len(THOUGHTS)
    bread, orchestra = (base.thoughts[number][3] @ asked for number in (2, 0))
    assert orchestra > bread  # a search without buckets reads them the other way round


def test_neighbours_are_read_only_where_the_bucket_holds_too_few(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    module = seed("zoo/think_in_memory", HITS=1)
    base = _base(module, new_toolkit(), THOUGHTS)
    assert base.read(module.Query(THOUGHTS[4])) == f"[1 May, 2023] {THOUGHTS[4]}"


def test_without_a_model_a_contradicted_thought_is_forgotten(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    for share, expected in ((0.6, False), (1.0, True)):
        module = seed("zoo/think_in_memory", SAME_START=share, MERGE_AT=1.0, COMPARED=8)
        base = _base(module, new_toolkit(), THOUGHTS, ["7. The harbour office of the city is in Mill Street."])
        read = base.read(module.Query("the harbour office"))
        assert "[2 May, 2023] 7. The harbour office of the city is in Mill Street." in read
        assert ("Dock" in read) is expected
        assert sum(map(len, base.buckets.values())) == len(base.thoughts) == (7 if expected else 6)


def test_without_a_model_thoughts_that_are_nearly_the_same_are_merged(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    added = "Anna, who is in an orchestra, plays the violin."
    for cosine, expected in ((0.8, True), (1.0, False)):
        base = _base(seed("zoo/think_in_memory", MERGE_AT=cosine), new_toolkit(), THOUGHTS, [added])
        held = [text for _, text, *_ in base.thoughts.values()]
        assert (f"{THOUGHTS[0]}; {added}" in held) is expected
        assert (added in held) is not expected
        assert len(held) == (6 if expected else 7)


def test_only_the_nearest_buckets_are_compared(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/think_in_memory", COMPARED=1)
    base = _base(module, new_toolkit(), THOUGHTS)
    for number, (*_, vector) in base.thoughts.items():
        near = base.near(vector)
        assert number in near
        assert len(near) < len(THOUGHTS)


def test_model_inserts_forgets_and_merges_in_one_call(seed: Callable[..., ModuleType], toolkit_module: ModuleType):
    prompts = []

    def post_think(messages: list[dict[str, Any]], options: dict[str, Any]) -> str:
        prompts.append(messages[0]["content"])
        numbers = {thought: int(prompts[-1].partition(f". {thought}")[0].split()[-1]) for thought in THOUGHTS}
        merge = [
            {"numbers": [numbers[THOUGHTS[0]], numbers[THOUGHTS[2]]], "text": "Anna plays and Tom bakes."},
            {"numbers": [99], "text": "Made up."},
        ]
        decided = {"insert": ["Mill Street has the office."], "forget": [numbers[THOUGHTS[3]], 99, "x"], "merge": merge}
        return f"Well: {json.dumps(decided)} Done."

    module = seed("zoo/think_in_memory", BUCKETS=4)
    toolkit = toolkit_module.Toolkit(call_llm=post_think, log=lambda message: None)
    base = _base(module, toolkit, THOUGHTS, ["The harbour office of the city is in Mill Street."])
    assert len(prompts) == 1  # the first episode had nothing to be compared with
    assert prompts[0].startswith("New thoughts:\nThe harbour office of the city is in Mill Street.\n")
    kept = [THOUGHTS[1], THOUGHTS[4], THOUGHTS[5], "Mill Street has the office.", "Anna plays and Tom bakes."]
    assert [text for _, text, *_ in base.thoughts.values()] == kept
    assert len(base.read(module.Query("office")).splitlines()) == 5


@pytest.mark.parametrize("reply", ["", "{", '{"forget": [3]}', '{"insert": [1]}', '{"insert": [], "merge": [1]}', "[]"])
def test_broken_reply_leaves_the_rules(seed: Callable[..., ModuleType], toolkit_module: ModuleType, reply: str):
    toolkit = toolkit_module.Toolkit(call_llm=lambda messages, options: reply, log=lambda message: None)
    base = _base(
        seed("zoo/think_in_memory", COMPARED=8),
        toolkit,
        THOUGHTS,
        ["The harbour office of the city is in Mill Street."],
    )
    held = [text for _, text, *_ in base.thoughts.values()]
    assert "The harbour office of the city is in Mill Street." in held
    assert "The harbour office of the city is in Dock Street." not in held
