"""What a scope's knowledge base is a fold of: replies, globals, snapshots, faults."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from evolve.harness.base import LocalBase
from evolve.harness.calls import Budget, Calls, Models, Watch
from evolve.harness.errors import LimitReached, ModelFailed, ProgramFailed
from evolve.harness.limits import Limits
from evolve.harness.log import Reply, asked
from evolve.harness.program import Harness
from evolve.harness.turns import Turns
from evolve.models.base import Reply as Completion
from evolve.models.base import Request, Usage
from evolve.types import JSON


def answering(text: str, log: list[str]) -> Callable[[Request], Completion]:
    """A model that says the same to everything, and notes what it was asked."""

    def ask(request: Request) -> Completion:
        log.append(request.messages[-1].text)
        return Completion(text, Usage(), None)

    return ask


def calls_of(log: list[str], kept: tuple[Reply, ...] = (), *, in_place: bool = False, limit: int = 8) -> Calls:
    models = Models(answering("a reply", log), None, Budget(None))
    return Calls(models, limit, Watch(5), "write", kept, in_place)


def request(text: str) -> JSON:
    return {"messages": [{"role": "user", "content": text}], "kwargs": {}}


def test_equal_requests_of_a_write_are_asked_once() -> None:
    log: list[str] = []
    calls = calls_of(log)
    assert [calls.answer("llm", request("one")) for _ in range(3)] == ["a reply"] * 3
    assert log == ["one"]
    assert [reply.asked for reply in calls.replies.values()] == [asked("llm", request("one"))]


def test_a_kept_reply_is_found_by_what_was_asked_and_else_asked_anew() -> None:
    log: list[str] = []
    kept = (Reply("llm", asked("llm", request("one")), "then"),)
    calls = calls_of(log, kept)
    assert calls.answer("llm", request("one")) == "then"
    assert calls.answer("llm", request("two")) == "a reply"
    assert log == ["two"]


def test_where_nothing_before_has_changed_a_request_in_other_words_gets_the_reply_in_its_place() -> None:
    log: list[str] = []
    kept = tuple(Reply("llm", asked("llm", request(f"at {hour}")), f"at {hour}") for hour in (1, 2))
    calls = calls_of(log, kept, in_place=True)
    assert [calls.answer("llm", request(text)) for text in ("at 3", "at 4")] == ["at 1", "at 2"]
    assert log == []


def test_a_refusal_is_kept_so_that_a_program_that_caught_it_does_so_again() -> None:
    calls = calls_of([], limit=1)
    calls.answer("llm", request("one"))
    with pytest.raises(RuntimeError, match="only 1 completions are allowed"):
        calls.answer("llm", request("two"))
    calls.settle()  # the program caught it: no fault
    again = calls_of([], tuple(calls.replies.values()))
    again.answer("llm", request("one"))
    with pytest.raises(RuntimeError, match="only 1 completions are allowed"):
        again.answer("llm", request("two"))


def test_a_program_that_fails_for_want_of_calls_is_told_so() -> None:
    calls = calls_of([], limit=0)
    with pytest.raises(RuntimeError):
        calls.answer("llm", request("one"))
    with pytest.raises(LimitReached, match=r"raise limits\.model_calls"):
        calls.settle(ProgramFailed("it did not catch that."))


def test_vectors_are_kept_text_by_text() -> None:
    batches: list[list[str]] = []

    def embedding(texts: list[str]) -> list[list[float]]:
        batches.append(texts)
        return [[float(len(text)), 1.0] for text in texts]

    models = Models(None, embedding, Budget(None))
    first = Calls(models, Limits(), Watch(5), "write")
    assert first.answer("embed", {"texts": ["a", "bb", "a"]}) == [[1.0, 1.0], [2.0, 1.0], [1.0, 1.0]]
    again = Calls(models, Limits(), Watch(5), "write", tuple(first.replies.values()))
    assert again.answer("embed", {"texts": ["bb", "ccc"]}) == [[2.0, 1.0], [3.0, 1.0]]
    assert batches == [["a", "bb"], ["ccc"]]


def test_an_embedding_that_returns_too_few_vectors_is_a_models_failure() -> None:
    calls = Calls(Models(None, lambda texts: [[1.0]], Budget(None)), Limits(), Watch(5), "write")
    with pytest.raises(RuntimeError):
        calls.answer("embed", {"texts": ["a", "b"]})
    with pytest.raises(ModelFailed, match="1 vectors for 2 texts"):
        calls.settle()


def test_the_time_that_a_model_takes_is_not_the_programs() -> None:
    watch = Watch(0.2)
    with watch.paused():
        time.sleep(0.3)
    assert watch.left() > 0.1
    time.sleep(0.25)
    assert watch.left() < 0


def test_readers_are_side_by_side_and_a_writer_is_alone() -> None:
    turns, together, seen = Turns(), threading.Barrier(2), []

    def reader() -> None:
        with turns.shared():
            together.wait(5)  # breaks unless both are in
            seen.append("read")

    threads = [threading.Thread(target=reader) for _ in range(2)]
    with turns.alone():
        for thread in threads:
            thread.start()
        time.sleep(0.05)
        assert seen == []
    for thread in threads:
        thread.join()
    assert seen == ["read", "read"]


NOTES = """
class KnowledgeBase:
    def __init__(self, toolkit):
        self.notes = []

    def write(self, item, raw_text):
        self.notes.append(item.text)

    def read(self, query):
        return "\\n".join(self.notes)
"""
ELSEWHERE = [
    NOTES.replace("self.notes = []", "pass").replace("    def __init__", "    notes = []\n\n    def __init__"),
    "NOTES = []\n" + NOTES.replace("self.notes = []", "self.other = 0").replace("self.notes", "NOTES"),
    NOTES.replace("self.notes = []", "pass")
    .replace("raw_text)", "raw_text, notes=[])")
    .replace("self.notes.append", "notes.append")
    .replace("self.notes", "self.write.__defaults__[0]"),
]
"""A class attribute, a global, a mutable default."""


def no_answers(kind: str, asked: JSON) -> JSON:
    raise AssertionError(f"asked for {kind}")


def test_a_base_read_after_its_snapshot_is_the_same(harness: Callable[..., Harness]) -> None:
    base = LocalBase(harness(NOTES), no_answers)
    base.write({"text": "one"}, "raw")
    data = base.dump()
    assert data is not None
    assert LocalBase(harness(NOTES), no_answers, snapshot=data).read({"text": "?"}) == "one"


@pytest.mark.parametrize("source", ELSEWHERE)
def test_what_is_kept_beside_the_knowledge_base_is_one_scopes_and_in_no_snapshot(
    source: str, harness: Callable[..., Harness]
) -> None:
    base, other = LocalBase(harness(source), no_answers), LocalBase(harness(source), no_answers)
    base.write({"text": "one"}, "raw")
    assert base.read({"text": "?"}) == "one"
    assert other.read({"text": "?"}) == ""
    assert base.dump() is None


def test_what_crosses_to_the_program_is_a_copy_as_json_has_it(harness: Callable[..., Harness]) -> None:
    base = LocalBase(harness(NOTES), no_answers)
    base.write({"text": "half \ud83d"}, "raw")
    assert base.read({"text": "?"}) == "half ?"


def test_an_error_quotes_the_programs_own_last_line(harness: Callable[..., Harness], tmp_path: Path) -> None:
    base = LocalBase(harness(NOTES.replace("self.notes.append(item.text)", "{}[item.text]")), no_answers)
    with pytest.raises(ProgramFailed) as failed:
        base.write({"text": "one"}, "raw")
    assert str(failed.value) == "the program's write failed with KeyError: 'one', at line 25: {}[item.text]"
    assert failed.value.__cause__ is None
    assert failed.value.__suppress_context__
