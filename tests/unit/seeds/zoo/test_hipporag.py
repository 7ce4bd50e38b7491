"""HippoRAG: a walk through the graph reaches a line that shares nothing with the question."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

EPISODES = (
    ("Anna: I signed with Lumora on Monday.", ["Anna | is employed by | Lumora"]),
    ("Tom: Everybody at Lumora sits in Turin, next to the river.", ["Lumora | has its seat in | Turin"]),
    ("Anna: The job of a baker starts in the night.", ["a baker | starts work in | the night"]),
    ("Tom: In which city do they work, those acrobats?", ["the acrobats | work in | some city"]),
    ("Anna: A city without work empties.", ["a city | loses | its people"]),
    ("Tom: My cousin in the city works for a bank.", ["Tom's cousin | is employed by | a bank"]),
)
QUESTION = "In which city does Anna work?"


def _written(module: ModuleType, toolkit: Any) -> Any:
    base = module.KnowledgeBase(toolkit)
    for text, facts in EPISODES:
        base.write(module.KnowledgeItem(facts), text)
    return base


def _order(base: Any, module: ModuleType) -> list[str]:
    """Who or what each line is about, in the order of reading."""
    lines = base.read(module.Query(QUESTION)).splitlines()
    assert len(lines) == len(EPISODES)
    subjects = ("Lumora on", "Turin", "baker", "acrobats", "empties", "cousin")
    return [next(subject for subject in subjects if subject in line) for line in lines]


def test_walk_reaches_the_answer_over_a_line_in_between(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    module = seed("zoo/hipporag")
    base = _written(module, new_toolkit())
    assert (base.phrases["anna"], base.phrases["lumora"]) in base.joined
    order = _order(base, module)
    assert order.index("Lumora on") < order.index("Turin") < min(order.index("baker"), order.index("cousin"))


def test_no_fact_left_reads_the_nearest_lines_which_miss_the_answer(
    seed: Callable[..., ModuleType], toolkit_module: ModuleType
):
    module = seed("zoo/hipporag")
    toolkit = toolkit_module.Toolkit(call_llm=lambda messages, options: '{"facts": []}', log=lambda message: None)
    assert _order(_written(module, toolkit), module)[-1] == "Turin"


def test_model_chooses_the_facts_to_start_from(seed: Callable[..., ModuleType], toolkit_module: ModuleType):
    def recognise(messages: list[dict[str, Any]], options: dict[str, Any]) -> str:
        listed = messages[0]["content"].splitlines()
        assert listed[0] == f"Question: {QUESTION}"
        chosen = [int(line.partition(".")[0]) for line in listed if "its seat in" in line]
        assert chosen
        return f"Sure.\n{json.dumps({'facts': chosen})}"

    module = seed("zoo/hipporag")
    toolkit = toolkit_module.Toolkit(call_llm=recognise, log=lambda message: None)
    assert _order(_written(module, toolkit), module)[0] == "Turin"


@pytest.mark.parametrize("reply", ["", "{", '{"facts": 3}', '{"facts": ["none"]}', "[2]"])
def test_broken_reply_chooses_facts_by_cosine(
    seed: Callable[..., ModuleType], toolkit_module: ModuleType, new_toolkit: Callable[[], Any], reply: str
):
    module = seed("zoo/hipporag")
    toolkit = toolkit_module.Toolkit(call_llm=lambda messages, options: reply, log=lambda message: None)
    assert _order(_written(module, toolkit), module) == _order(_written(module, new_toolkit()), module)


def test_phrases_of_nearly_the_same_meaning_are_joined(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    for cosine, expected in ((0.7, True), (1.0, False)):
        module = seed("zoo/hipporag", SYNONYM=cosine)
        base = module.KnowledgeBase(new_toolkit())
        base.write(module.KnowledgeItem([]), "Anna: My dogs bark.")
        base.write(module.KnowledgeItem([]), "Tom: One dog sleeps.")
        joined = {frozenset(list(base.phrases)[number] for number in pair) for pair in base.joined}
        assert ({"dog", "dogs"} in joined) is expected
