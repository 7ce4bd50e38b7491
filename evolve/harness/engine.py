"""How a program is put to work: here or in a process of its own, within its time, with its model calls answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from evolve.harness.base import Base, LocalBase
from evolve.harness.calls import Calls, Models, Watch, answering, answers, within
from evolve.harness.errors import TookTooLong
from evolve.harness.limits import Limits
from evolve.harness.log import Reply
from evolve.harness.program import Harness
from evolve.models.base import Purpose

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Engine:
    """What the scopes of one memory share."""

    harness: Harness
    limits: Limits
    models: Models
    isolated: bool
    """Programs run in processes of their own."""

    def base(self, snapshot: bytes | None) -> Base:
        """Return a knowledge base, empty or as the snapshot has it. Raises ProgramFailed."""
        if self.isolated:
            from evolve.harness.isolated import IsolatedBase

            return IsolatedBase(self.harness, answers, limits=self.limits, snapshot=snapshot)
        return LocalBase(self.harness, answers, snapshot=snapshot)

    def calls(self, purpose: Purpose, kept: Sequence[Reply] = (), *, in_place: bool = False) -> Calls:
        """Return the calls of one operation."""
        seconds = self.limits.read_seconds if purpose == "read" else self.limits.write_seconds
        most = self.harness.completions(self.limits.model_calls)
        return Calls(self.models, most, Watch(seconds), purpose, kept, in_place)

    def run(self, calls: Calls, act: Callable[[], _T]) -> _T:
        """Have the program do something within its time. Raises ProgramFailed, ModelFailed, LimitReached."""
        done: list[_T] = []
        failed: list[BaseException] = []

        def guarded() -> None:
            try:
                with answering(calls):
                    done.append(act())
            except BaseException as error:  # raised below, in the caller's thread
                failed.append(error)

        try:
            if self.isolated:
                guarded()
            elif not within(calls.watch, guarded):
                late = f"the program's {calls.purpose} took longer than {calls.watch.seconds:g} s."
                failed = [TookTooLong(late)]
        finally:
            calls.end()
        calls.settle(failed[0] if failed else None)
        return done[0]
