"""`task_memory_engine` replaces what was updated, makes its dependants stale, and reads along values."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

TRIP = (
    "Anna: The destination is Porto.",
    "Anna: The train to Porto leaves at 9.",
    "Anna: Packing is dull.",
    "Anna: The destination is Ghent.",
)


def write(module: ModuleType, toolkit: Any, *statements: str, raw: str = "") -> Any:
    base = module.KnowledgeBase(toolkit)
    for day, statement in enumerate(statements, 1):
        base.write(module.KnowledgeItem(statements=[statement], date=f"{day} May"), raw)
    return base


def test_update_replaces_and_makes_dependants_stale(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/task_memory_engine")
    base = write(module, new_toolkit(), *TRIP, "Tom: Is the destination Rome?")
    assert sorted(base.read(module.Query(text="destination")).splitlines(), key=str.strip) == [
        f"[2 May] {TRIP[1]} (stale since: {TRIP[3]})",
        f"[3 May] {TRIP[2]}",
        f"[4 May] {TRIP[3]} (was: {TRIP[0]})",
    ]
    again = write(module, new_toolkit(), *TRIP, "Anna: The train to Porto leaves at 11.")
    assert "stale" not in again.read(module.Query(text="When does the train leave?"))


def test_dependants_of_dependants_go_stale(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    told = ("Anna: The hotel in Porto is Hotel Lux.", "Anna: Breakfast at Hotel Lux is good.")
    base = write(seed("zoo/task_memory_engine"), new_toolkit(), TRIP[0], *told, TRIP[3])
    assert [bool(node["stale"]) for node in base.nodes] == [False, True, True, False]


def test_numbered_facts_never_go_stale(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    facts = (
        "0. The author of Emma is Jo Ray.\n1. Jo Ray was born in the city of Ghent.\n2. The author of Emma is Bo Ek."
    )
    base = write(seed("zoo/task_memory_engine"), new_toolkit(), "", raw=facts)
    assert [node["active"] for node in base.nodes] == [False, True, True]
    assert not any(node["stale"] for node in base.nodes)


def test_values_lead_from_fact_to_fact_and_the_latest_counts(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    facts = "0. The author of Emma is Jo Ray.\n1. Bo Ek was born in the city of Ghent.\n2. The author of Emma is Bo Ek."
    question = {"text": "Who is the author of Emma?"}
    module = seed("zoo/task_memory_engine", HITS=1)
    assert write(module, new_toolkit(), "", raw=facts).read(module.Query(**question)).splitlines() == [
        "[1 May] 2. The author of Emma is Bo Ek. (was: 0. The author of Emma is Jo Ray.)",
        "  [1 May] 1. Bo Ek was born in the city of Ghent.",
    ]
    alone = seed("zoo/task_memory_engine", HITS=1, LINKS=0)
    assert "Ghent" not in write(alone, new_toolkit(), "", raw=facts).read(alone.Query(**question))


def test_model_tells_updates_and_dependencies(seed: Callable[..., ModuleType], toolkit_module: ModuleType):
    prompts = []

    def plan(messages: list[dict[str, Any]], options: dict[str, Any]) -> str:
        prompts.append(messages[0]["content"])
        return 'So: {"depends": [[1, 0], [1, 9]], "updates": [[2, 0], "x"]}'

    told = ("Anna: We go by ferry.", "Anna: Bring pills against sickness.", "Anna: We fly instead.")
    base = write(seed("zoo/task_memory_engine"), toolkit_module.Toolkit(call_llm=plan, log=print), *told)
    assert "0: Anna: We go by ferry.\n1: Anna: Bring pills" in prompts[-1]
    assert [node["active"] for node in base.nodes] == [False, True, True]
    assert base.nodes[1]["stale"] == " (stale since: Anna: We fly instead.)"
    assert base.nodes[2]["was"] == [told[0]]


@pytest.mark.parametrize("reply", ["", "{", "[]", '{"updates": 3}', '{"updates": [4]}', '{"depends": [[1, 2, 3]]}'])
def test_broken_reply_leaves_it_to_the_words(seed: Callable[..., ModuleType], toolkit_module: ModuleType, reply: str):
    toolkit = toolkit_module.Toolkit(call_llm=lambda messages, options: reply, log=print)
    base = write(seed("zoo/task_memory_engine"), toolkit, *TRIP)
    assert [node["active"] for node in base.nodes] == [False, True, True, True]
    assert base.nodes[1]["stale"]
