"""What any model is told of the JSON that its answer must be, and which schemas strict modes take."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from evolve.models.base import Message
from evolve.types import JSON


def with_schema(messages: Sequence[Message], schema: Mapping[str, JSON]) -> list[Message]:
    """Return the messages with the schema of the answer at the end of the last one of the user."""
    wish = (
        "Answer with one JSON object and nothing else, without a code fence. It fits this JSON Schema:\n"
        f"{json.dumps(schema, ensure_ascii=False)}"
    )
    last = max((at for at, message in enumerate(messages) if message.role == "user"), default=None)
    if last is None:
        return [*messages, Message("user", wish)]
    changed = replace(messages[last], text=f"{messages[last].text}\n\n{wish}")
    return [*messages[:last], changed, *messages[last + 1 :]]


def is_strict(schema: JSON | Mapping[str, JSON]) -> bool:
    """Whether every object in a schema lists all its keys as required and forbids others: what strict modes ask for."""
    if isinstance(schema, Sequence) and not isinstance(schema, str):
        return all(is_strict(each) for each in schema)
    if not isinstance(schema, Mapping):
        return True
    given = schema.get("properties")
    properties = given if isinstance(given, Mapping) else {}
    if schema.get("type") == "object" or properties:
        required = schema.get("required")
        listed = set(map(str, required)) if isinstance(required, Sequence) else set()
        if schema.get("additionalProperties") is not False or set(properties) != listed:
            return False
    # Names of properties are not words of the schema: only their values are looked into.
    words = [value for word, value in schema.items() if word != "properties"]
    return all(is_strict(each) for each in (*properties.values(), *words))
