"""Long texts share the room, short ones stay whole, and what helps least goes first."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolve.operators.prompt.budget import LEAST_CHARS, Long, Section, cut_middle, fair_share, fit


@given(st.text(max_size=300), st.integers(0, 400))
def test_a_cut_text_fits_and_says_how_much_is_gone(text: str, room: int) -> None:
    cut = cut_middle(text, room)
    assert len(cut) <= room or cut == text
    gone = re.search(r"\n\[\.\.\. ([\d,]+) characters left out \.\.\.\]\n", cut)
    if gone and cut != text:
        left = len(cut) - len(gone[0])
        assert left + int(gone[1].replace(",", "")) == len(text)
        assert text.startswith(cut[: gone.start()])
        assert text.endswith(cut[gone.end() :])


def test_the_ends_are_kept() -> None:
    cut = cut_middle("a" * 3000 + "b" * 3000, 1000)
    assert cut.startswith("a" * 400)
    assert cut.endswith("b" * 400)
    assert "[... 5,0" in cut


@given(st.lists(st.integers(0, 50)), st.integers(0, 400))
def test_shares_are_fair_and_use_the_room(sizes: list[int], room: int) -> None:
    share = fair_share(sizes, room)
    used = sum(min(size, share) for size in sizes)
    assert used <= room
    if any(size > share for size in sizes):
        assert used > room - len(sizes)


def test_short_texts_leave_their_share_to_long_ones() -> None:
    assert fair_share([10, 1000, 1000], 1010) == 500
    assert fit([Section(("head ", Long("short "), Long("x" * 2000)))], 1000).startswith("head short xxx")


def test_the_highest_rank_goes_first() -> None:
    long = "x" * 5000
    sections = [Section(("A",)), *(Section((f"B{rank}", Long(long)), rank) for rank in (1, 2, 3))]
    room = 2 * LEAST_CHARS + 100
    text = fit(sections, room)
    assert len(text) <= room
    assert [name for name in ("A", "B1", "B2", "B3") if name in text] == ["A", "B1", "B2"]


@pytest.mark.parametrize("room", [0, -50, 10])
def test_what_is_never_left_out_stays_whole(room: int) -> None:
    assert fit([Section(("constant and program",)), Section((Long("x" * 900),), 1)], room) == "constant and program"
