"""The LoCoMo loader, on records of our own with every trap of the published file, and on the file itself."""

from __future__ import annotations

import copy
import gzip
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from evolve.config import load_config
from evolve.errors import ConfigError, DataError, PrerequisiteError
from evolve.models.base import Ask, Reply, Usage
from evolve.scoring.official_f1 import official_score
from evolve.tasks import load, open_family, resolve
from evolve.tasks.base import read_options
from evolve.tasks.families.locomo import LocomoOptions, load_file
from evolve.types import JSON, Task

ABSENT = not (Path(os.environ.get("EVOLVE_DATA", "-")) / "locomo" / "locomo10.json").is_file()
needs_file = pytest.mark.skipif(ABSENT, reason="needs locomo/locomo10.json in the folder that EVOLVE_DATA names")


def turn(turn_id: str, speaker: str, text: str, **more: JSON) -> dict[str, JSON]:
    return {"speaker": speaker, "dia_id": turn_id, "text": text, **more}


def question(text: str, answer: JSON, evidence: JSON, category: int) -> dict[str, JSON]:
    return {"question": text, "answer": answer, "evidence": evidence, "category": category}


def record(name: str = "conv-1") -> dict[str, Any]:
    return {
        "sample_id": name,
        "conversation": {
            "speaker_a": "Ann",
            "speaker_b": "Bo",
            "session_10_date_time": "9:00 am on 3 July, 2023",
            "session_10": [turn("D10:1", "Ann", "We moved to Leeds.")],
            "session_2_date_time": "2:00 pm on 1 June, 2023",
            "session_2": [
                turn("D2:1", "Bo", "I hiked\nwith my\r\ndaughter.  "),
                turn("D2:2", "Ann", "Lovely: really."),
            ],
            "session_1_date_time": "1:56 pm on 8 May, 2023",
            "session_1": [
                turn("D1:1", "Ann", "I went to a pottery class."),
                turn(
                    "D1:2", "Bo", "Look!", blip_caption="a photo of\na bowl", img_url=["http://x/y.jpg"], query="bowl"
                ),
            ],
            "session_11_date_time": "9:00 am on 4 July, 2023",
        },
        "qa": [
            question("When did Ann go to class?", "7 May 2023", ["D1:1"], 2),
            question("In which year?", 2023, [], 2),
            question("What did both do?", "pottery, hiking", ["D1:01; D2:1", "D", "D:2:2"], 1),
            {"question": "When did Bo go?", "adversarial_answer": "7 May", "evidence": ["D1:1"], "category": 5},
            question("What did Bo show?", "a bowl", ["D1:2 D1:1", "D1:2"], 4),
            question("Would Bo like a lake?", "Likely yes", ["D4:36", "D10:1,D2:9"], 3),
        ],
    }


def task(tmp_path: Path, *records: dict[str, Any], **options: JSON) -> Task:
    path = tmp_path / "small.json"
    path.write_text(json.dumps(records or [record()]))
    return load_file(path, read_options(LocomoOptions, options, task="locomo"))


def test_sessions_become_episodes_in_order_of_number(tmp_path: Path) -> None:
    episodes = task(tmp_path).episodes
    assert [episode.id for episode in episodes] == ["conv-1/session_1", "conv-1/session_2", "conv-1/session_10"]
    assert {episode.scope for episode in episodes} == {"conv-1"}
    assert episodes[0].text == (
        "Date: 1:56 pm on 8 May, 2023\nAnn: I went to a pottery class.\nBo: Look! [image: a photo of a bowl]"
    )
    assert episodes[1].text.split("\n")[1:] == ["Bo: I hiked with my daughter.", "Ann: Lovely: really."]


def test_a_turn_may_be_an_image_alone(tmp_path: Path) -> None:
    changed = record()
    changed["conversation"]["session_1"][1]["text"] = ""
    assert task(tmp_path, changed).episodes[0].text.endswith("\nBo: [image: a photo of a bowl]")


def test_questions_keep_their_place_in_the_file_and_adversarial_ones_are_left_out(tmp_path: Path) -> None:
    queries = task(tmp_path).queries
    assert [(query.id, query.category) for query in queries] == [
        ("conv-1/q1", "2 temporal"),
        ("conv-1/q2", "2 temporal"),
        ("conv-1/q3", "1 multi_hop"),
        ("conv-1/q5", "4 single_hop"),
        ("conv-1/q6", "3 open_domain"),
    ]
    assert queries[1].answer == "2023"


def test_evidence_is_the_text_of_the_turns_that_exist(tmp_path: Path) -> None:
    evidence = {query.id[-2:]: [item.text for item in query.evidence] for query in task(tmp_path).queries}
    assert evidence["q1"] == ["I went to a pottery class."]
    assert evidence["q2"] == []
    assert evidence["q3"] == ["I went to a pottery class.", "I hiked with my daughter.", "Lovely: really."]
    assert evidence["q5"] == ["Look! [image: a photo of a bowl]", "I went to a pottery class."]
    assert evidence["q6"] == ["We moved to Leeds."]


def test_the_later_conversations_are_held_out_whole(tmp_path: Path) -> None:
    loaded = task(tmp_path, *(record(f"conv-{n}") for n in range(1, 6)))
    tested = {query.scope for query in loaded.queries if query.id in loaded.held_out}
    assert tested == {"conv-4", "conv-5"}
    assert len(loaded.held_out) == 10


def test_of_one_conversation_half_of_the_queries_is_held_out(tmp_path: Path) -> None:
    loaded = task(tmp_path)
    assert len(loaded.held_out) == 2
    assert task(tmp_path).held_out == loaded.held_out


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([], "abcde"),
        (["b", "d"], "bd"),
        ([4, 1], "ad"),
        (["2", "c", 3], "bc"),
        ("2-4", "bcd"),
        ("e", "e"),
        ("5-5", "e"),
    ],
)
def test_conversations_are_chosen_by_id_number_or_span(tmp_path: Path, given: JSON, kept: str) -> None:
    loaded = task(tmp_path, *(record(name) for name in "abcde"), conversations=given)
    assert "".join(dict.fromkeys(episode.scope for episode in loaded.episodes)) == kept
    assert loaded.options["conversations"] == list(kept)


@pytest.mark.parametrize("given", ["0-3", "4-6", "3-2", "", "nope", ["f"], [0], [6], [-1], "1-99999999999"])
def test_conversations_that_do_not_exist_name_the_good_ones(tmp_path: Path, given: JSON) -> None:
    with pytest.raises(ConfigError) as caught:
        task(tmp_path, *(record(name) for name in "abcde"), conversations=given)
    assert "option 'conversations'" in str(caught.value)
    assert "1 to 5, a, b, c, d, e, or a span" in str(caught.value)


def test_categories_are_chosen_by_number_or_name(tmp_path: Path) -> None:
    loaded = task(tmp_path, categories=["temporal", 4])
    assert [query.id for query in loaded.queries] == ["conv-1/q1", "conv-1/q2", "conv-1/q5"]
    assert loaded.options["categories"] == ["2 temporal", "4 single_hop"]
    assert task(tmp_path, categories=[2, "4 single_hop", "2"]).digest == loaded.digest


def test_adversarial_questions_are_answered_by_saying_that_nothing_is_known(tmp_path: Path) -> None:
    loaded = task(tmp_path, adversarial=True)
    (asked,) = (query for query in loaded.queries if query.category == "5 adversarial")
    assert (asked.id, asked.text, asked.answer) == ("conv-1/q4", "When did Bo go?", "Not mentioned in the conversation")
    assert not asked.details
    assert [item.text for item in asked.evidence] == ["I went to a pottery class."]
    assert official_score(asked, "It is not mentioned.") == 1.0
    assert official_score(asked, "7 May") == 0.0
    alone = task(tmp_path, record("conv-1"), record("conv-2"), adversarial=True, categories=[5])
    assert [query.id for query in alone.queries] == ["conv-1/q4", "conv-2/q4"]


def test_official_questions_have_a_hint_or_a_choice_in_an_order_drawn_by_their_id(tmp_path: Path) -> None:
    records = [record(f"conv-{n}") for n in range(1, 21)]
    plain = task(tmp_path, *records, adversarial=True).queries
    official = task(tmp_path, *records, adversarial=True, questions="official").queries
    hint, drawn = " Use DATE of CONVERSATION to answer with an approximate date.", set()
    for before, after in zip(plain, official, strict=True):
        if before.category != "5 adversarial":
            assert after.text == before.text + (hint if before.category == "2 temporal" else "")
            assert not after.details
            continue
        choices = after.details["choices"]
        right, wrong = ("a", "b") if choices["a"] == after.answer else ("b", "a")
        assert choices == {right: "Not mentioned in the conversation", wrong: "7 May"}
        assert after.text == f"When did Bo go? Select the correct answer: (a) {choices['a']} (b) {choices['b']}."
        assert official_score(after, f"({right})") == 1.0
        assert official_score(after, wrong) == 0.0
        drawn.add(right)
    assert drawn == {"a", "b"}


def audit(tmp_path: Path, *entries: dict[str, JSON]) -> Path:
    path = tmp_path / "audit.json"
    path.write_text(json.dumps(list(entries)))
    return path


def error(place: str, asked: str, answer: str, kind: str, evidence: list[JSON]) -> dict[str, JSON]:
    return {
        "question_id": place,
        "question": asked,
        "correct_answer": answer,
        "error_type": kind,
        "correct_evidence": evidence,
    }


def test_gold_is_corrected_by_place_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "small.json"
    path.write_text(json.dumps([record("conv-1"), record("conv-2")]))
    corrections = audit(
        tmp_path,
        error("locomo_1_qa0", "When did Ann go to class?", "6 May 2023", "TEMPORAL_ERROR", ["D2:1"]),
        error("locomo_1_qa4", "What did Bo show?", "a bowl (answer is correct)", "WRONG_CITATION", ["D1:2"]),
        error("locomo_1_qa5", "Would Bo like a lake?", "Unclear", "AMBIGUOUS", []),
    )
    options = read_options(LocomoOptions, {"gold": "corrected"}, task="locomo")
    loaded = {query.id: query for query in load_file(path, options, audit=corrections).queries}
    released = {query.id: query for query in load_file(path, LocomoOptions()).queries}
    changed = {name for name, query in loaded.items() if query != released[name]}
    assert changed == {"conv-2/q1", "conv-2/q5", "conv-2/q6"}
    assert loaded["conv-2/q1"].answer == "6 May 2023"
    assert [item.text for item in loaded["conv-2/q1"].evidence] == ["I hiked with my daughter."]
    assert loaded["conv-2/q5"].answer == "a bowl", "a wrong citation leaves the answer as it is"
    assert [item.text for item in loaded["conv-2/q5"].evidence] == ["Look! [image: a photo of a bowl]"]
    assert loaded["conv-2/q6"].answer == "Unclear"
    assert loaded["conv-2/q6"].evidence == released["conv-2/q6"].evidence, "no evidence is no correction of it"


def test_an_audit_of_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "small.json"
    path.write_text(json.dumps([record("conv-1")]))
    options = read_options(LocomoOptions, {"gold": "corrected"}, task="locomo")
    other = audit(tmp_path, error("locomo_0_qa0", "When did Bo go to class?", "6 May", "TEMPORAL_ERROR", []))
    with pytest.raises(DataError, match=r"qa 1, field 'question': .* expected the audit's question, 'When did Bo"):
        load_file(path, options, audit=other)
    with pytest.raises(DataError, match=r"audit\.json, record 1, field 'question_id': found 'q7'"):
        load_file(path, options, audit=audit(tmp_path, error("q7", "?", "", "", [])))


def test_any_file_of_the_shape_is_read_by_its_path(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "mine.json.gz", "wt") as file:
        json.dump([record("conv-7")], file)
    loaded = load("locomo", {"file": str(tmp_path / "mine.json.gz")})
    assert {query.scope for query in loaded.queries} == {"conv-7"}
    assert "not of the published file" in open_family("locomo", {"file": "mine.json"}).notes()[0]
    with pytest.raises(PrerequisiteError, match=r"there is no file 'nope\.json'"):
        load("locomo", {"file": "nope.json"})


def says(reply: str) -> Ask:
    return lambda request: Reply(reply, Usage(), 0.0)


def test_scorers_measure_the_same_answer_in_other_ways_too(tmp_path: Path) -> None:
    family, query = open_family("locomo"), task(tmp_path).queries[2]
    assert query.answer == "pottery, hiking"
    read, answer = "Ann: I went to a pottery class. We hiked with my daughter.", "pottery and biking"
    official = family.scorer("official_f1", None).score(query, read, answer)
    assert official.value == pytest.approx((2 / 3 + 0) / 2)
    assert official.measures == pytest.approx({"f1": 2 * 1 / 5, "recall": 1 / 3})
    for name in ("judge", "judge_generous"):
        verdict = family.scorer(name, says('{"reason": "Same.", "correct": true}')).score(query, read, answer)
        assert (verdict.value, verdict.words) == (1.0, "Same.")
        assert verdict.measures == pytest.approx({"official_f1": 1 / 3, "f1": 2 / 5, "recall": 1 / 3})
    support = family.scorer("support", None).score(query, read, read)
    assert support.measures == {"recall": 1 / 3}
    assert 1 / 3 < support.value < 1


def test_what_has_no_gold_or_no_evidence_has_no_such_measure(tmp_path: Path) -> None:
    family = open_family("locomo")
    queries = {query.id[-2:]: query for query in task(tmp_path, adversarial=True).queries}
    assert family.scorer("official_f1", None).score(queries["q2"], "", "2023").measures == {"f1": 1.0}
    assert family.scorer("official_f1", None).score(queries["q4"], "", "Not mentioned").measures == {"recall": 0.0}


@pytest.mark.parametrize(("agent", "default"), [("extractive", "support"), ("openai:any", "official_f1")])
def test_the_default_scorer_depends_on_who_answers(agent: str, default: str) -> None:
    config = resolve(load_config("locomo", [f"models.agent={agent}"]))
    assert config.evaluation.scorer == default
    scorer = open_family("locomo").scorer(default, None)
    assert scorer.name == default


def test_notes_say_what_cannot_be_compared() -> None:
    assert open_family("locomo").notes() == ()
    corrected, fifth = open_family("locomo", {"gold": "corrected", "adversarial": True}).notes()
    assert "corrected by an audit" in corrected
    assert "Category 5" in fifth


def broken(path: str, value: object) -> dict[str, Any]:
    """Return the record with the value at a path such as "qa.0.answer" replaced; `...` takes it away."""
    changed = copy.deepcopy(record())
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
        ("sample_id", 26, "small.json, record 1, field 'sample_id': found 26, expected a string"),
        ("conversation", ..., "small.json, sample 'conv-1', field 'conversation': found nothing, expected an object"),
        ("conversation", {"session_1": "x"}, "field 'conversation'"),
        ("conversation.session_2_date_time", ..., "field 'session_2_date_time': found nothing"),
        ("conversation.session_1.0", "hi", "session_1, turn 1, field 'turn': found 'hi', expected an object"),
        ("conversation.session_1.0.text", 3, "session_1, turn 1, field 'text': found 3, expected a string"),
        ("conversation.session_1.0.text", " \n", "session_1, turn 1, field 'text'"),
        ("conversation.session_1.1.blip_caption", [], "session_1, turn 2, field 'blip_caption': found []"),
        ("conversation.session_2.1.speaker", "", "session_2, turn 2, field 'speaker': found ''"),
        ("conversation.session_2.1.dia_id", None, "session_2, turn 2, field 'dia_id': found nothing"),
        ("qa", {}, "sample 'conv-1', field 'qa': found {}, expected a list"),
        ("qa.0", [], "qa 1, field 'qa': found []"),
        ("qa.0.category", 6, "qa 1, field 'category': found 6, expected a number from 1 to 5"),
        ("qa.0.category", "2", "qa 1, field 'category': found '2'"),
        ("qa.1.answer", ..., "qa 2, field 'answer': found nothing"),
        ("qa.1.answer", True, "qa 2, field 'answer': found True"),
        ("qa.3.adversarial_answer", ..., "qa 4, field 'adversarial_answer': found nothing, expected a string"),
        ("qa.2.question", "", "qa 3, field 'question': found ''"),
        ("qa.2.evidence", "D1:1", "qa 3, field 'evidence': found 'D1:1', expected a list"),
        ("qa.2.evidence.0", 11, "qa 3, field 'evidence': found 11"),
    ],
)
def test_a_malformed_record_is_named(tmp_path: Path, path: str, value: object, message: str) -> None:
    with pytest.raises(DataError) as caught:
        task(tmp_path, broken(path, value), adversarial=True, questions="official")
    assert message in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe[]", b"{}", b"[]", b"[3]", b"[" * 100_000])
def test_a_file_of_another_shape_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "small.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"^small\.json"):
        load_file(path, LocomoOptions())


def test_two_conversations_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="used twice"):
        task(tmp_path, record(), record())


@needs_file
def test_the_published_file_loads_whole() -> None:
    loaded = load("locomo", {})
    assert len({episode.scope for episode in loaded.episodes}) == 10
    assert len(loaded.episodes) == 272
    assert sum(episode.text.count("\n") for episode in loaded.episodes) == 5882
    counts = Counter(query.category for query in loaded.queries)
    assert counts == {"1 multi_hop": 282, "2 temporal": 321, "3 open_domain": 96, "4 single_hop": 841}
    tested = {query.scope for query in loaded.queries if query.id in loaded.held_out}
    assert tested == {"conv-44", "conv-47", "conv-48", "conv-49", "conv-50"}
    assert sum(not query.evidence for query in loaded.queries) == 4


@needs_file
def test_traps_of_the_published_file_are_resolved() -> None:
    queries = {query.id: query for query in load("locomo", {}).queries}
    assert len(queries["conv-26/q38"].evidence) == 2, "was 'D8:6; D9:17'"
    assert len(queries["conv-43/q19"].evidence) == 7, "one was 'D:11:26'"
    assert len(queries["conv-50/q70"].evidence) == 1, "was 'D30:05'"
    assert len(queries["conv-47/q39"].evidence) == 2, "one names no turn"


@needs_file
def test_options_select_parts_of_the_published_file() -> None:
    loaded = load("locomo", {"conversations": "1-2", "categories": [2]})
    assert {query.scope for query in loaded.queries} == {"conv-26", "conv-30"}
    assert {query.category for query in loaded.queries} == {"2 temporal"}
    assert loaded.digest != load("locomo", {"conversations": "1-2"}).digest


@needs_file
def test_the_published_adversarial_questions_all_have_a_choice() -> None:
    loaded = load("locomo", {"adversarial": True, "questions": "official"})
    fifth = [query for query in loaded.queries if query.category == "5 adversarial"]
    assert (len(loaded.queries), len(fifth)) == (1_986, 446)
    assert 150 < sum(query.details["choices"]["a"] == query.answer for query in fifth) < 300
    assert all(query.evidence for query in fifth)


@needs_file
def test_the_audit_corrects_the_published_gold() -> None:
    released, corrected = (load("locomo", {"gold": gold}).queries for gold in ("released", "corrected"))
    pairs = list(zip(released, corrected, strict=True))
    assert sum(one.answer != other.answer for one, other in pairs) == 99
    by_category = Counter(one.category for one, other in pairs if one.answer != other.answer)
    assert by_category == {"1 multi_hop": 28, "2 temporal": 26, "3 open_domain": 9, "4 single_hop": 36}
    assert sum(one.evidence != other.evidence for one, other in pairs) > 57
    assert all(other.evidence for one, other in pairs if one.answer != other.answer)


@needs_file
@pytest.mark.parametrize("gold", ["released", "corrected"])
def test_gold_scores_one_and_nothing_scores_nothing(gold: str) -> None:
    family, loaded = open_family("locomo"), load("locomo", {"gold": gold, "adversarial": True})
    official, support = family.scorer("official_f1", None), family.scorer("support", None)
    for query in loaded.queries:
        told = "\n".join(evidence.text for evidence in query.evidence) or query.answer
        assert support.score(query, told, told).value == 1.0
        assert support.score(query, "", "").value == 0.0
        right = query.answer.split(";")[0] if query.category == "3 open_domain" else query.answer
        assert official.score(query, told, right).value == pytest.approx(1.0), query
        assert official.score(query, "", "").value == 0.0
