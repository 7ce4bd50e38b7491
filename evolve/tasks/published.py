"""Files of a benchmark's published shape: which one is meant, and its records, whether it is compressed or not."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from evolve.errors import DataError, PrerequisiteError
from evolve.tasks.data import Source, data_file, data_folder
from evolve.types import JSON

CHUNK_CHARS = 1 << 22
"""Read at a time; the largest records known are about 6 MB."""
Record = dict[str, JSON]
_BETWEEN = re.compile(r"[\s,]*")


def find_file(given: str, published: Mapping[str, Source], *, task: str, option: str = "file") -> Path:
    """Return the file that an option means: the name of a published file, or a path.

    A published file is downloaded once if needed; where the data folder has it compressed (.gz), that is taken. A path
    is absolute, or below the data folder, or below the working folder. Raises `PrerequisiteError` for what is not
    there.
    """
    if given in published:
        return _published(published[given], option=option)
    path = Path(given).expanduser()
    for place in (data_folder() / path, path):
        if place.is_file():
            return place
    raise PrerequisiteError(
        f"Task {task!r}, option {option!r}: there is no file {given!r}, neither in {data_folder()} (EVOLVE_DATA) nor "
        f"in the working folder; good values: {', '.join(published)}, or the path of a file of the same shape."
    )


def read_records(path: Path) -> Iterator[Record]:
    """Yield the objects of a JSON list one at a time, so that a file of gigabytes needs no more memory than a record.

    Raises `DataError` for anything else, with the record's number.
    """
    number = 0
    for number, value in enumerate(_values(path), start=1):
        if not isinstance(value, dict):
            raise wrong(f"{path.name}, record {number}", "record", value, "an object")
        yield value
    if not number:
        raise DataError(f"{path.name}: found an empty list, expected at least one record.")


def read_object(path: Path) -> Record:
    """Return the one JSON object in a file; raises `DataError`."""
    try:
        with _open(path) as file:
            content = json.load(file)
    except (ValueError, EOFError, OSError, RecursionError) as error:
        raise DataError(f"{path.name}: not JSON in UTF-8: {error}.") from None
    if not isinstance(content, dict):
        raise DataError(f"{path.name}: found {_shown(content)}, expected an object.")
    return content


def text_of(record: Mapping[str, JSON], field: str, *, where: str) -> str:
    """Return a field that must hold some text; raises `DataError`."""
    value = record.get(field)
    if not isinstance(value, str) or not value.strip():
        raise wrong(where, field, value, "a string that is not empty")
    return value


def list_of(record: Mapping[str, JSON], field: str, *, where: str) -> list[JSON]:
    """Return a field that must hold a list; raises `DataError`."""
    value = record.get(field)
    if not isinstance(value, list):
        raise wrong(where, field, value, "a list")
    return value


def wrong(where: str, field: str, found: object, expected: str) -> DataError:
    """Return the error of a malformed field."""
    return DataError(f"{where}, field {field!r}: found {_shown(found)}, expected {expected}.")


def _published(source: Source, *, option: str) -> Path:
    packed = data_folder() / f"{source.path}.gz"
    if packed.is_file() and not (data_folder() / source.path).is_file():
        with gzip.open(packed) as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == source.sha256:
                return packed
    try:
        return data_file(source)
    except PrerequisiteError as error:
        other = f"task_options.{option} = PATH reads another file of the same shape"
        raise PrerequisiteError(f"{str(error).rstrip('.')}; or {other}.") from None


def _values(path: Path) -> Iterator[JSON]:
    """Yield what a JSON list holds, with no more of the file in memory than a chunk and a value."""
    decoder, buffer, at, begun = json.JSONDecoder(), "", 0, False
    try:
        with _open(path) as file:
            while True:
                at = _BETWEEN.match(buffer, at).end()  # type: ignore[union-attr]  # it matches nothing at all as well
                if not begun and at < len(buffer):
                    if buffer[at] != "[":
                        raise DataError(f"{path.name}: found {buffer[at : at + 40]!r}, expected a list of records.")
                    at, begun = at + 1, True
                elif buffer.startswith("]", at):
                    return
                else:
                    try:
                        value, at = decoder.raw_decode(buffer, at)
                    except json.JSONDecodeError:
                        if not (more := file.read(CHUNK_CHARS)):
                            raise
                        buffer, at = buffer[at:] + more, 0
                    else:
                        yield value
    except (ValueError, EOFError, OSError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path.name}: not a JSON list in UTF-8: {error}.") from None


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig")
    return path.open(encoding="utf-8-sig")


def _shown(value: object) -> str:
    return "nothing" if value is None else repr(value)[:60]
