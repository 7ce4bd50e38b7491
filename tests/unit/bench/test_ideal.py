"""The bound of bench/latency.py: nothing but latencies and what waits for what."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from evolve.testing.simulated import Kind, Served

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_ideal", ROOT / "bench" / "_ideal.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def served(kind: Kind, *latencies: float) -> list[Served]:
    return [Served(kind, 0.0, latency, latency) for latency in latencies]


def test_a_query_waits_for_its_scope_and_its_formulation_and_for_no_other(bench: ModuleType) -> None:
    # Scopes take turns: episodes 1 and 3 are of the first, 2 and 4 of the second.
    calls = served("extract", 1.0, 5.0, 2.0, 6.0) + served("formulate", 4.0, 1.0) + served("answer", 3.0, 0.5)
    draws = bench.Draws(calls)
    assert draws.evaluation(bench.Calls(4, 2, 2), 2) == max(max(2.0, 4.0) + 3.0, max(6.0, 1.0) + 0.5)


def test_what_was_answered_before_takes_no_time(bench: ModuleType) -> None:
    draws = bench.Draws(served("answer", 3.0, 0.5))
    assert draws.evaluation(bench.Calls(answer=2), 1) == 3.0
    assert draws.evaluation(bench.Calls(), 1) == 0.0


def test_lanes_take_the_next_rewrite_as_soon_as_they_are_free(bench: ModuleType) -> None:
    calls = [
        *served("extract", 1.0),
        *served("formulate", 1.0),
        *served("answer", 1.0),
        *served("rewrite", 10.0, 4.0, 5.0),
    ]
    one, child = bench.Calls(1, 1, 1), bench.Calls(answer=1)
    shape = bench.Shape([one, one], [child] * 3, [child], [one], rotating=1, lanes=2, scopes=1)
    # A trace takes 2 s. The first lane ends its rewrite at 12, the other at 6 and, traced again, at 13.
    assert bench.ideal(shape, calls) == {"seeds": 2.0, "search": 14.0, "final": 1.0 + 2.0}
