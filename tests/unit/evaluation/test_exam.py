"""An evaluation in parts: what is written once stays there to be asked, and what can run side by side does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from evolve.errors import BudgetSpent
from evolve.evaluation.evaluate import MOST_SCOPES, Evaluator, Lease, behaviour, joined
from evolve.evaluation.splits import Work
from evolve.program import parse
from evolve.testing.programs import program
from evolve.types import JSON, Episode, Evaluation, Query

if TYPE_CHECKING:
    from evolve.sandbox.base import Sandbox

JOINED = "return '|'.join(self.seen)[:200]"
ALL = program(read=JOINED)
CONSTANTS = ("INSTRUCTION_KNOWLEDGE_ITEM", "INSTRUCTION_QUERY", "INSTRUCTION_RESPONSE", "ALWAYS_ON_KNOWLEDGE")
CHECKED = parse(program(top="\n".join(f'{name} = ""' for name in CONSTANTS)))


def work(scope: str = "s", *, asks: Sequence[int] = (0, 1), episodes: int = 2) -> Work:
    told = tuple(Episode(f"{scope}-e{n}", scope, f"{scope} text {n}") for n in range(episodes))
    asked = tuple(Query(f"{scope}-q{n}", scope, f"{scope} ask {n}", told[0].text) for n in asks)
    return Work(scope, told, asked)


class Extracts:
    """Hands on the texts as they are, and keeps which."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, text: str) -> dict[str, JSON]:
        self.texts.append(text)
        return {"text": text}


def outcomes(evaluation: Evaluation) -> list[tuple[str, float | None]]:
    return [(case.outcome, case.score) for case in evaluation.cases]


def counts(evaluation: Evaluation) -> tuple[int, int]:
    return evaluation.operations["write"].count, evaluation.operations["read"].count


@pytest.fixture
def asked(process: Sandbox, gold: type[Any]) -> Callable[..., list[Evaluation]]:
    """Examine a program, given by its source, step by step: each step is works and what is asked later."""

    def ask(
        source: str, steps: Sequence[tuple[Sequence[Work], set[str]]], agent: Any, between: Any = None, **options: Any
    ) -> list[Evaluation]:
        evaluator, found = Evaluator(agent, gold(), process, **options), []
        checked = replace(CHECKED, source=source, digest=sha256(source.encode()).hexdigest())
        with Lease(process) as lease, evaluator.begin(checked, lease, stage=lambda text: None) as exam:
            for works, later in steps:
                found.append(exam.ask(works, later=later))
                if between is not None:
                    between(lease)
        return found

    return ask


# What is kept


@pytest.mark.parametrize("asks_model", [True, False])
def test_a_memory_that_is_asked_later_is_written_once(asked: Any, scripted: Any, asks_model: bool) -> None:
    extracts = Extracts()
    one, other, last = asked(
        ALL,
        [([work(asks=[0, 1])], {"s"}), ([work(asks=[2])], {"s"}), ([work(asks=[3])], set())],
        scripted(extracts, asks_model=asks_model),
    )
    assert extracts.texts == ["s text 0", "s text 1"]
    assert [counts(evaluation) for evaluation in (one, other, last)] == [(2, 2), (0, 1), (0, 1)]
    assert [case.query for case in other.cases] == ["s-q2"]
    assert {case.read for each in (one, other, last) for case in each.cases} == {"s text 0|s text 1"}
    assert [write.episode for write in other.writes] == ["s-e0", "s-e1"]


def test_a_memory_that_is_not_asked_later_is_closed_and_filled_again(asked: Any, scripted: Any) -> None:
    extracts = Extracts()
    found = asked(
        ALL, [([work()], set()), ([work(asks=[2])], {"s"}), ([work("t")], set()), ([work()], set())], scripted(extracts)
    )
    assert [counts(evaluation) for evaluation in found] == [(2, 2), (2, 1), (2, 2), (2, 2)]
    assert all(outcome == ("scored", 1.0) for each in found for outcome in outcomes(each))


def test_a_memory_waits_while_other_scopes_are_asked(asked: Any, scripted: Any) -> None:
    found = asked(ALL, [([work()], {"s"}), ([work("t")], {"s"}), ([work(asks=[2])], set())], scripted(Extracts()))
    assert [counts(evaluation) for evaluation in found] == [(2, 2), (2, 2), (0, 1)]


def test_other_episodes_are_another_memory(asked: Any, scripted: Any) -> None:
    found = asked(ALL, [([work()], {"s"}), ([work(asks=[2], episodes=3)], set())], scripted(Extracts()))
    assert counts(found[1]) == (3, 1)
    assert found[1].cases[0].read == "s text 0|s text 1|s text 2"


def test_so_many_memories_are_kept_and_the_first_of_them(asked: Any, scripted: Any) -> None:
    scopes = [f"s{n}" for n in range(MOST_SCOPES + 2)]
    works, again = [work(scope, asks=[0]) for scope in scopes], [work(scope, asks=[1]) for scope in scopes]
    extracts = Extracts()
    agent = scripted(extracts, asks_model=False)
    found = asked(ALL, [(works, set(scopes)), (again, set())], agent)
    assert [counts(evaluation)[0] for evaluation in found] == [2 * len(scopes), 4]
    assert {text.split()[0] for text in extracts.texts[2 * len(scopes) :]} == set(scopes[MOST_SCOPES:])
    assert found[1].mean == 1.0


def test_a_box_that_is_lost_between_two_parts_is_filled_again(asked: Any, scripted: Any) -> None:
    extracts = Extracts()
    found = asked(
        ALL,
        [([work()], {"s"}), ([work(asks=[2])], set())],
        scripted(extracts),
        between=lambda lease: lease.box().close(),
    )
    assert len(extracts.texts) == 4
    assert outcomes(found[1]) == [("scored", 1.0)]


# What is settled


def test_a_program_that_cannot_write_is_not_asked_again(asked: Any, scripted: Any) -> None:
    extracts = Extracts()
    source = program(write="if raw_text == 's text 1': raise ValueError('full')", read=JOINED)
    one, other = asked(
        source, [([work(), work("t")], {"s", "t"}), ([work(asks=[2]), work("t", asks=[2])], set())], scripted(extracts)
    )
    assert outcomes(other) == [("program", 0.0), ("scored", 1.0)]
    assert other.cases[0].reason == one.cases[0].reason
    assert "writing episode s-e1" in other.cases[0].reason
    assert sorted(extracts.texts) == ["s text 0", "s text 1", "t text 0", "t text 1"]
    assert counts(other) == (0, 1)


def test_a_program_that_dies_of_a_question_is_dead_for_later_ones(asked: Any, scripted: Any) -> None:
    source = program(imports="import os", read=f"if query.text == 's ask 1': os._exit(7)\n{JOINED}")
    one, other = asked(source, [([work()], {"s"}), ([work(asks=[2])], set())], scripted(Extracts()))
    assert outcomes(one) == [("scored", 1.0), ("program", 0.0)]
    assert outcomes(other) == [("program", 0.0)]
    assert other.cases[0].reason == one.cases[1].reason
    assert "status 7" in other.cases[0].reason


def test_a_program_that_dies_of_a_probe_is_filled_again(asked: Any, scripted: Any) -> None:
    """Probes come after the questions where one has failed; nobody is scored on them."""
    source = program(imports="import os", read="if 'ask' not in query.text: os._exit(7)\nreturn 'nothing'")
    one, other = asked(source, [([work(asks=[0])], {"s"}), ([work(asks=[1])], set())], scripted(Extracts()))
    assert outcomes(one) == outcomes(other) == [("scored", 0.0)]
    assert counts(other) == (2, 1)


# Together


def test_parts_joined_are_the_evaluation_at_once(asked: Any, scripted: Any) -> None:
    steps = [([work(asks=[0]), work("t", asks=[0, 1])], {"s"}), ([work(asks=[1])], set())]
    parts = asked(ALL, steps, scripted(Extracts()))
    (whole,) = asked(ALL, [([work("t"), work()], set())], scripted(Extracts()))
    both = joined(parts)
    assert sorted(both.cases, key=lambda case: case.query) == sorted(whole.cases, key=lambda case: case.query)
    assert both.behaviour == whole.behaviour == behaviour(whole.cases)
    assert counts(both) == counts(whole) == (4, 4)
    assert both.operations["read"].chars == whole.operations["read"].chars
    assert both.seconds == pytest.approx(sum(part.seconds for part in parts))
    assert len({write.episode for write in both.writes}) == len(both.writes) == 3
    assert joined([whole]) == whole


# Side by side


def test_all_scopes_are_extracted_at_once(asked: Any, scripted: Any) -> None:
    """Each extraction waits until all of them have begun, of more scopes than may be at work at a time."""
    scopes = [f"s{n}" for n in range(12)]
    together = threading.Barrier(12, timeout=20)

    def extract(text: str) -> dict[str, JSON]:
        together.wait()
        return {"text": text}

    (found,) = asked(ALL, [([work(scope, asks=[0], episodes=1) for scope in scopes], set())], scripted(extract))
    assert outcomes(found) == [("scored", 1.0)] * 12


def test_questions_are_formulated_while_episodes_are_extracted(asked: Any, scripted: Any) -> None:
    formulated = threading.Event()

    def extract(text: str) -> dict[str, JSON]:
        assert formulated.wait(20)
        return {"text": text}

    def formulate(question: str) -> dict[str, JSON]:
        formulated.set()
        return {"text": question}

    (found,) = asked(ALL, [([work()], set())], scripted(extract, formulate))
    assert outcomes(found) == [("scored", 1.0)] * 2


def test_what_was_prepared_needs_no_box_and_is_not_asked_again(
    process: Sandbox, gold: type[Any], scripted: Any
) -> None:
    extract, ready = Extracts(), threading.Barrier(3, timeout=20)

    def formulate(question: str) -> dict[str, JSON]:
        if not started:
            ready.wait()
        return {"text": question}

    started: list[bool] = []
    checked = replace(CHECKED, source=ALL, digest=sha256(ALL.encode()).hexdigest())
    with Lease(process) as lease:
        evaluator = Evaluator(scripted(extract, formulate), gold(), process)
        with evaluator.begin(checked, lease, stage=lambda text: None) as exam:
            exam.prepare([work()])
            ready.wait()  # both questions are being formulated, and nobody has asked for a box
            assert lease._box is None
            started.append(True)
            first, second = exam.ask([work()]), exam.ask([work(asks=[2])])
    assert outcomes(first) == [("scored", 1.0)] * 2
    assert outcomes(second) == [("scored", 1.0)]
    assert len(extract.texts) == 4, "two for what was prepared, two for the memory that was closed since"


def test_a_scope_that_waits_for_its_answers_lets_others_work(asked: Any, scripted: Any) -> None:
    """Each answer waits until all have begun: no scope may keep its turn meanwhile."""
    count = MOST_SCOPES + 4
    together = threading.Barrier(count, timeout=20)

    def respond(question: str, read: str) -> str:
        together.wait()
        return read

    works = [work(f"s{n}", asks=[0], episodes=1) for n in range(count)]
    (found,) = asked(ALL, [(works, set())], scripted(Extracts(), responds=respond))
    assert outcomes(found) == [("scored", 1.0)] * count


def test_exams_run_side_by_side_on_one_sandbox(asked: Any, scripted: Any) -> None:
    before = set(threading.enumerate())
    steps = [([work(), work("t")], {"s", "t"}), ([work(asks=[2]), work("t", asks=[2])], set())]
    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(asked, ALL, steps, scripted(Extracts())) for _ in range(3)]
        for run in runs:
            one, other = run.result()
            assert (one.mean, other.mean, counts(one), counts(other)) == (1.0, 1.0, (4, 4), (0, 2))
    assert [
        thread.name for thread in set(threading.enumerate()) - before if thread.name.startswith("evolve-call")
    ] == []


def test_what_ends_a_run_leaves_no_thread_and_no_memory(asked: Any, scripted: Any) -> None:
    def respond(question: str, read: str) -> str:
        if question == "t ask 0":
            raise BudgetSpent("$1 of $1")
        return read

    with pytest.raises(BudgetSpent):
        asked(ALL, [([work()], {"s"}), ([work("t")], {"s"})], scripted(Extracts(), responds=respond))
    assert [thread for thread in threading.enumerate() if thread.name.startswith(("evolve-call", "evolve-scope"))] == []
