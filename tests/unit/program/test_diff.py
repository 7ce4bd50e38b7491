"""Differences: the unified form that git takes, and the note of one line."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolve.program import StructuralDiff, structural_diff, unified_diff
from evolve.program.diff import NOTE_CHARS

OLD = '''\
"""What it bets on."""
import re
from typing import Optional, List

K1 = 5
ORDER = "rank"
INSTRUCTION_QUERY = "A long instruction that nobody wants to read inside of a note."
TUNABLES = {"K1": (1, 10)}


class KnowledgeItem:
    summary: str
    date: str = ""


class KnowledgeBase:
    """A docstring."""

    limit = 3

    def __init__(self, toolkit):
        self.notes = []

    def read(self, query):
        return helper(self.notes)


def helper(notes):
    return notes[-K1:]
'''


def note(old: str, new: str, *more: tuple[str, str]) -> StructuralDiff:
    source = OLD
    for before, after in [(old, new), *more]:
        assert source.count(before) == 1, before
        source = source.replace(before, after)
    return structural_diff(OLD, source)


def test_a_changed_constant_shows_both_values() -> None:
    diff = note("K1 = 5", "K1 = 8  # more")
    assert (diff.added, diff.removed, diff.changed) == ((), (), ("K1",))
    assert diff.values == {"K1": ("5", "8")}
    assert str(diff) == diff.describe() == "changed K1: 5 -> 8"


def test_long_values_are_kept_but_not_shown() -> None:
    diff = note("nobody wants", "everybody wants")
    assert str(diff) == "changed INSTRUCTION_QUERY"
    assert "everybody wants" in diff.values["INSTRUCTION_QUERY"][1]


def test_methods_fields_functions_and_classes_have_names() -> None:
    diff = note(
        "    summary: str\n",
        "    summary: Optional[str]\n    place: str = ''\n",
        ('    date: str = ""\n', ""),
        (
            "        return helper(self.notes)\n",
            "        return self._rank(query)\n\n    def _rank(self, query):\n        pass\n",
        ),
        (
            "def helper(notes):\n    return notes[-K1:]\n",
            "class _Index:\n    size = 1\n\n    def add(self):\n        pass\n",
        ),
        ("limit = 3", "limit = 4"),
    )
    assert diff.changed == ("KnowledgeItem.summary", "KnowledgeBase.limit", "KnowledgeBase.read()")
    assert diff.added == ("KnowledgeItem.place", "KnowledgeBase._rank()", "class _Index")
    assert diff.removed == ("KnowledgeItem.date", "helper()")
    assert str(diff) == (
        "changed KnowledgeBase.limit: 3 -> 4, KnowledgeBase.read(), KnowledgeItem.summary; "
        "added KnowledgeBase._rank() and 4 more"
    )


def test_imports_tunables_headers_and_module_code_are_parts_too() -> None:
    diff = note(
        "import re\n",
        "import json\nprint(json)\n",
        ("Optional, List", "Optional"),
        ("(1, 10)", "(1, 20)"),
        ("class KnowledgeItem:", "class KnowledgeItem(dict):"),
    )
    assert diff.added == ("import json", "print(json)")
    assert diff.removed == ("import re", "from typing import List")
    assert diff.changed == ("TUNABLES", "class KnowledgeItem")


@pytest.mark.parametrize(
    ("old", "new"),
    [("K1 = 5", "K1 = (5)  # five"), ('"""A docstring."""', "# none"), ('"""What it bets on."""', ""), (OLD, OLD)],
)
def test_formatting_comments_and_docstrings_are_no_change(old: str, new: str) -> None:
    diff = note(old, new)
    assert not diff.added + diff.removed + diff.changed
    assert str(diff) == "only order, comments or formatting changed"


@given(st.lists(st.from_regex(r"[a-z_]{1,200}", fullmatch=True), unique=True, max_size=40))
def test_a_note_is_one_short_line(names: list[str]) -> None:
    new = OLD + "".join(f"def x{name}():\n    return 1\n" for name in names)
    text = str(structural_diff(OLD, new))
    assert len(text) <= NOTE_CHARS
    assert "\n" not in text
    if names and " more" not in text:
        assert text.count("()") + text.count("...") >= len(names)


def test_the_number_left_out_is_right() -> None:
    diff = StructuralDiff(added=tuple(f"a_rather_long_name_{i}()" for i in range(50)), removed=("x",), changed=())
    text = str(diff)
    assert int(text.split(" and ")[1].split()[0]) + text.count("()") == 51


@given(st.text("ab \n\r\x0c\u2028é", max_size=40), st.text("ab \n\r\x0c\u2028é", max_size=40))
def test_equal_texts_alone_have_an_empty_diff(old: str, new: str) -> None:
    text = unified_diff(old, new, old_name="a/program.py", new_name="b/program.py")
    assert (text == "") == (old == new)


def test_git_applies_the_diff(tmp_path: Path) -> None:
    new = OLD.replace("K1 = 5", "K1 = 8").removesuffix("\n") + "  # \x0c no line end"
    text = unified_diff(OLD, new, old_name="a/program.py", new_name="b/program.py")
    assert text.startswith("--- a/program.py\n+++ b/program.py\n@@ ")
    (tmp_path / "program.py").write_text(OLD, encoding="utf-8", newline="")
    subprocess.run(["git", "apply"], cwd=tmp_path, input=text.encode(), check=True)
    assert (tmp_path / "program.py").read_text(encoding="utf-8") == new
