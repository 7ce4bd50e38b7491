"""A memory as its user has it: restarts, forgetting, faults, limits, threads and processes."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import re
import threading
import time
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from evolve.agents import extractive
from evolve.harness.errors import (
    BadInput,
    FolderError,
    HarnessError,
    LimitReached,
    ModelFailed,
    ProgramFailed,
    UnknownScope,
)
from evolve.harness.limits import Limits
from evolve.harness.memory import Memory, bound
from evolve.harness.program import Harness

SESSIONS = [
    "Date: 8 May, 2023\nCaroline: I moved to Lisbon in May.\nMelanie: My dog is called Rex.",
    "Date: 2 June, 2023\nCaroline: I work as a nurse now.\nMelanie: I painted a sunset over the harbour.",
    "Date: 9 July, 2023\nCaroline: I live in Porto now.\nMelanie: Rex ran away and came back.",
]
QUESTIONS = ["Where does Caroline live?", "What is Melanie's dog called?", "What did Melanie paint?", "Who is a nurse?"]

NOTES = """
class KnowledgeBase:
    def __init__(self, toolkit):
        self.notes = []

    def write(self, item, raw_text):
        self.notes.append(item.text)

    def read(self, query):
        return "\\n".join(self.notes)
"""
DIGESTING = """
class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.digest = ""

    def write(self, item, raw_text):
        asked = f"{self.digest}+{item.text}"
        self.digest = self.toolkit.llm_completion([{"role": "user", "content": asked}])

    def read(self, query):
        return self.digest
"""
HANGING = """
import time

class KnowledgeBase:
    def __init__(self, toolkit):
        self.notes = []

    def write(self, item, raw_text):
        self.notes.append(item.text)
        while item.text == "hang":
            time.sleep(0.01)

    def read(self, query):
        while query.text == "hang":
            time.sleep(0.01)
        return "\\n".join(self.notes)
"""
TALKATIVE = NOTES.replace('"\\n".join(self.notes)', '"x" * 3001')
THIRD_FAILS = """
class KnowledgeBase:
    def __init__(self, toolkit):
        self.notes = []

    def write(self, item, raw_text):
        self.notes.append(item.text)
        if item.text == "the third":
            raise ValueError("three is too many")

    def read(self, query):
        return "\\n".join(self.notes)
"""
Open = Callable[..., Memory]
Made = Callable[..., Harness]


def put(memory: Memory, *texts: str, **where: str) -> None:
    """Write texts as they are."""
    for text in texts:
        memory.write(text, item={"text": text}, **where)


def got(memory: Memory, **where: str) -> str:
    """Read what a small program holds."""
    return memory.read("?", query={"text": "?"}, **where)


@pytest.mark.parametrize(
    "name", ["bm25", "vector_search", "experience", "summarizer", "hybrid", "no_memory", "zoo/latest_value"]
)
def test_a_program_reads_the_same_after_a_restart(name: str, seed_harness: Made, memory_of: Open) -> None:
    harness = seed_harness(name)
    with memory_of(harness) as memory:
        numbers = [memory.write(text, scope="two") for text in SESSIONS]
        before = [memory.read(question, scope="two") for question in QUESTIONS]
    assert numbers == [1, 2, 3]
    assert name == "no_memory" or any(before)
    with memory_of(harness) as memory:
        assert [memory.read(question, scope="two") for question in QUESTIONS] == before
        memory.write(SESSIONS[0], scope="two")
        later = [memory.read(question, scope="two") for question in QUESTIONS]
    with memory_of(harness) as memory:
        assert [memory.read(question, scope="two") for question in QUESTIONS] == later


def test_what_was_never_closed_is_there_after_a_restart(harness: Made, memory_of: Open) -> None:
    put(memory_of(harness(NOTES)), "one", "two")
    assert got(memory_of(harness(NOTES))) == "one\ntwo"


def test_scopes_see_nothing_of_each_other(harness: Made, memory_of: Open) -> None:
    memory = memory_of(harness(NOTES), limits=Limits(open_scopes=1))
    for turn in ("a", "b"):
        for scope in ("x", "y", "z"):
            put(memory, f"{scope}{turn}", scope=scope)
    assert [got(memory, scope=scope) for scope in memory.scopes()] == ["xa\nxb", "ya\nyb", "za\nzb"]


def test_scopes_with_a_vector_store_are_closed_and_opened_again(seed_harness: Made, memory_of: Open) -> None:
    memory = memory_of(seed_harness("vector_search"), limits=Limits(open_scopes=1))
    for turn in range(2):
        for scope in ("x", "y", "z"):
            memory.write(f"Anna: my number in {scope} is {turn}.", scope=scope)
    for scope in ("x", "y", "z"):
        read = memory.read("Which number?", scope=scope)
        assert sorted(re.findall(r"my number in (\w) is (\d)", read)) == [(scope, "0"), (scope, "1")]


def test_when_becomes_the_first_line_of_what_the_program_sees(harness: Made, memory_of: Open) -> None:
    memory = memory_of(harness(NOTES.replace("item.text", "raw_text")))
    for when in (datetime(2023, 5, 8, 13, 56), date(2023, 5, 8), "2023-05-08T00:05", "a rainy Monday", None):
        memory.write("text", when=when, item={"text": ""})
    first = "Date: 1:56 pm on 8 May, 2023\ntext\nDate: 12:00 am on 8 May, 2023\ntext\n"
    expected = first + "Date: 12:05 am on 8 May, 2023\ntext\nDate: a rainy Monday\ntext\ntext"
    assert got(memory) == expected
    assert got(memory_of(memory.harness)) == expected


# Models


def test_a_programs_replies_are_kept_and_not_asked_for_again(harness: Made, memory_of: Open, script: Any) -> None:
    model = script({"+a": "A", "A+b": "AB"})
    put(memory_of(harness(DIGESTING), toolkit_model=model), "a", "b")
    assert model.asked == ["+a", "A+b"]
    assert got(memory_of(harness(DIGESTING), toolkit_model=script({}))) == "AB"


def test_vectors_of_a_model_are_kept_and_not_asked_for_again(seed_harness: Made, memory_of: Open) -> None:
    asked: list[str] = []

    def embedding(texts: list[str]) -> list[list[float]]:
        asked.extend(texts)
        return [[text.count(letter) + 0.5 for letter in "aeiounrst"] for text in texts]

    memory = memory_of(seed_harness("vector_search"), embedding=embedding)
    memory.write(SESSIONS[0])
    before = memory.read(QUESTIONS[0])
    assert "Lisbon" in before
    assert len(asked) > 1
    asked.clear()
    assert memory_of(memory.harness, embedding=embedding).read(QUESTIONS[0]) == before
    assert asked == [QUESTIONS[0]]


def test_a_model_that_fails_leaves_no_trace(harness: Made, memory_of: Open, script: Any) -> None:
    memory = memory_of(harness(DIGESTING), toolkit_model=script({"+a": "A", "A+c": "AC"}))
    with pytest.raises(ModelFailed, match="not in the script"):
        put(memory, "b")
    assert memory.scopes() == []
    put(memory, "a")
    with pytest.raises(ModelFailed, match="not in the script"):
        put(memory, "b")
    put(memory, "c")
    assert got(memory) == "AC"
    assert memory.stats().writes == 2


def test_a_program_cannot_hide_that_the_model_failed(harness: Made, memory_of: Open, script: Any) -> None:
    source = DIGESTING.replace("self.digest = self", "try:\n            self.digest = self")
    source = source.replace("asked}])\n", "asked}])\n        except Exception:\n            self.digest = 'lost'\n", 1)
    memory = memory_of(harness(source), toolkit_model=script({}))
    with pytest.raises(ModelFailed):
        put(memory, "a")


def test_a_program_that_asks_a_model_is_not_opened_without_one(harness: Made, memory_of: Open) -> None:
    with pytest.raises(BadInput, match=r"give one, as in model='openai:NAME'\.$"):
        memory_of(harness(DIGESTING))


def test_a_program_that_was_measured_without_a_model_asks_none(harness: Made, memory_of: Open, script: Any) -> None:
    source = DIGESTING.replace("self.digest = self", "try:\n            self.digest = self")
    source = source.replace("asked}])\n", "asked}])\n        except Exception:\n            self.digest = asked\n", 1)
    unasked, model = harness(source, model_calls=0), script({"+a": "A"})
    for options in ({}, {"toolkit_model": model}):
        with memory_of(unasked, folder=f"with {len(options)}", **options) as memory:
            put(memory, "a", "b")
            assert got(memory) == "+a+b"
    assert model.asked == []
    with memory_of(unasked, folder="allowed", toolkit_model=model, limits=Limits(model_calls=1)) as memory:
        put(memory, "a")
        assert got(memory) == "A"
    with pytest.raises(BadInput, match="give one"):
        memory_of(unasked, limits=Limits(model_calls=1))


def test_the_agent_extracts_formulates_and_answers_by_the_model(harness: Made, memory_of: Open) -> None:
    def model(messages: list[dict[str, str]]) -> str:
        said = messages[-1]["content"]
        if "<episode>" in said:
            return json.dumps({"text": "extracted"})
        return json.dumps({"text": "formulated"}) if "The query for this question" in said else f"answer: {said}"

    memory = memory_of(harness(NOTES), model=model)
    assert memory.has_model
    memory.write("An episode.")
    assert memory.read("What was it?") == "extracted"
    answer = memory.answer("What was it?")
    assert answer.startswith("answer: ")
    assert "extracted" in answer


def test_without_a_model_the_answer_is_what_was_read(seed_harness: Made, memory_of: Open) -> None:
    memory = memory_of(seed_harness("bm25"))
    memory.write(SESSIONS[0])
    assert "Lisbon" in memory.answer(QUESTIONS[0])
    assert memory.answer(QUESTIONS[0]) == memory.read(QUESTIONS[0])
    assert not memory.has_model


def test_an_agent_that_gives_nothing_usable_writes_nothing(harness: Made, memory_of: Open) -> None:
    memory = memory_of(harness(NOTES), model=lambda messages: "no object here")
    with pytest.raises(ModelFailed, match="extracting the item"):
        memory.write("An episode.")
    assert memory.scopes() == []


def test_all_calls_count_to_the_total(harness: Made, memory_of: Open, script: Any) -> None:
    memory = memory_of(
        harness(DIGESTING), toolkit_model=script({"+a": "A", "A+b": "AB"}), limits=Limits(model_calls_total=1)
    )
    put(memory, "a")
    with pytest.raises(LimitReached, match=r"raise limits\.model_calls_total"):
        put(memory, "b")
    assert got(memory) == "A"


# Forgetting


def in_files(folder: Path, text: str) -> list[str]:
    """Names of the files that hold a text."""
    return [path.name for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def test_a_forgotten_source_is_in_no_read_and_no_file(harness: Made, memory_of: Open, tmp_path: Path) -> None:
    memory = memory_of(harness(NOTES), limits=Limits(snapshot_every=1))
    put(memory, "kept first", source="mail")
    put(memory, "the secret word is xyzzy", source="chat")
    put(memory, "kept last", source="mail")
    assert in_files(tmp_path, "xyzzy")
    assert memory.forget(source="chat") == 1
    assert got(memory) == "kept first\nkept last"
    assert in_files(tmp_path, "xyzzy") == []
    memory.close()
    assert in_files(tmp_path, "xyzzy") == []
    assert got(memory_of(harness(NOTES))) == "kept first\nkept last"
    assert memory_of(harness(NOTES)).forget(source="chat") == 0


def test_no_text_is_kept_beside_the_memory(seed_harness: Made, memory_of: Open) -> None:
    held = extractive._kept.cache_info().currsize
    with memory_of(seed_harness("bm25")) as memory:
        memory.write(SESSIONS[0])
        assert "Lisbon" in memory.read(QUESTIONS[0])
    assert extractive._kept.cache_info().currsize == held


def test_a_forgotten_scope_leaves_no_folder(harness: Made, memory_of: Open, tmp_path: Path) -> None:
    memory, beside = memory_of(harness(NOTES)), memory_of(harness(NOTES))
    put(memory, "one", "two", scope="anna")
    put(memory, "three", scope="bert")
    assert got(beside, scope="anna") == "one\ntwo"
    assert memory.forget(scope="anna") == 2
    for each in (memory, beside):
        assert each.scopes() == ["bert"]
        with pytest.raises(UnknownScope):
            got(each, scope="anna")
    assert in_files(tmp_path, "anna") == []
    put(beside, "anew", scope="anna")
    assert got(memory, scope="anna") == "anew"


def test_a_scope_whose_every_write_is_forgotten_is_gone(harness: Made, memory_of: Open) -> None:
    memory = memory_of(harness(NOTES))
    put(memory, "one", source="s", scope="a")
    put(memory, "two", source="s", scope="b")
    put(memory, "three", scope="b")
    assert memory.forget(source="s") == 2
    assert memory.scopes() == ["b"]


def test_what_was_asked_because_of_something_forgotten_is_asked_anew(
    harness: Made, memory_of: Open, script: Any, tmp_path: Path
) -> None:
    memory = memory_of(harness(DIGESTING), toolkit_model=script({"+a": "A", "A+b": "AB", "AB+c": "ABC"}))
    for text in "abc":
        put(memory, text, source=text)
    memory.close()
    memory = memory_of(harness(DIGESTING), toolkit_model=script({}))
    with pytest.raises(ModelFailed, match="write 2 of the scope 'default', made again: "):
        memory.forget(source="a")
    assert got(memory) == "ABC"
    memory.close()
    model = script({"+b": "B", "B+c": "BC"})
    memory = memory_of(harness(DIGESTING), toolkit_model=model)
    assert memory.forget(source="a") == 1
    assert model.asked == ["+b", "B+c"]
    assert got(memory) == "BC"
    memory.close()
    assert in_files(tmp_path, "ABC") == []
    assert got(memory_of(harness(DIGESTING), toolkit_model=script({}))) == "BC"


# Export and import


def test_an_exported_scope_is_the_same_elsewhere(harness: Made, memory_of: Open, script: Any, tmp_path: Path) -> None:
    memory = memory_of(harness(DIGESTING), toolkit_model=script({"+a": "A", "A+b": "AB"}))
    put(memory, "a", "b", scope="one", source="mail")
    assert memory.export("one", tmp_path / "one.jsonl") == 2
    lines = [json.loads(line) for line in (tmp_path / "one.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [set(line) for line in lines] == [{"text", "item", "source", "when", "replies"}] * 2
    other = memory_of(harness(DIGESTING), folder="other", toolkit_model=script({}))
    assert other.import_(tmp_path / "one.jsonl", scope="two") == 2
    assert got(other, scope="two") == "AB"
    assert got(memory_of(harness(DIGESTING), folder="other", toolkit_model=script({})), scope="two") == "AB"


GOOD = '{"text": "one", "item": {"text": "one"}}'


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2: .*JSON object"),
        ("[]", "line 2: expected an object with text, item, source, when, replies"),
        ('{"text": ""}', "line 2: text is empty"),
        ('{"text": "t", "item": {"txt": "t"}}', r"line 2: item has the field 'txt' \(str\); .*text \(str\)"),
        ('{"text": "t", "item": {"text": 1}}', r"line 2: item\['text'\] is 1 \(int\); give a str"),
        ('{"text": "t", "item": {"text": "t"}, "replies": [{}]}', "line 2: a reply is not an object with kind"),
        (
            '{"text": "t", "item": {"text": "t"}, "replies": [{"kind": [], "asked": "", "value": ""}]}',
            "line 2: a reply is neither a text of the kind llm nor a vector",
        ),
        ('{"text": "t", "item": {"text": "\\ud800"}}', r"line 2: item\['text'\] is"),
    ],
)
def test_an_import_says_which_line_is_wrong_and_imports_nothing(
    line: str, said: str, harness: Made, memory_of: Open, tmp_path: Path
) -> None:
    (tmp_path / "rows.jsonl").write_text(f"{GOOD}\n{line}\n", encoding="utf-8")
    memory = memory_of(harness(NOTES))
    with pytest.raises(BadInput, match=said):
        memory.import_(tmp_path / "rows.jsonl")
    assert memory.scopes() == []


def test_an_import_that_the_program_fails_on_imports_nothing(harness: Made, memory_of: Open, tmp_path: Path) -> None:
    third = GOOD.replace("one", "the third")
    (tmp_path / "rows.jsonl").write_text("\n".join([GOOD, GOOD, third]), encoding="utf-8")
    memory = memory_of(harness(THIRD_FAILS))
    put(memory, "there before")
    with pytest.raises(ProgramFailed, match=r"rows.jsonl, line 3: .*three is too many.*Nothing was imported\."):
        memory.import_(tmp_path / "rows.jsonl")
    assert got(memory) == "there before"
    assert memory.stats().writes == 1


# Faults and limits


def test_a_write_that_fails_leaves_no_trace(harness: Made, memory_of: Open) -> None:
    memory = memory_of(harness(THIRD_FAILS))
    with pytest.raises(ProgramFailed, match="write failed with ValueError: three is too many, at line"):
        put(memory, "the third")
    assert memory.scopes() == []
    put(memory, "one", "two")
    with pytest.raises(ProgramFailed):
        put(memory, "the third")
    assert got(memory) == "one\ntwo"
    put(memory, "four")
    assert got(memory) == "one\ntwo\nfour" == got(memory_of(harness(THIRD_FAILS)))


def test_a_read_of_too_much_is_an_error_and_not_cut(harness: Made, memory_of: Open) -> None:
    memory = memory_of(harness(TALKATIVE))
    put(memory, "one")
    with pytest.raises(ProgramFailed, match=r"returned 3,001 characters; at most 3,000 are allowed\.$"):
        got(memory)


def test_a_write_that_hangs_is_given_up_and_leaves_no_trace(harness: Made, memory_of: Open) -> None:
    memory = memory_of(harness(HANGING), limits=Limits(write_seconds=0.2, read_seconds=0.2))
    put(memory, "one")
    began = time.monotonic()
    with pytest.raises(ProgramFailed, match=r"write took longer than 0.2 s\.$"):
        put(memory, "hang")
    assert time.monotonic() - began < 2
    with pytest.raises(ProgramFailed, match=r"read took longer than 0.2 s\.$"):
        memory.read("hang", query={"text": "hang"})
    assert got(memory) == "one"
    put(memory, "two")
    assert got(memory) == "one\ntwo"


def test_the_time_of_a_model_is_not_the_programs(harness: Made, memory_of: Open) -> None:
    def slow(messages: list[dict[str, str]]) -> str:
        time.sleep(0.5)
        return "slowly"

    memory = memory_of(harness(DIGESTING), toolkit_model=slow, limits=Limits(write_seconds=0.3))
    put(memory, "a")
    assert got(memory) == "slowly"


def test_a_closed_memory_says_so(harness: Made, memory_of: Open) -> None:
    memory = memory_of(harness(NOTES))
    put(memory, "one")
    memory.close()
    memory.close()
    with pytest.raises(HarnessError, match="this memory is closed"):
        got(memory)


# Input


@pytest.mark.parametrize("value", [None, 3, b"bytes", ["list"], "", " \n", "half \ud83d"])
def test_what_is_no_text_is_refused_with_its_name_and_a_remedy(value: Any, harness: Made, memory_of: Open) -> None:
    memory = memory_of(harness(NOTES))
    put(memory, "one")
    for name, act in (
        ("text", lambda: memory.write(value)),
        ("scope", lambda: memory.write("text", scope=value)),
        ("question", lambda: memory.read(value)),
        ("scope", lambda: memory.read("question", scope=value)),
    ):
        with pytest.raises(BadInput, match=rf"^{name} (is|has) .*; .*\.$"):
            act()
    if value not in ("", " \n"):
        with pytest.raises(BadInput, match=r"^source "):
            memory.write("text", source=value)
    assert memory.stats().writes == 1


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("text", "give a dict with the fields"),
        ({}, "item has no field 'text'"),
        ({"text": "t", "more": 1}, "item has the field 'more'"),
        ({"text": None}, r"item\['text'\] is None"),
    ],
)
def test_an_item_that_does_not_fit_is_refused(item: Any, said: str, harness: Made, memory_of: Open) -> None:
    with pytest.raises(BadInput, match=said):
        memory_of(harness(NOTES)).write("text", item=item)


def test_a_text_of_10_mb_is_remembered(harness: Made, memory_of: Open) -> None:
    text = "word " * 2_000_000
    memory = memory_of(harness(NOTES.replace("item.text", "str(len(raw_text))")))
    memory.write(text, item={"text": ""})
    assert got(memory_of(memory.harness)) == str(len(text))


def test_a_scope_without_a_write_is_unknown(harness: Made, memory_of: Open, tmp_path: Path) -> None:
    memory = memory_of(harness(NOTES))
    for act in (
        lambda: memory.read("?", scope="bob"),
        lambda: memory.answer("?", scope="bob"),
        lambda: memory.forget(scope="bob"),
        lambda: memory.stats(scope="bob"),
        lambda: memory.export("bob", tmp_path / "bob.jsonl"),
    ):
        with pytest.raises(UnknownScope, match="the scope 'bob' has no memory: write to it first"):
            act()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(BadInput, match="say what to forget"):
        memory.forget()


# Folders


def test_another_harnesss_folder_is_refused_by_name(seed_harness: Made, memory_of: Open) -> None:
    memory_of(seed_harness("bm25")).write(SESSIONS[0])
    with pytest.raises(FolderError, match=r"is a memory of the harness bm25 .* not of experience"):
        memory_of(seed_harness("experience"))


def test_a_newer_folder_a_damaged_one_and_a_file_are_refused(harness: Made, memory_of: Open, tmp_path: Path) -> None:
    put(memory_of(harness(NOTES)), "one")
    mark = tmp_path / "memory" / "harness.json"
    whole = mark.read_text(encoding="utf-8")
    mark.write_text(whole.replace('"format": 1', '"format": 2'), encoding="utf-8")
    with pytest.raises(FolderError, match="the newer format 2, written by small"):
        memory_of(harness(NOTES))
    mark.write_text(whole[:20], encoding="utf-8")
    with pytest.raises(FolderError, match=r"harness.json is damaged"):
        memory_of(harness(NOTES))
    with pytest.raises(FolderError, match="is a file; give the path of a folder"):
        memory_of(harness(NOTES), folder="memory/harness.json")


def test_an_embedding_of_another_kind_is_refused(harness: Made, memory_of: Open) -> None:
    put(memory_of(harness(NOTES)), "one")
    with pytest.raises(FolderError, match="written with the packaged embedding"):
        memory_of(harness(NOTES), embedding=lambda texts: [[1.0] for _ in texts])


def test_stats_tell_size_and_growth(harness: Made, memory_of: Open, tmp_path: Path) -> None:
    memory = memory_of(harness(NOTES))
    put(memory, "one", "two", scope="a")
    put(memory, "three", scope="b")
    stats = memory.stats()
    assert [(each.scope, each.writes) for each in stats.scopes] == [("a", 2), ("b", 1)]
    assert stats.writes == 3
    assert stats.bytes == sum(each.bytes for each in stats.scopes) > 0
    first = memory.stats(scope="a").scopes[0]
    assert datetime.fromisoformat(first.first) < datetime.fromisoformat(first.last)


# Many at once


def test_many_read_while_one_writes(seed_harness: Made, memory_of: Open) -> None:
    memory = memory_of(seed_harness("bm25"), limits=Limits(snapshot_every=10))
    memory.write("Anna: fact number 0.")
    failures: list[str] = []
    done = threading.Event()

    def reader() -> None:
        least = 0
        while not done.is_set():
            read = memory.read("fact number", query={"text": "fact number"})
            found = {int(each) for each in re.findall(r"number (\d+)", read)}
            if found != set(range(len(found))) or len(found) <= least:
                failures.append(read)
            least = len(found) - 1

    threads = [threading.Thread(target=reader) for _ in range(8)]
    for thread in threads:
        thread.start()
    for number in range(1, 40):
        memory.write(f"Anna: fact number {number}.", item={})
    done.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert memory.stats().writes == 40


def _write_many(harness: Harness, folder: Path, name: str, count: int) -> None:
    with bound(harness)(folder, limits=Limits(snapshot_every=7)) as memory:
        for number in range(count):
            memory.write(f"{name}{number}", item={"text": f"{name}{number}"})


def test_two_processes_write_one_scope(harness: Made, memory_of: Open, tmp_path: Path) -> None:
    made = harness(NOTES)
    context = multiprocessing.get_context("spawn")
    folder = tmp_path / "memory"
    workers = [context.Process(target=_write_many, args=(made, folder, name, 30)) for name in "ab"]
    for worker in workers:
        worker.start()
    here = memory_of(made)
    put(here, "here")
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    lines = got(here).splitlines()
    assert sorted(lines) == sorted([f"{name}{number}" for name in "ab" for number in range(30)] + ["here"])
    for name in "ab":
        assert [line for line in lines if line[0] == name] == [f"{name}{number}" for number in range(30)]
    assert got(memory_of(made)).splitlines() == lines


def test_two_memories_of_one_process_see_each_others_writes(harness: Made, memory_of: Open) -> None:
    one, other = memory_of(harness(NOTES)), memory_of(harness(NOTES))
    put(one, "1")
    put(other, "2")
    put(one, "3")
    assert got(one) == got(other) == "1\n2\n3"
    put(other, "4", source="s")
    one.forget(source="s")
    assert got(other) == "1\n2\n3"


def test_no_acknowledged_write_is_lost_while_sources_and_scopes_are_forgotten(
    harness: Made, memory_of: Open, tmp_path: Path
) -> None:
    made = harness(NOTES)
    memories = [memory_of(made, limits=Limits(open_scopes=1, snapshot_every=3)) for _ in range(2)]
    kept: list[str] = []
    failures: list[BaseException] = []

    def work(memory: Memory, name: str) -> None:
        try:
            for number in range(15):
                put(memory, f"{name}{number}", scope="shared", source="keep")
                kept.append(f"{name}{number}")
                put(memory, f"secret {name}{number}", scope="shared", source=name)
                put(memory, "short-lived", scope="gone")
                if number % 3 == 2:
                    memory.forget(source=name)
                    with contextlib.suppress(UnknownScope):
                        memory.forget(scope="gone")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(memories[index // 2], "abcd"[index])) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for memory in memories:
        assert sorted(got(memory, scope="shared").splitlines()) == sorted(kept)
        memory.close()
    assert in_files(tmp_path, "secret") == []
    assert sorted(got(memory_of(made), scope="shared").splitlines()) == sorted(kept)


def test_the_time_of_a_read_begins_when_the_scope_is_open(harness: Made, memory_of: Open, tmp_path: Path) -> None:
    source = """
    import time


    class KnowledgeBase:
        def __init__(self, toolkit):
            self.count = 0

        def write(self, item, raw_text):
            time.sleep(0.05)
            self.count += 1

        def read(self, query):
            return str(self.count)
    """
    limits = Limits(read_seconds=0.2, write_seconds=0.2)
    with memory_of(harness(source), limits=limits) as memory:
        for _ in range(8):
            memory.write("a", item={"text": "a"})
    for operation in (got, lambda memory: memory.write("a", item={"text": "a"})):
        for snapshot in tmp_path.glob("memory/scopes/*/snapshot"):
            snapshot.unlink()
        with memory_of(harness(source), limits=limits) as memory:
            assert str(operation(memory)) in ("8", "9")
