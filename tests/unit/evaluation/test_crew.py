"""The evaluator that a configuration describes, down to what it asks of the broker."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from evolve.config import Config
from evolve.errors import ProgramFault
from evolve.evaluation.crew import make_evaluator
from evolve.evaluation.evaluate import Lease, no_completions
from evolve.evaluation.splits import Work
from evolve.models.account import Account
from evolve.models.base import Message, Reply, Request, Spent, Usage, Vectors
from evolve.program import parse
from evolve.sandbox.base import Sandbox
from evolve.testing.programs import program
from evolve.types import Episode, Query

CONSTANTS = """
INSTRUCTION_KNOWLEDGE_ITEM = ""
INSTRUCTION_QUERY = ""
INSTRUCTION_RESPONSE = ""
ALWAYS_ON_KNOWLEDGE = ""
"""
PROGRAM = parse(
    program(
        top=CONSTANTS,
        write="self.seen[-1] += self.toolkit.llm_completion([{'role': 'user', 'content': 'sum up'}])",
        read="return f'{self.seen} {self.toolkit.embed([query.text]).shape}'",
    )
)
WORK = Work("s", (Episode("e", "s", "It rained."),), (Query("q", "s", "Did it rain?", "It did."),))


class Books:
    """A broker that answers each role in its own way, and keeps the books."""

    def __init__(self) -> None:
        self.asked: list[Request] = []

    def complete(self, request: Request) -> Reply:
        self.asked.append(request)
        text = {
            "agent": "It did." if request.schema is None else json.dumps({"text": "rain"}),
            "toolkit": " In short: rain.",
            "judge": json.dumps({"reason": "Both say so.", "correct": True}),
        }[request.role]
        return Reply(text, Usage(10, 0, 0, 2), 0.5)

    def embed(self, texts: Sequence[str]) -> Vectors:
        return Vectors(tuple((1.0, 2.0, 2.0) for _ in texts), Usage(1), 0.25)

    def spent(self) -> Spent:
        return Spent(len(self.asked), None, 0.0)


def config(**tables: dict[str, object]) -> Config:
    return Config.checked({"task": "chronicle", **tables}).resolved()


@pytest.fixture
def books() -> Books:
    return Books()


def test_without_models_nothing_is_asked(process: Sandbox) -> None:
    evaluator = make_evaluator(config(), process, None)
    assert (evaluator.agent.name, evaluator.scorer.name) == ("extractive", "support")
    assert (evaluator.complete, evaluator.call_embed, evaluator.oracle) == (no_completions, None, False)


def test_every_role_is_asked_through_the_account(process: Sandbox, books: Books) -> None:
    account = Account(books)
    models = {"agent": "openai:small", "embedding": "openai:vectors"}
    evaluator = make_evaluator(config(models=models, evaluation={"scorer": "judge"}), process, account)
    with Lease(process) as lease:
        evaluation = evaluator.evaluate(PROGRAM, [WORK], lease, stage=lambda text: None)
    (case,) = evaluation.cases
    assert case.read == "['It rained. In short: rain.'] (1, 3)"
    assert (case.score, case.judgement, case.answer) == (1.0, "Both say so.", "It did.")
    asked = [(request.role, request.purpose) for request in books.asked]
    assert set(asked[:3]) == {("agent", "extract"), ("agent", "formulate"), ("toolkit", "write")}
    assert asked[3:] == [("agent", "answer"), ("judge", "judge")]
    write, read = evaluation.operations["write"], evaluation.operations["read"]
    assert (write.count, write.calls, write.tokens, write.chars) == (1, 1, 12, len("It rained."))
    assert (read.count, read.calls, read.tokens, read.chars) == (1, 0, 0, len(case.read))
    assert {role: cost.calls for role, cost in account.costs().items()} == {
        "agent": 3,
        "toolkit": 1,
        "judge": 1,
        "embedding": 1,
    }


def test_the_scorer_and_the_oracle_are_as_configured(process: Sandbox, books: Books) -> None:
    sizes = {"scorer": "exact", "oracle": True}
    evaluator = make_evaluator(config(models={"agent": "openai:small"}, evaluation=sizes), process, Account(books))
    assert (evaluator.agent.name, evaluator.scorer.name, evaluator.oracle) == ("llm", "exact", True)
    assert evaluator.call_embed is None


def test_a_toolkit_model_alone_serves_programs_only(process: Sandbox, books: Books) -> None:
    evaluator = make_evaluator(config(models={"toolkit": "openai:small"}), process, Account(books))
    assert evaluator.agent.name == "extractive"
    assert evaluator.complete([{"role": "user", "content": "hello"}], {}, "read").text == " In short: rain."
    assert [request.messages for request in books.asked] == [(Message("user", "hello"),)]
    with pytest.raises(ProgramFault, match="messages is empty"):
        evaluator.complete([], {}, "read")
