"""An evaluation whose agent waits for a model: what runs side by side, and what each kind of failure costs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import pytest

from evolve.errors import (
    AgentFailure,
    BudgetSpent,
    ConfigError,
    EvolveError,
    PrerequisiteError,
    ProviderError,
    RunFolderError,
)
from evolve.evaluation.evaluate import ATTEMPTS, MOST_CALLS
from evolve.evaluation.splits import Work
from evolve.models.base import Purpose, Reply, Usage
from evolve.testing.programs import program
from evolve.types import JSON, Episode, Evaluation, Evidence, Query

JOINED = "return '|'.join(self.seen)[:200]"
ALL = program(read=JOINED)
COMPLETES_ON_WRITE = program(write="self.toolkit.llm_completion([{'role': 'user', 'content': raw_text}])", read=JOINED)
COMPLETES_ON_READ = program(read=f"self.toolkit.llm_completion([]); {JOINED}")
EMBEDS_ON_WRITE = program(write="self.toolkit.embed([raw_text])", read=JOINED)

Measure = Callable[..., Evaluation]
Agent = Callable[..., Any]


def work(scope: str = "s", episodes: int = 3, queries: int = 3) -> Work:
    told = tuple(Episode(f"{scope}-e{n}", scope, f"{scope} text {n}") for n in range(episodes))
    asked = tuple(Query(f"{scope}-q{n}", scope, f"{scope} ask {n}", told[0].text) for n in range(queries))
    return Work(scope, told, asked)


def outcomes(evaluation: Evaluation, scope: str = "s") -> list[tuple[str, float | None, str]]:
    return [(case.outcome, case.score, case.stage) for case in evaluation.cases if case.scope == scope]


def fails_on(word: str, error: Exception, otherwise: Callable[[str], Any] = lambda text: {"text": text}) -> Any:
    """A function of a text that raises where the text has the word."""

    def function(text: str, *more: str) -> Any:
        if word in text:
            raise error
        return otherwise(text)

    return function


GOOD = ("scored", 1.0, "")
AGENT = ("scored", 0.0, "agent")
LOST = ("infrastructure", None, "")

# Side by side


def test_extractions_formulations_and_answers_each_run_side_by_side(measure: Measure, scripted: Agent) -> None:
    """Each waits until all of its kind have begun: one after the other they would never get past the first."""
    extracting, asking, answering = (threading.Barrier(4, timeout=20) for _ in range(3))

    def extract(text: str) -> dict[str, JSON]:
        extracting.wait()
        return {"text": text}

    def formulate(question: str) -> dict[str, JSON]:
        asking.wait()
        return {"text": question}

    def respond(question: str, read: str) -> str:
        answering.wait()
        return read

    agent = scripted(extract, formulate, respond)
    assert outcomes(measure(ALL, [work(episodes=4, queries=4)], agent)) == [GOOD] * 4


def test_writes_keep_their_order_whatever_extraction_ends_first(measure: Measure, scripted: Agent) -> None:
    last = threading.Event()

    def extract(text: str) -> dict[str, JSON]:
        if text.endswith("0"):
            assert last.wait(20)
        if text.endswith("5"):
            last.set()
        return {"text": text}

    evaluation = measure(ALL, [work(episodes=6, queries=1)], scripted(extract))
    assert evaluation.cases[0].read == "|".join(f"s text {n}" for n in range(6))


def test_an_answer_begins_as_soon_as_its_read_is_there(measure: Measure, scripted: Agent) -> None:
    """The last formulation waits for the first answer."""
    answered = threading.Event()

    def formulate(question: str) -> dict[str, JSON]:
        if question.endswith("2"):
            assert answered.wait(20)
        return {"text": question}

    def respond(question: str, read: str) -> str:
        answered.set()
        return read

    assert outcomes(measure(ALL, [work()], scripted(formulates=formulate, responds=respond))) == [GOOD] * 3


def test_calls_at_a_time_are_bounded_over_all_scopes(measure: Measure, scripted: Agent) -> None:
    lock, now, most = threading.Lock(), 0, 0

    def extract(text: str) -> dict[str, JSON]:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.02)
        with lock:
            now -= 1
        return {"text": text}

    works = [work(f"s{n}", episodes=60, queries=1) for n in range(3)]
    evaluation = measure(ALL, works, scripted(extract))
    assert evaluation.coverage == 1
    assert 8 < most <= MOST_CALLS


# The agent's failures


@pytest.mark.parametrize("error", [AgentFailure("no JSON"), AgentFailure("declined")], ids=repr)
def test_an_episode_that_the_agent_cannot_extract_is_written_with_an_empty_item(
    measure: Measure, scripted: Agent, error: Exception
) -> None:
    source = program(write="self.seen[-1] += repr(item.text)", read=JOINED)
    evaluation = measure(source, [work()], scripted(fails_on("text 1", error)))
    assert evaluation.cases[0].read == "s text 0's text 0'|s text 1''|s text 2's text 2'"
    assert outcomes(evaluation) == [GOOD] * 3
    assert [(write.item, write.problem) for write in evaluation.writes] == [
        ({"text": "s text 0"}, ""),
        ({}, str(error)),
        ({"text": "s text 2"}, ""),
    ]


@pytest.mark.parametrize("error", [AgentFailure("no JSON"), AgentFailure("declined")], ids=repr)
@pytest.mark.parametrize("where", ["formulates", "responds"])
def test_a_question_that_the_agent_fails_scores_0_and_says_why(
    measure: Measure, scripted: Agent, where: str, error: Exception
) -> None:
    answer = {"otherwise": lambda text: "s text 0"} if where == "responds" else {}
    evaluation = measure(ALL, [work()], scripted(**{where: fails_on("ask 1", error, **answer)}))
    assert outcomes(evaluation) == [GOOD, AGENT, GOOD]
    assert evaluation.cases[1].reason == str(error)
    assert bool(evaluation.cases[1].read) == (where == "responds")


# Providers that do not answer


@pytest.mark.parametrize("where", ["formulates", "responds", "scorer"])
def test_a_question_that_a_provider_fails_has_no_score(
    measure: Measure, scripted: Agent, gold: Agent, where: str
) -> None:
    error = ProviderError("nobody answers")
    agent, scorer = scripted(), gold()
    if where == "scorer":
        agent = scripted(responds=lambda question, read: f"{question} {read}")
        scorer = gold(says=fails_on("ask 1", error, lambda text: ""))
    else:
        answer = {"otherwise": lambda text: "s text 0"} if where == "responds" else {}
        agent = scripted(**{where: fails_on("ask 1", error, **answer)})
    evaluation = measure(ALL, [work()], agent, scorer)
    assert outcomes(evaluation) == [GOOD, LOST, GOOD]
    assert evaluation.cases[1].reason == "nobody answers"
    assert evaluation.mean == 1.0


def test_a_memory_that_would_be_partly_filled_is_not_asked(measure: Measure, scripted: Agent) -> None:
    asked: list[str] = []
    answered: set[str] = set()

    def formulate(question: str) -> dict[str, JSON]:
        asked.append(question)
        return {"text": question}

    def respond(question: str, read: str) -> str:
        answered.add(question)
        return read

    agent = scripted(fails_on("a text 2", ProviderError("nobody answers")), formulate, respond)
    evaluation = measure(ALL, [work("a"), work("b")], agent)
    assert outcomes(evaluation, "a") == [LOST] * 3
    assert outcomes(evaluation, "b") == [GOOD] * 3
    assert {case.reason for case in evaluation.cases if case.scope == "a"} == {
        "extracting episode a-e2: nobody answers"
    }
    assert {"b ask 0", "b ask 1", "b ask 2"} <= set(asked)
    assert answered == {"b ask 0", "b ask 1", "b ask 2"}


@pytest.mark.parametrize("source", [COMPLETES_ON_WRITE, COMPLETES_ON_READ], ids=["write", "read"])
@pytest.mark.parametrize("asks_model", [True, False])
def test_a_completion_that_fails_is_tried_again_with_its_scope(
    measure: Measure, scripted: Agent, source: str, asks_model: bool
) -> None:
    calls: list[list[JSON]] = []

    def complete(messages: list[JSON], kwargs: dict[str, JSON], purpose: Purpose) -> Reply:
        calls.append(messages)
        if len(calls) == 2:
            raise ProviderError("nobody answers")
        return Reply("yes", Usage(3, 0, 0, 1), 0.0)

    evaluation = measure(source, [work()], scripted(asks_model=asks_model), complete=complete)
    assert outcomes(evaluation) == [GOOD] * 3
    # One call a write or a read; the reads before the one that failed are not asked again.
    assert len(calls) == (5 if source == COMPLETES_ON_WRITE else 4)


def test_a_completion_that_fails_every_time_is_no_score(measure: Measure, scripted: Agent) -> None:
    calls: list[list[JSON]] = []

    def complete(messages: list[JSON], kwargs: dict[str, JSON], purpose: Purpose) -> NoReturn:
        calls.append(messages)
        raise ProviderError("nobody answers")

    evaluation = measure(COMPLETES_ON_WRITE, [work()], scripted(), complete=complete)
    assert outcomes(evaluation) == [LOST] * 3
    assert evaluation.cases[0].reason == "nobody answers"
    assert len(calls) == ATTEMPTS


# The end of everything

ENDS: list[EvolveError] = [
    BudgetSpent("$1 of $1"),
    PrerequisiteError("a wrong key"),
    RunFolderError("not in the store"),
    ConfigError("no such role"),
]


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(("evolve-call", "evolve-scope"))]


@pytest.mark.parametrize(
    ("where", "error"),
    [*(("extracts", error) for error in ENDS), *((where, ENDS[0]) for where in ("formulates", "responds", "scorer"))],
    ids=str,
)
def test_what_ends_a_run_passes_out_at_once_and_leaves_no_thread(
    measure: Measure, scripted: Agent, gold: Agent, where: str, error: EvolveError
) -> None:
    fails = fails_on("a", error)  # every text of scope a, and no other
    agent = scripted() if where == "scorer" else scripted(**{where: fails})
    scorer = gold(says=fails) if where == "scorer" else gold()
    with pytest.raises(type(error)) as caught:
        measure(ALL, [work("z"), work("a"), work("y")], agent, scorer)
    assert caught.value is error
    assert threads() == []


@pytest.mark.parametrize("asks_model", [True, False])
@pytest.mark.parametrize("source", [COMPLETES_ON_WRITE, COMPLETES_ON_READ, EMBEDS_ON_WRITE])
def test_what_ends_a_run_passes_out_of_a_programs_own_calls(
    measure: Measure, scripted: Agent, source: str, asks_model: bool
) -> None:
    def ends(*arguments: object) -> NoReturn:
        raise ENDS[0]

    with pytest.raises(BudgetSpent) as caught:
        measure(source, [work("a"), work("b")], scripted(asks_model=asks_model), complete=ends, call_embed=ends)
    assert caught.value is ENDS[0]
    assert threads() == []


def slow_extraction(first: Callable[[], None], begun: list[str]) -> Callable[[str], dict[str, JSON]]:
    def extract(text: str) -> dict[str, JSON]:
        begun.append(text)
        if text.endswith(" 0"):
            first()
        else:
            time.sleep(1)
        return {"text": text}

    return extract


def test_after_the_end_nothing_is_begun(measure: Measure, scripted: Agent) -> None:
    def spent() -> None:
        raise BudgetSpent("$1 of $1")

    begun: list[str] = []
    with pytest.raises(BudgetSpent):
        measure(ALL, [work(episodes=600)], scripted(slow_extraction(spent, begun)))
    assert 1 <= len(begun) <= 3 * MOST_CALLS


def test_a_write_that_fails_saves_the_extractions_not_yet_begun(measure: Measure, scripted: Agent) -> None:
    begun: list[str] = []
    extract = slow_extraction(lambda: None, begun)
    evaluation = measure(program(write="raise ValueError('full')"), [work(episodes=600)], scripted(extract))
    assert outcomes(evaluation) == [("program", 0.0, "program")] * 3
    assert "writing episode s-e0" in evaluation.cases[0].reason
    assert 1 <= len(begun) <= 3 * MOST_CALLS
    assert threads() == []


# What is kept


def test_a_judges_words_are_kept(measure: Measure, scripted: Agent, gold: Agent) -> None:
    evaluation = measure(ALL, [work()], scripted(), gold(says=lambda answer: f"I read {answer[:9]}"))
    assert [case.judgement for case in evaluation.cases] == ["I read answer: s"] * 3


def evidenced(answers: Sequence[str]) -> Work:
    """Eight episodes; query n rests on episode n + 3, and has the gold answer given."""
    told = tuple(Episode(f"e{n}", "s", f"episode number {n} of the whole story") for n in range(8))
    asked = tuple(
        Query(f"q{n}", "s", f"ask {n}", answer, (Evidence(f"e{n + 3}", told[n + 3].text),))
        for n, answer in enumerate(answers)
    )
    return Work("s", told, asked)


def test_writes_shown_are_those_of_the_worst_cases_then_the_first(measure: Measure, scripted: Agent) -> None:
    source = program(write="self.toolkit.logger.debug('wrote ' + item.text)", read="return 'nothing'")
    agent = scripted(lambda text: {"text": text.split()[2]})
    evaluation = measure(source, [evidenced(["nothing", "else", "nothing"])], agent)
    assert [case.score for case in evaluation.cases] == [1.0, 0.0, 1.0]
    assert [write.episode for write in evaluation.writes] == ["e4", "e0", "e1"]
    assert [write.log for write in evaluation.writes] == [("wrote 4",), ("wrote 0",), ("wrote 1",)]
    assert evaluation.writes[0].item == {"text": "4"}


def test_a_write_that_failed_is_shown_first(measure: Measure, scripted: Agent) -> None:
    source = program(write="if '6' in raw_text: raise ValueError(raw_text)", read="return ''")
    evaluation = measure(source, [evidenced(["x", "y"])], scripted())
    assert [write.episode for write in evaluation.writes] == ["e6", "e3", "e4"]


def test_embeddings_come_from_the_run_where_it_has_a_model(measure: Measure, scripted: Agent) -> None:
    asked: list[str] = []

    def embed(texts: list[str]) -> list[list[float]]:
        asked.extend(texts)
        return [[float("text 2" in text), 1.0, 0.5] for text in texts]

    source = program(
        write="self.toolkit.chroma.get_or_create_collection('notes').add(ids=[raw_text], documents=[raw_text])",
        read="""
            notes = self.toolkit.chroma.get_collection('notes').query(query_texts=['text 2'], n_results=1)
            return notes["documents"][0][0] + str(self.toolkit.embed(["x"]).shape)
        """,
    )
    evaluation = measure(source, [work(queries=1)], scripted(), call_embed=embed)
    assert evaluation.cases[0].read == "s text 2(1, 3)"
    assert asked[:5] == ["s text 0", "s text 1", "s text 2", "text 2", "x"]
