"""What both SDKs have in common, where no server is needed to see it."""

from __future__ import annotations

import pytest

from evolve.models.base import Message
from evolve.models.schemas import is_strict, with_schema
from evolve.models.sdk import tokens_in

LEAF = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (LEAF, True),
        ({**LEAF, "required": []}, False),
        ({**LEAF, "additionalProperties": True}, False),
        ({"type": "object"}, False),
        ({"type": "object", "additionalProperties": False}, True),
        ({**LEAF, "properties": {"a": {"type": "array", "items": LEAF}}}, True),
        ({**LEAF, "properties": {"a": {"type": "array", "items": {"type": "object"}}}}, False),
        ({**LEAF, "properties": {"a": {"anyOf": [{"type": "null"}, {"type": "object"}]}}}, False),
        ({**LEAF, "$defs": {"b": {"type": "object"}}}, False),
        # A property may have any name, that of a word of JSON Schema too.
        ({**LEAF, "properties": {"type": {"type": "string"}}, "required": ["type"]}, True),
        ({**LEAF, "properties": {"properties": {"type": "string"}}, "required": ["properties"]}, True),
    ],
)
def test_strict_schemas_are_told_apart(schema: dict[str, object], strict: bool) -> None:
    assert is_strict(schema) is strict


def test_the_schema_goes_to_the_end_of_the_last_user_message() -> None:
    messages = [Message("user", "One."), Message("user", "Two.", constant=True), Message("assistant", "Three.")]
    changed = with_schema(messages, LEAF)
    assert [changed[0], changed[2]] == [messages[0], messages[2]]
    assert changed[1].text.startswith("Two.\n\nAnswer with one JSON object")
    assert changed[1].constant
    alone = with_schema([Message("system", "Rules.")], LEAF)
    assert [message.role for message in alone] == ["system", "user"]


def test_tokens_are_rounded_up_for_each_text() -> None:
    assert tokens_in("", "a", "abcd", "abcde") == 0 + 1 + 1 + 2
