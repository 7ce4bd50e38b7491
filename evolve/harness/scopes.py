"""The scopes of a memory that are open now: opened when they are asked for, closed when others are wanted more."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from evolve.harness.engine import Engine
from evolve.harness.errors import FolderError, HarnessError
from evolve.harness.folder import Folder
from evolve.harness.scope import Moved, OpenScope, identity, unknown

_T = TypeVar("_T")


@dataclass(slots=True, eq=False)
class _Slot:
    """An open scope, and how many operations are at work in it."""

    users: int = 0
    opening: threading.Lock = field(default_factory=threading.Lock)
    scope: OpenScope | None = None


class Scopes:
    """The open scopes of one memory. Used by many threads."""

    def __init__(self, folder: Folder, engine: Engine) -> None:
        self._folder = folder
        self._engine = engine
        self._slots: dict[str, _Slot] = {}
        """The one used last is the last."""
        self._lock = threading.Lock()
        self._closed = False
        self._process = os.getpid()

    def do(self, scope: str, act: Callable[[OpenScope], _T], *, make: bool = False) -> _T:
        """Do something with a scope; one that is not there is made, or an error. Raises UnknownScope, FolderError."""
        while True:
            with self._lent(scope, make=make) as lent:
                try:
                    return act(lent)
                except Moved:
                    self._discard(scope)

    def look(self, scope: str, act: Callable[[OpenScope], _T]) -> _T:
        """Do something with a scope's log; one that is not open does not stay so, nor close another."""
        with self._lock:
            is_open = scope in self._slots
        if is_open:
            return self.do(scope, act)
        opened = self._opened(scope, make=False)
        try:
            return act(opened)
        except Moved:
            return self.do(scope, act)
        finally:
            opened.close()

    def remove(self, scope: str, *, even_if_written: bool) -> int:
        """Take a scope's folder away, and return how many writes were in it. Raises UnknownScope."""
        count = self.do(scope, lambda lent: lent.retire(self._folder.remove, even_if_written=even_if_written))
        if count is not None:
            self._discard(scope)
        return count or 0

    def close(self) -> None:
        """Close every scope; those at work finish first."""
        with self._lock:
            self._closed = True
            slots, self._slots = list(self._slots.values()), {}
        if os.getpid() == self._process:
            for slot in slots:
                self._shut(slot)

    @contextmanager
    def _lent(self, scope: str, *, make: bool) -> Iterator[OpenScope]:
        slot = self._taken(scope)
        try:
            with slot.opening:
                if slot.scope is None:
                    slot.scope = self._opened(scope, make=make)
            yield slot.scope
        finally:
            self._give_back(scope, slot)

    def _taken(self, scope: str) -> _Slot:
        with self._lock:
            if self._closed:
                raise HarnessError("this memory is closed: make another one of the same folder.")
            if os.getpid() != self._process:
                raise FolderError("this memory was made before the process was forked: make one in every process.")
            slot = self._slots.pop(scope, None) or _Slot()
            self._slots[scope] = slot
            slot.users += 1
            return slot

    def _give_back(self, scope: str, slot: _Slot) -> None:
        with self._lock:
            slot.users -= 1
            if slot.scope is None and self._slots.get(scope) is slot and not slot.users:
                del self._slots[scope]
            idle = [name for name, each in self._slots.items() if not each.users]
            surplus = len(self._slots) - self._engine.limits.open_scopes
            closing = [self._slots.pop(name) for name in idle[: max(0, surplus)]]
            if self._slots.get(scope) is not slot and not slot.users and slot not in closing:
                closing.append(slot)  # discarded, and this was the last to use it
        for each in closing:
            self._shut(each)

    def _discard(self, scope: str) -> None:
        """Let go of a scope whose folder has moved, once nobody uses it."""
        with self._lock:
            self._slots.pop(scope, None)

    def _opened(self, scope: str, *, make: bool) -> OpenScope:
        """Open a scope: again, where its folder is taken away meanwhile."""
        folder = self._folder.scope(scope)
        while True:
            if make:
                self._folder.make(scope)
            elif not self._folder.has(scope):
                raise unknown(scope)
            before = identity(folder)
            try:
                opened = OpenScope(folder, scope=scope, engine=self._engine)
            except Exception:  # of any kind, where files vanish while they are opened
                if before is not None and identity(folder) == before:
                    raise
                continue
            if before is not None and identity(folder) == before:
                return opened
            opened.close()

    def _shut(self, slot: _Slot) -> None:
        with slot.opening:
            if slot.scope is not None:
                slot.scope.close()
                slot.scope = None
