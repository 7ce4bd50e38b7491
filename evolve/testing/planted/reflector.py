"""A reflector without a mind: it knows the library, and sees nothing but the prompt.

It takes the failure stage that most of the traced cases show, and draws one of the rewrites that are believed to mend
that stage, leaving out those that the program has and those that were tried from it before. Where the prompt names no
stage, or nothing is left for those that it names, it draws from the whole library.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from random import Random

from evolve.testing.dialects import Asked
from evolve.testing.planted.rewrites import LIBRARY, Rewrite

_PROGRAM = re.compile(r"^<program>\n(.*?)^</program>$", re.DOTALL | re.MULTILINE)
_STAGES = re.compile(r"^- Points lost by failure stage: (.*)\.$", re.MULTILINE)
_STAGE = re.compile(r"(\w+) [\d.]+ in ([\d,]+) cases?")
_QUESTION = re.compile(r"^Question: .*$", re.MULTILINE)
_TRIED = re.compile(r"^Tried from this program before.*?(?=^# |\Z)", re.DOTALL | re.MULTILINE)

NOTHING_LEFT = "Everything that I know is in the program, or was tried from it before."


def reflect(asked: Asked) -> str:
    """Return the reply to a prompt of `reflect`; the same to the same prompt. For `evolve.testing.ModelServer`."""
    said = [turn.text for turn in asked.messages]
    found = _PROGRAM.search(said[0])
    if found is None:
        return "Ready."  # the call before the run that shows whether the model is there at all
    source, stages = found[1], stages_shown(said[0])
    log = "".join([*_TRIED.findall(said[0]), *said[1:]])  # what it said before, and was handed back, was tried too
    tried = [each.title for each in LIBRARY if each.title in log]
    left = [each for each in LIBRARY if not each.present(source) and each.title not in tried]
    # Not of the prompt's every word: a prompt that says the same in better words should not be a matter of luck.
    seen = [source, *_QUESTION.findall(said[0]), *stages, *tried, str(len(said))]
    draw = Random(hashlib.sha256("\0".join(seen).encode()).hexdigest())
    stage, fitting = _fitting(left, stages)
    if not fitting:
        return NOTHING_LEFT
    return reply_with(draw.choice(fitting), source, stage=stage, draw=draw)


def reply_with(rewrite: Rewrite, source: str, *, stage: str, draw: Random) -> str:
    """Return a reply that makes this rewrite of the source; `stage` is what it mends, "" where that is not known."""
    cause = f"Most cases are lost at the stage {stage!r}." if stage else "Nothing says where the cases are lost."
    parts = {"Diagnosis": cause, "Commit message": rewrite.title, "Change": _change(rewrite, source, draw)}
    return "\n".join(f"## {heading}\n{text}\n" for heading, text in parts.items())


def stages_shown(prompt: str) -> list[str]:
    """Return the failure stages that a prompt names, that of the most cases first; [] where they are hidden."""
    told = _STAGES.search(prompt)
    counts = _STAGE.findall(told[1]) if told else []
    return [stage for stage, _ in sorted(counts, key=lambda pair: -int(pair[1].replace(",", "")))]


def _fitting(left: Sequence[Rewrite], stages: Sequence[str]) -> tuple[str, Sequence[Rewrite]]:
    """Return the rewrites to draw from, and the stage that they mend; "" for all that are left."""
    for stage in stages:
        if fitting := [rewrite for rewrite in left if stage in rewrite.stages]:
            return stage, fitting
    return "", left


def _change(rewrite: Rewrite, source: str, draw: Random) -> str:
    """Write the change in one of the three forms that evolve takes."""
    changes = rewrite.changes(source)
    form = draw.choice(("patch", "blocks", "program"))
    if form == "program":
        return f"```python\n{rewrite.apply(source)}```"
    if form == "blocks":
        return "\n".join(f"<<<<<<< SEARCH\n{old}=======\n{new}>>>>>>> REPLACE\n" for old, new in changes)
    hunks = "".join(f"@@\n{_signed('-', old)}{_signed('+', new)}" for old, new in changes)
    return f"*** Begin Patch\n*** Update File: program.py\n{hunks}*** End Patch"


def _signed(sign: str, text: str) -> str:
    return "".join(f"{sign}{line}\n" for line in text.splitlines())
