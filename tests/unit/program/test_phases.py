"""What a child is expected to ask anew, held against what it does ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from threading import Lock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evolve.config import Config, Limits
from evolve.evaluation.crew import make_evaluator
from evolve.evaluation.evaluate import Lease
from evolve.evaluation.splits import Work
from evolve.models.account import Account
from evolve.models.base import Reply, Request, Spent, Usage, Vectors
from evolve.paths import seeds_dir, shipped_programs
from evolve.program import PHASES, again, graft, load, parse, structural_diff
from evolve.sandbox.base import Sandbox
from evolve.sandbox.process import ProcessSandbox
from evolve.testing.planned import asks_for, instructs, reads
from evolve.testing.simulated import said
from evolve.types import Episode, Program, Query

BASE = """
from dataclasses import dataclass, field
import re

HITS = 2
KEPT = 40
TABLE = {"of": 1}
WIDE = 200
ROOM = max(10, WIDE)
INSTRUCTION_KNOWLEDGE_ITEM = "Keep it."
INSTRUCTION_QUERY = "Ask it."
INSTRUCTION_RESPONSE = "Say it."
ALWAYS_ON_KNOWLEDGE = "It is kept."
TUNABLES = {"HITS": (1, 9), "KEPT": (10, 90)}


@dataclass
class KnowledgeItem:
    said: str = field(metadata={"description": "What was said"})


@dataclass
class Query:
    text: str = field(metadata={"description": "What to look for"})


def words(text):
    return set(re.findall(r"[a-z]+", text.lower())) - TABLE.keys()


def shared(one, other):
    return len(words(one) & words(other))


class KnowledgeBase:
    mark = "-"

    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.notes = []

    def write(self, item, raw_text):
        said = self.told(item.said, raw_text)
        self.notes.append(self.complete("Shorten: " + said[:KEPT] + str(sorted(words(said)))))

    def told(self, said, raw_text):
        return said + " / " + raw_text[:20]

    def complete(self, text):
        return self.toolkit.llm_completion([{"role": "user", "content": text}])

    def read(self, query):
        best = sorted(self.notes, key=lambda note: -shared(note, query.text))[:HITS]
        return self.laid_out(self.complete("Choose: " + self.mark.join(best)) + query.text)

    def laid_out(self, text):
        return text[:ROOM]
"""
CHANGES = {
    "formatting": ("TABLE = {", "TABLE  =  {", ""),
    "docstring": ("def laid_out(self, text):", 'def laid_out(self, text):\n        """Cut."""', ""),
    "tunables": ('"KEPT": (10, 90)', '"KEPT": (10, 99)', ""),
    "unused": ("class KnowledgeBase:", "def unused():\n    return KEPT\n\n\nclass KnowledgeBase:", ""),
    "constant of read": ("HITS = 2", "HITS = 1", "read answer"),
    "constant behind read": ("WIDE = 200", "WIDE = 20", "read answer"),
    "helper of read": ("len(words(one) & words(other))", "len(words(one) - words(other))", "read answer"),
    "method of read": ("text[:ROOM]", "text[:9]", "read answer"),
    "attribute of read": ('mark = "-"', 'mark = "*"', "read answer"),
    "constant of write": ("KEPT = 40", "KEPT = 11", "write read answer"),
    "method of write": ("raw_text[:20]", "raw_text[:9]", "write read answer"),
    "helper of both": ("[a-z]+", "[a-e]+", "write read answer"),
    "table of both": ('{"of": 1}', '{"in": 1}', "write read answer"),
    "method of both": ('"content": text', '"content": "Now: " + text', "write read answer"),
    "instruction of items": ("Keep it.", "Keep all.", "extract write read answer"),
    "field of items": ("What was said", "What she said", "extract write read answer"),
    "instruction of queries": ("Ask it.", "Ask all.", "formulate read answer"),
    "field of queries": ("What to look for", "What to find", "formulate read answer"),
    "instruction of answers": ("Say it.", "Say all.", "answer"),
    "always on": ("It is kept.", "All is kept.", "answer"),
}
"""What is replaced, with what, and what must be expected to run again."""
TEXTS = ("Ada: I moved to Bern in May, of all places.", "Ben: My boat is blue.", "Ada: The cat of Cleo is ill.")
QUESTIONS = ("Where does Ada live?", "Which colour has the boat of Ben?")
WORK = Work(
    "all",
    tuple(Episode(f"e{number}", "all", text) for number, text in enumerate(TEXTS)),
    tuple(Query(f"q{number}", "all", text, "Bern") for number, text in enumerate(QUESTIONS)),
)
MODELS = {"agent": "openai:scripted", "prices": {"openai:scripted": {"input": 1, "output": 1}}}
CONFIG = Config.checked({"task": "chronicle", "models": MODELS, "evaluation": {"scorer": "f1"}}).resolved()


@dataclass
class Keeper:
    """A broker whose model is a function of the prompt, and that keeps every answer by its request."""

    kept: dict[Request, str] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def complete(self, request: Request) -> Reply:
        key = replace(request, purpose="", schema=None)
        with self.lock:
            cached = key in self.kept
            text = self.kept.setdefault(key, _words(request))
        return Reply(text, Usage(), 0.0, cached)

    def embed(self, texts: object) -> Vectors:
        raise AssertionError("programs embed by themselves here")

    def spent(self) -> Spent:
        return Spent(0, 0.0, 0.0)


def _words(request: Request) -> str:
    """A program's completion says the first words of its prompt; all else is said as the simulated provider does."""
    prompt = request.messages[-1].text
    if request.role == "toolkit":
        return f"{len(prompt)} {prompt[:80]}"
    found = said(
        {
            "messages": [{"role": message.role, "content": message.text} for message in request.messages],
            "response_format": {"json_schema": {"schema": request.schema}},
        },
        lambda: 0,
    )
    assert found is not None
    return found.text


@dataclass(frozen=True)
class Place:
    """One box for all programs: each has a process of its own in it."""

    sandbox: Sandbox
    lease: Lease


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    limits = Limits(load_seconds=60, write_seconds=60, read_seconds=60, memory_mb=500, scratch_mb=8, pids=64)
    sandbox = ProcessSandbox(limits, warm=1)
    with Lease(sandbox) as opened:
        yield Place(sandbox, opened)
    sandbox.close()


def asked(program: Program, broker: Keeper, place: Place) -> dict[str, int]:
    """Evaluate the program, and return how many new requests each phase made."""
    account = Account(broker)
    evaluator = make_evaluator(CONFIG, place.sandbox, account)
    evaluation = evaluator.evaluate(program, [WORK], place.lease, stage=lambda text: None)
    assert [case.outcome for case in evaluation.cases] == ["scored"] * len(QUESTIONS), evaluation.cases
    return {phase: made for phase, (made, _) in account.phases().items() if made}


def changed(*names: str) -> Program:
    source = BASE
    for name in names:
        old, new, _ = CHANGES[name]
        assert old in source
        source = source.replace(old, new)
    return parse(source)


@cache
def kept_of(source: str, place: Place) -> dict[Request, str]:
    broker = Keeper()
    assert asked(parse(source), broker, place)
    return broker.kept


@pytest.mark.parametrize("name", CHANGES)
def test_each_part_is_followed_to_the_phases_that_depend_on_it(name: str) -> None:
    assert again([parse(BASE)], changed(name)) == set(CHANGES[name][2].split())


@settings(max_examples=25)
@given(names=st.sets(st.sampled_from(sorted(CHANGES)), max_size=3))
def test_a_phase_that_is_not_expected_asks_nothing(place: Place, names: set[str]) -> None:
    child = changed(*sorted(names))
    expected = again([parse(BASE)], child)
    made = asked(child, Keeper(dict(kept_of(BASE, place))), place)
    assert made.keys() <= expected, structural_diff(BASE, child.source)


@pytest.mark.parametrize("name", ["method of write", "field of items", "always on"])
def test_what_is_expected_does_come(place: Place, name: str) -> None:
    made = asked(changed(name), Keeper(dict(kept_of(BASE, place))), place)
    assert made.keys() == set(CHANGES[name][2].split())


@pytest.mark.parametrize("seed", ["mem0", "hymem"])
@pytest.mark.parametrize(
    "change", [reads, instructs("INSTRUCTION_RESPONSE"), instructs("INSTRUCTION_QUERY"), asks_for("KnowledgeItem")]
)
def test_programs_of_the_zoo_ask_what_is_expected_of_their_children(
    place: Place, seed: str, change: Callable[[str, int], str]
) -> None:
    parent = load(seeds_dir() / "zoo" / f"{seed}.py")
    child = parse(change(parent.source, 1))
    made = asked(child, Keeper(dict(kept_of(parent.source, place))), place)
    assert made
    assert made.keys() <= again([parent], child)


@pytest.mark.parametrize("name", [*shipped_programs(""), *shipped_programs("zoo")])
def test_a_child_of_any_program_that_reads_otherwise_keeps_what_was_written(name: str) -> None:
    path = seeds_dir() / f"{name}.py"
    parent = load(path if path.exists() else seeds_dir() / "zoo" / f"{name}.py")
    assert again([parent], parse(reads(parent.source, 1))) == {"read", "answer"}
    assert again([parent], parent) == set()


def test_a_seed_runs_every_phase() -> None:
    assert again([], parse(BASE)) == set(PHASES)


def test_of_two_parents_each_may_give_a_phase() -> None:
    base = parse(BASE)
    other = changed("field of queries", "method of read", "field of items")
    child = parse(graft(base, other, "read"))
    assert again([base], child) == {"formulate", "read", "answer"}
    assert again([base, other], child) == {"read", "answer"}
    assert again([other, base], child) == {"read", "answer"}


def test_a_query_that_tells_of_the_commands_so_far_changes_with_them() -> None:
    child = changed("instruction of answers")
    assert again([parse(BASE)], child, stepwise=True) == {"formulate", "read", "answer"}
    assert again([parse(BASE)], changed("unused"), stepwise=True) == set()


TELL = "said = self.told(item.said, raw_text)"
HIDDEN = {
    "looked up by its text": (TELL, 'said = getattr(self, "to" + "ld")(item.said, raw_text)'),
    "handed on": (TELL, "said = (lambda it: it.told(item.said, raw_text))(self)"),
    "found by Python": (
        TELL,
        "said = self.tell(item.said, raw_text)\n\n    def __getattr__(self, name):\n        return self.told",
    ),
    "called by a base": (
        "class KnowledgeBase:",
        "class Base:\n    def shorten(self, item):\n        return self.told(item.said, '')\n\n\n"
        "class KnowledgeBase(Base):",
    ),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_what_the_text_does_not_show_to_be_apart_belongs_to_both_paths(name: str) -> None:
    old, new = HIDDEN[name]
    assert old in BASE
    parent = BASE.replace(old, new)
    if "Base" in new:
        parent = parent.replace(TELL, "said = self.shorten(item)")
    assert again([parse(parent)], parse(parent.replace("raw_text[:20]", "raw_text[:9]"))) == {"write", "read", "answer"}


@pytest.mark.parametrize(
    "statement",
    [
        "TABLE.update(dict(a=NUMBER))",
        "TABLE[NUMBER] = 1",
        "for number in range(NUMBER):\n    TABLE[number] = 1",
        "GONE = TABLE.pop('of', NUMBER)",
        "def filled(count):\n    TABLE[count] = 1\n\n\nFILLED = filled(NUMBER)",
        "def fill():\n    TABLE[NUMBER] = 1\n\n\nfill()",
        "KnowledgeBase.told = lambda self, said, raw_text: said[:NUMBER]",
    ],
)
def test_what_is_changed_at_import_counts_for_whoever_uses_it(statement: str) -> None:
    one, other = (parse(f"{BASE}\n\n{statement}\n".replace("NUMBER", number)) for number in "45")
    assert again([one], other) == {"write", "read", "answer"}


def test_a_method_that_is_called_at_import_counts_for_both_paths() -> None:
    one = f"{BASE}\n\nKnowledgeBase.laid_out(None, '')\n"
    assert again([parse(one)], parse(one.replace("text[:ROOM]", "text[:9]"))) == {"write", "read", "answer"}


def test_the_order_of_what_runs_at_import_counts_and_that_of_functions_does_not() -> None:
    one = BASE.replace("KEPT = 40\n", "LEAST = 4\nKEPT = LEAST\nLEAST = 9\n").replace(
        '"KEPT": (10, 90)', '"HITS": (1, 9)'
    )
    one = one.replace('"HITS": (1, 9), ', "")
    two = one.replace("KEPT = LEAST\nLEAST = 9\n", "LEAST = 9\nKEPT = LEAST\n")
    assert again([parse(one)], parse(two)) == {"write", "read", "answer"}
    words, rest = BASE[BASE.index("def words") :].split("\n\n\n", 1)
    moved = BASE.replace(f"{words}\n\n\n", "").replace("class KnowledgeBase", f"{words}\n\n\nclass KnowledgeBase")
    assert moved != BASE
    assert rest in BASE
    assert again([parse(BASE)], parse(moved)) == set()
