"""What is found in replies as real models write them, and the conversation of the second try."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolve.errors import ConfigError, ProviderError
from evolve.models.base import Message, Reply, Request, Usage
from evolve.models.replies import SHOWN, Unusable, ask_for, json_object
from evolve.types import JSON

KEYS = ("text", "limit", "tags")


class Script:
    """Answers with the given replies in order, and keeps the requests."""

    def __init__(self, *replies: str | Reply) -> None:
        self.replies = [Reply(each, Usage(), 0.0) if isinstance(each, str) else each for each in replies]
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Reply:
        self.requests.append(request)
        return self.replies[len(self.requests) - 1]


def cut(text: str) -> Reply:
    return Reply(text, Usage(), 0.0, truncated=True)


REQUEST = Request(
    "agent", (Message("system", "Rules.", constant=True), Message("user", "Episode.")), {"type": "object"}
)


@pytest.mark.parametrize(
    "text",
    [
        '{"text": "x", "limit": 3}',
        '```json\n{"text": "x", "limit": 3}\n```',
        'Sure! Here it is:\n\n{"text": "x", "limit": 3}\n\nAnything else?',
        '[{"text": "x", "limit": 3}]',
        '{"Query": {"text": "x", "limit": 3}}',
        '{"text": "x", "limit": 3} {"text": "x", "limit": 3}',
        'The shape is {"type": "object"}; the object is {"text": "x", "limit": 3}.',
        "In braces {as asked}: {'text': 'x', 'limit': 3,}",
        '{"text": "x" "limit": 3',
        '{"text": "x", // the query\n "limit": 3}',
        "{text: “x”, limit: 3}",
        '```\n{"text": """x""", "limit": 3}\n```',
    ],
)
def test_the_object_is_found_whatever_is_around_it(text: str):
    assert json_object(text, KEYS) == {"text": "x", "limit": 3}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"text": "she said "no" twice", "limit": 3}', {"text": 'she said "no" twice', "limit": 3}),
        ('{"text": "two\nlines"}', {"text": "two\nlines"}),
        ('{"tags": ["a", "b", "text": "x"}', {"tags": ["a", "b"], "text": "x"}),
        # As SmolLM2 wrote them. A date is not its first number.
        ('{\n  "text": 7:55,\n  "episode_id": "Episode-13"\n}', {"text": "7:55", "episode_id": "Episode-13"}),
        ('{"text": 1:56 pm on 8 May, 2023, "limit": 3}', {"text": "1:56 pm on 8 May, 2023", "limit": 3}),
        ('{"text": May 8, 2023}', {"text": "May 8, 2023"}),
        ('{"text": "x", "limit": 10%}', {"text": "x", "limit": "10%"}),
        (
            'The query:\n```json\n{\n  "id": 12345,\n  "query": {"location": "garden", "text": "Sunrise"}\n}\n```',
            {"location": "garden", "text": "Sunrise"},
        ),
    ],
)
def test_repair_keeps_what_was_written(text: str, expected: dict[str, JSON]):
    assert json_object(text, KEYS) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "There is no JSON object in the reply."),
        ("Caroline is likely to study education.", "There is no JSON object in the reply."),
        ('- "text": a string', "There is no JSON object in the reply."),
        ("{", "The JSON in the reply is broken."),
        ('{"text": "a"} or {"text": "b"}', "There are 2 JSON objects in the reply where one was asked for."),
        ('[{"text": "a"}, {"text": "b"}, {"text": "c"}]', "There are 3 JSON objects in the reply where one was"),
    ],
)
def test_what_is_not_one_object_is_refused(text: str, sentence: str):
    with pytest.raises(ValueError, match=sentence.replace("(", r"\(")):
        json_object(text, KEYS)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "circle", ['{"text": ', "{", '{"text" ', '{"text": ["', '{"text": "x", "tags": ["a", ', '{"text": x    ']
)
def test_a_model_that_runs_in_circles_costs_no_time(circle: str):
    with pytest.raises(ValueError, match="broken"):
        json_object(circle * 4_000, KEYS)


def test_an_empty_object_counts_where_all_may_be_left_out():
    assert json_object("{}", KEYS) == {}


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.fixed_dictionaries({"text": values, "limit": values}), st.sampled_from(["", "```json\n", "Here: "]))
def test_whatever_is_valid_comes_back_as_it_was(value: dict[str, JSON], before: str):
    after = "\n```" if before.startswith("```") else ""
    assert json_object(f"{before}{json.dumps(value)}{after}", KEYS) == value


plain = st.text(alphabet=st.characters(categories=["L", "N"], include_characters=" "), min_size=1, max_size=20)


@given(plain, st.lists(plain, min_size=1, max_size=3), st.integers(0, 99))
def test_common_breakages_are_repaired(text: str, tags: list[str], limit: int):
    value: dict[str, JSON] = {"text": text, "limit": limit, "tags": list(tags)}
    whole = json.dumps(value, ensure_ascii=False)
    for broken in (
        whole[:-1],
        whole[:-2],
        whole[:-1] + ",}",
        whole.replace('", "', '" "'),
        whole + "}",
        f"{whole}\n```",
    ):
        assert json_object(broken, KEYS) == value, broken


pieces = st.lists(st.sampled_from([*"{}[]\":,\\\n '", '"text"', '"limit": ', "```json", "1:5", "//", "<b>", "\u00e9"]))


@given(pieces.map("".join) | st.text())
def test_no_text_breaks_the_reader(text: str):
    with contextlib.suppress(ValueError):
        assert isinstance(json_object(text, KEYS), dict)


def test_a_usable_reply_is_asked_for_once():
    script = Script("<think>{maybe}</think>\n 5 ")
    assert ask_for(script, REQUEST, int) == 5
    assert script.requests == [REQUEST]


def test_the_second_try_shows_the_reply_and_the_objection():
    script = Script(" five ", "5")
    assert ask_for(script, REQUEST, read_number) == 5
    second = script.requests[1]
    assert second.messages[:2] == REQUEST.messages
    assert second.messages[2] == Message("assistant", "five")
    assert second.messages[3].role == "user"
    assert "That is no number." in second.messages[3].text
    assert (second.role, second.schema) == (REQUEST.role, REQUEST.schema)


def test_two_unusable_replies_end_it_and_both_reasons_are_told():
    script = Script("five", "", "5")
    with pytest.raises(Unusable, match=r"First reply: That is no number\. Second reply: That is nothing\."):
        ask_for(script, REQUEST, read_number)
    assert len(script.requests) == 2


def test_an_empty_and_an_endless_reply_can_be_shown_again():
    script = Script("", "5")
    ask_for(script, REQUEST, read_number)
    assert script.requests[1].messages[2].text  # providers refuse an empty message
    script = Script("a" * 100_000, "5")
    ask_for(script, REQUEST, read_number)
    assert len(script.requests[1].messages[2].text) == SHOWN


def test_a_cut_reply_is_used_where_it_can_be_read_and_named_where_not():
    assert ask_for(Script(cut('{"text": "half a sent')), REQUEST, read_text) == "half a sent"
    script = Script(cut("<think>and so on and"), '{"text": "x"}')
    assert ask_for(script, REQUEST, read_text) == "x"
    assert "cut off at its greatest length" in script.requests[1].messages[3].text


def test_a_number_that_was_cut_off_is_not_taken_for_the_whole():
    script = Script(cut('{"limit": 12'), '{"limit": 120}')
    assert ask_for(script, REQUEST, read_limit) == 120
    prose = Request("agent", REQUEST.messages)
    assert ask_for(Script(cut("In 2022")), prose, str) == "In 2022"
    assert ask_for(Script('{"limit": 12'), REQUEST, read_limit) == 12  # the end of the reply, and only "}" is missing


@pytest.mark.parametrize("error", [ProviderError("down"), ConfigError("also a ValueError")])
def test_what_asking_raises_passes_through(error: Exception):
    def ask(request: Request) -> Reply:
        raise error

    with pytest.raises(type(error)) as caught:
        ask_for(ask, REQUEST, read_number)
    assert caught.value is error


def read_number(text: str) -> int:
    if not text:
        raise ValueError("That is nothing.")
    if not text.strip().isdigit():
        raise ValueError("That is no number.")
    return int(text)


def read_text(text: str) -> JSON:
    return json_object(text, ("text",))["text"]


def read_limit(text: str) -> int:
    limit = json_object(text, ("limit",))["limit"]
    if not isinstance(limit, int):
        raise ValueError("The limit is no number.")
    return limit
