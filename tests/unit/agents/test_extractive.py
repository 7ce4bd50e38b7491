"""The agent without a model fills any schema the contract allows, the same way every time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolve.agents.base import Agent
from evolve.agents.extractive import ExtractiveAgent
from evolve.types import Episode, Field, Program, Schema

TEXT = """Date: 1:56 pm on 8 May, 2023
Caroline: I adopted a dog called Rex in Porto.
Melanie: Rex is lovely! I ran 12 miles yesterday.
"""
QUESTION = "When did Caroline visit Porto in May 2022?"
TYPES = ["str", "int", "float", "bool", "list[str]", "dict[str, str]"]
PYTHON = {"str": str, "int": int, "float": float, "bool": bool, "list[str]": list, "dict[str, str]": dict}


def program(*fields: Field) -> Program:
    item, query = Schema("KnowledgeItem", fields), Schema("Query", fields)
    return Program(source="", digest="", item=item, query=query, instructions={})


def want(name: str, type: str, description: str = "", *, required: bool = True) -> Field:
    return Field(name=name, type=type, description=description, required=required)


def extract(field: Field, text: str = TEXT) -> object:
    return ExtractiveAgent().extract(program(field), Episode("e1", "s1", text)).get(field.name, "left out")


def formulate(field: Field, question: str = QUESTION) -> object:
    return ExtractiveAgent().formulate(program(field), question).get(field.name, "left out")


def test_is_an_agent():
    agent: Agent = ExtractiveAgent()
    assert agent.name == "extractive"
    assert agent.respond(program(), "Who?", " as read\n") == " as read\n"


@pytest.mark.parametrize(
    ("name", "type", "expected"),
    [
        ("date", "str", "1:56 pm on 8 May, 2023"),
        ("eventTime", "str", "1:56 pm on 8 May, 2023"),
        ("raw_text", "str", TEXT.strip()),
        ("speakers", "str", "Caroline, Melanie, Rex, Porto"),
        ("participants", "list[str]", ["Caroline", "Melanie", "Rex", "Porto"]),
        ("year", "int", 2023),
        ("amount", "float", 12.0),
        ("has_date", "bool", True),
        ("transcript", "list[str]", TEXT.splitlines()[1:]),
    ],
)
def test_item_fields_by_name(name: str, type: str, expected: object):
    assert extract(want(name, type)) == expected


def test_unknown_name_falls_back_to_the_description():
    assert extract(want("x", "str", "When the session took place")) == "1:56 pm on 8 May, 2023"
    assert extract(want("x", "list[str]", "Keywords for search"))[:1] == ["rex"]  # type: ignore[index]


def test_name_goes_before_description():
    assert extract(want("date", "str", "Content of the keyword header")) == "1:56 pm on 8 May, 2023"


def test_bool_looks_for_the_words_of_the_field():
    assert extract(want("mentions_pet", "bool", "Whether a dog or a cat is mentioned")) is True
    assert extract(want("about_money", "bool", "Whether the conversation is about money")) is False


@pytest.mark.parametrize(
    ("name", "type", "expected"),
    [
        ("text", "str", QUESTION),
        ("anything", "str", QUESTION),
        ("keywords", "list[str]", ["caroline", "visit", "porto", "may", "2022"]),
        ("entities", "list[str]", ["Caroline", "Porto"]),
        ("person", "str", "Caroline, Porto"),
        ("dates", "list[str]", ["May 2022"]),
        ("time_range", "Optional[str]", "May 2022"),
        ("year", "Optional[int]", 2022),
        ("top_k", "int", 10),
    ],
)
def test_query_fields_by_name(name: str, type: str, expected: object):
    assert formulate(want(name, type)) == expected


def test_limit_with_a_default_is_left_to_the_program():
    assert formulate(want("limit", "int", required=False)) == "left out"


def test_nothing_found_is_none_where_optional_empty_where_required_and_left_out_where_defaulted():
    assert extract(want("date", "Optional[str]"), "no day named") is None
    assert extract(want("date", "str"), "no day named") == ""
    assert extract(want("date", "str", required=False), "no day named") == "left out"
    assert formulate(want("people", "list[str]"), "who was it") == []


@pytest.mark.parametrize(
    "text", ["", "\n\n", "Date:", "x", "??? !!!", "\0", "日本語のテキスト。二番目。", ": : :", "A:" * 500]
)
@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("name", ["date", "people", "keywords", "k", "facts", "summary", "raw", "zq"])
def test_every_type_is_filled_whatever_the_text(name: str, type: str, text: str):
    for found in (extract(want(name, type), text), formulate(want(name, type), text)):
        assert isinstance(found, PYTHON[type])
        if isinstance(found, list):
            assert all(isinstance(part, str) for part in found)


@given(
    text=st.text(max_size=300),
    type=st.sampled_from(TYPES),
    name=st.sampled_from(["date", "name", "tags", "facts", "q"]),
)
def test_same_text_gives_the_same_item_and_callers_cannot_change_the_next(text: str, type: str, name: str):
    first = extract(want(name, type), text)
    copy = list(first) if isinstance(first, list) else dict(first) if isinstance(first, dict) else first
    if isinstance(first, list | dict):
        first.clear()
    assert extract(want(name, type), text) == copy
