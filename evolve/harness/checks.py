"""What a caller may hand to a memory: checked at the door, so that an error names the argument and not a stack."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from evolve.harness.errors import BadInput
from evolve.types import JSON, Schema

_SURROGATE = re.compile("[\ud800-\udfff]")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


def text_of(name: str, value: object, *, blank: str = "") -> str:
    """Return an argument that must be a text; `blank` says what to do where it has no word, "" that it may have none.

    Raises:
        BadInput: it is no str, has none but white space, or half a character, which no file can hold.
    """
    if isinstance(value, bytes | bytearray):
        raise BadInput(f"{name} is bytes; decode them first, as in value.decode('utf-8').")
    if not isinstance(value, str):
        raise BadInput(f"{name} is {_shown(value)}; give a str.")
    if blank and not value.strip():
        raise BadInput(f"{name} is {'empty' if not value else 'blank'}; {blank}.")
    if half := _SURROGATE.search(value):
        raise BadInput(
            f"{name} has half a character (a lone surrogate) at position {half.start()}; replace it, as in "
            "value.encode('utf-8', 'replace').decode('utf-8')."
        )
    return value


def when_of(value: object) -> str:
    """Return when an episode took place in the words of the built-in tasks: "1:56 pm on 8 May, 2023"; "" for None.

    A str is taken as ISO 8601 where it is that, else as it is written. Raises BadInput.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        written = text_of("when", value, blank="give a date, or None").strip()
        if len(written.splitlines()) > 1:
            raise BadInput(f"when is {_shown(value)}; give a date of one line.")
        try:
            value = datetime.fromisoformat(written)
        except ValueError:
            return written
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if not isinstance(value, datetime):
        raise BadInput(f"when is {_shown(value)}; give a datetime, a date or a str.")
    hour, half = value.hour % 12 or 12, "am" if value.hour < 12 else "pm"
    return f"{hour}:{value.minute:02} {half} on {value.day} {_MONTHS[value.month - 1]}, {value.year}"


def dated(text: str, when: str) -> str:
    """Return an episode's text as agent and program see it: below the line of its date, where it has one."""
    return f"Date: {when}\n{text}" if when else text


def fields_of(name: str, schema: Schema, given: object) -> dict[str, JSON]:
    """Return the fields of a `KnowledgeItem` or a `Query` that the caller filled. Raises BadInput."""
    if not isinstance(given, Mapping):
        raise BadInput(f"{name} is {_shown(given)}; give a dict with the fields {_names(schema)}.")
    fields = {field.name: field for field in schema.fields}
    for key in given:
        if key not in fields:
            raise BadInput(f"{name} has the field {_shown(key)}; {schema.name} has the fields {_names(schema)}.")
    for field in schema.fields:
        if field.required and field.name not in given:
            raise BadInput(f"{name} has no field {field.name!r}; {schema.name} needs it, of the type {field.type}.")
        if field.name in given and not _fits(field.type, given[field.name]):
            raise BadInput(f"{name}[{field.name!r}] is {_shown(given[field.name])}; give a {field.type}.")
    return dict(given)


def _fits(kind: str, value: Any) -> bool:
    """Return whether a value is of a field's type; a whole number is a float, too."""
    if kind.startswith("Optional["):
        return value is None or _fits(kind.removeprefix("Optional[").removesuffix("]"), value)
    if kind == "str":
        return isinstance(value, str) and not _SURROGATE.search(value)
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "int":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "float":
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if kind == "list[str]":
        return isinstance(value, list) and all(_fits("str", each) for each in value)
    return isinstance(value, dict) and all(_fits("str", each) for pair in value.items() for each in pair)


def _names(schema: Schema) -> str:
    return ", ".join(f"{field.name} ({field.type})" for field in schema.fields) or "(none)"


def _shown(value: object) -> str:
    shown = ascii(value)
    return f"{shown if len(shown) <= 60 else shown[:57] + '...'} ({type(value).__name__})"
