"""Every seed keeps the contract on any text and any question, and the hybrid's mechanisms do what they say."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from evolve.agents.extractive import ExtractiveAgent
from evolve.paths import seeds_dir
from evolve.program import load, parse
from evolve.program.graft import graft
from evolve.types import Episode, Program

SEEDS = sorted(path.stem for path in seeds_dir().glob("*.py"))
ZOO = sorted(f"zoo/{path.stem}" for path in (seeds_dir() / "zoo").glob("*.py"))
READ_CHARS = 3000

DIALOGUE = (
    "Date: 8 May, 2023\nCaroline: I adopted a dog called Rex.\nMelanie: His age?\nCaroline: Two. We live in Porto.",
    "Date: 2 June, 2023\nMelanie: I paint lighthouses.\nCaroline: I moved to Ghent with Rex.",
)
PROSE = ("The pump failed. " * 400, "Engineers replaced the seal.\n\nIt held in Ghent.", "word" * 2000)
EMPTY = ("", "\n\n", "Date: today\n", "\0", "   ")
HOSTILE = (
    "", " ", '"', "' OR 1=1 --", '"unclosed', "NEAR(a b)", "a AND NOT", "*", "text:x", "^", "\0", "{}[]()", "-rex +rex",
    "%s %d {0}", "日本語は?", "x" * 20_000, "word " * 10_000, " ".join(f"w{n}" for n in range(10_000)),
)  # fmt: skip


class Memory:
    """A knowledge base with the agent that fills its schemas."""

    def __init__(self, module: ModuleType, program: Program, toolkit: Any) -> None:
        self.module, self.program, self.agent = module, program, ExtractiveAgent()
        self.base = module.KnowledgeBase(toolkit)

    def write(self, *texts: str) -> Memory:
        for number, text in enumerate(texts):
            item = self.agent.extract(self.program, Episode(f"e{number}", "s", text))
            assert self.base.write(self.module.KnowledgeItem(**item), text) is None
        return self

    def read(self, question: str) -> str:
        found = self.base.read(self.module.Query(**self.agent.formulate(self.program, question)))
        assert isinstance(found, str)
        assert len(found) <= READ_CHARS
        return found


@pytest.fixture
def memory(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]) -> Callable[..., Memory]:
    def make(name: str, **constants: object) -> Memory:
        return Memory(seed(name, **constants), load(seeds_dir() / f"{name}.py"), new_toolkit())

    return make


def test_the_three_starting_seeds_are_there():
    assert {"vector_search", "summarizer", "experience"} <= set(SEEDS)


@pytest.mark.parametrize("name", SEEDS)
def test_is_short_and_says_what_it_bets_on(name: str):
    program = load(seeds_dir() / f"{name}.py")
    assert len(program.docstring.splitlines()) == 2
    assert name == "no_memory" or "Bets that" in program.docstring
    assert name == "no_memory" or program.tunables


@pytest.mark.parametrize("name", ZOO)
def test_a_known_design_is_short_and_names_its_source(name: str):
    path = seeds_dir() / f"{name}.py"
    program = load(path)
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 150
    assert "Bets that" in program.docstring
    assert "Source: " in program.docstring
    assert 1 <= len(program.tunables) <= 8


@pytest.mark.parametrize("texts", [DIALOGUE, PROSE, EMPTY, ()], ids=["dialogue", "prose", "empty", "nothing"])
@pytest.mark.parametrize("name", [*SEEDS, *ZOO])
def test_reads_any_question_over_any_text(memory: Callable[..., Memory], name: str, texts: tuple[str, ...]):
    written = memory(name).write(*texts)
    for question in HOSTILE:
        written.read(question)


@pytest.mark.parametrize("name", [*SEEDS, *ZOO])
def test_question_with_raw_fields_is_as_safe_as_one_from_the_agent(memory: Callable[..., Memory], name: str):
    written = memory(name).write(*DIALOGUE)
    text_field = written.program.query.fields[0].name
    for question in HOSTILE:
        assert len(written.base.read(written.module.Query(**{text_field: question}))) <= READ_CHARS


@pytest.mark.parametrize("name", [name for name in SEEDS if name != "no_memory"])
def test_finds_what_was_written_in_dialogue_and_in_prose(memory: Callable[..., Memory], name: str):
    assert "Rex" in memory(name).write(*DIALOGUE).read("What is the name of Caroline's dog?")
    assert "seal" in memory(name).write(PROSE[1]).read("Which part did the engineers replace?")


@pytest.mark.parametrize("name", [*SEEDS, *ZOO])
def test_reads_change_no_later_read_and_are_equal_in_a_second_base(memory: Callable[..., Memory], name: str):
    questions = ["Where does Caroline live?", "Who paints?", "When was Rex adopted?", ""]
    one, other = memory(name).write(*DIALOGUE, *PROSE), memory(name).write(*DIALOGUE, *PROSE)
    first = [one.read(question) for question in questions]
    assert [one.read(question) for question in reversed(questions)] == first[::-1]
    assert [other.read(question) for question in questions] == first


@pytest.mark.parametrize("name", [*SEEDS, *ZOO])
def test_threads_read_the_same(memory: Callable[..., Memory], name: str):
    written = memory(name).write(*DIALOGUE, *PROSE)
    expected = written.read("Where does Caroline live?")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(written.read, ["Where does Caroline live?"] * 40))
    assert set(found) == {expected}


@pytest.mark.parametrize("name", [*SEEDS, *ZOO])
def test_every_choice_and_every_bound_of_the_tunables_works(memory: Callable[..., Memory], name: str):
    program = load(seeds_dir() / f"{name}.py")
    for tunable in program.tunables:
        for value in tunable.choices or (tunable.low, tunable.high):
            written = memory(name, **{tunable.name: value}).write(*DIALOGUE, *EMPTY, *PROSE)
            assert written.read("Where did Caroline move in June 2023?"), (tunable.name, value)
            written.read("")


@pytest.mark.parametrize("name", ["bm25", "hybrid"])
def test_default_order_is_by_rank_and_time_order_is_as_said(memory: Callable[..., Memory], name: str):
    question = "Where did Caroline move: to Ghent with Rex?"
    ranked = memory(name).write(*DIALOGUE).read(question)
    timed = memory(name, ORDER="time").write(*DIALOGUE).read(question)
    assert ranked.index("moved to Ghent") < ranked.index("adopted a dog")
    assert timed.index("moved to Ghent") > timed.index("adopted a dog")


def test_stemming_finds_other_forms(memory: Callable[..., Memory]):
    assert "paint lighthouses" not in memory("bm25").write(*DIALOGUE).read("painted lighthouse")
    assert "paint lighthouses" in memory("bm25", STEMMING="on").write(*DIALOGUE).read("painted lighthouse")


LATEST = tuple(
    f"Date: {day} May, 2023\nAnna: My car is a {car} now." for day, car in enumerate(("Saab", "Mini", "Jazz"), 1)
)
HITS = {"HITS": 1, "VECTOR_WEIGHT": 0.0, "FUSION": "score"}


def test_recency_prefers_the_newest_of_equals(memory: Callable[..., Memory]):
    assert "Saab" in memory("hybrid", **HITS).write(*LATEST).read("What car is it now?")
    assert "Jazz" in memory("hybrid", **HITS, RECENCY=0.3).write(*LATEST).read("What car is it now?")


def test_date_prefers_the_episode_of_that_date(memory: Callable[..., Memory]):
    assert "Mini" in memory("hybrid", **HITS, DATE=1.0).write(*LATEST).read("What car was it on 2 May, 2023?")


@pytest.mark.parametrize(
    ("told", "asked", "expected"),
    [
        ("1:56 pm on 8 May, 2023", "8 May 2023", 1.0),
        ("1:56 pm on 8 May, 2023", "May 11, 2023", 0.5),
        ("2 June, 2023", "31 May 2023", 0.5 ** (2 / 3)),
        ("8 May, 2023", "May", 1.0),
        ("8 May, 2023", "2023", 1.0),
        ("31 December, 2023", "2023", 1.0),
        ("1 January, 2024", "2023", 0.5 ** (1 / 3)),
        ("2023/05/20 (Sat) 02:21", "2023-05-20", 1.0),
        ("8 May, 2023", "next week", 0.0),
        ("", "8 May, 2023", 0.0),
    ],
)
def test_dates_near_each_other_count_by_days(seed: Callable[..., ModuleType], told: str, asked: str, expected: float):
    assert seed("hybrid").closeness(told, asked) == pytest.approx(expected)


def test_speaker_prefers_the_person_named(memory: Callable[..., Memory]):
    texts = ("Tom: I like tea and the sea.\nAnna: I like tea and the sea.",)
    assert "Tom" in memory("hybrid", **HITS).write(*texts).read("Who likes tea?")
    assert memory("hybrid", **HITS, SPEAKER=0.5).write(*texts).read("Is it tea that Anna likes?").startswith("Anna")


def test_neighbours_bring_the_answer_to_a_question(memory: Callable[..., Memory]):
    texts = ("Tom: Bananas.\nTom: How old is Rex, the dog?\nAnna: Two.\nTom: Cheese.\nTom: Apples are red.",)
    settings = {"VECTOR_WEIGHT": 0.0, "FUSION": "score", "HITS": 2, "REACH": 1}
    assert "Two." not in memory("hybrid", **settings).write(*texts).read("How old is the dog Rex?")
    near = memory("hybrid", **settings, NEIGHBOUR=0.4, SPEAKER=0.2).write(*texts).read("How old is Anna's dog Rex?")
    assert "Two." in near


def test_second_hop_follows_a_name(memory: Callable[..., Memory]):
    noise = tuple(f"Tom: The weather in week {n} was dull." for n in range(30))
    texts = ("Anna: My brother is called Bertil.", *noise, "Anna: That Bertil repairs violins.")
    settings = {"VECTOR_WEIGHT": 0.0, "FUSION": "score", "HITS": 2}
    assert "violins" not in memory("hybrid", **settings).write(*texts).read("What is my brother called, and his work?")
    hopped = memory("hybrid", **settings, HOP=1.0).write(*texts).read("What is my brother called, and his work?")
    assert "violins" in hopped


def test_context_indexes_a_line_with_the_one_before(memory: Callable[..., Memory]):
    texts = ("Tom: Did Rex get his injections?\nAnna: All four of them.\nTom: Cheese.",)
    settings = {"VECTOR_WEIGHT": 0.0, "FUSION": "score", "HITS": 2}
    assert "All four" not in memory("hybrid", **settings, STATEMENT=0.0).write(*texts).read("Rex injections cheese")
    assert "All four" in memory("hybrid", **settings, CONTEXT=1).write(*texts).read("Rex injections")


def test_long_lines_are_cut_and_dates_shown(memory: Callable[..., Memory]):
    shown = (
        memory("hybrid", LINE_CHARS=150, SHOW_DATE="line")
        .write("Date: 1 May, 2023\nTom: " + "the pump failed " * 40)
        .read("pump")
    )
    lines = [line for line in shown.splitlines() if line.startswith("Tom: ")]
    assert len(lines) > 3
    assert max(map(len, lines)) <= 155
    assert shown.count("[1 May, 2023]") == len(lines)


@pytest.mark.parametrize(
    ("base", "donor"),
    [("hybrid", "bm25"), *itertools.permutations(("vector_search", "summarizer", "experience"), 2)],
)
def test_one_seed_reads_what_another_wrote(
    tmp_path: Path, new_toolkit: Callable[[], Any], import_file: Callable[..., ModuleType], base: str, donor: str
):
    child = graft(load(seeds_dir() / f"{base}.py"), load(seeds_dir() / f"{donor}.py"), "read")
    (tmp_path / "child.py").write_text(child, encoding="utf-8")
    written = Memory(import_file(tmp_path / "child.py", "child"), parse(child), new_toolkit()).write(*DIALOGUE)
    assert "Rex" in written.read("What is the name of Caroline's dog Rex?")


def test_hybrid_takes_embeddings_of_any_length(toolkit_module: ModuleType, seed: Callable[..., ModuleType]):
    def letters(texts: list[str]) -> list[list[float]]:
        return [[text.lower().count(letter) + 0.1 for letter in "aeiou"] for text in texts]

    toolkit = toolkit_module.Toolkit(call_llm=lambda messages, options: "", log=print, call_embed=letters)
    written = Memory(seed("hybrid"), load(seeds_dir() / "hybrid.py"), toolkit).write(*DIALOGUE)
    assert "Rex" in written.read("Which dog?")
    assert written.base.vectors.shape[1] == 5


def test_tuned_hybrid_beats_the_default_on_held_out_conversations(data_dir: Path, memory: Callable[..., Memory]):
    from evolve.scoring import support
    from evolve.tasks import load as load_task

    task = load_task("locomo", {"conversations": [6]})
    tuned = {
        "STEMMING": "on", "STOP_WORDS": "drop", "FUSION": "score", "NEIGHBOUR": 0.2, "SPEAKER": 0.2, "CONTEXT": 1,
        "STATEMENT": 0.1, "DATE": 0.2,
    }  # fmt: skip
    means = []
    for constants in ({}, tuned):
        written = memory("hybrid", **constants).write(*(episode.text for episode in task.episodes))
        scores = [support(query, written.read(query.text)) for query in task.queries]
        means.append(sum(scores) / len(scores))
    assert 0.5 < means[0] < 0.65
    assert means[1] > means[0] + 0.05
