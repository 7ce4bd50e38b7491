"""MMR: a line that repeats what is chosen already gives way to another side of the question."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

TEXT = "\n".join(
    (
        "Date: 1 May, 2023",
        "Anna: I play the violin in the town orchestra.",
        "Anna: I play violin in the town orchestra.",
        "Anna: I play my violin in the town orchestra.",
        "Anna: On Sundays I play chess with my uncle.",
        "Tom: The bakery is shut.",
    )
)


def _read(module: ModuleType, toolkit: Any) -> str:
    base = module.KnowledgeBase(toolkit)
    base.write(module.KnowledgeItem("1 May, 2023"), TEXT)
    return base.read(module.Query("What does Anna play in the town?"))


def test_second_choice_differs_from_the_first(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    nearest = _read(seed("zoo/mmr", HITS=2, RELEVANCE=1.0), new_toolkit())
    assert nearest.count("violin") == 2
    varied = _read(seed("zoo/mmr", HITS=2), new_toolkit())
    assert varied.count("violin") == 1
    assert "[1 May, 2023] Anna: On Sundays I play chess with my uncle." in varied


def test_pool_bounds_what_variety_may_choose(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    assert "chess" not in _read(seed("zoo/mmr", HITS=2, POOL=3), new_toolkit())
    assert "bakery" in _read(seed("zoo/mmr"), new_toolkit())
