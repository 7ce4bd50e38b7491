"""Support by hand-worked cases, and what must hold for any text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolve.scoring import Scorer, SupportScorer, Verdict, recall, support, words
from evolve.types import Evidence, Query

TURN = "I went to a support group yesterday and it was powerful"


def query(*evidence: str, answer: str = "7 May 2023") -> Query:
    return Query("q1", "s1", "When?", answer, tuple(Evidence("e1", text) for text in evidence))


def test_whole_evidence_counts_one_whatever_case_and_punctuation():
    assert support(query(TURN), f"Caroline: {TURN.upper()}!!") == 1.0
    assert support(query("I\u2019m \u201chappy\u201d at the shore"), "she said: I'm happy, at the shore") == 1.0


def test_evidence_cut_by_a_chunk_counts_its_share_of_shingles():
    # 11 words make 8 shingles; the first 7 words hold 4 of them.
    assert support(query(TURN), "I went to a support group yesterday") == pytest.approx(4 / 8)


def test_scattered_words_count_nothing():
    assert support(query(TURN), "powerful it and a to I went was support yesterday group") == 0.0


def test_short_evidence_must_occur_whole_and_as_words():
    assert support(query("Rex, two years"), "it was rex two years ago") == 1.0
    assert support(query("Rex, two years"), "rex two") == 0.0
    assert support(query("art"), "a party") == 0.0


def test_evidences_are_averaged_and_empty_ones_left_out():
    assert support(query("the red house burned", "we moved to Ghent"), "we moved to Ghent") == 0.5
    assert support(query("...", "we moved to Ghent"), "we moved to Ghent") == 1.0


def test_without_evidence_the_answers_words_count():
    assert support(query(answer="The blue car"), "a car that was red") == 0.5
    assert support(query(answer="a"), "b a") == 1.0
    assert support(query(answer="?!"), "anything") == 0.0
    assert support(query("...", answer="Ghent"), "in Ghent") == 1.0


def test_without_evidence_the_nearest_of_several_right_answers_counts():
    several = Query("q1", "s1", "Where?", "the Low Countries", aliases=("Ghent", "Gent, Belgium"))
    assert support(several, "we live in Ghent") == 1.0
    assert support(several, "in Belgium") == 0.5
    assert support(several, "in France") == 0.0


def test_recall_is_the_share_of_evidence_that_stands_whole():
    asked = query(TURN, "we moved to Ghent")
    assert recall(asked, f"Ann: {TURN}! We moved; to Ghent.") == 1.0
    assert recall(asked, f"{TURN[:-4]} we moved to Ghent") == 0.5
    assert recall(asked, "") == 0.0
    assert recall(query("..."), "...") is None


def test_chinese_and_japanese_match_inside_a_sentence():
    assert support(query("二十三歳です"), "彼女は二十三歳です。") == 1.0
    assert words("漢字 and カナ") == ["漢", "字", "and", "カ", "ナ"]


def test_scorer_reads_what_was_read_and_not_the_answer():
    scorer: Scorer = SupportScorer()
    assert scorer.name == "support"
    assert scorer.score(query("we moved to Ghent"), "we moved to Ghent", "") == Verdict(1.0)
    assert scorer.score(query("we moved to Ghent"), "", "we moved to Ghent") == Verdict(0.0)


texts = st.text(alphabet=st.sampled_from("ab c\n.\u00e9\u0301漢İß'"), max_size=60) | st.text(max_size=60)


@given(evidence=st.lists(texts, max_size=3), answer=texts, text=texts, more=texts)
def test_bounded_and_never_lowered_by_more_text(evidence: list[str], answer: str, text: str, more: str):
    asked = query(*evidence, answer=answer)
    assert 0.0 <= support(asked, text) <= support(asked, f"{text} {more}") <= 1.0


@given(evidence=texts, before=texts, after=texts)
def test_text_around_evidence_changes_nothing(evidence: str, before: str, after: str):
    if words(evidence):
        assert support(query(evidence), f"{before} {evidence} {after}") == 1.0
