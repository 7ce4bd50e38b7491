"""Harnesses from the seeds and from sources of the tests' own, and a model that answers what it was told to."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from evolve.harness.memory import Memory, bound
from evolve.harness.program import Harness
from evolve.paths import seeds_dir
from evolve.program.contract import parse

HEAD = """
from dataclasses import dataclass, field

INSTRUCTION_KNOWLEDGE_ITEM = "Repeat the text."
INSTRUCTION_QUERY = "Repeat the question."
INSTRUCTION_RESPONSE = "Answer."
ALWAYS_ON_KNOWLEDGE = ""


@dataclass
class KnowledgeItem:
    text: str = field(metadata={"description": "The full text"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question"})

"""
"""What every small program begins with."""


def _harness(source: str, name: str, **known: object) -> Harness:
    program = parse(source)
    values: dict[str, object] = {
        "uses_llm": "llm_completion" in source,
        "model_calls": 8 if "llm_completion" in source else 0,
        **known,
    }
    return Harness(name, "1.0", program.digest, source, program.item, program.query, program.instructions, **values)  # type: ignore[arg-type]


@pytest.fixture
def seed_harness() -> Callable[[str], Harness]:
    """The harness of a program in seeds/, such as "bm25" or "zoo/latest_value"."""
    return lambda name: _harness((seeds_dir() / f"{name}.py").read_text(encoding="utf-8"), name)


@pytest.fixture
def harness() -> Callable[..., Harness]:
    """The harness of a small program: the source of its KnowledgeBase, and what is known of it."""
    return lambda source, **known: _harness(HEAD + textwrap.dedent(source), "small", **known)


@pytest.fixture
def memory_of(tmp_path: Path) -> Callable[..., Memory]:
    """Open a memory of a harness in the test's folder, or in `folder` below it."""

    def opened(harness: Harness, *, folder: str = "memory", **options: object) -> Memory:
        return bound(harness)(tmp_path / folder, **options)  # type: ignore[arg-type]

    return opened


class Script:
    """A model of set answers, by the last message; what is not in the script fails the test, and is kept in `lost`."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        self.answers = dict(answers)
        self.asked: list[str] = []

    def __call__(self, messages: list[dict[str, str]]) -> str:
        said = messages[-1]["content"]
        self.asked.append(said)
        if said not in self.answers:
            raise AssertionError(f"not in the script: {json.dumps(said)}")
        return self.answers[said]


@pytest.fixture
def script() -> type[Script]:
    """Make a model of set answers."""
    return Script
