"""The HotpotQA loader, on records of our own with every trap of the published files, and on the files themselves."""

from __future__ import annotations

import copy
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from evolve.errors import ConfigError, DataError, PrerequisiteError
from evolve.evaluation.stages import gold_text
from evolve.scoring import support
from evolve.tasks import load, open_family
from evolve.types import JSON, Task

FOLDER = Path(os.environ.get("EVOLVE_DATA", "-")) / "hotpotqa"
needs_files = pytest.mark.skipif(
    not (FOLDER / "hotpot_dev_distractor_100.json.gz").is_file(),
    reason="needs hotpotqa/*.json.gz in the folder that EVOLVE_DATA names",
)


def record(name: str, kind: str = "bridge") -> dict[str, Any]:
    return {
        "_id": name,
        "question": " In which town was the writer of Dunes born? ",
        "answer": "Leeds",
        "type": kind,
        "level": "hard",
        "supporting_facts": [["Dunes", 1], ["Ann Lee", 0], ["Ann Lee", 9], ["Nobody", 0], ["Ann Lee", 2]],
        "context": [
            ["Leeds", ["Leeds is a city.", " It lies on the Aire."]],
            ["Dunes", ["Dunes is a novel.", " It was written by Ann Lee."]],
            ["Ann Lee", ["Ann Lee was born in Leeds.", " She writes.", ""]],
            ["Emptiness", []],
        ],
    }


def task(tmp_path: Path, *records: dict[str, Any], **options: JSON) -> Task:
    path = tmp_path / "small.json"
    path.write_text(json.dumps(records or [record(f"q{n}") for n in range(4)]))
    return load("hotpotqa", {"file": str(path), **options})


def test_a_scope_is_a_question_and_an_episode_a_paragraph(tmp_path: Path) -> None:
    loaded = task(tmp_path)
    assert {episode.scope for episode in loaded.episodes} == {"q0", "q1", "q2", "q3"}
    texts = [episode.text for episode in loaded.episodes if episode.scope == "q1"]
    assert texts == [
        "Leeds\nLeeds is a city. It lies on the Aire.",
        "Dunes\nDunes is a novel. It was written by Ann Lee.",
        "Ann Lee\nAnn Lee was born in Leeds. She writes.",
        "Emptiness",
    ]
    assert loaded.queries[0].text == "In which town was the writer of Dunes born?"


def test_evidence_is_the_supporting_sentences_that_exist(tmp_path: Path) -> None:
    evidence = task(tmp_path).queries[1].evidence
    assert [(item.episode, item.text) for item in evidence] == [
        ("q1/2", "It was written by Ann Lee."),
        ("q1/3", "Ann Lee was born in Leeds."),
    ]


def test_half_of_the_questions_are_held_out_with_their_paragraphs(tmp_path: Path) -> None:
    loaded = task(tmp_path)
    held = {query.scope for query in loaded.queries if query.id in loaded.held_out}
    assert len(held) == 2
    assert not held & {query.scope for query in loaded.queries if query.id not in loaded.held_out}


def test_a_corpus_is_one_scope_for_all(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.json"
    corpus.write_text(json.dumps({**dict(record("x")["context"]), "York": ["York is a city."]}))
    loaded = task(tmp_path, corpus=str(corpus))
    assert [episode.id for episode in loaded.episodes] == [f"corpus/{place}" for place in range(1, 6)]
    assert {query.scope for query in loaded.queries} == {"corpus"}
    assert loaded.queries[0].evidence[0].episode == "corpus/2"
    assert len(loaded.held_out) == 2


def test_questions_and_types_are_chosen_in_the_files_order(tmp_path: Path) -> None:
    records = [record("a"), record("b", "comparison"), record("c"), record("d", "comparison"), record("e")]
    assert [query.id for query in task(tmp_path, *records, questions=3).queries] == ["a", "b", "c"]
    assert [query.id for query in task(tmp_path, *records, questions=2, types=["bridge"]).queries] == ["a", "c"]
    assert len(task(tmp_path, *records, questions=0).queries) == 5
    with pytest.raises(ConfigError, match="no question of \\['comparison'\\]"):
        task(tmp_path, record("a"), types=["comparison"])
    with pytest.raises(ConfigError, match="A list out of bridge, comparison"):
        task(tmp_path, types=["hard"])


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("_id", 3, "small.json, a record, field '_id': found 3"),
        ("type", "other", "question 'q0', field 'type': found 'other', expected one of bridge, comparison"),
        ("question", " ", "question 'q0', field 'question': found ' '"),
        ("answer", None, "question 'q0', field 'answer': found nothing"),
        ("supporting_facts", {"title": []}, "field 'supporting_facts': found {'title': []}, expected a list"),
        ("supporting_facts", [["Dunes"]], "field 'supporting_facts': found ['Dunes'], expected a title and the number"),
        ("supporting_facts", [["Dunes", -1]], "field 'supporting_facts': found ['Dunes', -1]"),
        ("supporting_facts", [["Dunes", "1"]], "field 'supporting_facts': found ['Dunes', '1']"),
        ("context", [], "field 'context': found [], expected at least one paragraph"),
        ("context", [["Dunes", "text"]], "field 'context': found 'text', expected a list of sentences"),
        ("context", ["Dunes"], "field 'context': found 'Dunes', expected a title and a list of sentences"),
    ],
)
def test_a_malformed_record_is_named(tmp_path: Path, field: str, value: object, message: str) -> None:
    changed = copy.deepcopy(record("q0"))
    changed[field] = value
    with pytest.raises(DataError) as caught:
        task(tmp_path, changed, record("q1"))
    assert message in str(caught.value)


def test_a_corpus_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PrerequisiteError, match=r"option 'corpus': there is no file 'nope\.json'"):
        task(tmp_path, corpus="nope.json")
    (tmp_path / "corpus.json").write_text('{"Dunes": "text"}')
    with pytest.raises(DataError, match=r"corpus\.json, title 'Dunes', field 'context': found 'text'"):
        task(tmp_path, corpus=str(tmp_path / "corpus.json"))


def test_two_questions_of_one_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="used twice"):
        task(tmp_path, record("a"), record("a"))


def test_the_gold_evidence_scores_1_and_nothing_scores_0(tmp_path: Path) -> None:
    loaded, scorer = task(tmp_path), open_family("hotpotqa").scorer("official_f1", None)
    for query in loaded.queries:
        read = gold_text(query, loaded.episodes)
        verdict = scorer.score(query, read, query.answer)
        assert (verdict.value, support(query, read)) == (1, 1)
        assert verdict.measures == {"em": 1, "facts_read": 1}
        assert scorer.score(query, "", "").value == support(query, "") == 0


@needs_files
def test_the_hundred_questions_of_the_distractor_setting_load() -> None:
    loaded = load("hotpotqa", {"file": "hotpotqa/hotpot_dev_distractor_100.json.gz"})
    assert len(loaded.episodes) == 1_000
    assert Counter(query.category for query in loaded.queries) == {"bridge": 85, "comparison": 15}
    assert len(loaded.held_out) == 50
    assert all(len(query.evidence) >= 2 for query in loaded.queries)
    closed = [query for query in loaded.queries if query.answer in ("yes", "no")]
    assert len(closed) == 5


@needs_files
def test_the_shared_corpus_loads() -> None:
    files: dict[str, JSON] = {
        "file": "hotpotqa/hipporag_hotpotqa_train.json.gz",
        "corpus": "hotpotqa/hipporag_hotpotqa_train_corpus.json.gz",
    }
    loaded = load("hotpotqa", files)
    assert len(loaded.episodes) == 994
    assert len(loaded.queries) == 100
    assert all(len(query.evidence) >= 2 for query in loaded.queries)
    assert len(load("hotpotqa", {"file": files["file"]}).episodes) == 994
