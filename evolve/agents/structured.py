"""The objects that the task agent's model fills: their JSON Schema, and values of the declared types from a reply.

A model that was asked for JSON may still write "3" for 3, one string for a list of one, or null for "nothing to say".
Where only one value can be meant it is taken; all else is refused with a sentence that the model can act on.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable

from evolve.models.replies import json_object
from evolve.types import JSON, Field, Schema

_PLAIN: dict[str, dict[str, JSON]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "list[str]": {"type": "array", "items": {"type": "string"}},
    "dict[str, str]": {"type": "object", "additionalProperties": {"type": "string"}},
}
_WORDS = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list[str]": "a list of strings",
    "dict[str, str]": "an object whose values are strings",
}
_TRUTHS: dict[str, bool] = {"true": True, "yes": True, "false": False, "no": False}
_WHOLE = re.compile(r"[-+]?\d{1,19}(?:\.0+)?")
_LARGEST = 2**63 - 1  # what SQLite takes, and a program may want to store it
_SURROGATE = re.compile("[\ud800-\udfff]")


def json_schema(schema: Schema) -> dict[str, JSON]:
    """Return the JSON Schema of the object: every field required, those that may be left out nullable.

    OpenAI's strict mode takes it, except where a field is a dict[str, str]: an object with free keys is never strict.
    """
    properties: dict[str, JSON] = {}
    for field in schema.fields:
        kind, nullable = _kind(field)
        shape = dict(_PLAIN[kind])
        if nullable or not field.required:
            shape = {"anyOf": [shape, {"type": "null"}]}
        if field.description:
            shape["description"] = field.description
        properties[field.name] = shape
    return {
        "type": "object",
        "properties": properties,
        "required": [field.name for field in schema.fields],
        "additionalProperties": False,
    }


def described(schema: Schema) -> str:
    """Return the fields as a list for a prompt, a line each: name, type, whether it may be null, description."""
    lines = []
    for field in schema.fields:
        kind, nullable = _kind(field)
        null = " or null" if nullable or not field.required else ""
        about = " ".join(field.description.split())
        lines.append(f'- "{field.name}": {_WORDS[kind]}{null}' + (f". {about}" if about else ""))
    return "\n".join(lines)


def parse(schema: Schema, text: str) -> dict[str, JSON]:
    """Return the fields' values from a reply; unknown keys are dropped, and fields left at their default are absent.

    Raises:
        ValueError: no object in the text, a field that is missing or of another type; the message is one sentence.
    """
    found = json_object(text, [field.name for field in schema.fields])
    values: dict[str, JSON] = {}
    for field in schema.fields:
        kind, nullable = _kind(field)
        given = found.get(field.name)
        if given is not None:
            values[field.name] = _value(field, kind, given)
        elif field.required and nullable:
            values[field.name] = None
        elif field.required:
            missing = "is null" if field.name in found else "is missing"
            raise ValueError(f'The field "{field.name}" {missing}; it must be {_WORDS[kind]}.')
    return values


def _kind(field: Field) -> tuple[str, bool]:
    """Return the type without Optional, and whether it had one."""
    if field.type.startswith("Optional["):
        return field.type.removeprefix("Optional[").removesuffix("]"), True
    return field.type, False


def _value(field: Field, kind: str, given: JSON) -> JSON:
    try:
        return _READ[kind](given)
    except ValueError:
        raise ValueError(f'The field "{field.name}" is {_shown(given)}; it must be {_WORDS[kind]}.') from None


def _shown(given: JSON) -> str:
    if isinstance(given, dict):
        return "an object"
    shown = json.dumps(given, ensure_ascii=False)
    if len(shown) > 60:
        return "a list" if isinstance(given, list) else f"{shown[:57]}..."
    return shown


def _text(given: JSON) -> str:
    match given:
        case str():
            return _SURROGATE.sub("\ufffd", given)  # half a character cannot be stored or sent
        case bool():
            raise ValueError
        case int() | float() if math.isfinite(given):
            return json.dumps(given)
        case [only]:
            return _text(only)
    raise ValueError


def _whole(given: JSON) -> int:
    match given:
        case bool():
            raise ValueError
        case str() if _WHOLE.fullmatch(given.strip()):
            number = int(given.strip().partition(".")[0])
        case float() if given.is_integer():
            number = int(given)
        case int():
            number = given
        case _:
            raise ValueError
    if abs(number) > _LARGEST:
        raise ValueError
    return number


def _number(given: JSON) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        raise ValueError
    try:
        number = float(given)
    except OverflowError:
        raise ValueError from None
    if not math.isfinite(number):
        raise ValueError
    return number


def _truth(given: JSON) -> bool:
    match given:
        case bool():
            return given
        case 0 | 1:
            return bool(given)
        case str() if given.strip().lower() in _TRUTHS:
            return _TRUTHS[given.strip().lower()]
    raise ValueError


def _strings(given: JSON) -> list[JSON]:
    if isinstance(given, str):
        given = [given] if given.strip() else []
    if not isinstance(given, list):
        raise ValueError
    return [_text(item) for item in given if item is not None]


def _mapping(given: JSON) -> dict[str, JSON]:
    if not isinstance(given, dict):
        raise ValueError
    return {_text(key): _text(value) for key, value in given.items() if value is not None}


_READ: dict[str, Callable[[JSON], JSON]] = {
    "str": _text,
    "int": _whole,
    "float": _number,
    "bool": _truth,
    "list[str]": _strings,
    "dict[str, str]": _mapping,
}
