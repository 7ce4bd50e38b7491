"""The writes of a scope as JSON lines: how they leave a memory, and how they are checked before they enter one."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evolve.harness.calls import REFUSED
from evolve.harness.checks import fields_of, text_of
from evolve.harness.errors import BadInput, FolderError, HarnessError
from evolve.harness.log import Entry, Reply
from evolve.types import JSON, Schema

_KEYS = ("text", "item", "source", "when", "replies")
_REPLY = ("kind", "asked", "value")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a file: a write as it is to be made again."""

    where: str
    """File and line, for errors."""
    text: str
    item: Mapping[str, JSON]
    source: str
    when: str
    replies: tuple[Reply, ...]

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Have an error say which line it is about."""
        try:
            yield
        except HarnessError as error:
            raise type(error)(f"{self.where}: {error} Nothing was imported.") from None


def save(entries: Iterable[Entry], path: Path) -> int:
    """Write a file of JSON lines, whole or not at all, and return how many. Raises FolderError."""
    made = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    count = 0
    try:
        with made.open("w", encoding="utf-8") as file:
            for entry in entries:
                line = {"text": entry.text, "item": dict(entry.item), "source": entry.source, "when": entry.when}
                file.write(json.dumps({**line, "replies": [asdict(each) for each in entry.replies]}) + "\n")
                count += 1
            file.flush()
            os.fsync(file.fileno())
        made.replace(path)
    except OSError as error:
        made.unlink(missing_ok=True)
        raise FolderError(f"{path} cannot be written ({_reason(error)}): give a path where it can be.") from None
    return count


def load(path: Path, item: Schema) -> list[Row]:
    """Read a file that `save` wrote, or anybody. Raises BadInput, which says which line is wrong; FolderError."""
    try:
        with path.open("rb") as file:
            numbered = enumerate(file, 1)
            return [_row(line, f"{path.name}, line {number}", item) for number, line in numbered if line.strip()]
    except OSError as error:
        raise FolderError(f"{path} cannot be read ({_reason(error)}): give the path of a file of JSON lines.") from None


def _row(line: bytes, where: str, item: Schema) -> Row:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise BadInput(f"{where}: {error}; expected a JSON object a line. Nothing was imported.") from None
    try:
        if not isinstance(found, dict) or not set(found) <= set(_KEYS):
            raise BadInput(f"expected an object with {', '.join(_KEYS)}.")
        return Row(
            where=where,
            text=text_of("text", found.get("text"), blank="give what is to be remembered"),
            item=fields_of("item", item, found.get("item")),
            source=text_of("source", found.get("source", "")),
            when=text_of("when", found.get("when", "")),
            replies=tuple(_reply(each) for each in _listed(found.get("replies", []))),
        )
    except BadInput as error:
        raise BadInput(f"{where}: {error} Nothing was imported.") from None


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise BadInput("replies is no list; expected a list of objects.")
    return value


def _reply(value: Any) -> Reply:
    if not isinstance(value, dict) or set(value) != set(_REPLY) or not isinstance(value["asked"], str):
        raise BadInput(f"a reply is not an object with {', '.join(_REPLY)}.")
    if not _fits(value["kind"], value["value"]):
        raise BadInput("a reply is neither a text of the kind llm nor a vector of the kind embed.")
    return Reply(value["kind"], text_of("asked", value["asked"]), value["value"])


def _fits(kind: Any, value: Any) -> bool:
    """Return whether a value is what a program's call of this kind may have got."""
    if kind == "embed":
        return isinstance(value, list) and all(isinstance(each, int | float) for each in value)
    if isinstance(value, dict) and set(value) == {REFUSED}:
        value = value[REFUSED]
    return bool(kind == "llm" and text_of("a reply", value) == value)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
