"""Schemas that providers take, and values of the declared types out of replies: every coercion and every refusal."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolve.agents.structured import described, json_schema, parse
from evolve.types import JSON, Field, Schema

LARGEST = 2**63 - 1
KINDS = ["str", "int", "float", "bool", "list[str]", "dict[str, str]"]


def schema(*fields: Field) -> Schema:
    return Schema("KnowledgeItem", fields)


def one(type: str, *, required: bool = True) -> Schema:
    return schema(Field("x", type, "", required))


def test_every_key_is_required_and_what_may_be_left_out_is_nullable():
    made = json_schema(
        schema(
            Field("title", "str", "What it is about", required=True),
            Field("year", "Optional[int]", "", required=True),
            Field("tags", "list[str]", "", required=False),
        )
    )
    assert made == {
        "type": "object",
        "properties": {
            "title": {"type": "string", "description": "What it is about"},
            "year": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "tags": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]},
        },
        "required": ["title", "year", "tags"],
        "additionalProperties": False,
    }


def test_free_keys_stay_free():
    properties = json_schema(one("dict[str, str]"))["properties"]
    assert properties == {"x": {"type": "object", "additionalProperties": {"type": "string"}}}


def test_schemas_do_not_share_what_a_provider_may_change():
    changed = json_schema(one("Optional[str]"))
    assert changed != json_schema(one("str"))
    assert json_schema(one("str"))["properties"] == {"x": {"type": "string"}}


def test_fields_are_described_a_line_each():
    fields = schema(
        Field("title", "str", "What it\n  is about", required=True),
        Field("tags", "Optional[list[str]]", "", required=True),
    )
    assert described(fields) == '- "title": a string. What it is about\n- "tags": a list of strings or null'


@pytest.mark.parametrize(
    ("type", "given", "expected"),
    [
        ("str", "x", "x"),
        ("str", "", ""),
        ("str", 3, "3"),
        ("str", 2.5, "2.5"),
        ("str", ["only"], "only"),
        ("str", "a\ud800b", "a\ufffdb"),
        ("int", 3, 3),
        ("int", "3", 3),
        ("int", " -3.0 ", -3),
        ("int", 3.0, 3),
        ("int", LARGEST, LARGEST),
        ("float", 2, 2.0),
        ("float", "2.5", 2.5),
        ("bool", False, False),
        ("bool", "Yes", True),
        ("bool", "false", False),
        ("bool", 1, True),
        ("bool", 0, False),
        ("list[str]", ["a", "b"], ["a", "b"]),
        ("list[str]", "a, b", ["a, b"]),
        ("list[str]", " ", []),
        ("list[str]", [], []),
        ("list[str]", ["a", 2, None], ["a", "2"]),
        ("dict[str, str]", {"a": "b", "n": 2, "gone": None}, {"a": "b", "n": "2"}),
        ("Optional[int]", "3", 3),
        ("Optional[int]", None, None),
    ],
)
def test_a_value_that_can_mean_one_thing_is_taken(type: str, given: JSON, expected: JSON):
    found = parse(one(type), json.dumps({"x": given}))["x"]
    assert found == expected
    assert found.__class__ is expected.__class__


@pytest.mark.parametrize(
    ("type", "given", "shown"),
    [
        ("str", True, "true"),
        ("str", ["a", "b"], '["a", "b"]'),
        ("str", {"date": 1}, "an object"),
        ("str", ["a" * 40, "b" * 40], "a list"),
        ("int", "three", '"three"'),
        ("int", "1,000", '"1,000"'),
        ("int", 2.5, "2.5"),
        ("int", True, "true"),
        ("int", LARGEST + 1, str(LARGEST + 1)),
        ("int", [3], "[3]"),
        ("float", "many", '"many"'),
        ("float", "inf", '"inf"'),
        ("float", float("nan"), "NaN"),
        ("float", 10**400, "1000"),
        ("float", True, "true"),
        ("bool", "maybe", '"maybe"'),
        ("bool", 2, "2"),
        ("list[str]", {"a": "b"}, "an object"),
        ("list[str]", 3, "3"),
        ("list[str]", [{"type": "story"}], '[{"type": "story"}]'),
        ("dict[str, str]", ["a"], '["a"]'),
        ("dict[str, str]", {"a": ["b", "c"]}, "an object"),
        ("Optional[int]", "three", '"three"'),
    ],
)
def test_a_value_that_can_mean_several_things_is_refused(type: str, given: JSON, shown: str):
    with pytest.raises(ValueError, match=r'^The field "x" is .*; it must be [a-z ]+\.$') as caught:
        parse(one(type), json.dumps({"x": given}))
    assert shown in str(caught.value)
    assert len(str(caught.value)) < 140


@pytest.mark.parametrize("type", KINDS)
def test_a_missing_field_is_refused_unless_it_may_be_missing(type: str):
    with pytest.raises(ValueError, match='"x" is missing'):
        parse(one(type), '{"y": 1}')
    with pytest.raises(ValueError, match='"x" is null'):
        parse(one(type), '{"x": null}')
    for text in ("{}", '{"x": null}'):
        assert parse(one(type, required=False), text) == {}
        assert parse(one(f"Optional[{type}]", required=False), text) == {}
        assert parse(one(f"Optional[{type}]"), text) == {"x": None}


def test_unknown_keys_are_dropped():
    assert parse(one("str"), '{"x": "a", "confidence": 0.9}') == {"x": "a"}


@pytest.mark.parametrize("reply", ['{"x": 7:55}', '{"x": "7:55"', "```json\n{'x': '7:55'}\n```"])
def test_broken_replies_are_repaired_before_their_values_are_read(reply: str):
    assert parse(one("str"), reply) == {"x": "7:55"}


clean = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30)
typed = {
    "str": clean,
    "int": st.integers(-LARGEST, LARGEST),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "bool": st.booleans(),
    "list[str]": st.lists(clean, max_size=4),
    "dict[str, str]": st.dictionaries(clean, clean, max_size=4),
}


@st.composite
def filled(draw: st.DrawFn) -> tuple[Schema, dict[str, JSON]]:
    fields = []
    values: dict[str, JSON] = {}
    for name in draw(st.lists(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), min_size=1, max_size=5, unique=True)):
        kind, optional, required = draw(st.sampled_from(KINDS)), draw(st.booleans()), draw(st.booleans())
        fields.append(Field(name, f"Optional[{kind}]" if optional else kind, "", required))
        if optional and required and draw(st.booleans()):
            values[name] = None
        elif required or draw(st.booleans()):
            values[name] = draw(typed[kind])
    return schema(*fields), values


@given(filled(), st.booleans())
def test_valid_objects_survive(made: tuple[Schema, dict[str, JSON]], ascii: bool):
    fields, values = made
    nulls = {field.name: None for field in fields.fields if field.name not in values}
    for sent in (values, {**values, **nulls}):
        assert parse(fields, f"Here you are:\n```json\n{json.dumps(sent, ensure_ascii=ascii)}\n```") == values


@given(filled(), st.integers(0, 200))
def test_any_cut_gives_values_of_the_declared_types_or_is_refused(made: tuple[Schema, dict[str, JSON]], end: int):
    fields, values = made
    python = {"str": str, "int": int, "float": float, "bool": bool, "list[str]": list, "dict[str, str]": dict}
    try:
        found = parse(fields, json.dumps(values)[:end])
    except ValueError:
        return
    for field in fields.fields:
        kind = field.type.removeprefix("Optional[").removesuffix("]" if field.type.startswith("Optional[") else "")
        value = found.get(field.name)
        assert value.__class__ is python[kind] or (value is None and (field.type != kind or not field.required))
