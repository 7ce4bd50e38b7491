"""`zep` never deletes a fact: another one ends it, and both are read with their times."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

CARS = (("1 May, 2023", "Anna: My car is a Saab."), ("2 May, 2023", "Anna: My car is a Jazz now."))


def write(module: ModuleType, toolkit: Any, *told: tuple[str, str], raw: str = "") -> Any:
    base = module.KnowledgeBase(toolkit)
    for date, statement in told:
        base.write(module.KnowledgeItem(statements=[statement], date=date), raw)
    return base


def test_fact_that_was_ended_is_read_behind_the_one_that_holds(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    module = seed("zoo/zep")
    base = write(module, new_toolkit(), *CARS)
    now, then = "[2 May, 2023] Anna: My car is a Jazz now.", "[1 May, 2023 until 2 May, 2023] Anna: My car is a Saab."
    assert base.read(module.Query(text="Which car?")).splitlines() == [now, then]
    question = "Which car was it on 1 May, 2023?"
    assert base.read(module.Query(text=question, as_of="1 May, 2023")).splitlines() == [then, now]
    assert base.read(module.Query(text=question, as_of="2023/05/02")).splitlines() == [now, then]


def test_days_decide_not_the_order_of_telling(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    base = write(seed("zoo/zep"), new_toolkit(), *CARS[::-1])
    assert [fact["until"] for fact in base.facts] == ["", " until 2 May, 2023"]
    base.write(seed("zoo/zep").KnowledgeItem(statements=["Anna: My car is a Mini."], date="9 June, 2023"), "")
    assert [fact["until"] for fact in base.facts] == [" until 9 June, 2023", " until 2 May, 2023", ""]


def test_latest_of_numbered_facts_is_read_first(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/zep")
    facts = (
        "0. The capital of Norland is Oslo.\n1. Rex speaks the language of French.\n2. The capital of Norland is Bo."
    )
    found = write(module, new_toolkit(), ("", ""), raw=facts).read(module.Query(text="What is the capital of Norland?"))
    assert found.splitlines()[0] == "2. The capital of Norland is Bo."
    assert "[ until later] 0. The capital of Norland is Oslo." in found


def test_shared_names_bring_what_neither_words_nor_meaning_bring(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    told = [("", f"Tom: dull weather, week {n}, and my brother called again") for n in range(8)]
    told[3:3] = [("", "Anna: My brother is called Bertil Ek."), ("", "At dawn, violins sing for Bertil Ek.")]
    question = {"text": "What is Anna's brother called?"}
    module = seed("zoo/zep", LISTED=4)
    assert "violins" in write(module, new_toolkit(), *told).read(module.Query(**question))
    alone = seed("zoo/zep", LISTED=4, NAMED=0)
    assert "violins" not in write(alone, new_toolkit(), *told).read(alone.Query(**question))


def test_model_says_what_ends_what(seed: Callable[..., ModuleType], toolkit_module: ModuleType):
    prompts = []

    def resolve(messages: list[dict[str, Any]], options: dict[str, Any]) -> str:
        prompts.append(messages[0]["content"])
        return 'So: {"ends": [[1, 0], [1, 99], [1, 1]]}'

    told = (CARS[0], ("3 May, 2023", "Anna: I swapped the Saab for a bicycle."))
    base = write(seed("zoo/zep"), toolkit_module.Toolkit(call_llm=resolve, log=print), *told)
    assert "0: Anna: My car is a Saab.\n1: Anna: I swapped the Saab" in prompts[1]
    assert "from 1 on" in prompts[1]
    assert [fact["until"] for fact in base.facts] == [" until 3 May, 2023", ""]


@pytest.mark.parametrize("reply", ["", "{", "[]", '{"ends": 3}', '{"ends": [4]}', '{"ends": [[1, 2, 3]]}'])
def test_broken_reply_leaves_it_to_the_words(seed: Callable[..., ModuleType], toolkit_module: ModuleType, reply: str):
    toolkit = toolkit_module.Toolkit(call_llm=lambda messages, options: reply, log=print)
    assert [fact["until"] for fact in write(seed("zoo/zep"), toolkit, *CARS).facts] == [" until 2 May, 2023", ""]
