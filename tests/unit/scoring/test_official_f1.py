"""LoCoMo's own score: cases worked out by hand for every rule, and thousands of real graded answers."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from evolve.scoring import Scorer, Verdict
from evolve.scoring.official_f1 import UNANSWERABLE, OfficialF1, chosen, official_f1, official_score, stems
from evolve.types import Query


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The cat and the dog", ["cat", "dog"]),
        ("a man, an ant & a plan", ["man", "ant", "plan"]),
        ("Band's sandy anchors", ["band", "sandi", "anchor"]),
        ("running RAN runs", ["run", "ran", "run"]),
        ("dying, lying, skies", ["die", "lie", "sky"]),  # NLTK's own exceptions to Porter's rules
        ("1,540 mother-in-law", ["1540", "motherinlaw"]),
        ("and, the", []),
    ],
)
def test_words_are_stems_without_punctuation_articles_and_the_word_and(text: str, expected: list[str]) -> None:
    assert stems(text) == expected


@pytest.mark.parametrize(
    ("category", "answer", "gold", "expected"),
    [
        # single-hop and temporal: everything with everything
        (4, "hiking", "He hiked", 2 * 1 / 3),
        (4, "hiking and swimming", "swim, hike", 1.0),
        (4, "the red car", "A RED car!", 1.0),
        (4, "red red", "red", 2 * 1 / 3),
        (4, "", "red", 0.0),
        (4, "", "", 0.0),
        (4, "the", "a", 0.0),
        (4, "blue", "red", 0.0),
        (4, "in Ghent, Belgium; since May", "Ghent", 2 * 1 / 6),
        (2, "7 May 2023", "7 May 2023", 1.0),
        (2, "On 7 May, 2023.", "7 May 2023", 2 * 3 / 7),
        (2, "8 May 2023", "7 May 2023", 2 * 2 / 6),
        (2, "two weekends before 17 July 2023", "The weekend before 22 July 2023", 2 * 4 / 11),
        (2, "May 7th; 2023", "7 May 2023", 2 * 2 / 6),
        # open-domain: the gold answer ends at its first semicolon
        (3, "Likely no", "Likely no; though she likes reading; she does not", 1.0),
        (3, "No; she would not", "No", 2 * 1 / 5),
        (3, "likely", "Likely yes, he would", 2 * 1 / 5),
        (3, "national parks", "National park; she likes the outdoors", 1.0),
        # multi-hop: each gold part counts its best match, and the answer is taken apart as well
        (1, "pottery, hiking", "hiking, pottery", 1.0),
        (1, "pottery", "hiking, pottery", 1 / 2),
        (1, "pottery and hiking", "hiking, pottery", (2 / 3 + 2 / 3) / 2),
        (1, "pottery, hiking, chess", "hiking, pottery", 1.0),
        (1, "", "hiking, pottery", 0.0),
        (1, "a blue bowl, cups", "bowl, cup, vase", (2 / 3 + 1 + 0) / 3),
        (1, "on 7 May, 2023", "7 May 2023", max(2 * 2 / 6, 2 * 1 / 4)),
        (1, "one; two", "one; two", 1.0),
        (1, "pots", "pots,", 1 / 2),
        (1, "mother in law", "mother-in-law", 0.0),
    ],
)
def test_f1_by_the_rule_of_the_category(category: int, answer: str, gold: str, expected: float) -> None:
    assert official_f1(answer, gold, category=category) == pytest.approx(expected)


def query(category: str, answer: str, *aliases: str, **details: str) -> Query:
    choices = {"choices": dict(details)} if details else {}
    return Query("q1", "s1", "What?", answer, category=category, aliases=aliases, details=choices)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Not mentioned in the conversation", 1.0),
        ("(b) NOT MENTIONED", 1.0),
        ("There is no information available on that.", 1.0),
        ("b", 1.0),
        (" B ", 1.0),
        ("(b)", 1.0),
        ("b) ", 0.0),  # two characters stand for themselves in the published code
        ("yes", 1.0),  # and three that are not "(a)" for the second choice
        ("a", 0.0),
        ("(A)", 0.0),
        ("a necklace", 0.0),
        ("I do not know", 0.0),
        ("", 0.0),
    ],
)
def test_an_adversarial_question_is_answered_by_saying_that_nothing_is_known(answer: str, expected: float) -> None:
    assert official_score(query("5 adversarial", UNANSWERABLE, a="a necklace", b=UNANSWERABLE), answer) == expected


def test_a_letter_is_the_choice_that_it_stands_for() -> None:
    assert official_score(query("5 adversarial", UNANSWERABLE, a=UNANSWERABLE, b="a necklace"), "a") == 1.0
    assert official_score(query("5 adversarial", UNANSWERABLE), "a") == 0.0
    assert chosen("(a)", {"a": "Red", "b": "Blue"}) == "red"


def test_the_scorer_reads_the_number_of_the_category_and_the_best_of_several_answers() -> None:
    scorer: Scorer = OfficialF1()
    assert scorer.name == "official_f1"
    assert scorer.score(query("1 multi_hop", "hiking, pottery"), "hiking", "pottery") == Verdict(0.5)
    assert scorer.score(query("4 single_hop", "hiking, pottery"), "", "pottery") == Verdict(2 / 3)
    assert scorer.score(query("4 single_hop", "Ghent", "Gent, Belgium"), "", "in Gent") == Verdict(0.5)


def test_every_published_answer_has_the_published_figure(data_dir: Path) -> None:
    with gzip.open(data_dir / "locomo" / "graded_answers.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    ours = [official_f1(row["answer"], str(row["gold"]), category=row["category"]) for row in rows]
    unequal = [row for row, value in zip(rows, ours, strict=True) if abs(value - row["f1_official"]) > 6e-5]
    assert (len(rows), unequal) == (12_320, [])
