"""`cupmem` reads the value that holds in place of a stale one, and puts in doubt what hangs on a slot that changed."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

HOME = ("Anna: I live in Porto.", "Anna: I walk to work along the river.", "Anna: I moved to Ghent, hooray.")


def write(module: ModuleType, toolkit: Any, *statements: str, raw: str = "") -> Any:
    base = module.KnowledgeBase(toolkit)
    for day, statement in enumerate(statements, 1):
        base.write(module.KnowledgeItem(statements=[statement], date=f"{day} May"), raw)
    return base


def test_value_that_holds_is_read_with_the_one_before(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/cupmem")
    cars = ("Anna: My car is a Saab.", "Tom: My car is a Fiat.", "Anna: My car is a Jazz now.")
    found = write(module, new_toolkit(), *cars).read(module.Query(text="Does Anna still drive the Saab?"))
    assert "[3 May] Anna: My car is a Jazz now. (before: a Saab)" in found.splitlines()
    assert "[2 May] Tom: My car is a Fiat." in found.splitlines()
    assert "[1 May]" not in found


def test_change_puts_in_doubt_what_hangs_on_it(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/cupmem")
    question = "How does Anna get to work?"
    base = write(module, new_toolkit(), *HOME)
    doubtful = f"[2 May] {HOME[1]} (in doubt: home changed on 3 May)"
    assert doubtful in base.read(module.Query(text=question)).splitlines()
    base.write(module.KnowledgeItem(statements=["Anna: I cycle to work."]), "")
    assert "in doubt" not in base.read(module.Query(text=question))
    assert "in doubt" not in write(module, new_toolkit(), *HOME[:2], HOME[0]).read(module.Query(text=question))
    alone = seed("zoo/cupmem", PROPAGATE="no")
    assert "in doubt" not in write(alone, new_toolkit(), *HOME).read(alone.Query(text=question))


def test_latest_of_numbered_facts_is_read_first(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/cupmem")
    facts = (
        "0. The author of Dr. No is A. Smith.\n1. Rex speaks the language of French.\n2. The author of Dr. No is Bo."
    )
    base = write(module, new_toolkit(), "", raw=facts)
    lines = base.read(module.Query(text="Who is the author of Dr. No?")).splitlines()
    assert lines[0] == "[1 May] 2. The author of Dr. No is Bo. (before: A. Smith)"
    assert len(lines) == 2


def test_model_names_slots_and_doubts(seed: Callable[..., ModuleType], toolkit_module: ModuleType):
    prompts = []

    def classify(messages: list[dict[str, Any]], options: dict[str, Any]) -> str:
        prompts.append(messages[0]["content"])
        if "Boxes" in prompts[-1]:
            return '{"set": [{"statement": 0, "slot": "anna home", "value": "Ghent"}], "doubt": ["anna gym", "x"]}'
        slot = "gym" if "Iron" in prompts[-1] else "home"
        return f'So: {{"set": [{{"statement": 0, "slot": "Anna {slot}", "value": "Porto"}}]}}'

    module = seed("zoo/cupmem")
    toolkit = toolkit_module.Toolkit(call_llm=classify, log=print)
    base = write(
        module, toolkit, "Anna settled in Porto.", "Anna trains at Iron Hall.", "Anna: Boxes arrived in Ghent!"
    )
    assert "anna home: Porto" in prompts[-1]
    assert sorted(base.read(module.Query(text="Anna")).splitlines()) == [
        "[2 May] Anna trains at Iron Hall. (in doubt: since 3 May)",
        "[3 May] Anna: Boxes arrived in Ghent! (before: Porto)",
    ]


@pytest.mark.parametrize("reply", ["", "{", "[]", '{"set": 3}', '{"set": [{"statement": "x"}]}', '{"doubt": []}'])
def test_broken_reply_leaves_it_to_patterns(seed: Callable[..., ModuleType], toolkit_module: ModuleType, reply: str):
    toolkit = toolkit_module.Toolkit(call_llm=lambda messages, options: reply, log=print)
    base = write(seed("zoo/cupmem"), toolkit, *HOME)
    assert [value for value, _ in base.slots["anna home"]] == ["Porto", "Ghent"]
    assert list(base.doubts) == ["anna commute"]
