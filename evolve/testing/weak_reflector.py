"""A reflector's model without a model: it answers `reflect` and `merge` from a small library of rewrites.

What it answers is drawn by a hash of the prompt, so that runs repeat: mostly a change that holds, in one of the three
forms; sometimes one that fails first and is mended when it comes back; sometimes one that fails every time.
"""

from __future__ import annotations

import difflib
import hashlib
import re

from evolve.testing.joining import join
from evolve.testing.model_server import Asked
from evolve.testing.rewrites import REWRITES, Rewrite, with_error, with_system, without_read

PROGRAM = re.compile(r"^<program>\n(.*?)^</program>$", re.DOTALL | re.MULTILINE)
CONTEXT = 3
REPLY = """\
## Diagnosis
{diagnosis}

## Commit message
{title}

## Change
{change}
"""
JOINED = Rewrite(
    "Keep both memories, and read the best lines of both",
    "The two programs fail on different questions, because they keep and find different things.",
    lambda source, drawn: None,
)


def say(asked: Asked) -> str | None:
    """Return the words of the reflector's model; None where this is none of its prompts."""
    prompt = next((turn.text for turn in asked.messages if turn.role == "user"), "")
    programs = [found[1] for found in PROGRAM.finditer(prompt)]
    if not programs or "memory program" not in asked.system:
        return None
    drawn = int.from_bytes(hashlib.sha256(prompt.encode()).digest()[:8], "big")
    turn = sum(message.role == "assistant" for message in asked.messages)
    source = programs[0]
    merging = "# The second program" in prompt and len(programs) > 1
    number = drawn // 100 + turn
    rewrite, good = _chosen(source, number)
    if merging:
        rewrite, good = JOINED, join(source, programs[1], lines=20 + number % 40)
    return _reply(rewrite, source, good, kind=drawn % 100, turn=turn, merging=merging)


def _chosen(source: str, number: int) -> tuple[Rewrite, str]:
    """Return one of the rewrites that have a place in the program, as the number draws; the program as it is where
    none has."""
    fitting = [(rewrite, changed) for rewrite in REWRITES if (changed := rewrite.apply(source, number))]
    return fitting[number // 97 % len(fitting)] if fitting else (REWRITES[0], source)


def _reply(rewrite: Rewrite, source: str, good: str, *, kind: int, turn: int, merging: bool) -> str:
    """Word the change, or one that cannot be taken where the prompt was drawn for that."""
    change = as_whole(good) if merging or kind % 3 == 0 else (as_patch, as_blocks)[kind % 3 - 1](source, good)
    if kind >= 92:
        change = as_whole(with_system(good))
    elif turn == 0 and kind >= 84:
        change = as_whole(without_read(good) or good)
    elif turn == 0 and kind >= 76:
        change = as_whole(with_error(good))
    elif turn == 0 and kind >= 68:
        change = "<<<<<<< SEARCH\n    a line that no program has\n=======\n    another\n>>>>>>> REPLACE"
    return REPLY.format(diagnosis=rewrite.diagnosis, title=rewrite.title, change=change)


def as_whole(new: str) -> str:
    """Return the whole program in a fence."""
    return f"```python\n{new.rstrip()}\n```"


def as_patch(old: str, new: str) -> str:
    """Return the change as an apply-patch; the whole program where a place would not be found for certain."""
    hunks = _hunks(old, new)
    if not hunks:
        return as_whole(new)
    body = [line for hunk in hunks for line in ["@@", *(mark + text for mark, text in hunk)]]
    return "\n".join(["*** Begin Patch", "*** Update File: program.py", *body, "*** End Patch"])


def as_blocks(old: str, new: str) -> str:
    """Return the change as search/replace blocks; the whole program where a place would not be found for certain."""
    hunks = _hunks(old, new)
    if not hunks:
        return as_whole(new)
    blocks = []
    for hunk in hunks:
        searched = [text for mark, text in hunk if mark != "+"]
        replaced = [text for mark, text in hunk if mark != "-"]
        blocks.append("\n".join(["<<<<<<< SEARCH", *searched, "=======", *replaced, ">>>>>>> REPLACE"]))
    return "\n\n".join(blocks)


def _hunks(old: str, new: str) -> list[list[tuple[str, str]]]:
    """Return each place that changes as marked lines; none where the lines of one stand in the program twice."""
    before, after = old.rstrip("\n").split("\n"), new.rstrip("\n").split("\n")
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    hunks = []
    for group in matcher.get_grouped_opcodes(CONTEXT):
        hunk: list[tuple[str, str]] = []
        for tag, i, j, k, m in group:
            if tag == "equal":
                hunk += [(" ", line) for line in before[i:j]]
            else:
                hunk += [("-", line) for line in before[i:j]] + [("+", line) for line in after[k:m]]
        found = "\n".join(text for mark, text in hunk if mark != "+")
        if ("\n".join(["", *before, ""])).count(f"\n{found}\n") != 1:
            return []
        hunks.append(hunk)
    return hunks
