"""The LoCoMo loader, on records of our own with every trap of the published file, and on the file itself."""

from __future__ import annotations

import copy
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from evolve.errors import ConfigError, DataError
from evolve.tasks import load
from evolve.tasks.base import read_options
from evolve.tasks.locomo import LocomoOptions, load_file
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
        ("conv-1/q1", "temporal"),
        ("conv-1/q2", "temporal"),
        ("conv-1/q3", "multi_hop"),
        ("conv-1/q5", "single_hop"),
        ("conv-1/q6", "open_domain"),
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
    assert loaded.options["categories"] == ["temporal", "single_hop"]
    assert task(tmp_path, categories=[2, "single_hop", 2]).digest == loaded.digest


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
        ("qa.2.question", "", "qa 3, field 'question': found ''"),
        ("qa.2.evidence", "D1:1", "qa 3, field 'evidence': found 'D1:1', expected a list"),
        ("qa.2.evidence.0", 11, "qa 3, field 'evidence': found 11"),
    ],
)
def test_a_malformed_record_is_named(tmp_path: Path, path: str, value: object, message: str) -> None:
    with pytest.raises(DataError) as caught:
        task(tmp_path, broken(path, value))
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
    assert counts == {"multi_hop": 282, "temporal": 321, "open_domain": 96, "single_hop": 841}
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
    assert {query.category for query in loaded.queries} == {"temporal"}
    assert loaded.digest != load("locomo", {"conversations": "1-2"}).digest
