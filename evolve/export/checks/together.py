"""Is a read that comes while something is written the read of before, or of after, and nothing in between?"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from evolve.evaluation.splits import Work
from evolve.export.checks.material import Material
from evolve.export.checks.rows import Row, Unmeasured
from evolve.harness.errors import LimitReached, ModelFailed
from evolve.harness.memory import Memory
from evolve.types import Query

WRITES, QUERIES, READERS = 16, 4, 4
WAIT_SECONDS = 120.0


def reads_during_writes(material: Material, folder: Path) -> Row:
    """Read from several threads while another writes; each read must be one that the writes allow at that moment."""
    largest = material.largest
    work = Work(largest.scope, largest.episodes[:WRITES], largest.queries[:QUERIES])
    if len(work.episodes) < 2 or not work.queries:
        raise Unmeasured("it takes a scope with two episodes and a query")
    states = _states(material, work, folder / "one by one")
    tried = _Tried(material, work, states)
    with material.open(folder / "together") as memory:
        tried.run(memory)
    if failed := [error for error in tried.errors if isinstance(error, ModelFailed | LimitReached)]:
        raise Unmeasured(str(failed[0]))
    return tried.row()


def _states(material: Material, work: Work, folder: Path) -> list[dict[str, str]]:
    """Return what is read for each query after each write; nothing is read before the first."""
    states: list[dict[str, str]] = [{}]
    with material.open(folder) as memory:
        for episode in work.episodes:
            material.write(memory, episode)
            states.append({query.id: material.read(memory, query) for query in work.queries})
    return states


@dataclass(slots=True)
class _Tried:
    """One writer and several readers."""

    material: Material
    work: Work
    states: list[dict[str, str]]
    done: int = 0
    """Writes that were acknowledged."""
    begun: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    errors: list[Exception] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, memory: Memory) -> None:
        """Write everything with the readers at work, and let each of them read once more after the last write."""
        self._write(memory, 0)  # before the first there is nothing to read
        readers = [
            threading.Thread(target=self._read_all, args=(memory, number), daemon=True) for number in range(READERS)
        ]
        for reader in readers:
            reader.start()
        try:
            for number in range(1, len(self.work.episodes)):
                self._write(memory, number)
        finally:
            self.begun = self.done = len(self.work.episodes)
            for reader in readers:
                reader.join(WAIT_SECONDS)
        if any(reader.is_alive() for reader in readers):
            self.errors.append(TimeoutError(f"a read did not come back within {WAIT_SECONDS:g} s"))

    def row(self) -> Row:
        """Return what came of it."""
        reads, wrong = self.counts["reads"], self.counts["wrong"]
        figures = {"writes": self.done, "reads": reads, "readers": READERS, "errors": len(self.errors), "wrong": wrong}
        wanted = "have the program change what it holds in write alone, so that reads side by side see the same."
        if self.errors:
            said = f"{len(self.errors)} reads failed beside writes and other reads, the first: {self.errors[0]} Mend: "
            return Row("reads during writes", False, said + wanted, figures)
        if wrong:
            said = f"{wrong} of {reads} reads beside {self.done} writes were neither those before nor after one: "
            return Row("reads during writes", False, said + wanted, figures)
        said = f"{reads} reads by {READERS} threads beside {self.done} writes, each that of before or after a write."
        return Row("reads during writes", True, said, figures)

    def _write(self, memory: Memory, number: int) -> None:
        self.begun = number + 1
        self.material.write(memory, self.work.episodes[number])
        self.done = number + 1

    def _read_all(self, memory: Memory, number: int) -> None:
        last = False
        while not last:
            last = self.done == len(self.work.episodes)
            for place in range(len(self.work.queries)):
                try:
                    self._read(memory, self.work.queries[(place + number) % len(self.work.queries)])
                except Exception as error:  # of whatever kind: it is what the check looks for
                    self.errors.append(error)
                    return

    def _read(self, memory: Memory, query: Query) -> None:
        before = self.done
        found = self.material.read(memory, query)
        allowed = {self.states[at][query.id] for at in range(before, self.begun + 1)}
        with self._lock:
            self.counts["reads"] += 1
            self.counts["wrong"] += found not in allowed
