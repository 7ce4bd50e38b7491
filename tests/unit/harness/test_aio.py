"""The memory under asyncio."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

from evolve.harness.aio import AsyncMemory, bound_async
from evolve.harness.errors import UnknownScope
from evolve.harness.memory import Memory
from evolve.harness.program import Harness


def test_it_has_the_methods_of_the_memory_with_their_arguments() -> None:
    for name, method in vars(Memory).items():
        if inspect.isfunction(method) and (not name.startswith("_") or name == "__init__"):
            twin = getattr(AsyncMemory, name)
            assert inspect.signature(twin).parameters == inspect.signature(method).parameters, name
            assert name == "__init__" or inspect.iscoroutinefunction(twin)


def test_it_remembers_side_by_side_and_over_a_restart(seed_harness: Callable[[str], Harness], tmp_path: Path) -> None:
    kind = bound_async(seed_harness("bm25"))

    async def first() -> list[str]:
        async with kind(tmp_path / "memory") as memory:
            scopes = [f"user {number}" for number in range(10)]
            await asyncio.gather(*(memory.write(f"Anna: I live at {each}'s.", scope=each) for each in scopes))
            assert await memory.scopes() == scopes
            return list(await asyncio.gather(*(memory.read("Where does Anna live?", scope=each) for each in scopes)))

    async def second() -> list[str]:
        async with kind(tmp_path / "memory") as memory:
            assert (await memory.stats()).writes == 10
            found = [await memory.answer("Where does Anna live?", scope=f"user {number}") for number in range(10)]
            assert await memory.export("user 3", tmp_path / "rows.jsonl") == 1
            assert await memory.import_(tmp_path / "rows.jsonl", scope="copy") == 1
            assert await memory.read("Where does Anna live?", scope="copy") == found[3]
            assert await memory.forget(scope="user 3") == 1
            with pytest.raises(UnknownScope):
                await memory.read("Where does Anna live?", scope="user 3")
            return found

    before = asyncio.run(first())
    assert before == [f"Anna: I live at user {number}'s." for number in range(10)]
    assert asyncio.run(second()) == before
