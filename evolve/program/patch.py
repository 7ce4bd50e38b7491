"""Applies changes to a program's text: apply-patch (V4A, the format of OpenAI's models) and search/replace blocks.

A change is taken where it fits in exactly one place: lines are compared exactly, and where that finds nothing without
their trailing white space. Context lines keep the program's own spelling. What fits nowhere or in several places is an
error that names the line, so that whoever wrote the change can mend it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from evolve.errors import EvolveError
from evolve.program.syntax import shortened

Operation: TypeAlias = tuple[Literal[" ", "-", "+"], str]
"""Keep, remove or add a line; the line has no line feed."""

BEGIN, END, AT_END = "*** Begin Patch", "*** End Patch", "*** End of File"
_FILE = re.compile(r"\*\*\* (Update|Add|Delete) File:(.*)")
_ANCHOR = re.compile(r"@@(?: -\d+(?:,\d+)? \+\d+(?:,\d+)? @@)? ?(.*)")
_UNIFIED = re.compile(r"@@ -\d+(,\d+)? \+\d+")
_SEARCH, _DIVIDER, _REPLACE = (re.compile(text) for text in (r"<{5,9} ?SEARCH\b", r"={5,9}\s*$", r">{5,9} ?REPLACE\b"))
_SHOWN = 80


class PatchError(EvolveError):
    """A change that cannot be applied; the message names the line of the change, and what the program has there."""


@dataclass(frozen=True, slots=True)
class Hunk:
    """One place that is changed."""

    line: int
    """Of the change, 1-based, where the hunk begins."""
    operations: tuple[Operation, ...]
    anchors: tuple[str, ...] = ()
    """Lines that come before the place, outermost first, as in "class KnowledgeBase:" and "def read(self, query):"."""
    at_end: bool = False
    """The place is the end of the program."""


@dataclass(slots=True)
class _Draft:
    """A hunk that is being read."""

    line: int
    operations: list[Operation] = field(default_factory=list)
    anchors: list[str] = field(default_factory=list)
    at_end: bool = False
    bare: int = 0
    """Blank lines without a prefix at the end so far: as likely a gap before the next hunk as context."""

    def done(self) -> Hunk:
        kept = self.operations[: len(self.operations) - self.bare]
        return Hunk(self.line, tuple(kept), tuple(self.anchors), self.at_end)


def apply_patch(source: str, patch: str) -> str:
    """Return the source changed by a V4A patch of one file, whatever name it gives to the file.

    "*** Add File" gives the whole new source. Raises PatchError.
    """
    hunks = _hunks(patch)
    if isinstance(hunks, str):
        return hunks
    lines, cursor = source.split("\n"), 0
    for hunk in hunks:
        start, taken = _place(lines, hunk, cursor)
        new = _applied(lines[start : start + taken], hunk)
        lines[start : start + taken] = new
        cursor = start + len(new)
    return "\n".join(lines)


def apply_blocks(source: str, text: str) -> str:
    """Return the source changed by every search/replace block in the text, one after the other.

    Text outside of the blocks is ignored. Raises PatchError.
    """
    lines = source.split("\n")
    for block in _blocks(text):
        start, taken = _place(lines, block, 0)
        lines[start : start + taken] = _applied(lines[start : start + taken], block)
    return "\n".join(lines)


def has_patch(text: str) -> bool:
    """Tell whether the text holds a V4A patch, or the hunks of a unified diff, which read the same."""
    return any(_begins(line) for line in text.split("\n"))


def has_blocks(text: str) -> bool:
    """Tell whether the text holds a search/replace block."""
    return any(_SEARCH.match(line) for line in text.split("\n"))


def _begins(line: str) -> bool:
    return bool(line.startswith(BEGIN) or _FILE.match(line) or _UNIFIED.match(line))


def _hunks(patch: str) -> list[Hunk] | str:
    """Return the hunks of a patch, or the source of the file that it adds."""
    files: set[tuple[str, str]] = set()
    drafts: list[_Draft] = []
    for number, line in _body(patch):
        if file := _FILE.match(line):
            files.add((file[1], file[2].strip()))
            drafts.append(_Draft(number))
        elif line.startswith("*** ") and line.strip() != AT_END:
            raise PatchError(f"line {number} of the patch is {_quoted(line)}: only *** Update File is known here")
        elif line.startswith("@@"):
            _open(drafts, number, line)
        else:
            _operation(drafts, number, line)
    verbs = {verb for verb, _ in files}
    if "Delete" in verbs or len(files) > 1:
        raise PatchError("the patch changes more than one file, or deletes one: there is only program.py to update")
    if verbs == {"Add"}:
        return "\n".join(line for draft in drafts for sign, line in draft.operations if sign == "+") + "\n"
    hunks = [draft.done() for draft in drafts if draft.operations]
    if not any(sign != " " for hunk in hunks for sign, _ in hunk.operations):
        raise PatchError("the patch has no line that begins with + or -")
    return hunks


def _body(patch: str) -> Iterator[tuple[int, str]]:
    """Yield the numbered lines of every patch in the text, without their outer markers; an end may be missing."""
    inside = False
    for number, line in enumerate(patch.split("\n"), start=1):
        # No line of a patch begins with a back-tick: that is the fence around it.
        if inside and line.startswith((END, "```", "~~~")):
            inside = False
        elif inside or _begins(line):
            inside = True
            if not line.startswith((BEGIN, "\\ No newline")):
                yield number, line


def _open(drafts: list[_Draft], number: int, line: str) -> None:
    found = _ANCHOR.fullmatch(line)
    anchor = found[1].strip() if found else line[2:].strip()
    anchor = anchor.removesuffix("@@").strip()
    if not drafts or drafts[-1].operations or drafts[-1].at_end:
        drafts.append(_Draft(number))
    drafts[-1].line = number
    if anchor:
        drafts[-1].anchors.append(anchor)


def _operation(drafts: list[_Draft], number: int, line: str) -> None:
    if not drafts:
        drafts.append(_Draft(number))
    draft = drafts[-1]
    if line.strip() == AT_END:
        draft.at_end = True
    elif line == "":
        if draft.operations:
            draft.operations.append((" ", ""))
            draft.bare += 1
    else:
        sign, text = line[0], line[1:]
        # A context line that lacks its blank is still a context line.
        kept: Operation = ("-", text) if sign == "-" else ("+", text) if sign == "+" else (" ", line.removeprefix(" "))
        draft.operations.append(kept)
        draft.bare = 0


def _blocks(text: str) -> list[Hunk]:
    blocks: list[Hunk] = []
    part, begun = "", 0
    old: list[str] = []
    new: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not part and _SEARCH.match(line):
            part, begun, old, new = "search", number, [], []
        elif part == "search" and _DIVIDER.match(line):
            part = "replace"
        elif part == "replace" and _REPLACE.match(line):
            blocks.append(_block(begun, old, new))
            part = ""
        elif part:
            (old if part == "search" else new).append(line)
    if part:
        missing = "=======" if part == "search" else ">>>>>>> REPLACE"
        raise PatchError(f"the search/replace block at line {begun} has no {missing}")
    return blocks


def _block(line: int, old: Sequence[str], new: Sequence[str]) -> Hunk:
    if not any(text.strip() for text in old):
        raise PatchError(f"the search/replace block at line {line} searches for nothing")
    removed: list[Operation] = [("-", text) for text in old]
    added: list[Operation] = [("+", text) for text in new]
    return Hunk(line, (*removed, *added))


def _applied(lines: Sequence[str], hunk: Hunk) -> list[str]:
    rest = iter(lines)
    result: list[str] = []
    for sign, text in hunk.operations:
        if sign == "+":
            result.append(text)
        elif sign == " ":
            result.append(next(rest))
        else:
            next(rest)
    return result


def _place(lines: Sequence[str], hunk: Hunk, cursor: int) -> tuple[int, int]:
    """Return where the hunk belongs and how many lines it takes there."""
    old = [text for sign, text in hunk.operations if sign != "+"]
    after = _after(lines, hunk.anchors, cursor)
    if not old:
        return (_end(lines) if after is None else after), 0
    for same in (_equal, _equal_trimmed):
        places = _matches(lines, old, same)
        if hunk.at_end:
            places = places[-1:]
        if after is not None and any(place >= after - 1 for place in places):
            return next(place for place in places if place >= after - 1), len(old)
        later = [place for place in places if place >= cursor] or places
        if len(later) == 1:
            return later[0], len(old)
        if later:
            raise PatchError(_ambiguous(hunk, old, later))
    raise PatchError(_absent(lines, hunk, old))


def _end(lines: Sequence[str]) -> int:
    """The place of a line after the last one; the text after the last line feed is not a line."""
    return len(lines) - 1 if lines[-1] == "" else len(lines)


def _after(lines: Sequence[str], anchors: Sequence[str], cursor: int) -> int | None:
    """Return the line after the innermost anchor, searched from the cursor and then from the top; None without one."""
    if not anchors:
        return None
    for start in (cursor, 0):
        place: int | None = start
        for anchor in anchors:
            place = _anchor(lines, anchor, place) if place is not None else None
        if place is not None:
            return place
    return None


def _anchor(lines: Sequence[str], anchor: str, start: int) -> int | None:
    """Return the line after the first one that is the anchor, or else begins with it."""
    rest = [line.strip() for line in lines[start:]]
    found = [number for number, line in enumerate(rest) if line == anchor]
    found = found or [number for number, line in enumerate(rest) if line.startswith(anchor)]
    return start + found[0] + 1 if found else None


def _equal(one: str, other: str) -> bool:
    return one == other


def _equal_trimmed(one: str, other: str) -> bool:
    return one.rstrip() == other.rstrip()


def _matches(lines: Sequence[str], old: Sequence[str], same: Callable[[str, str], bool]) -> list[int]:
    return [
        start
        for start in range(len(lines) - len(old) + 1)
        if all(same(lines[start + offset], text) for offset, text in enumerate(old))
    ]


def _ambiguous(hunk: Hunk, old: Sequence[str], places: Sequence[int]) -> str:
    where = ", ".join(str(place + 1) for place in places[:5])
    return (
        f"the lines from line {hunk.line} of the change on, beginning with {_quoted(old[0])}, are at lines {where} of "
        "the program: add lines of context until only one place is left"
    )


def _absent(lines: Sequence[str], hunk: Hunk, old: Sequence[str]) -> str:
    """Name the first line that differs where the most lines fit."""
    best, fitting = 0, 0
    for start in range(len(lines)):
        pairs = zip(old, lines[start:], strict=False)
        count = next(
            (i for i, (a, b) in enumerate(pairs) if not _equal_trimmed(a, b)), min(len(old), len(lines) - start)
        )
        if count > fitting:
            best, fitting = start, count
    line = _quoted(old[fitting]) if fitting < len(old) else _quoted(old[-1])
    begun = f"in the part that begins at line {hunk.line} of the change"
    if not fitting:
        return f"{begun}, the line {line} is not in the program{_nearest(lines, old[0])}"
    if best + fitting == len(lines):
        return f"{begun}, the line {line} comes after the end of the program"
    there = _quoted(lines[best + fitting])
    return f"{begun}, the change has {line} where line {best + fitting + 1} of the program is {there}"


def _nearest(lines: Sequence[str], wanted: str) -> str:
    for number, line in enumerate(lines, start=1):
        if wanted.strip() and line.strip() == wanted.strip():
            return f" with that indentation (line {number} is {_quoted(line)})"
    return ""


def _quoted(line: str) -> str:
    """The line between back-ticks, indentation kept."""
    indent = line[: len(line) - len(line.lstrip())]
    return f"`{indent}{shortened(line, limit=_SHOWN)}`"
