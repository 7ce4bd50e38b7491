"""What is wrong with a configuration, in one line."""

from __future__ import annotations

import difflib
from typing import get_args

from pydantic import BaseModel, ValidationError


def one_line(error: ValidationError, root: type[BaseModel]) -> str:
    """Return the first thing that is wrong with a table that `root` describes, with the key and the good ones."""
    # What may be a word or a table fails as both, and what is wrong with the table says more; a misspelt key is also a
    # missing one, and its own name says more.
    found = error.errors(include_url=False)
    tables = [each for each in found if not any("literal[" in str(part) for part in each["loc"])] or found
    first = next((each for each in tables if each["type"] == "extra_forbidden"), tables[0])
    # Where a key may be a value or a table, pydantic puts the name of the table's class between the keys.
    where = [str(part) for part in first["loc"] if not str(part)[:1].isupper()]
    key = ".".join(where)
    if first["type"] == "extra_forbidden":
        good = _keys_of(root, where[:-1])
        close = difflib.get_close_matches(where[-1], good, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        return f"unknown key {key!r}; {hint}The keys there are {', '.join(good)}."
    if first["type"] == "missing":
        return f"key {key!r} is missing; `evolve check CONFIG` shows what a configuration needs."
    return f"{key} = {first['input']!r}: {first['msg'][:1].lower()}{first['msg'][1:]}."


def _keys_of(model: type[BaseModel], path: list[str]) -> list[str]:
    for part in path:
        inner = model.model_fields[part].annotation if part in model.model_fields else None
        tables = _tables(inner)
        if not tables:
            return []
        model = tables[0]
    return list(model.model_fields)


def _tables(annotation: object) -> list[type[BaseModel]]:
    """The tables that a key may hold, out of unions and annotations."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [table for part in get_args(annotation) for table in _tables(part)]
