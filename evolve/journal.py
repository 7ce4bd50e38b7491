"""The truth of a run: one JSON line per event, on disk before anything depends on it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from evolve.errors import RunFolderError
from evolve.events import AttemptStarted, Event, RunStarted

if TYPE_CHECKING:
    from pydantic import TypeAdapter

VERSION = 1
BLOCK = 1 << 16
"""Bytes that are read at a time when the end of the last whole line is looked for."""


class Journal:
    """An append-only file of events. One writer; a torn last line is cut off before the first append."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def read(self) -> Iterator[Event]:
        """Yield the events in order; a torn last line is not an event. Raises RunFolderError for any other bad line."""
        if not self.path.exists():
            return
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n"):
                    return  # torn: the driver was killed while writing it
                yield self._parse(number, line)

    def append(self, event: Event) -> None:
        """Write the event and wait until the disk has it. Raises RunFolderError where it cannot be written.

        The beginning of an attempt is not waited for: where a power cut loses it, the attempt is done again anyway.
        """
        line = json.dumps(asdict(event), ensure_ascii=False, allow_nan=False).encode("utf-8", "replace") + b"\n"
        try:
            if self._file is None:
                self._file = self._open()
            before = os.fstat(self._file).st_size
            written = 0
            try:
                while written < len(line):
                    written += os.write(self._file, line[written:])
                if not isinstance(event, AttemptStarted):
                    os.fsync(self._file)
            except OSError:
                os.ftruncate(self._file, before)
                raise
        except OSError as error:
            raise RunFolderError(
                f"{self.path} cannot be written ({error.strerror}); "
                "make room or permit it, then run the same command again."
            ) from None

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> int:
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        if (end := _end_of_lines(file)) < os.fstat(file).st_size:
            os.ftruncate(file, end)
        return file

    def _parse(self, number: int, line: bytes) -> Event:
        from pydantic import ValidationError

        try:
            event: Event = _adapter().validate_json(line)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            where = f"line {number}, {field}" if field else f"line {number}"
            raise RunFolderError(f"{self.path}, {where}: {first['msg']}.") from None
        if isinstance(event, RunStarted) and event.version != VERSION:
            raise RunFolderError(
                f"{self.path} has format {event.version}, this evolve reads {VERSION}; use the evolve that wrote it."
            )
        return event


def _end_of_lines(file: int) -> int:
    """Return where the last whole line of the file ends: it is looked for from the end on, for files grow large."""
    end = os.fstat(file).st_size
    while end:
        begin = max(0, end - BLOCK)
        last = os.pread(file, end - begin, begin).rfind(b"\n")
        if last >= 0:
            return begin + last + 1
        end = begin
    return 0


def canonical(event: Event) -> dict[str, Any]:
    """Return the event without its clock, and the commit that the clock is part of: equal where the same was done."""
    return {name: value for name, value in asdict(event).items() if name not in ("clock", "commit")}


@cache
def _adapter() -> TypeAdapter[Any]:
    from pydantic import Field, TypeAdapter

    return TypeAdapter(Annotated[Event, Field(discriminator="type")])
