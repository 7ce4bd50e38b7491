"""The harness that a memory runs: one memory program, and what its exporter knew of it."""

from __future__ import annotations

import json
import linecache
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from evolve.harness.errors import FolderError
from evolve.types import JSON, Field, Program, Schema

DESCRIPTION, SOURCE = "harness.json", "program.py"
"""The two files of an exported package that a harness is read from."""

_naming = threading.RLock()


@dataclass(frozen=True)
class Harness:
    """One memory program, ready to run."""

    name: str
    version: str
    digest: str
    """The program's, hexadecimal: a memory is opened by the harness with the digest that wrote it, and by no other."""
    source: str
    item: Schema
    query: Schema
    instructions: Mapping[str, str]
    """The four string constants of the contract, by name."""
    uses_llm: bool
    """The program asks a model itself, as far as its source tells."""
    model_calls: int = 0
    """Completions that the program got in one write or read where it was measured."""
    brief: bool = True
    """The agent answers as briefly as it can; False where rubrics asked for more."""
    read_chars: int = 3000
    """Most characters that a read may return."""
    model: str = ""
    """What it was measured with, such as "openai:NAME"; "" for no model."""
    embedding: str = ""
    """The provider's embedding model that it was measured with; "" for the packaged weights."""

    @classmethod
    def open(cls, folder: Path) -> Harness:
        """Read the harness of an exported package. Raises FolderError where a file is missing or damaged."""
        try:
            described = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
            source = (folder / SOURCE).read_text(encoding="utf-8")
            values = {field.name: described[field.name] for field in fields(cls) if field.name != "source"}
            schemas = {name: _schema(values[name]) for name in ("item", "query")}
            return cls(**{**values, **schemas, "source": source})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FolderError(
                f"the package's {DESCRIPTION} or {SOURCE} cannot be read ({error}): install the package again."
            ) from None

    def to_json(self) -> dict[str, JSON]:
        """Return everything but the source: what `harness.json` holds."""
        described: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        del described["source"]
        schemas = {name: _described(getattr(self, name)) for name in ("item", "query")}
        return {**described, **schemas, "instructions": dict(self.instructions)}

    def completions(self, most: int | None) -> int:
        """Return how many completions the program may have in one write or read: `most`, or as it was measured."""
        return (self.model_calls if most is None else most) if self.uses_llm else 0

    def program(self) -> Program:
        """Return the program as the task agent is shown it."""
        return Program(self.source, self.digest, self.item, self.query, dict(self.instructions))

    @property
    def module_name(self) -> str:
        """What the program's module is called, in `sys.modules` and in pickles."""
        return f"memory_program_{self.digest[:12]}"

    def module(self) -> ModuleType:
        """Return the program loaded, always the same module, which is the one in `sys.modules`."""
        with _naming:
            module = _shared(self.module_name, self.source)
            sys.modules[self.module_name] = module
            return module

    def load(self) -> ModuleType:
        """Return the program loaded anew: what it keeps in its module or classes is this module's alone.

        In the sandbox every scope has a process of its own, so programs may do that. Raises what the program raises.
        """
        filename = self.module_name + ".py"
        lines = self.source.splitlines(keepends=True)
        linecache.cache[filename] = (len(self.source), None, lines, filename)
        module = ModuleType(self.module_name)
        module.__file__ = filename
        with registered(module):  # dataclasses look their module up while the class is made
            exec(compile(self.source, filename, "exec"), module.__dict__)
        return module


@contextmanager
def registered(module: ModuleType) -> Iterator[None]:
    """Have this module be the one of its name, for as long as classes are looked up by name. Waits for its turn."""
    with _naming:
        before = sys.modules.get(module.__name__)
        sys.modules[module.__name__] = module
        try:
            yield
        finally:
            if before is None:
                del sys.modules[module.__name__]
            else:
                sys.modules[module.__name__] = before


@cache
def _shared(name: str, source: str) -> ModuleType:
    empty = Schema("KnowledgeItem", ()), Schema("Query", ())
    bare = Harness("", "", name.removeprefix("memory_program_"), source, *empty, {}, False)
    return bare.load()


def _described(schema: Schema) -> JSON:
    listed: list[JSON] = [
        {"name": each.name, "type": each.type, "description": each.description, "required": each.required}
        for each in schema.fields
    ]
    return {"name": schema.name, "fields": listed}


def _schema(described: Mapping[str, Any]) -> Schema:
    return Schema(cast(Any, described["name"]), tuple(Field(**each) for each in described["fields"]))
