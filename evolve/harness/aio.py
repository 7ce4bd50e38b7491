"""The memory for programs that use asyncio: the same methods, each in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Literal, Self

from evolve.harness.calls import Embedding
from evolve.harness.limits import Limits
from evolve.harness.memory import Memory, Model, bound
from evolve.harness.program import Harness
from evolve.harness.stats import Stats
from evolve.types import JSON


class AsyncMemory:
    """`Memory` with coroutines. A coroutine that is cancelled stops waiting; what it began is finished all the same."""

    memory_type: ClassVar[type[Memory]]
    """The memories of the harness that runs here; `bound_async` sets it."""

    def __init__(
        self,
        folder: str | Path,
        *,
        model: Model = None,
        base_url: str | None = None,
        api_key: str | None = None,
        toolkit_model: Model = None,
        embedding: Embedding | None = None,
        isolation: Literal["none", "process"] = "none",
        limits: Limits = Limits(),  # noqa: B008  (frozen)
    ) -> None:
        """Open the folder, as `Memory` does; callables are called from other threads than the loop's."""
        self._memory = self.memory_type(
            folder,
            model=model,
            base_url=base_url,
            api_key=api_key,
            toolkit_model=toolkit_model,
            embedding=embedding,
            isolation=isolation,
            limits=limits,
        )

    @property
    def has_model(self) -> bool:
        """Whether a model extracts, formulates and answers."""
        return self._memory.has_model

    async def write(
        self,
        text: str,
        *,
        scope: str = "default",
        source: str = "",
        when: str | date | datetime | None = None,
        item: Mapping[str, JSON] | None = None,
    ) -> int:
        """Remember a text; see `Memory.write`."""
        return await asyncio.to_thread(self._memory.write, text, scope=scope, source=source, when=when, item=item)

    async def read(self, question: str, *, scope: str = "default", query: Mapping[str, JSON] | None = None) -> str:
        """Return what the program finds for a question; see `Memory.read`."""
        return await asyncio.to_thread(self._memory.read, question, scope=scope, query=query)

    async def answer(self, question: str, *, scope: str = "default") -> str:
        """Read, and answer the question; see `Memory.answer`."""
        return await asyncio.to_thread(self._memory.answer, question, scope=scope)

    async def forget(self, *, scope: str | None = None, source: str | None = None) -> int:
        """Remove a scope, or a source; see `Memory.forget`."""
        return await asyncio.to_thread(self._memory.forget, scope=scope, source=source)

    async def scopes(self) -> list[str]:
        """Return the scopes with at least one write."""
        return await asyncio.to_thread(self._memory.scopes)

    async def stats(self, *, scope: str | None = None) -> Stats:
        """Return size and growth; see `Memory.stats`."""
        return await asyncio.to_thread(self._memory.stats, scope=scope)

    async def export(self, scope: str, path: str | Path) -> int:
        """Write a scope as JSON lines; see `Memory.export`."""
        return await asyncio.to_thread(self._memory.export, scope, path)

    async def import_(self, path: str | Path, *, scope: str = "default") -> int:
        """Write what `export` wrote; see `Memory.import_`."""
        return await asyncio.to_thread(self._memory.import_, path, scope=scope)

    async def close(self) -> None:
        """Take snapshots and let go of everything; see `Memory.close`."""
        await asyncio.to_thread(self._memory.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def bound_async(harness: Harness) -> type[AsyncMemory]:
    """Return the class of memories that run this harness."""
    return type("AsyncMemory", (AsyncMemory,), {"memory_type": bound(harness), "__doc__": AsyncMemory.__doc__})
