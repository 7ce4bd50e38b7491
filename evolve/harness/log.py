"""A scope's log: every write in order, on the disk before it is acknowledged. What a program holds is made from it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from evolve.harness.errors import FolderError
from evolve.types import JSON

FORMAT = 1
"""Version of the file; one of a newer version is refused."""
BUSY_SECONDS = 30.0
BATCH = 500
"""Entries that are read at a time."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS writes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    item TEXT NOT NULL, text TEXT NOT NULL, source TEXT NOT NULL, said_when TEXT NOT NULL, replies TEXT NOT NULL,
    at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS by_source ON writes (source);
"""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a program got when it asked a model."""

    kind: str
    """"llm" or "embed"."""
    asked: str
    """Digest of the request; see `asked`."""
    value: JSON


@dataclass(frozen=True, slots=True)
class Entry:
    """One write."""

    seq: int
    """Its number: rises with every write, and is never used again."""
    item: Mapping[str, JSON]
    """What the task agent filled the `KnowledgeItem` with."""
    text: str
    source: str
    when: str
    replies: tuple[Reply, ...]
    at: str
    """When it was written, ISO 8601, UTC."""


@dataclass(frozen=True, slots=True)
class New:
    """A write that is not in the log yet."""

    item: Mapping[str, JSON]
    text: str
    source: str = ""
    when: str = ""
    replies: Sequence[Reply] = ()


def asked(kind: str, request: JSON) -> str:
    """Return the sha256 of a request, hexadecimal; equal for equal requests, whatever the order of their keys."""
    return hashlib.sha256(f"{kind}\n{json.dumps(request, sort_keys=True)}".encode()).hexdigest()


class Log:
    """The log of one scope, in its folder. Used by many threads, beside other processes that have it open as well."""

    def __init__(self, folder: Path, *, scope: str, harness: str) -> None:
        """Open the log, and make it where there is none; `harness` is the digest of the program that writes it.

        Raises FolderError where it is another harness's, of a newer format, damaged, or cannot be used.
        """
        self.scope = scope
        self.folder = folder
        self.path = folder / "log.sqlite"
        self._lock = threading.RLock()
        with self._usable():
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=BUSY_SECONDS, check_same_thread=False, isolation_level=None)
            try:
                self._prepare(harness)
            except BaseException:
                self._db.close()
                raise

    def _prepare(self, harness: str) -> None:
        # A kill of the process loses nothing in WAL mode, a loss of power nothing with FULL; what is deleted is zeroed.
        if self._db.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            with self.writing():  # two who change it at the same time do not wait for each other
                self._db.execute("PRAGMA journal_mode = WAL")
        for setting in ("synchronous = FULL", "secure_delete = ON"):
            self._db.execute(f"PRAGMA {setting}")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > FORMAT:
            raise FolderError(
                f"{self.path} has the newer format {version}, this package reads up to {FORMAT}: install a newer one."
            )
        if version < FORMAT:
            with self.writing(), self._transaction():
                for statement in _SCHEMA.split(";"):
                    self._db.execute(statement)
                fresh = {"harness": harness, "scope": self.scope, "generation": "0", "unclean": ""}
                self._db.executemany("INSERT OR IGNORE INTO about VALUES (?, ?)", fresh.items())
                self._db.execute(f"PRAGMA user_version = {FORMAT}")
        if (whose := self._about("harness")) != harness:
            raise FolderError(
                f"{self.path} was written by the harness {whose[:12]}, not by {harness[:12]}: give a folder of its own."
            )
        if self._about("unclean"):  # another is removing what was forgotten, or was killed while it did
            with self.writing():
                self.clean()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only writer of the scope, of all threads and processes. Waits. Raises FolderError."""
        with ExitStack() as held:
            with self._usable():
                file = held.enter_context((self.folder / "lock").open("ab"))  # anew: threads take turns, too
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def append(self, *writes: New) -> int:
        """Add writes, all or none, and return the last one's number; they are on the disk then.

        Raises FolderError, and nothing was added.
        """
        at = datetime.now(UTC).isoformat(timespec="microseconds")
        last = 0
        with self._usable(), self._transaction():
            for new in writes:
                added = self._db.execute(
                    "INSERT INTO writes (item, text, source, said_when, replies, at) VALUES (?, ?, ?, ?, ?, ?)",
                    (_packed(dict(new.item)), new.text, new.source, new.when, _kept(new.replies), at),
                )
                last = added.lastrowid or 0
        return last

    def entries(self, *, after: int = 0) -> Iterator[Entry]:
        """Yield the writes with a number above `after`, in order."""
        while True:
            with self._usable(), self._lock:
                rows = self._db.execute(
                    "SELECT seq, item, text, source, said_when, replies, at FROM writes WHERE seq > ? ORDER BY seq "
                    "LIMIT ?",
                    (after, BATCH),
                ).fetchall()
            for row in rows:
                yield self._entry(*row)
            if len(rows) < BATCH:
                return
            after = rows[-1][0]

    def last(self) -> int:
        """Return the number of the last write, 0 where there is none."""
        return int(self._one("SELECT coalesce(max(seq), 0) FROM writes"))

    def count(self) -> int:
        """Return how many writes there are."""
        return int(self._one("SELECT count(*) FROM writes"))

    def generation(self) -> int:
        """Return a number that rises where writes were removed or changed: what was made from them is no longer so."""
        return int(self._about("generation"))

    def forget(self, seqs: Collection[int], *, replies: Mapping[int, Sequence[Reply]] | None = None) -> int:
        """Remove these writes, out of every file, and return how many there were; others get other `replies`.

        Raises FolderError, and nothing was removed; or, where the disk is too full to write the file anew, or another
        process is in the middle of a read for longer than half a minute, the writes are gone from the log and not yet
        from its files, as the error says: `clean` and the next opening make up for it.
        """
        changed = [(_kept(each), seq) for seq, each in (replies or {}).items()]
        with self._usable(), self._transaction():
            counted = self._db.executemany("DELETE FROM writes WHERE seq = ?", [(seq,) for seq in seqs]).rowcount
            self._db.executemany("UPDATE writes SET replies = ? WHERE seq = ?", changed)
            self._db.execute("UPDATE about SET value = value + 1 WHERE name = 'generation'")
            self._db.execute("UPDATE about SET value = 'yes' WHERE name = 'unclean'")
        self.clean()
        return max(0, counted)

    def clean(self) -> None:
        """Have the files without what was removed, where a removal was cut short. For the one writer.

        Raises FolderError.
        """
        if self._about("unclean"):
            with self._usable("what was forgotten is out of the log, and not yet out of its file"), self._lock:
                self._scrub()

    def size(self) -> int:
        """Return the bytes of the scope's files."""
        with self._usable():
            return sum(path.stat().st_size for path in self.folder.iterdir() if path.is_file())

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        with self._lock:
            self._db.close()

    def _scrub(self) -> None:
        """Write the file anew, without what was removed, and empty the journal beside it."""
        self._db.execute("VACUUM")
        busy, _, _ = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise sqlite3.OperationalError("another process is reading it")
        with self._transaction():
            self._db.execute("UPDATE about SET value = '' WHERE name = 'unclean'")

    def _entry(self, seq: int, item: str, text: str, source: str, when: str, replies: str, at: str) -> Entry:
        try:
            kept = tuple(Reply(**each) for each in json.loads(replies))
            return Entry(seq, json.loads(item), text, source, when, kept, at)
        except (ValueError, TypeError):
            raise FolderError(f"{self.path} is damaged at its write {seq}: restore it from a copy.") from None

    def _about(self, name: str) -> str:
        return str(self._one("SELECT value FROM about WHERE name = ?", name))

    def _one(self, statement: str, *values: str) -> int | str:
        with self._usable(), self._lock:
            found: int | str = self._db.execute(statement, values).fetchone()[0]
            return found

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _usable(self, so_far: str = "nothing was changed") -> Iterator[None]:
        """Turn what the disk and SQLite raise into FolderError, which says what is so then."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            said = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise FolderError(
                f"{self.path} cannot be used ({said.lower()}): {so_far}; make room or permit it, or restore it "
                "from a copy."
            ) from None


def _packed(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _kept(replies: Sequence[Reply]) -> str:
    return _packed([asdict(each) for each in replies])
