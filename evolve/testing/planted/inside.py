"""No sandbox: planted programs in this process, because they are our own. What was read once is not read again."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from evolve.config import Limits
from evolve.errors import ProgramFault
from evolve.sandbox.box import Box, CallEmbed, CallLLM
from evolve.types import JSON

_TOOLKIT = SimpleNamespace(logger=logging.getLogger(__name__))
"""All that planted programs use."""


class Inside:
    """Implements `Sandbox`, as far as planted programs need it."""

    name = "inside"

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._read: dict[str, str] = {}

    def start(self) -> Box:
        """Return a box: nothing has to be started."""
        return cast(Box, _Inside(self.limits, self._read))

    def describe(self) -> str:
        """Say that it protects against nothing."""
        return "none: the programs run in this process"

    def close(self) -> None:
        """Hold nothing."""


@dataclass(slots=True)
class _Inside:
    limits: Limits
    read: dict[str, str]
    ended: bool = False

    def open(self, source: str, *, call_llm: CallLLM, call_embed: CallEmbed | None = None) -> _Memory:
        return _Memory(source, self.limits, self.read)

    def close(self) -> None:
        self.ended = True


@dataclass(slots=True)
class _Memory:
    """Has the face of `sandbox.box.Scope`. The program writes when it is first read from."""

    source: str
    limits: Limits
    known: dict[str, str]
    """What was read, by everything that decides it."""
    log: list[str] = field(default_factory=list)
    fault: ProgramFault | None = None
    _writes: list[tuple[dict[str, JSON], str]] = field(default_factory=list)
    _base: Any = None
    _module: dict[str, Any] = field(default_factory=dict)

    def write(self, item: dict[str, JSON], raw_text: str) -> None:
        self._writes.append((item, raw_text))

    def read(self, query: dict[str, JSON]) -> str:
        key = hashlib.sha256(json.dumps([self.source, self._writes, query]).encode()).hexdigest()
        if key not in self.known:
            self.known[key] = self._open().read(self._module["Query"](**query))
        text, limit = self.known[key], self.limits.read_chars
        if len(text) > limit:
            raise ProgramFault("read_chars", f"read returned {len(text):,} characters, at most {limit:,} are allowed")
        return text

    probe = read

    def close(self) -> None:
        """Forget what was written."""
        self._base = None

    def _open(self) -> Any:
        if self._base is None:
            self._module = {"__name__": __name__}
            exec(compile(self.source, "<planted>", "exec"), self._module)
            self._base = self._module["KnowledgeBase"](_TOOLKIT)
            for item, raw_text in self._writes:
                self._base.write(self._module["KnowledgeItem"](**item), raw_text)
        return self._base
