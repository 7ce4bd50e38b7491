"""MemoryAgentBench's substring match, and the fact that was read first; values worked out by hand."""

from __future__ import annotations

import pytest

from evolve.scoring.conflicts import FACT_CHARS, FirstFactScorer, SubstringScorer, first_fact
from evolve.types import Query

QUERY = Query("q", "s", "Who wrote Dune?", "The Beatles", aliases=("J. R. R. Tolkien",))


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("The Beatles", 1),
        ("I think the BEATLES, of course.", 1),
        ("It was J.R.R. Tolkien", 0),  # without spaces the initials are one word: "jrr"
        ("It was j r r tolkien!", 1),
        ("Beatle", 0),
        ("Beatlesque", 1),  # a substring of characters, as published, not of words
        ("The Rolling Stones", 0),
        ("", 0),
    ],
)
def test_an_answer_counts_where_it_contains_a_right_answer(answer: str, value: int) -> None:
    assert SubstringScorer().score(QUERY, "", answer).value == value


@pytest.mark.parametrize(
    ("read", "fact"),
    [
        ("12. The capital of X is Y.\n3. The capital of X is Z.", "12. The capital of X is Y."),
        ("\n \n[1 May, 2023]\n3. The capital of X is Z.", "3. The capital of X is Z."),
        ("[1 May, 2023] 3. The capital of X is Z.", "3. The capital of X is Z."),
        (" [1984] The capital of X [old] is Z.", "The capital of X [old] is Z."),
        ("3. The capital of X is Z. 12. The capital of X is Y.", "3. The capital of X is Z."),
        ("3. The capital of X is Washington, D.C.. 4. And Y.", "3. The capital of X is Washington, D.C.."),
        ("x" * 300, "x" * FACT_CHARS),
        ("", ""),
        ("[1 May, 2023]\n", ""),
    ],
)
def test_the_first_fact_is_the_first_line_with_words(read: str, fact: str) -> None:
    assert first_fact(read) == fact


def test_only_the_first_fact_counts() -> None:
    scorer = FirstFactScorer()
    old, new = "3. The author of Dune is Ann Lee.", "9. The author of Dune is the Beatles."
    assert scorer.score(QUERY, f"{new}\n{old}", "").value == 1
    late = scorer.score(QUERY, f"{old}\n{new}", f"{new}")
    assert (late.value, late.measures) == (0, {"was_read": 1.0})
    assert scorer.score(QUERY, f"{old} {new}", "").value == 0, "facts strung together are not the first one"
    assert scorer.score(QUERY, "", new).measures == {"was_read": 0.0}


def test_what_was_read_is_measured_beside_the_answer() -> None:
    assert SubstringScorer().score(QUERY, "It was Tolkien", "The Beatles").measures == {"was_read": 0.0}
    assert SubstringScorer().score(QUERY, "the beatles", "no idea").measures == {"was_read": 1.0}


def test_what_was_true_before_is_a_remark_and_not_the_first_fact() -> None:
    assert first_fact("7. The capital of X is Y. (before: Z)") == "7. The capital of X is Y."
    assert first_fact("[8 May, 2023] The band is Air (duo).") == "The band is Air (duo)."
