"""A reflector without a mind: it knows the library, and sees nothing but the prompt.

It takes the failure stage that most of the traced cases show, and draws one of the rewrites that are believed to mend
that stage, leaving out those that the program has and those that were tried from it before. Where the prompt names no
stage, or nothing is left for those that it names, it draws from the whole library. Of two programs that it is to merge,
it adds to the first what the second has besides; where that is nothing, it goes on with the first.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from evolve.testing.dialects import Asked
from evolve.testing.planted.rewrites import LIBRARY, Edit, Rewrite
from evolve.testing.planted.start import START

_PROGRAM = re.compile(r"^<program>\n(.*?)^</program>$", re.DOTALL | re.MULTILINE)
_STAGES = re.compile(r"^- Points lost by failure stage: (.*)\.$", re.MULTILINE)
_STAGE = re.compile(r"(\w+) [\d.]+ in ([\d,]+) cases?")
_QUESTION = re.compile(r"^Question: .*$", re.MULTILINE)
_SECOND = "# The second program: "
_TRIED = re.compile(r"^Tried from this program before.*?(?=^# |\Z)", re.DOTALL | re.MULTILINE)

_ASKS = "INSTRUCTION_KNOWLEDGE_ITEM = "

NOTHING_LEFT = "Everything that I know is in the program, or was tried from it before."


def reflect(asked: Asked) -> str:
    """Return the reply to a prompt of `reflect` or `merge`. For `evolve.testing.ModelServer`."""
    return answer([turn.text for turn in asked.messages])


def answer(said: Sequence[str], *, rewords: bool = False) -> str:
    """Return the reply to an exchange, its turns in order without the constant one; the same to the same exchange.

    Where it `rewords`, what changes what is kept also words anew how episodes are extracted, so that all of them are.
    """
    programs = _PROGRAM.findall(said[0])
    if not programs:
        return "Ready."  # the call before the run that shows whether the model is there at all
    if _SECOND in said[0] and len(said) == 1 and (child := joined(programs[0], programs[1])) != programs[0]:
        return _reply("Each wins where the other has nothing.", "Join what both do well", f"```python\n{child}```")
    source, stages = programs[0], stages_shown(said[0])
    log = "".join([*_TRIED.findall(said[0]), *said[1:]])  # what it said before, and was handed back, was tried too
    tried = [each.title for each in LIBRARY if each.title in log]
    left = [each for each in LIBRARY if not each.present(source) and each.title not in tried]
    # Not of the prompt's every word: a prompt that says the same in better words should not be a matter of luck.
    seen = [source, *_QUESTION.findall(said[0]), *stages, *tried, str(len(said))]
    draw = Random(hashlib.sha256("\0".join(seen).encode()).hexdigest())
    stage, fitting = _fitting(left, stages)
    if not fitting:
        return NOTHING_LEFT
    chosen = draw.choice(fitting)
    if rewords and "extraction" in chosen.stages:
        chosen = _reworded(chosen, source, draw)
    return reply_with(chosen, source, stage=stage, draw=draw)


def reply_with(rewrite: Rewrite, source: str, *, stage: str, draw: Random) -> str:
    """Return a reply that makes this rewrite of the source; `stage` is what it mends, "" where that is not known."""
    cause = f"Most cases are lost at the stage {stage!r}." if stage else "Nothing says where the cases are lost."
    return _reply(cause, rewrite.title, _change(rewrite, source, draw))


def joined(one: str, other: str) -> str:
    """Return the first program with everything that the second was given besides, where that undoes nothing of it."""
    given = [rewrite for rewrite in LIBRARY if not rewrite.present(START)]
    for rewrite in given:
        if rewrite.present(other) and not rewrite.present(one):
            changed = rewrite.apply(one)
            if all(each.present(changed) for each in given if each.present(one)):
                one = changed
    return one


def _reworded(rewrite: Rewrite, source: str, draw: Random) -> Rewrite:
    old = next(line for line in source.splitlines(keepends=True) if line.startswith(_ASKS))
    new = f'{_ASKS}"List the topics of the episode, at most {draw.randrange(1_000, 10_000)}."\n'
    return replace(rewrite, edits=(*rewrite.edits, Edit(new, instead_of=(old,))))


def _reply(diagnosis: str, message: str, change: str) -> str:
    parts = {"Diagnosis": diagnosis, "Commit message": message, "Change": change}
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
