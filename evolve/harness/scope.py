"""One scope that is open: its log, and the knowledge base that is a fold of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from evolve.harness.base import Base
from evolve.harness.checks import dated
from evolve.harness.engine import Engine
from evolve.harness.errors import HarnessError, TookTooLong, UnknownScope
from evolve.harness.log import Entry, Log, New, Reply
from evolve.harness.rows import Row
from evolve.harness.snapshot import Snapshots
from evolve.harness.stats import ScopeStats
from evolve.harness.turns import Turns
from evolve.types import JSON

_logger = logging.getLogger(__name__)


class Moved(Exception):
    """The scope's folder was taken away while it was open: open it again."""


class OpenScope:
    """One scope. Used by many threads, beside other processes that have it open as well."""

    def __init__(self, folder: Path, *, scope: str, engine: Engine) -> None:
        """Open the log, and make its folder. Raises FolderError."""
        self.folder = folder
        self._engine = engine
        self._log = Log(folder, scope=scope, harness=engine.harness.digest)
        self._snapshots = Snapshots(folder)
        self._identity = identity(folder)
        self._turns = Turns()
        self._base: Base | None = None
        self._at = 0
        """The last entry that the base holds."""
        self._generation = 0
        """Of the log, when the base was built."""
        self._saved = 0
        """The last entry that a snapshot was tried with."""
        self._spoiled = False
        """A read was given up: the base is not to be relied on."""

    def write(self, item: Mapping[str, JSON], text: str, *, source: str, when: str) -> int:
        """Write, and return the entry's number once it is on the disk; what fails leaves no trace."""
        with self._writing(), self._turns.alone():
            base = self._caught_up()
            calls = self._engine.calls("write")  # its time begins now
            with self._dropped_on_failure():
                self._engine.run(calls, lambda: base.write(item, dated(text, when)))
                replies = tuple(calls.replies.values())
                self._at = self._log.append(New(item, text, source, when, replies))
            self._save_where_due()
            return self._at

    def read(self, query: Mapping[str, JSON]) -> str:
        """Read from a base that holds every write that was acknowledged before."""
        with self._ready() as base:
            calls = self._engine.calls("read")  # its time begins now
            try:
                return self._engine.run(calls, lambda: base.read(query))
            except BaseException as error:
                if isinstance(error, TookTooLong) or not isinstance(error, HarnessError):
                    self._spoiled = True  # the read goes on, and may meet a write
                raise

    def forget(self, source: str) -> int:
        """Remove the writes of a source, and all that the others took from them; return how many are gone.

        Every other write is made again, in a new base. Where that fails nothing is removed.
        """
        with self._writing():
            gone = [entry.seq for entry in self._log.entries() if entry.source == source]
            if not gone:
                self._log.clean()  # an earlier call may have been cut short
                return 0
            base, changed, last = self._built_without(gone)
            with self._turns.alone():
                self._drop()
                self._hold(base, last, self._generation)
                with self._dropped_on_failure():
                    self._snapshots.clear()
                    self._log.forget(gone, replies=changed)
                    self._generation = self._log.generation()
                self._save()
            return len(gone)

    def load(self, rows: Sequence[Row]) -> int:
        """Write rows that were exported, all or none, with the replies that they got there."""
        with self._writing(), self._turns.alone():
            base = self._caught_up()
            with self._dropped_on_failure():
                loaded: list[tuple[Row, tuple[Reply, ...]]] = []
                for row in rows:
                    with row.blamed():
                        loaded.append((row, self._write_to(base, row)))
                added = [New(row.item, row.text, row.source, row.when, replies) for row, replies in loaded]
                self._at = self._log.append(*added)
            self._save_where_due()
            return len(loaded)

    def entries(self) -> list[Entry]:
        """Return every write, in order. Raises UnknownScope."""
        self._check()
        return list(self._log.entries())

    def close(self) -> None:
        """Take a snapshot where something was written since the last one, and let go of everything."""
        try:
            if self._base is not None and self._at > self._saved and identity(self.folder) == self._identity:
                with self._log.writing(), self._turns.alone():
                    if self._base is not None and not self._spoiled:
                        self._save()
        finally:
            with self._turns.alone():
                self._drop()
                self._log.close()

    def retire(self, remove: Callable[[Path], None], *, even_if_written: bool) -> int | None:
        """Have the folder removed, and return how many writes are gone; None where it has some that are to stay."""
        with self._writing(), self._turns.alone():
            count = self._log.count()
            if count and not even_if_written:
                return None
            self._drop()
            remove(self.folder)
            return count

    def figures(self) -> ScopeStats:
        """Return the scope's size and growth. Raises UnknownScope."""
        self._check()
        first = next(iter(self._log.entries()))
        last = next(iter(self._log.entries(after=self._log.last() - 1)), first)
        return ScopeStats(
            scope=self._log.scope,
            writes=self._log.count(),
            bytes=self._log.size(),
            snapshot_bytes=self._snapshots.size(),
            first=first.at,
            last=last.at,
        )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Be the scope's one writer, of all threads and processes. Raises Moved."""
        with ExitStack() as held:
            try:
                held.enter_context(self._log.writing())
            except (HarnessError, OSError):  # its lock may have gone with the folder
                self._stay()
                raise
            self._stay()
            yield

    @contextmanager
    def _ready(self) -> Iterator[Base]:
        """Lend the base for a read, once it holds what the log holds now. Raises UnknownScope, Moved."""
        last, generation = self._check()
        while True:
            with self._turns.shared():
                base = self._base
                if base and not self._spoiled and self._generation >= generation and self._at >= last:
                    yield base
                    return
            with self._turns.alone():
                self._caught_up()

    def _check(self) -> tuple[int, int]:
        """Return the log's last entry and its generation. Raises Moved, UnknownScope."""
        self._stay()
        generation, last = self._log.generation(), self._log.last()
        if not last:
            raise unknown(self._log.scope)
        return last, generation

    def _stay(self) -> None:
        if identity(self.folder) != self._identity:
            raise Moved

    def _caught_up(self) -> Base:
        """Return the base with every entry of the log in it. For who is alone."""
        while True:
            generation = self._log.generation()
            if self._spoiled or self._generation != generation:
                self._drop()
            base = self._base or self._restored(generation)
            with self._dropped_on_failure():
                for entry in self._log.entries(after=self._at):
                    self._write_again(base, entry, in_place=True)
                    self._at = entry.seq
            if self._log.generation() == generation:
                return base

    def _restored(self, generation: int) -> Base:
        """Make the base from the snapshot, where there is one that fits, else empty."""
        saved = self._snapshots.load()
        if saved is not None and saved.generation == generation and saved.seq <= self._log.last():
            try:
                self._hold(self._made(saved.data), saved.seq, generation)
            except HarnessError:  # of other versions: the log has all that it has
                self._hold(self._made(None), 0, generation)
        else:
            self._hold(self._made(None), 0, generation)
        self._saved = self._at
        assert self._base is not None
        return self._base

    def _made(self, snapshot: bytes | None) -> Base:
        return self._engine.run(self._engine.calls("write"), lambda: self._engine.base(snapshot))

    def _hold(self, base: Base, at: int, generation: int) -> None:
        self._base, self._at, self._generation, self._spoiled = base, at, generation, False

    def _drop(self) -> None:
        """Let go of the base; the next operation builds another."""
        base, self._base = self._base, None
        if base is not None:
            base.close()

    @contextmanager
    def _dropped_on_failure(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._drop()
            raise

    def _write_again(self, base: Base, entry: Entry, *, in_place: bool) -> tuple[Reply, ...]:
        """Make a write of the log once more, with the replies that it got, and return those that it got now."""
        try:
            return self._write_to(base, entry, in_place=in_place)
        except HarnessError as error:
            raise type(error)(f"write {entry.seq} of the scope {self._log.scope!r}, made again: {error}") from None

    def _write_to(self, base: Base, made: Entry | Row, *, in_place: bool = False) -> tuple[Reply, ...]:
        calls = self._engine.calls("write", made.replies, in_place=in_place)
        self._engine.run(calls, lambda: base.write(made.item, dated(made.text, made.when)))
        return tuple(calls.replies.values())

    def _built_without(self, gone: Collection[int]) -> tuple[Base, dict[int, tuple[Reply, ...]], int]:
        """Return a new base of all other writes, the replies of those that now ask something else, and the last."""
        left_out, first, changed, last = frozenset(gone), min(gone), {}, 0
        base = self._made(None)
        try:
            for entry in self._log.entries():
                if entry.seq not in left_out:
                    replies = self._write_again(base, entry, in_place=entry.seq < first)
                    if replies != tuple(entry.replies):
                        changed[entry.seq] = replies
                    last = entry.seq
        except BaseException:
            base.close()
            raise
        return base, changed, last

    def _save_where_due(self) -> None:
        if self._at - self._saved >= max(self._engine.limits.snapshot_every, self._at // 10):
            self._save()

    def _save(self) -> None:
        """Take a snapshot. For the scope's one writer: nobody forgets anything meanwhile."""
        if self._base is None or self._generation != self._log.generation():
            return
        self._saved = self._at
        try:
            data = self._base.dump()
            if data is not None:
                self._snapshots.save(data, seq=self._at, generation=self._generation)
        except Exception as error:  # what is to be saved is in the log: it only takes longer to open
            self._spoiled |= isinstance(error, TookTooLong)
            _logger.warning("no snapshot of the scope %r", self._log.scope, exc_info=True)


def unknown(scope: str) -> UnknownScope:
    """Return the error for a scope without a write."""
    return UnknownScope(f"the scope {scope!r} has no memory: write to it first, or choose one that scopes() lists.")


def identity(folder: Path) -> tuple[int, int] | None:
    """Return what tells a folder from another at the same place; None where there is none."""
    try:
        found = folder.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
