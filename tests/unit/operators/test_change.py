"""Replies are read as models write them, and never fail to be read."""

from __future__ import annotations

import pytest

from evolve.operators.change import MESSAGE_CHARS, read_change
from evolve.program.patch import PatchError

SOURCE = "import re\n\nclass KnowledgeBase:\n    pass\n"
PATCH = "*** Begin Patch\n*** Update File: program.py\n@@\n-import re\n+import json\n*** End Patch"
BLOCK = "<<<<<<< SEARCH\nimport re\n=======\nimport json\n>>>>>>> REPLACE"
WHOLE = "import json\n\nclass KnowledgeBase:\n    pass\n"


@pytest.mark.parametrize(
    "change",
    [
        PATCH,
        f"```\n{PATCH}\n```",
        f"```diff\n{PATCH}\n```\nDone.",
        BLOCK,
        f"```python\n{BLOCK}\n```",
        f"```python\n{WHOLE}```",
        f"~~~\n{WHOLE}~~~",
        f"```python\n{WHOLE}",
        f"Only this line:\n```python\nimport json\n```\nso the whole is\n```python\n{WHOLE}```",
        PATCH.replace("\n", "\r\n"),
    ],
)
@pytest.mark.parametrize(
    "form",
    [
        "## Diagnosis\nToo few.\n\n## Commit message\nRead more\n\n## Change\n{}",
        "# DIAGNOSIS:\nToo few.\n**Commit Message:** Read more\n### **Change**\n\nHere:\n{}\n",
        "**Diagnosis**\nToo few.\n\n## Commit message:\n`Read more`\n{}",
    ],
    ids=["as asked", "other headings", "no heading of the change"],
)
def test_all_forms_give_the_same(form: str, change: str) -> None:
    read = read_change(form.format(change))
    assert read.diagnosis == "Too few."
    assert read.message == "Read more"
    assert read.apply(SOURCE) == WHOLE


def test_prose_without_headings_is_the_diagnosis() -> None:
    read = read_change(f"It reads too little.\n\nSo I read more.\n{PATCH}")
    assert read.diagnosis == "It reads too little.\n\nSo I read more."
    assert read.message == ""
    assert read.apply(SOURCE) == WHOLE


def test_code_quoted_in_the_diagnosis_is_not_the_change() -> None:
    read = read_change(
        f"## Diagnosis\n```python\nclass KnowledgeBase:\n    old = 1\n```\n## Change\n```python\n{WHOLE}```"
    )
    assert "old = 1" in read.diagnosis
    assert read.apply(SOURCE) == WHOLE


def test_a_comment_in_a_program_is_no_heading() -> None:
    whole = WHOLE.replace("    pass", "    # Diagnosis\n    pass\n# Change\nX = 1")
    read = read_change(f"## Diagnosis\nWhy.\n## Commit message\nDo\n## Change\n```python\n{whole}```")
    assert read.diagnosis == "Why."
    assert read.apply(SOURCE) == whole


def test_a_message_is_one_short_line() -> None:
    read = read_change(f"## Commit message\n\n{'long ' * 100}\nmore\n## Change\n{PATCH}")
    assert 0 < len(read.message) <= MESSAGE_CHARS
    assert "more" not in read.message


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "holds no change"),
        ("## Diagnosis\nI would not change it.", "holds no change"),
        ("## Change\n```python\ndef read(self, query):\n    return ''\n```", "does not hold the whole program"),
    ],
)
def test_a_reply_without_a_change_says_what_to_give(reply: str, reason: str) -> None:
    with pytest.raises(PatchError, match=reason):
        read_change(reply).apply(SOURCE)
