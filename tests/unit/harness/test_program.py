"""A harness on disk and as a module."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from evolve.harness.errors import FolderError
from evolve.harness.program import Harness

COUNTING = """
SEEN = []

class KnowledgeBase:
    def __init__(self, toolkit):
        self.count = 0

    def write(self, item, raw_text):
        SEEN.append(item.text)

    def read(self, query):
        return "\\n".join(SEEN)
"""


def test_a_harness_survives_its_two_files(seed_harness: Callable[[str], Harness], tmp_path: Path) -> None:
    harness = seed_harness("experience")
    (tmp_path / "program.py").write_text(harness.source, encoding="utf-8")
    (tmp_path / "harness.json").write_text(json.dumps(harness.to_json()), encoding="utf-8")
    assert Harness.open(tmp_path) == harness
    assert "source" not in harness.to_json()


@pytest.mark.parametrize("damage", ["", "[]", '{"name": "x"}', "{"])
def test_a_damaged_package_is_an_error_that_says_what_to_do(damage: str, tmp_path: Path) -> None:
    (tmp_path / "harness.json").write_text(damage, encoding="utf-8")
    (tmp_path / "program.py").write_text("", encoding="utf-8")
    with pytest.raises(FolderError, match=r"install the package again\.$"):
        Harness.open(tmp_path)


def test_the_agents_are_shown_the_programs_own_words(seed_harness: Callable[[str], Harness]) -> None:
    harness = seed_harness("bm25")
    program = harness.program()
    assert (program.item, program.query, program.digest) == (harness.item, harness.query, harness.digest)
    assert program.instructions["ALWAYS_ON_KNOWLEDGE"].startswith("The memory holds every line")


def test_the_module_is_one_and_registered(harness: Callable[..., Harness]) -> None:
    made = harness(COUNTING)
    module = made.module()
    assert module is made.module() is sys.modules[f"memory_program_{made.digest[:12]}"]


def test_each_load_has_globals_of_its_own(harness: Callable[..., Harness]) -> None:
    made = harness(COUNTING)
    one, other = made.load(), made.load()
    one.SEEN.append("mine")
    assert other.SEEN == []
    assert made.module() is sys.modules[made.module_name]
