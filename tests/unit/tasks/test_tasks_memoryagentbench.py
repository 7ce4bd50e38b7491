"""The MemoryAgentBench loader, on records of our own with every trap of the published file, and on the file itself."""

from __future__ import annotations

import copy
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from evolve.errors import ConfigError, DataError
from evolve.scoring import Scorer
from evolve.tasks import load, open_family
from evolve.tasks.families.memoryagentbench import evidence_of
from evolve.types import JSON, Task

ABSENT = not any(
    (Path(os.environ.get("EVOLVE_DATA", "-")) / "memoryagentbench" / f"Conflict_Resolution.json{end}").is_file()
    for end in ("", ".gz")
)
needs_file = pytest.mark.skipif(
    ABSENT, reason="needs memoryagentbench/Conflict_Resolution.json in the folder that EVOLVE_DATA names"
)
FACTS = (
    "The capital of Chad is Lima.",
    "Ann Lee is a citizen of Peru.",
    "Lima is located in the continent of Asia.",
    "The capital of Chad is Oslo.",
    "The author of Dune is Ann Lee.",
)


def record(source: str, *, more: tuple[str, ...] = ()) -> dict[str, Any]:
    lines = [f"{number}. {fact}" for number, fact in enumerate((*FACTS, *more))]
    questions = ["What is the capital of Chad?", "Who is the author of Dune?"]
    return {
        "context": "\n".join(["Here is a list of facts:", *lines, ""]),
        "questions": questions,
        "answers": [["Oslo", "Christiania"], ["Ann Lee"]],
        "metadata": {"source": f"factconsolidation_{source}", "qa_pair_ids": ["a", "b"], "demo": None},
    }


def records() -> list[dict[str, Any]]:
    short, longer = ("Leeds is a city.",), ("Leeds is a city.", "York is a city.")
    kinds = (("mh_1k", ()), ("mh_2k", short), ("sh_1k", ()), ("sh_2k", short), ("sh_10k", longer))
    return [record(source, more=more) for source, more in kinds]


def task(tmp_path: Path, content: list[dict[str, Any]] | None = None, **options: JSON) -> Task:
    path = tmp_path / "small.json"
    path.write_text(json.dumps(content or records()))
    return load("memoryagentbench", {"file": str(path), "sources": [], "facts_per_episode": 2, **options})


def test_the_contexts_of_one_length_are_one_scope(tmp_path: Path) -> None:
    loaded = task(tmp_path, sources=["sh_1k", "mh_1k"])
    assert [episode.id for episode in loaded.episodes] == ["1k/block_1", "1k/block_2", "1k/block_3"]
    assert {episode.scope for episode in loaded.episodes} == {"1k"}
    assert Counter(query.category for query in loaded.queries) == {"mh_1k": 2, "sh_1k": 2}
    assert [query.id for query in loaded.queries] == ["mh_1k/q0", "mh_1k/q1", "sh_1k/q0", "sh_1k/q1"]


def test_episodes_are_blocks_of_numbered_facts_without_the_heading(tmp_path: Path) -> None:
    texts = [episode.text for episode in task(tmp_path, sources=["sh_1k"]).episodes]
    assert texts == [
        "0. The capital of Chad is Lima.\n1. Ann Lee is a citizen of Peru.",
        "2. Lima is located in the continent of Asia.\n3. The capital of Chad is Oslo.",
        "4. The author of Dune is Ann Lee.",
    ]
    assert len(task(tmp_path, sources=["sh_1k"], facts_per_episode=20).episodes) == 1


def test_aliases_are_right_answers_and_evidence_is_the_fact_that_holds(tmp_path: Path) -> None:
    queries = {query.id: query for query in task(tmp_path, sources=["sh_1k", "mh_1k"]).queries}
    assert (queries["sh_1k/q0"].answer, queries["sh_1k/q0"].aliases) == ("Oslo", ("Christiania",))
    evidence = queries["sh_1k/q0"].evidence
    assert [(item.episode, item.text) for item in evidence] == [("1k/block_2", "3. The capital of Chad is Oslo.")]
    assert queries["mh_1k/q0"].evidence == (), "what a multi-hop question rests on is not told"


@pytest.mark.parametrize(
    ("question", "answer", "fact"),
    [
        ("What is the capital of Chad?", "Oslo", 3),
        ("What is the capital of Chad?", "Lima", None),  # a later fact replaced it
        ("Who is the author of Dune?", "Ann Lee", 4),
        ("Who is the author of Emma?", "Ann Lee", None),  # another book
        ("Which country is Ann Lee a citizen of?", "Peru", 1),
        ("Where is Lima located?", "Asia", 2),
        ("Where is Lima located?", "Africa", None),
    ],
)
def test_the_fact_asked_for_is_told_by_its_words(question: str, answer: str, fact: int | None) -> None:
    facts = [f"{number}. {text}" for number, text in enumerate(FACTS)]
    found = evidence_of(question, [answer], facts)
    assert found == (None if fact is None else facts[fact])


@pytest.mark.parametrize(
    ("sources", "held"),
    [
        ([], {"10k"}),
        (["sh_1k", "sh_2k", "mh_2k"], {"2k"}),
        (["sh_10k", "sh_1k"], {"10k"}),
        (["sh_1k", "sh_2k", "sh_10k"], {"10k"}),
    ],
)
def test_the_longer_contexts_are_held_out_whole(tmp_path: Path, sources: JSON, held: set[str]) -> None:
    loaded = task(tmp_path, sources=sources)
    assert {query.scope for query in loaded.queries if query.id in loaded.held_out} == held
    assert not {query.scope for query in loaded.queries if query.id not in loaded.held_out} & held


def test_of_a_single_context_half_of_the_questions_are_held_out(tmp_path: Path) -> None:
    assert len(task(tmp_path, sources=["sh_1k"]).held_out) == 1


def test_unknown_sources_name_the_good_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no context 'sh_3k'; good values: mh_1k, mh_2k, sh_1k, sh_2k, sh_10k"):
        task(tmp_path, sources=["sh_3k"])
    whole = task(tmp_path, sources=["factconsolidation_sh_1k"])
    assert whole.options["sources"] == ["sh_1k"]


def broken(field: str, value: object) -> list[dict[str, Any]]:
    changed = copy.deepcopy(records())
    if value is ...:
        del changed[2][field]
    else:
        changed[2][field] = value
    return changed


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("metadata", ..., "small.json, record 3, field 'metadata': found nothing, expected an object"),
        ("metadata", {"source": 3}, "record 3, field 'source': found 3"),
        ("context", "", "record 3, field 'context': found ''"),
        ("context", "no numbers here", "source 'sh_1k', field 'context': found 'no numbers here', expected lines"),
        ("context", "2. A is B.\n1. A is C.", "facts in order of their numbers"),
        ("questions", "x", "source 'sh_1k', field 'questions': found 'x', expected a list"),
        ("questions", ["x"], "field 'answers': found 2, expected as many as there are questions: 1"),
        ("questions", ["x", ""], "question 1, field 'questions': found ''"),
        ("answers", [["Oslo"], []], "question 1, field 'answers': found []"),
        ("answers", [["Oslo"], [3]], "question 1, field 'answers': found [3]"),
        ("answers", [["Oslo"], ["!"]], "question 1, field 'answers': found ['!']"),
    ],
)
def test_a_malformed_record_is_named(tmp_path: Path, field: str, value: object, message: str) -> None:
    with pytest.raises(DataError) as caught:
        task(tmp_path, broken(field, value), sources=["sh_1k"])
    assert message in str(caught.value)


def test_two_texts_of_one_length_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="one text for each length"):
        task(tmp_path, [record("sh_1k"), record("mh_1k", more=("York is a city.",))])


def scorers() -> dict[str, Scorer]:
    family = open_family("memoryagentbench")
    return {name: family.scorer(name, None) for name in family.traits.scorers}


def test_the_gold_evidence_scores_1_and_nothing_scores_0(tmp_path: Path) -> None:
    for query in task(tmp_path).queries:
        for name, scorer in scorers().items():
            oracle = query.evidence[0].text if query.evidence else query.answer
            assert scorer.name == name
            assert scorer.score(query, oracle, query.answer).value == 1
            assert scorer.score(query, "", "").value == 0


@needs_file
def test_the_published_file_loads_whole() -> None:
    loaded = load("memoryagentbench", {"sources": []})
    assert {episode.scope for episode in loaded.episodes} == {"6k", "32k", "64k", "262k"}
    facts = Counter(episode.scope for episode in loaded.episodes for _ in episode.text.splitlines())
    assert facts == {"6k": 455, "32k": 2310, "64k": 4580, "262k": 18332}
    assert set(Counter(query.category for query in loaded.queries).values()) == {100}
    assert len(loaded.queries) == 800
    held = {query.category for query in loaded.queries if query.id in loaded.held_out}
    assert held == {"sh_64k", "mh_64k", "sh_262k", "mh_262k"}
    single = [query for query in loaded.queries if query.category.startswith("sh")]
    assert sum(bool(query.evidence) for query in single) >= 390
    assert all(
        scorers()["first_fact"].score(query, query.evidence[0].text, "").value for query in single if query.evidence
    )


@needs_file
def test_by_default_the_longest_context_is_left_out() -> None:
    loaded = load("memoryagentbench", {})
    assert {query.scope for query in loaded.queries} == {"6k", "32k", "64k"}
    assert {query.scope for query in loaded.queries if query.id in loaded.held_out} == {"64k"}
