"""`hymem` reads key sentences, and the raw lines behind them only where those are not enough."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

TRIP = "Anna: We sailed to Corfu.\nTom: By boat?\nAnna: A red one, with a leak, on the ninth of May."
DOG = "Anna: I adopted Rex the terrier.\nTom: Congratulations, what a funny little animal he is."
SENTENCES = {TRIP: "Anna sailed to Corfu.", DOG: "Anna adopted the terrier Rex."}


def write(module: ModuleType, toolkit: Any) -> Any:
    base = module.KnowledgeBase(toolkit)
    for text, sentence in SENTENCES.items():
        base.write(module.KnowledgeItem(facts=[sentence]), text)
    return base


def test_easy_question_is_read_from_the_key_sentences(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/hymem")
    found = write(module, new_toolkit()).read(module.Query(text="Anna adopted the terrier Rex?"))
    assert found.splitlines() == ["Anna adopted the terrier Rex.", "Anna sailed to Corfu."]


@pytest.mark.parametrize("question", ["When has Anna sailed to Corfu?", "Something nautical in Greece?"])
def test_question_that_asks_for_more_reads_the_lines_behind(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any], question: str
):
    module = seed("zoo/hymem", DEEP_HITS=1)
    found = write(module, new_toolkit()).read(module.Query(text=question))
    assert found.splitlines() == ["Anna sailed to Corfu.", "Anna adopted the terrier Rex.", *TRIP.splitlines()]


def test_event_without_a_key_sentence_is_found_by_its_longest_line(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    module = seed("zoo/hymem", EVENT_LINES=2)
    base = module.KnowledgeBase(new_toolkit())
    base.write(
        module.KnowledgeItem(date="9 May", facts=["Anna adopted the terrier Rex."]), f"Date: 9 May\n{DOG}\n{TRIP}"
    )
    assert base.sentences[0] == ("[9 May] Anna adopted the terrier Rex.", 0)
    assert base.sentences[2] == ("[9 May] Anna: A red one, with a leak, on the ninth of May.", 2)
    assert len(base.vectors) == len(base.events) == 3


@pytest.mark.parametrize(
    ("reply", "raw"),
    [
        ('{"sufficient": true, "notes": []}', []),
        ('Let me see. {"sufficient": false, "notes": [1, 99]}', DOG.splitlines()),
    ],
)
def test_the_call_judges_and_names_what_to_read(
    seed: Callable[..., ModuleType], toolkit_module: ModuleType, reply: str, raw: list[str]
):
    def judge(messages: list[dict[str, Any]], options: dict[str, Any]) -> str:
        assert "When was Corfu?" in messages[0]["content"]
        assert "0. Anna sailed to Corfu.\n1. Anna adopted the terrier Rex." in messages[0]["content"]
        return reply

    module = seed("zoo/hymem")
    found = write(module, toolkit_module.Toolkit(call_llm=judge, log=print)).read(module.Query(text="When was Corfu?"))
    assert found.splitlines()[2:] == raw


@pytest.mark.parametrize("reply", ["", "yes", '{"notes": [0]}', '{"sufficient": false, "notes": ["0"]}', '{"suff'])
def test_broken_reply_judges_by_rule(seed: Callable[..., ModuleType], toolkit_module: ModuleType, reply: str):
    module = seed("zoo/hymem")
    base = write(module, toolkit_module.Toolkit(call_llm=lambda messages, options: reply, log=print))
    assert "leak" in base.read(module.Query(text="When has Anna sailed to Corfu?"))
    assert "leak" not in base.read(module.Query(text="Anna sailed to Corfu?"))
