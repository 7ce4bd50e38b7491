"""The ceiling of a task: what the agent and the scorer make of a perfect memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from evolve.agents.extractive import ExtractiveAgent
from evolve.errors import BudgetSpent
from evolve.evaluation.evaluate import Evaluator
from evolve.evaluation.oracle import evaluate_oracle
from evolve.evaluation.splits import Work
from evolve.paths import seeds_dir
from evolve.program import load
from evolve.sandbox.base import Sandbox
from evolve.scoring import SupportScorer
from evolve.types import Episode, Evidence, Query

if TYPE_CHECKING:
    from collections.abc import Callable

EPISODE = Episode("e", "s", "Date: 8 May, 2023\nAnna: I adopted a dog called Rex from the shelter.")
WORK = Work(
    "s",
    (EPISODE,),
    (
        Query("q1", "s", "Which dog?", "Rex", (Evidence("e", "I adopted a dog called Rex from the shelter."),)),
        Query("q2", "s", "Where?", "the shelter"),
    ),
)
NOBODY = load(seeds_dir() / "no_memory.py")


def test_gold_evidence_or_else_the_answer_is_all_that_support_asks_for(process: Sandbox) -> None:
    evaluator = Evaluator(ExtractiveAgent(), SupportScorer(), process)
    found = evaluate_oracle(evaluator, NOBODY, [WORK], lambda query: None, stage=lambda text: None)
    assert [case.score for case in found.cases] == [1.0, 1.0]
    assert found.cases[0].read == "[8 May, 2023] I adopted a dog called Rex from the shelter."


def test_a_task_that_knows_better_is_heard(process: Sandbox, scripted: type[Any], gold: type[Any]) -> None:
    evaluator = Evaluator(scripted(), gold(), process)
    found = evaluate_oracle(evaluator, NOBODY, [WORK], lambda query: f"({query.answer})", stage=lambda text: None)
    assert [case.answer for case in found.cases] == ["answer: (Rex)", "answer: (the shelter)"]
    assert found.mean == 1.0


def test_a_budget_that_ends_is_heard(process: Sandbox, scripted: type[Any]) -> None:
    def ends(*words: str) -> str:
        raise BudgetSpent("no money")

    answer: Callable[..., str] = ends
    evaluator = Evaluator(scripted(responds=answer), SupportScorer(), process)
    with pytest.raises(BudgetSpent):
        evaluate_oracle(evaluator, NOBODY, [WORK], lambda query: None, stage=lambda text: None)
