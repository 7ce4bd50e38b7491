"""Changes apply where they fit in one place, and say what does not fit where they do not."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from evolve.program.patch import PatchError, apply_blocks, apply_patch

SOURCE = """\
import re

class Query:
    text: str

class KnowledgeBase:
    def write(self, item, raw_text):
        x = 1
        return x

    def read(self, query):
        x = 1
        return x
"""


def patch(*lines: str) -> str:
    return "\n".join(["*** Begin Patch", "*** Update File: program.py", *lines, "*** End Patch"])


def block(old: str, new: str) -> str:
    return f"<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE"


def test_a_patch_replaces_lines_between_context() -> None:
    changed = apply_patch(SOURCE, patch("@@", " class Query:", "-    text: str", "+    text: str = ''", " "))
    assert changed == SOURCE.replace("text: str", "text: str = ''")


def test_several_hunks_apply_in_order() -> None:
    change = patch(
        "@@", "-import re", "+import json", "@@", "     def read(self, query):", "-        x = 1", "+        x = 2"
    )
    head, read = SOURCE.replace("import re", "import json").split("    def read")
    assert apply_patch(SOURCE, change) == f"{head}    def read{read.replace('x = 1', 'x = 2')}"


@pytest.mark.parametrize(
    "anchors",
    [["@@ def read(self, query):"], ["@@ def read"], ["@@ class KnowledgeBase:", "@@     def read(self, query):"]],
    ids=["the line", "its beginning", "nested"],
)
def test_an_anchor_tells_equal_places_apart(anchors: list[str]) -> None:
    change = patch(*anchors, "-        x = 1", "+        x = 2")
    head, read = SOURCE.split("    def read")
    assert apply_patch(SOURCE, change) == f"{head}    def read{read.replace('x = 1', 'x = 2')}"


def test_an_anchor_may_be_repeated_as_context() -> None:
    change = patch("@@ def read(self, query):", "     def read(self, query):", "-        x = 1", "+        x = 2")
    assert apply_patch(SOURCE, change).count("x = 2") == 1


def test_an_anchor_that_is_not_there_does_no_harm_where_the_context_is_enough() -> None:
    assert "import json" in apply_patch(SOURCE, patch("@@ def gone(self):", "-import re", "+import json"))


def test_lines_are_added_after_an_anchor_or_at_the_end() -> None:
    after = apply_patch(SOURCE, patch("@@ class Query:", "+    limit: int"))
    assert "class Query:\n    limit: int\n    text: str" in after
    assert apply_patch(SOURCE, patch("@@", "+END = 1")) == f"{SOURCE}END = 1\n"


def test_the_end_of_the_file_is_a_place() -> None:
    change = patch("@@", "-        return x", "+        return 2", "*** End of File")
    assert apply_patch(SOURCE, change).endswith("x = 1\n        return 2\n")
    assert apply_patch(SOURCE, change).count("return x") == 1


def test_trailing_white_space_does_not_matter_and_stays_as_it_was() -> None:
    source = "a = 1  \n\nb = 2\t\n"
    assert apply_patch(source, patch("@@", " a = 1", "", "-b = 2", "+b = 3")) == "a = 1  \n\nb = 3\n"


@pytest.mark.parametrize(
    "text",
    [
        "```diff\n" + patch("@@", "-import re", "+import json") + "\n```",
        "*** Begin Patch\n*** Update File: program.py\n@@\n-import re\n+import json\n```\nThat is all.",
        "*** Update File: src/other.py\n@@\n-import re\n+import json",
        "--- a/program.py\n+++ b/program.py\n@@ -1,3 +1,3 @@\n-import re\n+import json\n \n class Query:\n",
        "Here it is:\n\n" + patch("@@", "-import re", "+import json", ""),
        patch("@@", "-import re", "+import json", "", "class Query:", "     text: str"),
        patch("-import re", "+import json"),
    ],
    ids=["fenced", "no end", "no markers", "unified", "prose", "bare context", "no @@"],
)
def test_forms_that_models_write(text: str) -> None:
    assert apply_patch(SOURCE, text) == SOURCE.replace("import re", "import json")


def test_a_change_in_several_patches_is_taken_whole() -> None:
    first, second = patch("@@", "-    text: str", "+    words: str"), patch("@@", "-import re", "+import json")
    text = f"First:\n```\n{first}\n```\nand then:\n```\n{second}\n```"
    assert apply_patch(SOURCE, text) == SOURCE.replace("import re", "import json").replace("text: str", "words: str")


def test_a_file_that_is_added_is_the_whole_program() -> None:
    assert apply_patch(SOURCE, "*** Begin Patch\n*** Add File: program.py\n+a = 1\n+\n+b = 2\n*** End Patch") == (
        "a = 1\n\nb = 2\n"
    )


def test_an_ambiguous_place_is_an_error_that_names_the_lines() -> None:
    with pytest.raises(PatchError, match=r"`        x = 1`, are at lines 8, 12 of the program: add lines of context"):
        apply_patch(SOURCE, patch("@@", "-        x = 1", "+        x = 2"))


def test_a_line_that_is_not_there_is_named() -> None:
    with pytest.raises(PatchError, match=r"begins at line 3 .* the line `    text: int` is not in the program$"):
        apply_patch(SOURCE, patch("@@", "-    text: int"))


def test_where_the_program_goes_another_way_both_lines_are_named() -> None:
    with pytest.raises(
        PatchError, match=r"the change has `    text: int` where line 4 of the program is `    text: str`"
    ):
        apply_patch(SOURCE, patch("@@", " class Query:", "-    text: int"))


def test_a_wrong_indentation_is_named() -> None:
    with pytest.raises(
        PatchError, match=r"`text: str` is not in .* with that indentation \(line 4 is `    text: str`\)"
    ):
        apply_patch(SOURCE, patch("@@", "-text: str"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (patch("@@", " import re"), r"no line that begins with \+ or -"),
        ("*** Begin Patch\n*** Delete File: program.py\n*** End Patch", "deletes one"),
        (patch("@@", "-import re", "*** Update File: b.py", "@@", "-    text: str"), "more than one file"),
        (patch("*** Move to: b.py", "@@", "-import re"), "only .* Update File is known"),
    ],
)
def test_what_is_no_change_of_one_program_is_refused(text: str, reason: str) -> None:
    with pytest.raises(PatchError, match=reason):
        apply_patch(SOURCE, text)


def test_blocks_apply_one_after_the_other() -> None:
    text = f"First:\n{block('import re', 'import json')}\nthen:\n{block('import json', 'import math')}"
    assert apply_blocks(SOURCE, text) == SOURCE.replace("import re", "import math")


def test_a_block_may_delete() -> None:
    assert apply_blocks(SOURCE, "<<<<<<< SEARCH\nimport re\n=======\n>>>>>>> REPLACE") == SOURCE.partition("\n")[2]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (block("        return x", "        return 1"), "at lines 9, 13 of the program"),
        (block("import sys", "import re"), "`import sys` is not in the program"),
        (block("", "import re"), "searches for nothing"),
        ("<<<<<<< SEARCH\nimport re\n", "has no ======="),
        ("<<<<<<< SEARCH\nimport re\n=======\nimport json\n", "has no >>>>>>> REPLACE"),
    ],
)
def test_a_block_that_does_not_fit_is_refused(text: str, reason: str) -> None:
    with pytest.raises(PatchError, match=reason):
        apply_blocks(SOURCE, text)


def opcodes(old: Sequence[str], new: Sequence[str], context: int) -> list[list[tuple[str, str]]]:
    """The hunks from old to new, as signs and lines."""
    hunks = []
    for group in difflib.SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(context):
        hunk: list[tuple[str, str]] = []
        for tag, i, j, k, m in group:
            if tag == "equal":
                hunk += [(" ", line) for line in old[i:j]]
            else:
                hunk += [("-", line) for line in old[i:j]] + [("+", line) for line in new[k:m]]
        hunks.append(hunk)
    return hunks


LINES = st.lists(st.sampled_from(["a", "b", "    a", "    b", "", "c  ", "- d", "+ e", "@@ f", "x = 1"]), max_size=14)


@st.composite
def edits(draw: st.DrawFn, *, numbered: bool) -> tuple[list[str], list[str]]:
    """Two texts, the second made from the first by changes of single lines; numbered lines are all different."""
    old = [f"{line} # {number}" if numbered else line for number, line in enumerate(draw(LINES))]
    new: list[str] = []
    for line in old:
        match draw(st.sampled_from(["keep", "keep", "keep", "remove", "change", "add"])):
            case "keep":
                new.append(line)
            case "change":
                new.append(f"{line} changed")
            case "add":
                new += [line, f"added {len(new)}"]
    return old, new


def as_patch(hunks: list[list[tuple[str, str]]]) -> str:
    return patch(*(line for hunk in hunks for line in ["@@", *(sign + text for sign, text in hunk)]))


def as_blocks(hunks: list[list[tuple[str, str]]]) -> str:
    def side(hunk: list[tuple[str, str]], sign: str) -> str:
        return "".join(f"{text}\n" for each, text in hunk if each in (" ", sign))

    return "\n".join(f"<<<<<<< SEARCH\n{side(hunk, '-')}=======\n{side(hunk, '+')}>>>>>>> REPLACE" for hunk in hunks)


@given(edits(numbered=True), st.integers(1, 3))
def test_both_forms_of_an_edit_give_its_result(texts: tuple[list[str], list[str]], context: int) -> None:
    old, new = texts
    assume(old != new)
    source, wanted = "\n".join([*old, ""]), "\n".join([*new, ""])
    hunks = opcodes(old, new, context)
    assert apply_patch(source, as_patch(hunks)) == wanted
    assert apply_blocks(source, as_blocks(hunks)) == wanted


@given(edits(numbered=False), st.integers(1, 3))
def test_an_edit_is_applied_rightly_or_not_at_all(texts: tuple[list[str], list[str]], context: int) -> None:
    """Where lines repeat, a place may be ambiguous: that is an error, never another result."""
    old, new = texts
    assume(old != new)
    source, wanted = "\n".join([*old, ""]), "\n".join([*new, ""])
    hunks = opcodes(old, new, context)
    for apply, text in ((apply_patch, as_patch(hunks)), (apply_blocks, as_blocks(hunks))):
        with suppress(PatchError):
            assert apply(source, text) == wanted
