"""The evaluation, with real programs in real processes: scored, the program's fault, or the infrastructure's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256

import pytest

from evolve.errors import PrerequisiteError, SandboxError
from evolve.evaluation.evaluate import ATTEMPTS, Evaluator, Lease, behaviour
from evolve.evaluation.splits import Work
from evolve.program import parse
from evolve.sandbox.base import Sandbox
from evolve.sandbox.box import Box
from evolve.scoring.base import Verdict
from evolve.testing.programs import program
from evolve.types import JSON, Case, Episode, Evaluation, Program, Query

SCOPES, EPISODES, QUERIES = 3, 4, 3


class EchoAgent:
    """Hands on the texts as they are."""

    name = "echo"
    follows_instructions = False
    asks_model = False

    def extract(self, program: Program, episode: Episode) -> dict[str, JSON]:
        return {"text": episode.id}

    def formulate(self, program: Program, question: str) -> dict[str, JSON]:
        return {"text": question}

    def respond(self, program: Program, question: str, read: str) -> str:
        return f"answer: {read}"


class GoldScorer:
    """1.0 where the answer holds the gold answer."""

    name = "gold"

    def score(self, query: Query, read: str, answer: str) -> Verdict:
        return Verdict(float(query.answer in answer))


def works(scopes: int = SCOPES) -> tuple[Work, ...]:
    """Each scope's gold answer is its own episodes in their order."""
    made = []
    for scope in (f"s{number}" for number in range(scopes)):
        episodes = tuple(Episode(f"{scope}-e{n}", scope, f"text {n} of {scope}") for n in range(EPISODES))
        gold = "|".join(episode.text for episode in episodes)
        queries = tuple(Query(f"{scope}-q{n}", scope, f"{scope} {n}?", gold, category="c") for n in range(QUERIES))
        made.append(Work(scope, episodes, queries))
    return tuple(made)


CONSTANTS = """
INSTRUCTION_KNOWLEDGE_ITEM = ""
INSTRUCTION_QUERY = ""
INSTRUCTION_RESPONSE = ""
ALWAYS_ON_KNOWLEDGE = ""
"""
ALL = parse(program(top=CONSTANTS, read="return '|'.join(self.seen)"))
TWO = works(2)


def evaluate(
    program: Program | str,
    sandbox: Sandbox,
    parts: Sequence[Work] = TWO,
    stage: Callable[[str], None] = lambda text: None,
) -> Evaluation:
    if isinstance(program, str):  # not through the contract check, which would refuse what some of these import
        program = replace(ALL, source=program, digest=sha256(program.encode()).hexdigest())
    with Lease(sandbox) as lease:
        return Evaluator(EchoAgent(), GoldScorer(), sandbox).evaluate(program, parts, lease, stage=stage)


@pytest.fixture(scope="module")
def undisturbed(process: Sandbox) -> Evaluation:
    """What a program that works gets, on three scopes side by side."""
    return evaluate(ALL, process, works())


def test_a_case_is_the_full_record(undisturbed: Evaluation) -> None:
    query = works()[0].queries[0]
    case = undisturbed.cases[0]
    assert case == Case(
        query=query.id,
        scope="s0",
        category="c",
        outcome="scored",
        score=1.0,
        question="s0 0?",
        formulated={"text": "s0 0?"},
        read=query.answer,
        answer=f"answer: {query.answer}",
    )
    assert undisturbed.program == ALL.digest
    assert undisturbed.seconds > 0


def test_writes_come_in_the_order_of_episodes_with_scopes_side_by_side(undisturbed: Evaluation) -> None:
    """The gold answer is the episodes in order: a score of 1.0 needs exactly the own ones, in their order."""
    assert [case.query for case in undisturbed.cases] == [q.id for work in works() for q in work.queries]
    assert [case.score for case in undisturbed.cases] == [1.0] * (SCOPES * QUERIES)
    assert (undisturbed.mean, undisturbed.coverage) == (1.0, 1.0)


def test_many_more_scopes_than_threads(process: Sandbox) -> None:
    evaluation = evaluate(ALL, process, works(11))
    assert [case.score for case in evaluation.cases] == [1.0] * (11 * QUERIES)


def test_stages_are_heard(process: Sandbox) -> None:
    heard: list[str] = []
    evaluate(ALL, process, TWO, heard.append)
    assert heard[0] == "starting"
    assert heard.count("ingesting") == 2 * EPISODES
    assert heard.count("asking") == 2 * QUERIES


def test_nothing_to_ask_is_no_score(process: Sandbox) -> None:
    evaluation = evaluate(ALL, process, ())
    assert (evaluation.cases, evaluation.mean, evaluation.coverage) == ((), None, 0.0)


def by_scope(evaluation: Evaluation, scope: str) -> list[Case]:
    return [case for case in evaluation.cases if case.scope == scope]


def test_a_write_that_raises_costs_its_scope_and_no_other(process: Sandbox) -> None:
    source = program(
        write="""
            if raw_text == "text 2 of s1":
                raise ValueError("no room for this one")
        """,
        read="return '|'.join(self.seen)",
    )
    evaluation = evaluate(source, process)
    assert [case.score for case in by_scope(evaluation, "s0")] == [1.0] * QUERIES
    lost = by_scope(evaluation, "s1")
    assert [(case.outcome, case.score) for case in lost] == [("program", 0.0)] * QUERIES
    assert all("writing episode s1-e2" in case.reason for case in lost)
    assert all("ValueError: no room for this one" in case.reason for case in lost)
    assert evaluation.mean == 0.5
    assert evaluation.coverage == 1.0


def test_a_read_that_raises_costs_its_case_only(process: Sandbox) -> None:
    source = program(
        read="""
            if query.text.endswith("1?"):
                raise KeyError(query.text)
            return '|'.join(self.seen)
        """
    )
    evaluation = evaluate(source, process)
    faults = [case for case in evaluation.cases if case.outcome == "program"]
    assert [case.query for case in faults] == ["s0-q1", "s1-q1"]
    assert all(
        case.score == 0.0 and case.reason.startswith("raised: ") and "KeyError" in case.reason for case in faults
    )
    assert faults[0].formulated == {"text": "s0 1?"}
    assert evaluation.mean == pytest.approx(4 / 6)


def test_a_read_that_is_too_long_costs_its_case_only(process: Sandbox) -> None:
    source = program(read="return 'x' * 201 if query.text == 's0 0?' else 'x' * 100 + '|'.join(self.seen)")
    evaluation = evaluate(source, process)
    (long,) = [case for case in evaluation.cases if case.outcome == "program"]
    assert (long.query, long.score, long.read) == ("s0-q0", 0.0, "")
    assert long.reason == "read_chars: read returned 201 characters, at most 200 are allowed"
    assert evaluation.mean == pytest.approx(5 / 6)


def test_a_read_that_is_no_text_is_the_programs_fault(process: Sandbox) -> None:
    evaluation = evaluate(program(read="return None"), process, TWO[:1])
    assert [(case.outcome, case.score) for case in evaluation.cases] == [("program", 0.0)] * QUERIES


def test_a_program_that_dies_loses_the_rest_of_its_scope(process: Sandbox) -> None:
    source = program(
        imports="import os",
        read="""
            if query.text == "s0 1?":
                os._exit(7)
            return '|'.join(self.seen)
        """,
    )
    evaluation = evaluate(source, process)
    assert [(case.outcome, case.score) for case in by_scope(evaluation, "s0")] == [
        ("scored", 1.0),
        ("program", 0.0),
        ("program", 0.0),
    ]
    assert "died" in by_scope(evaluation, "s0")[1].reason
    assert "status 7" in by_scope(evaluation, "s0")[1].reason
    assert [case.score for case in by_scope(evaluation, "s1")] == [1.0] * QUERIES


def test_a_program_that_hangs_is_stopped_and_loses_the_rest_of_its_scope(process: Sandbox) -> None:
    source = program(
        imports="import time",
        read="""
            if query.text == "s1 0?":
                time.sleep(600)
            return '|'.join(self.seen)
        """,
    )
    evaluation = evaluate(source, process)
    assert [case.score for case in by_scope(evaluation, "s0")] == [1.0] * QUERIES
    hung = by_scope(evaluation, "s1")
    assert [(case.outcome, case.score) for case in hung] == [("program", 0.0)] * QUERIES
    assert all(case.reason == "timeout: read took longer than 2 s" for case in hung)


def test_a_program_that_does_not_load_is_at_fault_everywhere(process: Sandbox) -> None:
    evaluation = evaluate(program(init="raise RuntimeError('not today')"), process)
    assert {(case.outcome, case.score) for case in evaluation.cases} == {("program", 0.0)}
    assert all("not today" in case.reason for case in evaluation.cases)
    assert evaluation.mean == 0.0


def test_a_completion_without_a_toolkit_model_is_the_programs_fault(process: Sandbox) -> None:
    evaluation = evaluate(program(read="return self.toolkit.llm_completion([])"), process, TWO[:1])
    assert all(case.outcome == "program" and "no toolkit model" in case.reason for case in evaluation.cases)


class Disturbed:
    """The real sandbox, whose first boxes are killed from outside: each after so many reads."""

    name = "disturbed"

    def __init__(self, real: Sandbox, scorer: KillingScorer, kills: Sequence[int]) -> None:
        self._real = real
        self._scorer = scorer
        self._kills = list(kills)
        self.started = 0

    def start(self) -> Box:
        box = self._real.start()
        self.started += 1
        self._scorer.arm(box, self._kills.pop(0) if self._kills else None)
        return box

    def describe(self) -> str:
        return "killed from outside"

    def close(self) -> None:
        """The real one is closed by whoever opened it."""


class KillingScorer(GoldScorer):
    """Kills the box when it has scored so many reads: between two requests, as the world does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._box: Box | None = None
        self._left: int | None = None

    def arm(self, box: Box, after: int | None) -> None:
        self._box, self._left = box, after
        if after == 0:
            box.close()

    def score(self, query: Query, read: str, answer: str) -> Verdict:
        with self._lock:
            if self._left is not None and self._box is not None:
                self._left -= 1
                if self._left == 0:
                    self._box.close()
        return super().score(query, read, answer)


def disturb(process: Sandbox, kills: Sequence[int]) -> tuple[Evaluation, int]:
    scorer = KillingScorer()
    sandbox = Disturbed(process, scorer, kills)
    with Lease(sandbox) as lease:
        evaluation = Evaluator(EchoAgent(), scorer, sandbox).evaluate(ALL, works(), lease, stage=lambda text: None)
    return evaluation, sandbox.started


@pytest.mark.parametrize("kills", [[0], [1], [4], [6], [2, 3], [0, 0], [5, 0]])  # after 7 of 9, all may be read
def test_a_box_that_is_lost_changes_no_case(process: Sandbox, undisturbed: Evaluation, kills: list[int]) -> None:
    evaluation, started = disturb(process, kills)
    assert evaluation.cases == undisturbed.cases
    assert evaluation.behaviour == undisturbed.behaviour
    assert started == len(kills) + 1


def test_boxes_that_keep_dying_leave_cases_without_a_score(process: Sandbox) -> None:
    evaluation, started = disturb(process, [2] + [0] * (ATTEMPTS - 1))
    assert started == ATTEMPTS
    lost = [case for case in evaluation.cases if case.outcome == "infrastructure"]
    assert lost
    assert len(lost) < len(evaluation.cases)
    assert all(case.score is None and "the sandbox" in case.reason for case in lost)
    assert evaluation.mean == 1.0  # of those that were measured: what was lost is never averaged as 0
    assert evaluation.coverage == pytest.approx(1 - len(lost) / len(evaluation.cases))


class Absent:
    """A sandbox that never comes up."""

    name = "absent"

    def __init__(self, error: Exception) -> None:
        self._error = error
        self.asked = 0

    def start(self) -> Box:
        self.asked += 1
        raise self._error

    def describe(self) -> str:
        return "never there"

    def close(self) -> None:
        """Nothing is open."""


def test_a_sandbox_that_never_comes_up_gives_no_score_and_never_zero() -> None:
    sandbox = Absent(SandboxError("the machine is on fire"))
    evaluation = evaluate(ALL, sandbox)
    assert sandbox.asked == ATTEMPTS
    assert {(case.outcome, case.score) for case in evaluation.cases} == {("infrastructure", None)}
    assert {case.reason for case in evaluation.cases} == {"the machine is on fire"}
    assert evaluation.mean is None
    assert evaluation.coverage == 0.0
    assert len(evaluation.cases) == 2 * QUERIES


def test_a_sandbox_that_is_not_there_at_all_is_said() -> None:
    with pytest.raises(PrerequisiteError, match="no engine"):
        evaluate(ALL, Absent(PrerequisiteError("no engine")))


def test_one_box_serves_a_whole_lease(process: Sandbox) -> None:
    scorer = KillingScorer()
    sandbox = Disturbed(process, scorer, [])
    evaluator = Evaluator(EchoAgent(), scorer, sandbox)
    with Lease(sandbox) as lease:
        one, other = (evaluator.evaluate(ALL, TWO, lease, stage=lambda text: None) for _ in range(2))
        box = lease.box()
        assert not box.ended
    assert box.ended
    assert one.cases == other.cases
    assert sandbox.started == 1


def test_behaviour_is_equal_where_the_same_was_asked_and_read(process: Sandbox, undisturbed: Evaluation) -> None:
    other = evaluate(program(imports="import math", read="return str('|').join(list(self.seen))"), process, works())
    assert other.program != undisturbed.program
    assert other.behaviour == undisturbed.behaviour == behaviour(tuple(reversed(undisturbed.cases)))


CHANGES: list[dict[str, object]] = [
    {"read": "other"},
    {"formulated": {"text": "other"}},
    {"answer": "other"},
    {"outcome": "program"},
    {"query": "other"},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_behaviour_differs_with_what_was_asked_read_or_answered(
    undisturbed: Evaluation, change: dict[str, object]
) -> None:
    first, *rest = undisturbed.cases
    assert behaviour([replace(first, **change), *rest]) != undisturbed.behaviour  # type: ignore[arg-type]


def test_behaviour_does_not_look_at_scores(undisturbed: Evaluation) -> None:
    first, *rest = undisturbed.cases
    same = replace(first, score=0.0, judgement="x", stage="answer")
    assert behaviour([same, *rest]) == undisturbed.behaviour
    assert behaviour([replace(first, read="half \ud800"), *rest]) != undisturbed.behaviour
