"""One knowledge base: the program's own object, with the toolkit that it was measured with."""

from __future__ import annotations

import contextlib
import json
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FunctionType, ModuleType
from typing import Any, NoReturn, Protocol

from evolve.harness import snapshot as snapshots
from evolve.harness.errors import ProgramFailed
from evolve.harness.kit import Toolkit
from evolve.harness.program import Harness, registered
from evolve.types import JSON

ERROR_CHARS = 600
"""Most of what a failing program says that goes into an error."""

Answers = Callable[[str, JSON], JSON]
"""Answers what a program asks: ("llm", {"messages": [...], "kwargs": {...}}) with a text, ("embed", {"texts": [...]})
with one vector a text; what it raises, the program sees."""

_logger = logging.getLogger(__name__)


class Base(Protocol):
    """One scope's knowledge base. Written to by one thread at a time, read by many."""

    def write(self, item: Mapping[str, JSON], text: str) -> None:
        """Call the program's `write`. Raises ProgramFailed; what is held then is not to be relied on."""
        ...

    def read(self, query: Mapping[str, JSON]) -> str:
        """Call the program's `read`. Raises ProgramFailed, also where it returns more than `Harness.read_chars`."""
        ...

    def dump(self) -> bytes | None:
        """Return a snapshot; None where this program's state cannot be taken."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class LocalBase:
    """Implements `Base` in this process: the program's code is trusted with all that the process may do.

    What crosses to the program and back is what crosses the sandbox's border, character by character.
    """

    def __init__(self, harness: Harness, answers: Answers, *, snapshot: bytes | None = None) -> None:
        """Make an empty knowledge base, or the one that the snapshot was taken of. Raises ProgramFailed."""
        self._harness = harness
        self._answers = answers
        embed = self._embed if harness.embedding else None
        self._toolkit = Toolkit(call_llm=self._complete, log=_log, call_embed=embed)
        self._key = snapshots.key(harness.digest)
        with self._blamed("__init__"):
            self._module = harness.load()
            self._beside = _beside(self._module)
            if snapshot is None:
                self._base = self._module.KnowledgeBase(self._toolkit)
            else:
                with registered(self._module):
                    self._base = snapshots.restore(snapshot, toolkit=self._toolkit, module=self._module, key=self._key)

    def write(self, item: Mapping[str, JSON], text: str) -> None:
        """Call `write` with a KnowledgeItem of these fields. Raises ProgramFailed."""
        with self._blamed("write"):
            self._base.write(self._module.KnowledgeItem(**_crossed(dict(item))), _sendable(text))

    def read(self, query: Mapping[str, JSON]) -> str:
        """Call `read` with a Query of these fields. Raises ProgramFailed."""
        with self._blamed("read"):
            text = self._base.read(self._module.Query(**_crossed(dict(query))))
        if not isinstance(text, str):
            raise ProgramFailed(f"the program's read returned {type(text).__name__}, expected str.")
        text = _sendable(text)
        if len(text) > self._harness.read_chars:
            most = self._harness.read_chars
            raise ProgramFailed(f"the program's read returned {len(text):,} characters; at most {most:,} are allowed.")
        return text

    def dump(self) -> bytes | None:
        """Return a snapshot; None where something cannot be pickled, or where the program keeps things elsewhere."""
        with registered(self._module):
            if self._beside is None or _beside(self._module) != self._beside:
                return None
            return snapshots.dump(self._base, self._toolkit, key=self._key)

    def close(self) -> None:
        """Let go of both stores."""
        with contextlib.suppress(Exception):  # an operation that ran out of time may still be at work in them
            self._toolkit.close()

    def _complete(self, messages: list[dict[str, Any]], kwargs: dict[str, Any]) -> str:
        answer = self._answers("llm", _crossed({"messages": messages, "kwargs": kwargs}))
        return str(answer)

    def _embed(self, texts: list[str]) -> Sequence[Sequence[float]]:
        rows: Any = self._answers("embed", _crossed({"texts": list(texts)}))
        return rows  # type: ignore[no-any-return]

    @contextmanager
    def _blamed(self, method: str) -> Iterator[None]:
        """Turn whatever the program raises, SystemExit included, into an error that quotes its own last line."""
        try:
            yield
        except BaseException as error:
            _blame(error, method, self._harness.module_name + ".py")


def _blame(error: BaseException, method: str, filename: str) -> NoReturn:
    said = " ".join("".join(traceback.format_exception_only(error)).split())[:ERROR_CHARS]
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == filename]
    where = f", at line {own[-1].lineno}: {own[-1].line}" if own else ""
    raise ProgramFailed(f"the program's {method} failed with {said}{where}") from None


def _crossed(value: Any) -> Any:
    """Return a value as the sandbox's border would hand it on: a copy in JSON. Raises TypeError, ValueError."""
    return json.loads(_sendable(json.dumps(value, ensure_ascii=False)))


def _sendable(text: str) -> str:
    """Return a text with a question mark for every half of a character."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _log(message: str) -> None:
    _logger.debug("%s", message)


def _beside(module: ModuleType) -> bytes | None:
    """Return what a program holds outside of its KnowledgeBase; None where it cannot be told whether that changes.

    Some keep rows in a global, a class attribute or a mutable default; the pickle of a KnowledgeBase has none of that.
    """
    held: list[object] = []
    for name, value in list(vars(module).items()):
        if not name.startswith("__"):
            held += _of_value(name, value, module.__name__)
    try:
        with registered(module):
            return pickle.dumps(held)
    except Exception:  # pickle raises whatever an object's own methods raise
        return None


def _of_value(name: str, value: object, module: str) -> list[object]:
    """Return the parts of a global or a class attribute that may change."""
    if isinstance(value, ModuleType):
        return []
    if isinstance(value, type):
        return _of_class(value, module) if value.__module__ == module else []
    if isinstance(value, FunctionType):
        return [name, value.__defaults__, value.__kwdefaults__] if value.__module__ == module else []
    return [name, value]


def _of_class(kind: type, module: str) -> list[object]:
    held: list[object] = []
    for name, value in list(vars(kind).items()):
        value = getattr(value, "__func__", value)  # of a class method or a static one
        inner = name.startswith(("__", "_abc_")) or hasattr(value, "__get__")
        if isinstance(value, FunctionType | type) or not inner:
            held += _of_value(f"{kind.__qualname__}.{name}", value, module)
    return held
