"""The LongMemEval loader, on records of our own with every trap of the published files, and on genuine haystacks."""

from __future__ import annotations

import copy
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from evolve.agents.reading import Reading
from evolve.errors import ConfigError, DataError, PrerequisiteError
from evolve.evaluation.stages import gold_text
from evolve.models.base import Reply, Request, Usage
from evolve.tasks import load, open_family
from evolve.types import JSON, Task

FOLDER = Path(os.environ.get("EVOLVE_DATA", "-")) / "longmemeval"
needs_files = pytest.mark.skipif(
    not (FOLDER / "longmemeval_s_one_item.json.gz").is_file(),
    reason="needs longmemeval/*.json.gz in the folder that EVOLVE_DATA names",
)
GENUINE: dict[str, JSON] = {
    "file": ["longmemeval/longmemeval_s_one_item.json.gz", "longmemeval/three_haystacks.json.gz"],
    "gold": "longmemeval/questions_500.json.gz",
}


def turn(role: str, content: str, **more: JSON) -> dict[str, JSON]:
    return {"role": role, "content": content, **more}


def record(name: str, kind: str = "knowledge-update") -> dict[str, Any]:
    """A haystack whose sessions are not in order of time, as in the oracle file."""
    return {
        "question_id": name,
        "question_type": kind,
        "question": " Where do I work now? ",
        "answer": "At the harbour library",
        "question_date": "2023/06/20 (Tue) 10:00",
        "haystack_session_ids": ["answer_3", "s1", "answer_2", "empty"],
        "haystack_dates": [
            *("2023/06/10 (Sat) 08:30", "2023/05/01 (Mon) 09:00"),
            *("2023/05/20 (Sat) 12:00", "2023/05/21 (Sun) 00:05"),
        ],
        "haystack_sessions": [
            [
                turn("user", "I moved on:\nI am at the harbour library now. ", has_answer=True),
                turn("assistant", "Good luck there.", has_answer=False),
            ],
            [turn("user", "Any tips for sourdough?"), turn("assistant", "Use a mature starter.")],
            [turn("user", "I started at the town museum.", has_answer=True), turn("assistant", " ")],
            [turn("user", "")],
        ],
        "answer_session_ids": ["answer_2", "answer_3", "answer_of_another_haystack"],
    }


def unanswerable() -> dict[str, Any]:
    return {
        "question_id": "q9_abs",
        "question_type": "single-session-user",
        "question": "What is my cat called?",
        "answer": "You did not mention this information. You mentioned a dog called Pip but not a cat.",
        "question_date": "2023/06/20 (Tue) 10:05",
        "haystack_session_ids": ["answer_s1"],
        "haystack_dates": ["2023/05/01 (Mon) 23:40"],
        "haystack_sessions": [[turn("user", "My dog Pip chewed my shoe.", has_answer=True)]],
        "answer_session_ids": ["answer_s1"],
    }


def shared() -> dict[str, Any]:
    """A haystack with a list of questions, in which only the first is the published one."""
    changed = record("q5")
    del changed["question"], changed["answer"]
    return {
        **changed,
        "questions": ["Where do I work now?", "What does a sourdough need?"],
        "answers": ["At the town museum", "A mature starter"],
        "answer_session_ids": [["answer_2", "answer_3"], ["s1"]],
    }


def records() -> list[dict[str, Any]]:
    kinds = ("knowledge-update", "multi-session", "knowledge-update", "temporal-reasoning")
    return [*(record(f"q{n}", kind) for n, kind in enumerate(kinds)), unanswerable()]


def task(tmp_path: Path, content: list[dict[str, Any]] | None = None, **options: JSON) -> Task:
    path = tmp_path / "small.json"
    path.write_text(json.dumps(content or records()))
    return load("longmemeval", {"file": str(path), **options})


def test_sessions_become_episodes_in_order_of_time(tmp_path: Path) -> None:
    episodes = [episode for episode in task(tmp_path).episodes if episode.scope == "q0"]
    assert [episode.id for episode in episodes] == ["q0/session_1", "q0/session_2", "q0/session_3"]
    assert episodes[0].text == (
        "Date: 9:00 am on 1 May, 2023 (Monday)\nuser: Any tips for sourdough?\nassistant: Use a mature starter."
    )
    assert episodes[1].text == "Date: 12:00 pm on 20 May, 2023 (Saturday)\nuser: I started at the town museum."
    assert "user: I moved on:\nI am at the harbour library now.\nassistant:" in episodes[2].text


def test_nothing_tells_which_sessions_are_gold(tmp_path: Path) -> None:
    assert not any("answer" in f"{episode.id} {episode.text}" for episode in task(tmp_path).episodes)


def test_the_agents_readers_understand_dates_and_speakers(tmp_path: Path) -> None:
    loaded = task(tmp_path)
    reading = Reading(loaded.episodes[0].text)
    assert reading.date == "9:00 am on 1 May, 2023 (Monday)"
    assert reading.speakers == ["user", "assistant"]
    assert Reading(loaded.queries[0].text).dates == ["20 June, 2023"]


def test_the_question_is_shown_with_its_date(tmp_path: Path) -> None:
    query = task(tmp_path).queries[0]
    assert query.text == "Where do I work now? (asked on 20 June, 2023)"
    assert query.details["question"] == "Where do I work now?"
    assert query.category == query.details["type"] == "knowledge-update"


def test_evidence_is_the_turns_that_have_the_answer(tmp_path: Path) -> None:
    query = task(tmp_path).queries[0]
    assert [(item.episode, item.text) for item in query.evidence] == [
        ("q0/session_2", "I started at the town museum."),
        ("q0/session_3", "I moved on:\nI am at the harbour library now."),
    ]
    assert query.details["sessions"] == ["q0/session_2", "q0/session_3"]
    bare = record("q7")
    for session in bare["haystack_sessions"]:
        for said in session:
            said.pop("has_answer", None)
    assert task(tmp_path, [bare, record("q8")]).queries[0].evidence == ()


def test_abstention_is_told_by_the_id_alone(tmp_path: Path) -> None:
    told = {query.id: query.details["abstention"] for query in task(tmp_path).queries}
    assert told == {"q0": False, "q1": False, "q2": False, "q3": False, "q9_abs": True}
    assert "q9_abs" not in {query.id for query in task(tmp_path, abstention="exclude").queries}


@pytest.mark.parametrize(("answer", "text"), [(33, "33"), (2.5, "2.5"), (" $400,000 ", "$400,000")])
def test_a_gold_answer_may_be_a_number(tmp_path: Path, answer: object, text: str) -> None:
    changed = record("q0")
    changed["answer"] = answer
    assert task(tmp_path, [changed, record("q1")]).queries[0].answer == text


def test_both_sides_of_the_split_have_every_type_and_whole_haystacks(tmp_path: Path) -> None:
    content = [record(f"{kind}{n}", kind) for kind in ("multi-session", "knowledge-update") for n in range(6)]
    loaded = task(tmp_path, content)
    held = Counter(query.category for query in loaded.queries if query.id in loaded.held_out)
    assert held == {"multi-session": 3, "knowledge-update": 3}
    assert task(tmp_path, list(reversed(content))).held_out == loaded.held_out


def test_two_haystacks_are_split_and_one_with_many_questions_as_well(tmp_path: Path) -> None:
    assert len(task(tmp_path, [record("q0"), record("q1")]).held_out) == 1
    assert len(task(tmp_path, [shared()]).held_out) == 1
    with pytest.raises(DataError, match=r"\d of 1 queries are held out"):
        task(tmp_path, [record("q0")])


def test_a_shared_haystack_is_one_scope_and_its_evidence_goes_to_whom_it_belongs(tmp_path: Path) -> None:
    queries = task(tmp_path, [shared()]).queries
    assert [(query.id, query.scope, query.category) for query in queries] == [
        ("q5/q1", "q5", "other"),
        ("q5/q2", "q5", "other"),
    ]
    assert [len(query.evidence) for query in queries] == [2, 0]
    assert queries[1].details["sessions"] == ["q5/session_1"]


def test_the_published_gold_corrects_a_file_that_says_something_else(tmp_path: Path) -> None:
    gold = [
        {
            "id": "q5",
            "query": "Where do I work now?",
            "gold_answers": ["At the harbour library"],
            "meta": {"question_type": "knowledge-update"},
        },
        {"id": "q5", "query": "?", "gold_answers": [7], "meta": {"question_type": "multi-session"}},
    ]
    (tmp_path / "gold.json").write_text(json.dumps(gold))
    queries = task(tmp_path, [shared()], gold=str(tmp_path / "gold.json")).queries
    assert [(query.answer, query.category) for query in queries] == [
        ("At the harbour library", "knowledge-update"),
        ("A mature starter", "other"),
    ]


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"types": ["knowledge-update", "multi-session"]}, ["q0", "q1", "q2"]),
        ({"per_type": 1}, ["q0", "q1", "q3", "q9_abs"]),
        ({"questions": ["q3", "q1"]}, ["q1", "q3"]),
    ],
)
def test_options_select_questions_with_their_haystacks(
    tmp_path: Path, options: dict[str, JSON], kept: list[str]
) -> None:
    loaded = task(tmp_path, **options)
    assert [query.id for query in loaded.queries] == kept
    assert list(dict.fromkeys(episode.scope for episode in loaded.episodes)) == kept


def test_options_that_leave_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"leave no question of small\.json"):
        task(tmp_path, questions=["q7"])
    with pytest.raises(ConfigError, match="A list out of single-session-user"):
        task(tmp_path, types=["single-session"])
    with pytest.raises(ConfigError, match="expected at least one file"):
        load("longmemeval", {"file": []})
    with pytest.raises(
        PrerequisiteError, match=r"there is no file 'nope\.json'.*good values: s, m, oracle, or the path"
    ):
        load("longmemeval", {"file": "nope.json"})


def broken(path: str, value: object) -> dict[str, Any]:
    """Return the record with the value at a path such as "haystack_sessions.0" replaced; `...` takes it away."""
    changed = copy.deepcopy(record("q0"))
    place: Any = changed
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in parents:
        place = place[part]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("question_id", ..., "small.json, record 1, field 'question_id': found nothing, expected a string"),
        ("question", "", "record 1, field 'question': found ''"),
        (
            "question_type",
            "yes-no",
            "record 1, field 'question_type': found 'yes-no', expected one of single-session-user",
        ),
        ("question_date", "2023-06-20", "record 1, field 'question_date': found '2023-06-20', expected a date such as"),
        ("question_date", "2023/02/30 (Tue) 10:00", "field 'question_date': found '2023/02/30"),
        ("answer", None, "record 1, field 'answer': found nothing, expected a string or a number"),
        ("answer", True, "record 1, field 'answer': found True"),
        ("answer_session_ids", "s1", "field 'answer_session_ids': found 's1', expected a list"),
        ("answer_session_ids", [1], "field 'answer_session_ids': found [1], expected ids of sessions"),
        ("haystack_dates", ..., "question 'q0', field 'haystack_dates': found nothing"),
        ("haystack_dates.0", "May", "question 'q0', session 1, field 'haystack_dates': found 'May'"),
        ("haystack_dates.3", ..., "question 'q0', field 'haystack_sessions': found '4 ids, 3 dates and 4 sessions'"),
        ("haystack_sessions.1", "hi", "question 'q0', session 2, field 'haystack_sessions': found 'hi'"),
        ("haystack_sessions.1.1", "hi", "session 2, turn 2, field 'turn': found 'hi', expected an object"),
        ("haystack_sessions.1.0.role", "system", "session 2, turn 1, field 'role': found 'system'"),
        ("haystack_sessions.1.0.content", None, "session 2, turn 1, field 'content': found nothing"),
        ("haystack_sessions.1.0.has_answer", "yes", "session 2, turn 1, field 'has_answer': found 'yes'"),
    ],
)
def test_a_malformed_record_is_named(tmp_path: Path, path: str, value: object, message: str) -> None:
    with pytest.raises(DataError) as caught:
        task(tmp_path, [broken(path, value), record("q1")])
    assert message in str(caught.value)


def test_a_haystack_without_a_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="at least one session with a turn"):
        task(tmp_path, [{**record("q0"), "haystack_sessions": [[], [], [], []]}])
    with pytest.raises(DataError, match="as many answers and lists of sessions as questions: 2"):
        task(tmp_path, [{**shared(), "answers": ["x"]}])


def right(request: Request) -> Reply:
    """A judge who finds the gold answer right."""
    _, gold, response = request.messages[1].text.split("\n\n")
    same = gold.partition(": ")[2] == response.partition(": ")[2]
    return Reply(json.dumps({"reason": "It is compared.", "correct": same}), Usage(), 0.0)


def test_the_gold_scores_1_and_nothing_scores_0(tmp_path: Path) -> None:
    path = tmp_path / "small.json"
    loaded = task(tmp_path)
    family = open_family("longmemeval", {"file": str(path)})
    judge, retrieval = family.scorer("official_judge", right), family.scorer("retrieval", None)
    for query in loaded.queries:
        read = gold_text(query, loaded.episodes)
        judged, found = judge.score(query, read, query.answer), retrieval.score(query, read, "")
        assert judged.value == found.value == 1
        assert judge.score(query, "", "").value == retrieval.score(query, "", "").value == 0
        if query.details["abstention"]:
            assert (judged.measures, found.measures) == ({"abstention": 1.0}, {})
        else:
            assert set(found.measures.values()) == {1.0}
            assert judged.measures == found.measures


def test_notes_say_what_is_not_comparable() -> None:
    assert open_family("longmemeval", {"file": "s"}).notes() == ()
    assert "evidence sessions only" in open_family("longmemeval", {"file": "oracle"}).notes()[0]
    assert "Only some" in open_family("longmemeval", {"per_type": 5}).notes()[0]


@needs_files
def test_genuine_haystacks_load() -> None:
    loaded = load("longmemeval", GENUINE)
    assert Counter(episode.scope for episode in loaded.episodes) == {
        "e47becba": 53,
        "852ce960": 39,
        "ba358f49": 41,
        "6a1eabeb": 40,
    }
    queries = {query.id: query for query in loaded.queries}
    assert len(queries) == 27
    assert queries["852ce960/q1"].answer == "$400,000", "the haystack's author gives the amount before the update"
    assert queries["e47becba"].details["sessions"] == ["e47becba/session_52"]
    assert len(queries["e47becba"].evidence) == 2
    held = {query.scope for query in loaded.queries if query.id in loaded.held_out}
    assert len(held) == 2


@needs_files
def test_genuine_evidence_is_found_again_in_what_is_read() -> None:
    loaded = load("longmemeval", GENUINE)
    scorer = open_family("longmemeval", GENUINE).scorer("retrieval", None)
    for query in loaded.queries:
        if query.evidence:
            verdict = scorer.score(query, gold_text(query, loaded.episodes), "")
            assert verdict.value == 1
            assert verdict.measures["recall@5"] == verdict.measures["ndcg@5"] == 1
