"""Snapshots: what a program holds after so many writes, so that opening need not make all of them again.

A snapshot is a pickle of the program's own object, its database and its collections. It is no archive: the log has all
that it has, and one that does not fit is left alone. Unpickling runs code, so a memory's folder is trusted as the
program's code is.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import json
import os
import pickle
import platform
import sqlite3
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from evolve.harness.errors import FolderError
from evolve.types import JSON

FORMAT = 1
BATCH = 2_000
"""Records that go into a collection at a time."""
_EMBEDDING = "toolkit"
"""Name of the toolkit's embedding function, which a collection has where the program names no other."""
_LOCKS = {type(threading.Lock()): threading.Lock, type(threading.RLock()): threading.RLock}
_SETTINGS = ("foreign_keys", "recursive_triggers", "ignore_check_constraints", "reverse_unordered_selects")
"""Of a connection, which a program may have changed and the database does not hold."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A snapshot that was taken."""

    seq: int
    """The last write that is in it."""
    generation: int
    """Of the log, when it was taken."""
    data: bytes


class Snapshots:
    """The snapshot of one scope: a file, which the next one replaces."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "snapshot"

    def save(self, data: bytes, *, seq: int, generation: int) -> None:
        """Keep this one, whole or not at all. Where the disk is full there is none: it only takes longer to open."""
        about = {"seq": seq, "generation": generation, "sha256": hashlib.sha256(data).hexdigest()}
        draft = self.path.with_name(f".snapshot-{uuid.uuid4().hex}")
        try:
            with draft.open("wb") as file:
                file.write(json.dumps(about).encode() + b"\n")
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
            _sync(self.path.parent)
        except OSError:
            with suppress(OSError):
                draft.unlink(missing_ok=True)

    def load(self) -> Saved | None:
        """Return the snapshot; None where there is none, or it is damaged."""
        try:
            head, _, data = self.path.read_bytes().partition(b"\n")
            about = json.loads(head)
            if hashlib.sha256(data).hexdigest() != about["sha256"]:
                return None
            return Saved(int(about["seq"]), int(about["generation"]), data)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def clear(self) -> None:
        """Remove it, and drafts of a process that was killed. Raises FolderError."""
        try:
            for path in (self.path, *self.path.parent.glob(".snapshot-*")):
                path.unlink(missing_ok=True)
            _sync(self.path.parent)
        except OSError as error:
            raise FolderError(f"{self.path} cannot be removed ({error.strerror}): permit it, and try again.") from None

    def size(self) -> int:
        """Return its bytes, 0 where there is none."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0


def key(digest: str) -> str:
    """Return what a snapshot of this program depends on besides the program: another key, no snapshot."""
    versions = [f"python {platform.python_version()}"]
    for package in ("numpy", "chromadb"):
        with suppress(importlib.metadata.PackageNotFoundError):
            versions.append(f"{package} {importlib.metadata.version(package)}")
    return " ".join([digest, str(FORMAT), *versions])


def dump(base: object, toolkit: Any, *, key: str) -> bytes | None:
    """Return the snapshot of a KnowledgeBase and its toolkit's stores; None where something of it cannot be taken."""
    try:
        database = _of_database(toolkit.db)
        collections = _of_collections(toolkit)
        if database is None or collections is None:
            return None
        held = io.BytesIO()
        _Pickler(held, toolkit).dump((base, _of_connection(toolkit.db)))
        return pickle.dumps((key, database, collections, toolkit._dimensions, held.getvalue()), protocol=5)
    except Exception:  # pickle raises whatever an object's own methods raise
        return None


def restore(data: bytes, *, toolkit: Any, module: ModuleType, key: str) -> Any:
    """Return the KnowledgeBase that a snapshot was taken of, on a new toolkit. Raises FolderError for another key.

    `module` is the program's, which is to be found under its name meanwhile: classes are looked up there.
    """
    taken, *kept = pickle.loads(data)
    if taken != key:
        raise FolderError(f"the snapshot was taken by {taken!r}, this is {key!r}: it is made again from the log.")
    database, collections, toolkit._dimensions, held = kept
    if database:
        toolkit.db.deserialize(database)
    for each in collections:
        _fill(toolkit, each)
    base, connection = _Unpickler(io.BytesIO(held), toolkit).load()
    _connect(toolkit.db, connection)
    return base


class _Pickler(pickle.Pickler):
    """Names what belongs to the toolkit, which the restored object gets anew, and takes the rest along."""

    def __init__(self, file: io.BytesIO, toolkit: Any) -> None:
        super().__init__(file, protocol=5)
        self._toolkit = toolkit

    def persistent_id(self, value: Any) -> tuple[str, Any] | None:
        """Return the name of what is the toolkit's, None for everything else."""
        toolkit = self._toolkit
        named = {"toolkit": toolkit, "db": toolkit.db, "logger": toolkit.logger, "chroma": toolkit._chroma}
        for name, held in named.items():
            if held is not None and value is held:
                return name, ""
        if isinstance(value, sqlite3.Cursor) and value.connection is toolkit.db:
            return "cursor", value.row_factory
        if _is_collection(value):
            return "collection", str(value.name)
        return None

    def reducer_override(self, value: Any) -> Any:
        """Have a lock that is nobody's made anew."""
        made = _LOCKS.get(type(value))
        return NotImplemented if made is None else (made, ())


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, toolkit: Any) -> None:
        super().__init__(file)
        self._toolkit = toolkit

    def persistent_load(self, pid: tuple[str, Any]) -> Any:
        """Return the new toolkit's part of that name."""
        kind, detail = pid
        if kind == "toolkit":
            return self._toolkit
        if kind == "cursor":
            cursor = self._toolkit.db.cursor()
            cursor.row_factory = detail
            return cursor
        if kind == "collection":
            return self._toolkit.chroma.get_collection(detail)
        return getattr(self._toolkit, kind)


def _of_database(db: sqlite3.Connection) -> bytes | None:
    """Return the database whole; None where the program gave its connection what no file holds."""
    bare = sqlite3.connect(":memory:")
    try:
        for list_of in ("function_list", "collation_list"):
            if set(_listed(db, list_of)) != set(_listed(bare, list_of)):
                return None
    finally:
        bare.close()
    if [name for _, name, _ in _listed(db, "database_list") if name != "main"]:  # attached, or a temporary table
        return None
    db.commit()  # until then a full-text table holds rows back; no program undoes what an earlier write did
    # SQLite refuses to write out a database that nothing was ever put into.
    return db.serialize() if db.execute("SELECT 1 FROM sqlite_master").fetchone() else b""


def _of_connection(db: sqlite3.Connection) -> dict[str, Any]:
    settings = {name: _listed(db, name)[0][0] for name in _SETTINGS}
    held = {name: getattr(db, name) for name in ("row_factory", "text_factory", "isolation_level")}
    return {"settings": settings, "held": held}


def _connect(db: sqlite3.Connection, taken: dict[str, Any]) -> None:
    for name, value in taken["settings"].items():
        db.execute(f"PRAGMA {name} = {value}")
    for name, value in taken["held"].items():
        setattr(db, name, value)


def _listed(db: sqlite3.Connection, what: str) -> list[tuple[Any, ...]]:
    cursor = db.cursor()
    cursor.row_factory = None
    rows = cursor.execute(f"SELECT * FROM pragma_{what}").fetchall()
    return [tuple(row[1:]) if what == "collation_list" else tuple(row) for row in rows]


def _of_collections(toolkit: Any) -> list[dict[str, Any]] | None:
    """Return every collection with its records; None where one was made in another way than the toolkit's."""
    if toolkit._chroma is None:
        return []
    found = []
    for listed in toolkit.chroma.list_collections():
        function = listed.configuration_json.get("embedding_function") or {}
        if function.get("name") != _EMBEDDING or "hnsw:search_ef" not in (listed.metadata or {}):
            return None
        collection = toolkit.chroma.get_collection(listed.name)
        records = collection.get(include=["embeddings", "documents", "metadatas", "uris"])
        if any(records.pop("uris") or ()) or {} in (records["metadatas"] or ()):  # what `add` does not take back
            return None
        found.append({"name": collection.name, "metadata": collection.metadata, "records": dict(records)})
    return found


def _fill(toolkit: Any, taken: dict[str, Any]) -> None:
    collection = toolkit.chroma.create_collection(taken["name"], metadata=taken["metadata"])
    records = taken["records"]
    for start in range(0, len(records["ids"]), BATCH):
        part = slice(start, start + BATCH)
        given: dict[str, JSON] = {
            name: records[name][part] for name in ("embeddings", "documents", "metadatas") if records[name] is not None
        }
        collection.add(ids=records["ids"][part], **given)


def _sync(folder: Path) -> None:
    """Have the names in a folder on the disk: what was removed must not come back with the power."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _is_collection(value: object) -> bool:
    kind = type(value)
    return kind.__name__ == "Collection" and kind.__module__.startswith("chromadb.")
