"""BudgetMem: what is done at reading, and whether a model is asked, follows from the question."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

TEXT = (
    "Anna: The dentist pulled my tooth yesterday.\nTom: Poor you. My tooth is fine.\nAnna: The tooth hurt for a while.",
    "Tom: The harvest fair was loud.\nAnna: I sold jam there.",
)


@pytest.fixture
def written(
    seed: Callable[..., ModuleType], toolkit_module: ModuleType
) -> Callable[..., tuple[ModuleType, Any, list[str]]]:
    """A module, a knowledge base with a model that notes down one sentence, and the prompts it got."""

    def make(reply: str = "The dentist did it.", **constants: object) -> tuple[ModuleType, Any, list[str]]:
        prompts: list[str] = []

        def note(messages: list[dict[str, Any]], options: dict[str, Any]) -> str:
            prompts.append(messages[0]["content"])
            return reply

        module = seed("zoo/budget_mem", **constants)
        base = module.KnowledgeBase(toolkit_module.Toolkit(call_llm=note, log=lambda message: None))
        for day, text in enumerate(TEXT, 1):
            base.write(module.KnowledgeItem(f"{day} May, 2023"), text)
        return module, base, prompts

    return make


@pytest.mark.parametrize(
    ("question", "calls"),
    [
        ("The dentist pulled my tooth yesterday.", 0),  # found word for word
        ("Who pulled her tooth?", 1),
        ("quantum chromodynamics", 0),  # nothing near it
    ],
)
def test_model_is_asked_only_where_the_best_line_is_neither_sure_nor_poor(
    written: Callable[..., Any], question: str, calls: int
):
    module, base, prompts = written()
    read = base.read(module.Query(question))
    assert len(prompts) == calls
    assert read.startswith("Note: The dentist did it.\n[1 May, 2023]") is bool(calls)
    assert all(f"Question: {question}\n" in prompt and "pulled my tooth" in prompt for prompt in prompts)


def test_sure_question_gets_whole_chunks_and_others_the_best_lines(written: Callable[..., Any]):
    module, base, _ = written(CHUNKS=1)
    lines = [f"[1 May, 2023] {line}" for line in TEXT[0].splitlines()]
    assert base.read(module.Query("The dentist pulled my tooth yesterday.")).splitlines() == lines
    assert base.read(module.Query("The tooth hurt?", ["Tom"])).splitlines()[1:] != lines


def test_person_and_time_asked_for_come_first(written: Callable[..., Any]):
    def first(question: str, people: list[str], **constants: object) -> str:
        module, base, _ = written("NONE", SURE=1.0, **constants)
        return base.read(module.Query(question, people)).splitlines()[0]

    assert first("How is the tooth?", [], MATCH=0.5) == first("How is the tooth?", [], MATCH=0.0)
    assert "Tom: Poor you" in first("How is the tooth?", ["Tom"], MATCH=0.5)
    assert "yesterday" in first("When was it that the tooth hurt for a while?", [], MATCH=0.5)
    assert "hurt for a while" in first("When was it that the tooth hurt for a while?", [], MATCH=0.0)


def test_rare_words_of_the_question_choose_the_chunk_before_meaning_does(written: Callable[..., Any]):
    module, base, _ = written("NONE", CHUNKS=1)
    assert "jam" in base.read(module.Query("Toothache and cavities: jam?"))
    assert "jam" not in base.read(module.Query("Toothache and cavities?"))
    assert "jam" in base.read(module.Query("festivals with noisy people, marmalade"))


@pytest.mark.parametrize("reply", ["", "NONE", "NONE of it"])
def test_empty_note_is_not_shown(written: Callable[..., Any], reply: str):
    module, base, prompts = written(reply)
    assert base.read(module.Query("Who pulled her tooth?")).startswith("[1 May, 2023]")
    assert len(prompts) == 1


def test_without_a_model_the_best_lines_are_read(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    module = seed("zoo/budget_mem")
    base = module.KnowledgeBase(new_toolkit())
    base.write(module.KnowledgeItem("1 May, 2023"), TEXT[0])
    assert base.read(module.Query("Who pulled her tooth?")).startswith("[1 May, 2023] Anna: The dentist pulled")
