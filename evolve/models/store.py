"""`llm.sqlite`: every answer that a run paid for, by everything that decides it, and what it cost."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path

from evolve.errors import RunFolderError
from evolve.models.base import Role, Usage
from evolve.types import JSON

VERSION = 1
BUSY_SECONDS = 30.0
BILL = "calls, input_tokens, cached_tokens, written_tokens, output_tokens, usd"
SUMS = (
    ", ".join(f"COALESCE(SUM({column}), 0)" for column in BILL.split(", ")[:-1])
    + ", CASE WHEN COUNT(usd) = COUNT(*) THEN TOTAL(usd) END"
)
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY,       -- sha256 of the request
    role TEXT NOT NULL,         -- who asked first
    model TEXT NOT NULL,
    request BLOB NOT NULL,      -- JSON, compressed with zlib
    answer NOT NULL,            -- TEXT; for an embedding a BLOB of doubles
    truncated INTEGER NOT NULL,
    calls INTEGER NOT NULL,     -- texts that were embedded by one call share it: the first has 1, the others 0
    input_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    written_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    usd REAL,                   -- NULL where the price is not known
    at TEXT NOT NULL            -- UTC, ISO 8601
);
CREATE TABLE IF NOT EXISTS discarded (  -- answers that were paid for and are of no use
    key TEXT NOT NULL,          -- of the request that was asked again; '' where there is none
    role TEXT NOT NULL,
    model TEXT NOT NULL,
    why TEXT NOT NULL,
    calls INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    written_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    usd REAL,
    at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS discarded_by_key ON discarded (key);
PRAGMA user_version = {VERSION};
"""


@dataclass(frozen=True, slots=True)
class Bill:
    """What calls to a provider added up to."""

    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    written_tokens: int = 0
    output_tokens: int = 0
    usd: float | None = 0.0
    """None where a price is not known."""

    @property
    def usage(self) -> Usage:
        """The tokens."""
        return Usage(self.input_tokens, self.cached_tokens, self.written_tokens, self.output_tokens)

    def __add__(self, other: Bill) -> Bill:
        usd = None if self.usd is None or other.usd is None else self.usd + other.usd
        return Bill(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.cached_tokens + other.cached_tokens,
            self.written_tokens + other.written_tokens,
            self.output_tokens + other.output_tokens,
            usd,
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as the store knows it."""

    role: Role
    model: str
    request: str
    """JSON of everything that decides the answer, in one spelling."""
    key: str
    """sha256 of it, hexadecimal."""

    @classmethod
    def of(cls, role: Role, model: str, decides: Mapping[str, JSON]) -> Asked:
        """Make the key; `decides` is everything besides the model that decides the answer."""
        request = json.dumps({"model": model, **decides}, sort_keys=True, separators=(",", ":"))
        return cls(role, model, request, hashlib.sha256(request.encode()).hexdigest())


@dataclass(frozen=True, slots=True)
class Kept:
    """One answer as the store holds it."""

    answer: str | bytes
    truncated: bool
    bill: Bill
    """Of every try that was billed, discarded ones included."""


class Store:
    """Safe for many threads of one process. What `keep` returned from, a kill of the process cannot lose."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._read_only = read_only
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def get(self, key: str) -> Kept | None:
        """Return the answer, None where there is none."""
        with self._opened() as db:
            row = db.execute(f"SELECT answer, truncated, {BILL} FROM answers WHERE key = ?", (key,)).fetchone()
            if row is None:
                return None
            answer, truncated, *bill = row
            return Kept(answer, bool(truncated), Bill(*bill) + _sum(db, "discarded WHERE key = ?", key))

    def keep(self, answers: Sequence[tuple[Asked, Kept]]) -> None:
        """Write answers that the store does not have: all of them, or none."""
        rows = [
            (
                asked.key,
                asked.role,
                asked.model,
                zlib.compress(asked.request.encode()),
                kept.answer,
                kept.truncated,
                *astuple(kept.bill),
                _now(),
            )
            for asked, kept in answers
        ]
        with self._opened() as db:
            db.executemany(f"INSERT INTO answers VALUES ({', '.join('?' * 13)})", rows)

    def discard(self, role: Role, model: str, bill: Bill, *, why: str, key: str = "") -> None:
        """Remember what was paid for an answer that is not kept; `key` is the request that is asked again."""
        with self._opened() as db:
            row = (key, role, model, why, *astuple(bill), _now())
            db.execute(f"INSERT INTO discarded VALUES ({', '.join('?' * 11)})", row)

    def spent(self) -> Bill:
        """Return what everything in the store has cost."""
        with self._opened() as db:
            return _sum(db, "answers") + _sum(db, "discarded")

    def lost(self) -> Bill:
        """Return what was spent on requests that were never answered: it is in no bill of `get`."""
        with self._opened() as db:
            return _sum(db, "discarded WHERE key NOT IN (SELECT key FROM answers)")

    def close(self) -> None:
        """Close the file; a later call opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """Hold the connection for one transaction; raises RunFolderError for whatever SQLite raises."""
        try:
            with self._lock:
                if self._connection is None:
                    self._connection = self._open()
                with self._connection:
                    yield self._connection
        except sqlite3.Error as error:
            raise RunFolderError(
                f"{self.path} cannot be used ({error}); make room or permit it, or move it away and pay for its "
                "answers again."
            ) from None

    def _open(self) -> sqlite3.Connection:
        if self._read_only:
            return self._open_to_read()
        db = sqlite3.connect(self.path, timeout=BUSY_SECONDS, check_same_thread=False)
        # A killed process loses nothing in WAL mode; NORMAL saves a wait for the disk at every answer.
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        self._check_version(db, (0, VERSION))
        db.executescript(SCHEMA)
        return db

    def _open_to_read(self) -> sqlite3.Connection:
        if not self.path.exists():
            raise RunFolderError(f"there is no {self.path} to replay; run without models.replay first.")
        # A finished run may lie where nothing can be written: SQLite then reads the file only as an immutable one.
        killed = self.path.with_name(f"{self.path.name}-wal").exists()
        uri = f"{self.path.resolve().as_uri()}?mode=ro{'' if killed else '&immutable=1'}"
        db = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, check_same_thread=False)
        self._check_version(db, (VERSION,))
        return db

    def _check_version(self, db: sqlite3.Connection, good: tuple[int, ...]) -> None:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version not in good:
            raise RunFolderError(
                f"{self.path} has format {version}, this evolve reads {VERSION}; use the evolve that wrote it."
            )


def _sum(db: sqlite3.Connection, where: str, *values: str) -> Bill:
    return Bill(*db.execute(f"SELECT {SUMS} FROM {where}", values).fetchone())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
