"""The judge's question, its verdict, and that a judge who cannot be understood is a fault and never a 0."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evolve.errors import BudgetSpent, InfrastructureError, ProviderError, RequestRefused
from evolve.models.base import Reply, Request, Usage
from evolve.scoring import ExactScorer, F1Scorer, GenerousJudge, Judge, Scorer, SupportScorer, Verdict, make_scorer
from evolve.types import Evidence, Query

QUERY = Query("q1", "s1", "When did Ann go?", "7 May 2023", (Evidence("e1", "I went yesterday"),))


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


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ('{"reason": "The same day.", "correct": true}', Verdict(1.0, "The same day.")),
        ('{"reason": "A month is no day.", "correct": false}', Verdict(0.0, "A month is no day.")),
        ('```json\n{"reason": "Same", "correct": "Yes"}\n```', Verdict(1.0, "Same")),
        ('{"correct": false}', Verdict(0.0, "")),
    ],
)
def test_the_verdict_keeps_the_judges_words(reply: str, verdict: Verdict):
    assert Judge(Script(reply)).score(QUERY, "what was read", "May 7th") == verdict


def test_the_judge_is_shown_question_reference_and_answer_and_nothing_of_the_memory():
    script = Script('{"reason": "", "correct": true}')
    Judge(script).score(QUERY, "what was read", " May 7th ")
    request = script.requests[0]
    system, user = request.messages
    assert (request.role, system.constant, user.constant) == ("judge", True, False)
    assert user.text == "Question: When did Ann go?\n\nReference answer: 7 May 2023\n\nAnswer to check: May 7th"
    assert request.schema is not None
    assert request.schema["required"] == ["reason", "correct"]
    assert request.schema["additionalProperties"] is False


def test_other_right_answers_are_shown_where_there_are_any():
    script = Script('{"reason": "", "correct": true}')
    Judge(script).score(replace(QUERY, aliases=("May 7th", "the first Sunday in May")), "", "7/5")
    assert script.requests[0].messages[1].text == (
        "Question: When did Ann go?\n\nReference answer: 7 May 2023\n"
        "As right as that, each by itself: May 7th; the first Sunday in May\n\nAnswer to check: 7/5"
    )


def test_the_generous_judge_differs_in_what_it_asks_for_alone():
    strict, generous = Script('{"reason": "Same.", "correct": true}'), Script('{"reason": "Same.", "correct": true}')
    assert GenerousJudge(generous).score(QUERY, "", "May") == Judge(strict).score(QUERY, "", "May")
    (told, asked), (told_strictly, asked_strictly) = generous.requests[0].messages, strict.requests[0].messages
    assert asked == asked_strictly
    assert "touches on the same topic" in told.text
    assert "the same subject is not enough" in told_strictly.text
    assert (GenerousJudge.name, Judge.name) == ("judge_generous", "judge")


def test_no_answer_is_wrong_without_a_call():
    script = Script()
    assert Judge(script).score(QUERY, "read", " \n").value == 0.0
    assert not script.requests


@pytest.mark.parametrize("first", ["It is correct.", '{"reason": "?", "correct": "partly"}', '{"reason": "x"}'])
def test_a_judge_is_asked_again_once(first: str):
    script = Script(first, '{"reason": "Same.", "correct": true}')
    assert Judge(script).score(QUERY, "", "May 7th") == Verdict(1.0, "Same.")
    assert script.requests[1].messages[2].text == first
    with pytest.raises(ProviderError, match="the judge's reply cannot be used") as caught:
        Judge(Script(first, first, '{"correct": true}')).score(QUERY, "", "May 7th")
    assert isinstance(caught.value, InfrastructureError)


def test_a_refusal_is_a_fault_and_other_errors_pass():
    with pytest.raises(ProviderError, match="the judge refused the request: against the rules"):
        Judge(Script(RequestRefused("against the rules"))).score(QUERY, "", "x")
    with pytest.raises(BudgetSpent):
        Judge(Script(BudgetSpent("spent"))).score(QUERY, "", "x")


def test_scorers_by_name():
    ask = Script('{"reason": "Same.", "correct": true}')
    made: dict[str, Scorer] = {name: make_scorer(name, ask) for name in ("support", "f1", "exact", "judge")}
    assert {name: type(scorer) for name, scorer in made.items()} == {
        "support": SupportScorer,
        "f1": F1Scorer,
        "exact": ExactScorer,
        "judge": Judge,
    }
    assert all(scorer.name == name for name, scorer in made.items())
    assert made["judge"].score(QUERY, "", "x").value == 1.0
    assert isinstance(make_scorer("f1", None), F1Scorer)
