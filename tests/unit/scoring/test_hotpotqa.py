"""HotpotQA's answer scores and the supporting facts that were read; values worked out by hand."""

from __future__ import annotations

import pytest

from evolve.scoring.hotpotqa import HotpotScorer, answer_f1
from evolve.types import Evidence, Query


@pytest.mark.parametrize(
    ("answer", "gold", "value"),
    [
        ("Animorphs", "Animorphs", 1.0),
        ("the Animorphs!", "animorphs", 1.0),
        ("Greenwich Village", "Greenwich Village, New York City", 4 / 7),  # 2 shared of 2 and 5 words
        ("the city of New York", "New York City", 6 / 7),  # "the" is dropped: 3 shared of 4 and 3 words
        ("yes", "yes", 1.0),
        ("Yes.", "yes", 1.0),
        ("yes it is", "yes", 0.0),
        ("yes", "no", 0.0),
        ("no", "no man's land", 0.0),
        ("no mans land", "no", 0.0),
        ("noanswer", "no answer", 0.0),
        ("a a a", "a a", 0.0),
        ("", "x", 0.0),
        ("x x y", "x y y", 2 / 3),  # a word counts as often as both have it: 2 shared of 3 and 3 words
    ],
)
def test_f1_as_in_the_published_script(answer: str, gold: str, value: float) -> None:
    assert answer_f1(answer, gold) == pytest.approx(value)


def test_exact_match_and_facts_stand_beside_the_f1() -> None:
    facts = (Evidence("e1", "Ann Lee was born in Leeds in 1990."), Evidence("e2", "Leeds lies on the river Aire."))
    query = Query("q", "s", "Where?", "the river Aire", facts)
    read = "Ann Lee was born in Leeds in 1990. Leeds lies on the river"
    verdict = HotpotScorer().score(query, read, "River Aire.")
    assert (verdict.value, verdict.measures) == (1.0, {"em": 1.0, "facts_read": 0.5})
    worse = HotpotScorer().score(query, "", "Aire")
    assert worse.value == pytest.approx(2 / 3)
    assert worse.measures == {"em": 0.0, "facts_read": 0.0}
    bare = HotpotScorer().score(Query("q", "s", "Where?", "x"), read, "x")
    assert bare.measures == {"em": 1.0}
