"""Many readers or one writer, in threads of one process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Lets readers in side by side and a writer alone; who waits to write goes before who comes to read."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._readers = 0
        self._writers = 0
        """At work or waiting."""
        self._writing = False

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Read: beside other readers, never beside a writer."""
        with self._changed:
            self._changed.wait_for(lambda: not self._writers)
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Write: beside nobody."""
        with self._changed:
            self._writers += 1
            try:
                self._changed.wait_for(lambda: not self._readers and not self._writing)
                self._writing = True
            except BaseException:
                self._writers -= 1
                self._changed.notify_all()
                raise
        try:
            yield
        finally:
            with self._changed:
                self._writing = False
                self._writers -= 1
                self._changed.notify_all()
