"""Reads a reflector's reply: what it found wrong, its commit message, and its change in any of three forms."""

from __future__ import annotations

import re
from dataclasses import dataclass

from evolve.program.patch import PatchError, apply_blocks, apply_patch, has_blocks, has_patch

MESSAGE_CHARS = 120
"""Longest commit message that is kept."""

_HEADING = re.compile(
    r"^(?:#{1,6}[ \t]*\**|\*\*)[ \t]*(diagnosis|commit message|change)[ \t]*:?[ \t]*\**[ \t]*:?(.*)$",
    re.IGNORECASE | re.MULTILINE,
)
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*([\w.+-]*)[ \t]*$")


@dataclass(frozen=True, slots=True)
class Change:
    """A reply, taken apart."""

    diagnosis: str
    message: str
    """One line; "" where the reply has none."""
    text: str
    """Where the change is: the part of that name, or the whole reply."""

    def apply(self, source: str) -> str:
        """Return the changed source. Raises PatchError where the reply holds no change, or one that does not fit."""
        if has_patch(self.text):
            return apply_patch(source, self.text)
        if has_blocks(self.text):
            return apply_blocks(source, self.text)
        fenced = fences(self.text)
        if not fenced:
            raise PatchError(
                "the reply holds no change: give a patch between *** Begin Patch and *** End Patch, search/replace "
                "blocks, or the whole program in a ```python fence"
            )
        whole = [text for text in fenced if "class KnowledgeBase" in text]
        if not whole:
            raise PatchError("the ```python fence does not hold the whole program: give all of it, or a patch")
        return max(whole, key=len)


def read_change(reply: str) -> Change:
    """Take a reply apart; never fails: headings may be missing, and prose may stand anywhere."""
    text = reply.replace("\r\n", "\n")
    parts = _parts(text)
    body = parts.get("change", "")
    if not (has_patch(body) or has_blocks(body) or fences(body)):
        body = text
    diagnosis = parts.get("diagnosis", "")
    if not diagnosis and "change" not in parts:
        diagnosis = _before_change(text)
    message = next((line.strip(" \t`*\"'") for line in parts.get("commit message", "").split("\n") if line.strip()), "")
    return Change(diagnosis.strip(), message[:MESSAGE_CHARS].strip(), body)


def fences(text: str) -> list[str]:
    """Return what stands in fences; the last one may lack its end."""
    found: list[str] = []
    inside: list[str] | None = None
    mark = ""
    for line in text.split("\n"):
        fence = _FENCE.match(line)
        if inside is None:
            if fence:
                inside, mark = [], fence[1]
        elif fence and fence[1].startswith(mark) and not fence[2]:
            found.append("\n".join(inside).strip("\n") + "\n")
            inside = None
        else:
            inside.append(line)
    if inside:
        found.append("\n".join(inside).strip("\n") + "\n")
    return found


def _parts(text: str) -> dict[str, str]:
    """Return the text under the first heading of each name; the change goes on to the end."""
    headings: dict[str, re.Match[str]] = {}
    for heading in _HEADING.finditer(text):
        if "change" not in headings:
            headings.setdefault(heading[1].lower(), heading)
    parts: dict[str, str] = {}
    starts = [heading.start() for heading in headings.values()]
    for name, heading in headings.items():
        end = min([start for start in starts if start > heading.start()], default=len(text))
        parts[name] = heading[2].strip() + text[heading.end() : end]
    return parts


def _before_change(text: str) -> str:
    """The prose in front of a change without headings."""
    lines = text.split("\n")
    starts = (i for i, line in enumerate(lines) if has_patch(line) or has_blocks(line) or _FENCE.match(line))
    return "\n".join(lines[: next(starts, len(lines))])
