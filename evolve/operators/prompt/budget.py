"""Fits a prompt into its budget: long texts share what room there is, and what helps least is left out first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

TOKEN_CHARS = 4
"""Characters counted as one token: a rule of thumb for English and code that needs no tokenizer."""
LEAST_CHARS = 400
"""A long text that would be cut shorter than this says too little: rather a whole section is left out."""
_GAP = "\n[... {:,} characters left out ...]\n"


@dataclass(frozen=True, slots=True)
class Long:
    """A text that may be cut in its middle."""

    text: str


Piece: TypeAlias = str | Long


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a prompt; a string in it is never cut."""

    pieces: tuple[Piece, ...]
    rank: int = 0
    """Sections of the highest rank are left out first, those of rank 0 never."""


def fit(sections: Iterable[Section], room: int) -> str:
    """Return the sections' text, at most `room` characters long as far as sections of rank 0 allow."""
    kept = list(sections)
    while True:
        fixed, long = _measured(kept)
        share = fair_share(long, room - fixed)
        if sum(min(size, share) for size in long) + fixed <= room and share >= min(LEAST_CHARS, max(long, default=0)):
            break
        last = max(section.rank for section in kept)
        if not last:
            share = max(share, LEAST_CHARS)
            break
        kept.remove(next(section for section in reversed(kept) if section.rank == last))
    return "".join(_shown(piece, share) for section in kept for piece in section.pieces)


def fair_share(sizes: Sequence[int], room: int) -> int:
    """Return how long each text may be for all to fit into `room`: short ones leave their share to the others."""
    left = sorted(sizes)
    for number, size in enumerate(left):
        share = max(0, room) // (len(left) - number)
        if size > share:
            return share
        room -= size
    return max(sizes, default=0)


def cut_middle(text: str, room: int) -> str:
    """Return the text, or its two ends with the number of characters left out between them, at most `room` long.

    A room too small for that note gets the text's beginning.
    """
    if len(text) <= room:
        return text
    ends = room - len(_GAP.format(len(text)))
    if ends < 2:
        return text[: max(0, room)]
    head, tail = (ends + 1) // 2, ends // 2
    return text[:head] + _GAP.format(len(text) - head - tail) + text[len(text) - tail :]


def _measured(sections: Iterable[Section]) -> tuple[int, list[int]]:
    pieces = [piece for section in sections for piece in section.pieces]
    fixed = sum(len(piece) for piece in pieces if isinstance(piece, str))
    return fixed, [len(piece.text) for piece in pieces if isinstance(piece, Long)]


def _shown(piece: Piece, share: int) -> str:
    return piece if isinstance(piece, str) else cut_middle(piece.text, share)
