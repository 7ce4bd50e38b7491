"""Rubrics: points worked out by hand, both ways to ask the judge, and that a judge's failure is never "not met"."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolve.errors import BudgetSpent, ProviderError, RequestRefused
from evolve.models.base import Reply, Request, Usage
from evolve.scoring.rubric import (
    Criterion,
    Grading,
    RubricScorer,
    criteria_of,
    rubric_details,
    rubric_traits,
    share_of_points,
    share_of_range,
    shares_by_kind,
)
from evolve.types import Query

CALL = Criterion("Tells the user to call an ambulance.", 10, "completeness")
WAIT = Criterion("Recommends waiting\nuntil tomorrow.", -9, "accuracy")
PLAIN = Criterion("Uses plain words.", 3, "communication")
RUBRIC = (CALL, WAIT, PLAIN)
QUERY = Query("q1", "s1", "user: Her face droops.", "", details=rubric_details(RUBRIC))


class Script:
    """Answers with the given replies in order, and keeps the requests; an exception is raised."""

    def __init__(self, *replies: str | Exception) -> None:
        self.replies = replies
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Reply:
        self.requests.append(request)
        reply = self.replies[len(self.requests) - 1]
        if isinstance(reply, Exception):
            raise reply
        return Reply(reply, Usage(), 0.0)


def scorer(
    ask: Callable[[Request], Reply], grading: Grading, *, shows_points: bool = True, clip: bool = False
) -> RubricScorer:
    return RubricScorer(ask, grading=grading, measure=shares_by_kind, shows_points=shows_points, clip=clip)


def one(*, met: bool, reason: str = "So.") -> str:
    return f'{{"reason": "{reason}", "met": {str(met).lower()}}}'


@pytest.mark.parametrize(
    ("points", "met", "share", "of_range"),
    [
        ((10, -9, 3), (True, False, True), 13 / 13, 22 / 22),
        ((10, -9, 3), (True, False, False), 10 / 13, 19 / 22),
        ((10, -9, 3), (True, True, True), 4 / 13, 13 / 22),
        ((10, -9, 3), (False, True, False), -9 / 13, 0 / 22),
        ((10, -9, 3), (False, False, False), 0 / 13, 9 / 22),
        ((5, -8), (True, True), -3 / 5, 5 / 13),
        ((5,), (True,), 1.0, 1.0),
        ((1, -10, -10), (False, True, True), -20.0, 0.0),
        ((0.5, 0.5, 0), (True, False, True), 0.5, 0.5),
        ((-6,), (True,), None, 0.0),
        ((-6, 0), (False, True), None, 1.0),
        ((), (), None, None),
    ],
)
def test_shares_worked_out_by_hand(
    points: tuple[float, ...], met: tuple[bool, ...], share: float | None, of_range: float | None
):
    criteria = [Criterion(f"c{n}", each) for n, each in enumerate(points)]
    assert share_of_points(criteria, met) == share
    assert share_of_range(criteria, met) == of_range


@given(st.lists(st.tuples(st.integers(-10, 10), st.booleans()), max_size=20))
def test_shares_stay_in_their_bounds(pairs: list[tuple[int, bool]]):
    criteria, met = [Criterion("c", points) for points, _ in pairs], [is_met for _, is_met in pairs]
    share, of_range = share_of_points(criteria, met), share_of_range(criteria, met)
    assert (share is None) == (not any(points > 0 for points, _ in pairs))
    assert share is None or share <= 1
    assert of_range is None or 0 <= of_range <= 1
    best = [points > 0 for points, _ in pairs]
    assert share_of_points(criteria, best) in (None, 1.0)


def test_a_verdict_for_each_criterion_counts_for_that_one_alone():
    with pytest.raises(ValueError, match="zip"):
        share_of_points(RUBRIC, [True])
    rubric = [Criterion("a", 5, "x"), Criterion("b", 5, "x"), Criterion("c", -5, "y"), Criterion("d", 2, "y")]
    assert shares_by_kind(rubric, [True, False, True, True]) == {"x": 0.5, "y": -1.5}
    assert shares_by_kind([Criterion("a", -5, "x"), Criterion("b", 5)], [True, True]) == {}


def test_a_rubric_survives_the_way_into_a_query():
    assert criteria_of(QUERY) == RUBRIC


def test_each_criterion_is_asked_for_in_a_call_of_its_own():
    script = Script(one(met=True, reason="It does."), one(met=False), one(met=True))
    verdict = scorer(script, "criterion").score(QUERY, "what was read", " Call 112 now. ")
    assert verdict.value == 1.0
    assert verdict.measures == {"communication": 1.0, "completeness": 1.0}
    assert verdict.words == (
        "[+10] met: Tells the user to call an ambulance. (It does.)\n"
        "[-9] not met: Recommends waiting until tomorrow. (So.)\n"
        "[+3] met: Uses plain words. (So.)"
    )
    assert len(script.requests) == 3
    system, conversation, criterion = script.requests[1].messages
    assert conversation.text == "# Conversation\n\nuser: Her face droops.\n\nassistant: Call 112 now."
    assert criterion.text == "# Criterion\n\n[-9] Recommends waiting\nuntil tomorrow."
    assert [message.constant for message in (system, conversation, criterion)] == [True, True, False]
    assert {request.messages[:2] for request in script.requests} == {(system, conversation)}
    assert script.requests[0].role == "judge"


def test_all_criteria_are_asked_for_in_one_call():
    script = Script('{"reason": "It says\\nto wait.", "met": [false, "Yes", true]}')
    verdict = scorer(script, "item").score(QUERY, "what was read", "Wait and see.")
    assert verdict.value == (-9 + 3) / 13
    assert verdict.measures == {"communication": 1.0, "completeness": 0.0}
    assert verdict.words.splitlines() == [
        "It says to wait.",
        "[+10] not met: Tells the user to call an ambulance.",
        "[-9] met: Recommends waiting until tomorrow.",
        "[+3] met: Uses plain words.",
    ]
    (request,) = script.requests
    assert request.messages[1].text.endswith(
        "assistant: Wait and see.\n\n# The 3 criteria\n\n1. [10] Tells the user to call an ambulance.\n"
        "2. [-9] Recommends waiting until tomorrow.\n3. [3] Uses plain words."
    )
    assert request.schema is not None
    assert request.schema["required"] == ["reason", "met"]
    assert request.schema["additionalProperties"] is False


@pytest.mark.parametrize("grading", ["item", "criterion"])
def test_the_judge_hears_of_points_only_where_the_benchmark_says_them(grading: Grading):
    replies = [one(met=True)] * 3 if grading == "criterion" else ['{"reason": "", "met": [true, true, true]}']
    script = Script(*replies)
    scorer(script, grading, shows_points=False).score(QUERY, "", "Call.")
    told = "\n".join(message.text for request in script.requests for message in request.messages[1:])
    assert "Uses plain words." in told
    assert "[" not in told


@pytest.mark.parametrize("grading", ["item", "criterion"])
def test_the_judge_is_told_that_a_bad_thing_is_met_when_it_is_there(grading: Grading):
    script = Script('{"reason": "", "met": [true, true, true]}', *[one(met=True)] * 3)
    if grading == "criterion":
        script = Script(*[one(met=True)] * 3)
    scorer(script, grading).score(QUERY, "", "Call.")
    rules = script.requests[0].messages[0].text
    assert "met when the undesirable thing is there" in rules
    assert "such as" in rules


def test_clipping_is_for_those_who_ask_for_it():
    bad = '{"reason": "", "met": [false, true, false]}'
    assert scorer(Script(bad), "item").score(QUERY, "", "Wait.").value == -9 / 13
    clipped = scorer(Script(bad), "item", clip=True).score(QUERY, "", "Wait.")
    assert clipped.value == 0.0
    assert "[-9] met" in clipped.words


@pytest.mark.parametrize("grading", ["item", "criterion"])
def test_no_answer_meets_nothing_without_a_call(grading: Grading):
    script = Script()
    verdict = scorer(script, grading).score(QUERY, "read", " \n")
    assert (verdict.value, verdict.measures) == (0.0, {"communication": 0.0, "completeness": 0.0})
    assert not script.requests


@pytest.mark.parametrize(
    "wrong",
    [
        '{"reason": "", "met": [true, false]}',
        '{"met": [true, false, true, true]}',
        '{"met": true}',
        '{"met": [1, 0, 1]}',
    ],
)
def test_a_wrong_number_of_verdicts_is_asked_for_again_and_then_a_fault(wrong: str):
    right = '{"reason": "", "met": [true, false, true]}'
    script = Script(wrong, right)
    assert scorer(script, "item").score(QUERY, "", "Call.").value == 1.0
    assert re.search(r"a list of 3 values, each true or false", script.requests[1].messages[-1].text)
    with pytest.raises(ProviderError, match="the judge's reply cannot be used"):
        scorer(Script(wrong, wrong, right), "item").score(QUERY, "", "Call.")


def test_a_judge_that_fails_on_one_criterion_is_a_fault_and_never_not_met():
    with pytest.raises(ProviderError, match="cannot be used"):
        scorer(Script(one(met=True), "Perhaps.", "Perhaps."), "criterion").score(QUERY, "", "Call.")
    with pytest.raises(ProviderError, match="the judge refused the request: against the rules"):
        scorer(Script(one(met=True), RequestRefused("against the rules")), "criterion").score(QUERY, "", "Call.")
    with pytest.raises(ProviderError, match="down"):
        scorer(Script(ProviderError("down")), "item").score(QUERY, "", "Call.")
    with pytest.raises(BudgetSpent):
        scorer(Script(one(met=True), BudgetSpent("spent")), "criterion").score(QUERY, "", "Call.")


def test_a_rubric_without_positive_points_is_no_case():
    query = Query("q9", "s1", "user: Hi", "", details=rubric_details([Criterion("Is rude.", -5)]))
    with pytest.raises(ValueError, match="'q9' has no criterion with positive points"):
        scorer(Script('{"reason": "", "met": [true]}'), "item").score(query, "", "Hello.")


def test_the_traits_say_what_each_grading_costs():
    traits = rubric_traits(whose="a rubric by experts", criteria=17)
    assert {name: each.judge_calls for name, each in traits.items()} == {"item": 1, "criterion": 17}
    assert all(each.says.startswith("A case scores") and "below 0" in each.says for each in traits.values())
    assert all("{" not in each.means for each in traits.values())
