"""What the tests of evaluations share: one sandbox of real processes, and an agent that does as a test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Protocol

import pytest

from evolve.config import Limits
from evolve.evaluation.evaluate import Evaluator, Lease
from evolve.evaluation.splits import Work
from evolve.program import parse
from evolve.sandbox.base import Sandbox
from evolve.sandbox.process import ProcessSandbox
from evolve.scoring.base import Scorer, Verdict
from evolve.testing.programs import program
from evolve.types import JSON, Episode, Evaluation, Program, Query

LIMITS = Limits(load_seconds=20, write_seconds=10, read_seconds=2, read_chars=200, memory_mb=300, scratch_mb=8, pids=64)
CONSTANTS = """
INSTRUCTION_KNOWLEDGE_ITEM = ""
INSTRUCTION_QUERY = ""
INSTRUCTION_RESPONSE = ""
ALWAYS_ON_KNOWLEDGE = ""
"""
ALL = parse(program(top=CONSTANTS, read="return '|'.join(self.seen)"))


@dataclass
class Scripted:
    """An agent with a model, as far as an evaluation can tell; each method is a function of the text it is given."""

    extracts: Callable[[str], dict[str, JSON]] = lambda text: {"text": text}
    formulates: Callable[[str], dict[str, JSON]] = lambda question: {"text": question}
    responds: Callable[[str, str], str] = lambda question, read: f"answer: {read}"
    asks_model: bool = True
    name: str = "scripted"
    follows_instructions: bool = True

    def extract(self, program: Program, episode: Episode) -> dict[str, JSON]:
        return self.extracts(episode.text)

    def formulate(self, program: Program, question: str) -> dict[str, JSON]:
        return self.formulates(question)

    def respond(self, program: Program, question: str, read: str) -> str:
        return self.responds(question, read)


@dataclass
class Gold:
    """1.0 where the answer holds the gold answer."""

    name: str = "gold"
    says: Callable[[str], str] = lambda answer: ""

    def score(self, query: Query, read: str, answer: str) -> Verdict:
        return Verdict(float(query.answer in answer), self.says(answer))


class Measure(Protocol):
    def __call__(
        self,
        source: str | Program,
        works: Sequence[Work],
        agent: Scripted,
        scorer: Scorer | None = ...,
        **options: object,
    ) -> Evaluation: ...


def as_program(source: str) -> Program:
    """Not through the contract check, which would refuse what some of these import."""
    return replace(ALL, source=source, digest=sha256(source.encode()).hexdigest())


@pytest.fixture(scope="module")
def process() -> Iterator[Sandbox]:
    sandbox = ProcessSandbox(LIMITS, warm=1)
    yield sandbox
    sandbox.close()


@pytest.fixture
def scripted() -> type[Scripted]:
    return Scripted


@pytest.fixture
def gold() -> type[Gold]:
    return Gold


@pytest.fixture
def measure(process: Sandbox) -> Measure:
    """Measure a program, given by its source, in the process sandbox."""

    def run(
        source: str | Program, works: Sequence[Work], agent: Scripted, scorer: Scorer | None = None, **options: object
    ) -> Evaluation:
        checked = as_program(source) if isinstance(source, str) else source
        evaluator = Evaluator(agent, scorer or Gold(), process, **options)  # type: ignore[arg-type]
        with Lease(process) as lease:
            return evaluator.evaluate(checked, works, lease, stage=lambda text: None)

    return run
