"""LongMemEval's five judge rules, and the ranks of the evidence sessions; values worked out by hand."""

from __future__ import annotations

import math

import pytest

from evolve.errors import BudgetSpent, ProviderError, RequestRefused
from evolve.models.base import Reply, Request, Usage
from evolve.scoring.longmemeval import (
    OfficialJudge,
    RetrievalScorer,
    rank_measures,
    ranked_sessions,
)
from evolve.types import JSON, Evidence, Query

SESSIONS = {
    "s/session_1": "Date: 9:00 am on 1 May, 2023 (Monday)\nuser: Any tips for a good sourdough starter?",
    "s/session_2": "Date: 9:00 am on 2 May, 2023 (Tuesday)\nuser: I started work at the town museum today.",
    "s/session_3": "Date: 9:00 am on 3 May, 2023 (Wednesday)\nuser: I moved on to the harbour library now.",
}


def query(kind: str = "knowledge-update", *, abstention: bool = False, gold: tuple[int, ...] = (2, 3)) -> Query:
    sessions: list[JSON] = [f"s/session_{number}" for number in gold]
    evidence = (Evidence("s/session_3", "I moved on to the harbour library now."),)
    details: dict[str, JSON] = {
        "type": kind,
        "question": "Where do I work?",
        "abstention": abstention,
        "sessions": sessions,
    }
    return Query("q", "s", "Where do I work? (asked on 4 May, 2023)", "At the library", evidence, kind, (), details)


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


def judge(script: Script) -> OfficialJudge:
    return OfficialJudge(script, lambda scope: SESSIONS)


@pytest.mark.parametrize(
    ("kind", "abstention", "reference", "rule"),
    [
        ("single-session-user", False, "Correct answer", "only a part of what the correct answer asks for."),
        ("single-session-assistant", False, "Correct answer", "only a part of what the correct answer asks for."),
        ("multi-session", False, "Correct answer", "all the steps from which the correct answer follows"),
        ("other", False, "Correct answer", "only a part of what the correct answer asks for."),
        ("temporal-reasoning", False, "Correct answer", "may be off by one"),
        ("knowledge-update", False, "Correct answer", "may give earlier states beside it"),
        ("single-session-preference", False, "Rubric", "need not meet every point"),
        ("multi-session", True, "Explanation", "recognises that the question cannot be answered"),
        ("temporal-reasoning", True, "Explanation", "recognises that the question cannot be answered"),
    ],
)
def test_the_rule_follows_the_kind_of_question(kind: str, abstention: bool, reference: str, rule: str) -> None:
    system, user = judge(Script()).messages(query(kind, abstention=abstention), "The library")
    assert rule in system.text
    assert system.constant
    assert user.text == f"Question: Where do I work?\n\n{reference}: At the library\n\nResponse: The library"
    others = ("may be off by one", "earlier states", "every point", "cannot be answered")
    assert sum(other in system.text for other in others) == (0 if rule.startswith(("only", "all")) else 1)


def test_the_verdict_and_the_ranks_stand_together() -> None:
    script = Script('{"reason": "The same place.", "correct": true}')
    verdict = judge(script).score(query(), "I moved on to the harbour library now.", " The library ")
    assert (verdict.value, verdict.words) == (1.0, "The same place.")
    assert verdict.measures["recall@5"] == 0.0, "one of two sessions was read"
    assert script.requests[0].role == "judge"


def test_abstention_is_a_measure_and_has_no_ranks() -> None:
    script = Script('{"reason": "Made up.", "correct": "no"}')
    verdict = judge(script).score(query(abstention=True), "I moved on to the harbour library now.", "The library")
    assert (verdict.value, verdict.measures) == (0.0, {"abstention": 0.0})


def test_a_judge_who_cannot_be_understood_is_a_fault_and_no_answer_is_wrong() -> None:
    assert judge(Script()).score(query(), "", "  ").value == 0.0
    assert judge(Script("yes", '{"correct": true}')).score(query(), "", "x").value == 1.0
    with pytest.raises(ProviderError, match="the judge's reply cannot be used"):
        judge(Script("yes", "yes")).score(query(), "", "x")
    with pytest.raises(ProviderError, match="refused the request: no"):
        judge(Script(RequestRefused("no"))).score(query(), "", "x")
    with pytest.raises(BudgetSpent):
        judge(Script(BudgetSpent("spent"))).score(query(), "", "x")


def test_sessions_rank_by_where_they_are_first_quoted() -> None:
    read = "[3 May] I moved on to the harbour library\n[2 May] I started work at the town\nI moved on to the"
    assert ranked_sessions(read, SESSIONS) == ["s/session_3", "s/session_2"]
    assert ranked_sessions("The user works at the harbour library.", SESSIONS) == []
    assert ranked_sessions("", SESSIONS) == []


def test_words_that_two_sessions_share_quote_neither() -> None:
    sessions = {"a": "user: I like the red one best", "b": "user: I like the red one least"}
    assert ranked_sessions("i like the red one", sessions) == []
    assert ranked_sessions("the red one least and the red one best", sessions) == ["b", "a"]


def test_ranks_become_recall_and_gain() -> None:
    ranked = ["x1", "g1", "x2", "x3", "x4", "g2"]
    found = rank_measures(ranked, ["g1", "g2", "g3"])
    ideal = 1 + 1 + 1 / math.log2(3)
    assert found["recall@5"] == found["recall@10"] == 0
    assert found["ndcg@5"] == pytest.approx(1 / ideal)  # the second rank is not discounted
    assert found["ndcg@10"] == pytest.approx((1 + 1 / math.log2(6)) / ideal)
    assert set(rank_measures(["g1"], ["g1"]).values()) == {1.0}
    assert set(rank_measures([], ["g1"]).values()) == {0.0}
    assert rank_measures(["x"] * 5 + ["g1"], ["g1"])["recall@10"] == 1


def test_retrieval_scores_support_without_a_model() -> None:
    scorer = RetrievalScorer(lambda scope: SESSIONS)
    verdict = scorer.score(query(gold=(3,)), "I moved on to the harbour library now.", "")
    assert verdict.value == 1.0
    assert set(verdict.measures.values()) == {1.0}
    assert scorer.score(query(), "nothing", "").value == 0.0
    assert scorer.score(query(abstention=True), "I moved on to the harbour library now.", "").measures == {}
    assert scorer.score(query(gold=()), "x", "").measures == {}
