"""Two small real runs that many tests look at, one without a model and one with; and packages to test them in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from evolve.export.project import harness_of
from evolve.folder import Run
from evolve.harness.program import Harness
from evolve.plan import program_of
from evolve.population import Candidate
from evolve.session import run
from evolve.testing.model_server import Asked, ModelServer, Unscripted
from evolve.testing.weak_models import speak
from evolve.testing.weak_runs import weak_run


@pytest.fixture(scope="session")
def plain_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of the built-in task, without a model."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVOLVE_RUNS", str(tmp_path_factory.mktemp("runs")))
        return run(
            "chronicle",
            name="plain",
            workers=1,
            task_options__lives=4,
            task_options__sessions=16,
            task_options__queries=10,
            search__seeds=["bm25", "hybrid", "vector_search"],
            budget__candidates=3,
            sandbox__kind="process",
        )


@pytest.fixture(scope="session")
def model_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of a task folder whose agent, reflector, toolkit and embeddings are a provider's."""
    folder = tmp_path_factory.mktemp("modelled")
    with pytest.MonkeyPatch.context() as patch, ModelServer(_say) as server:
        patch.setenv("EVOLVE_RUNS", str(folder / "runs"))
        return weak_run(
            folder,
            server,
            name="modelled",
            search__seeds=["vector_search", "raptor", "mem0", "think_in_memory"],
            search__operators=["reflect"],
            budget__candidates=3,
            models__embedding={"model": "openai:weak-embed", "base_url": server.openai},
            models__prices={
                "openai:weak": {"input": 5.0, "output": 20.0},
                "openai:weak-embed": {"input": 1.0, "output": 0.0},
            },
        )


def _say(asked: Asked) -> str:
    """Answer programs, too: with what raptor, mem0 and think_in_memory can use, another text for every prompt."""
    try:
        return speak(asked)
    except Unscripted:
        words = " ".join([word for word in asked.text.split() if len(word) > 5][-12:])
        mark = hashlib.sha256(asked.text.encode()).hexdigest()[:6]
        told = {"fact": 0, "operation": "ADD", "text": words}
        return json.dumps(
            {"summaries": [f"{words} {mark}"], "insert": [f"{mark}: {words}"], "merge": [], "operations": [told]}
        )


@pytest.fixture(scope="session")
def taken() -> Callable[[Run, Candidate], Harness]:
    """The harness that would be exported."""
    return lambda run, candidate: harness_of(program_of(candidate), name="taken", version="0.1.0", config=run.config)


@pytest.fixture(scope="session")
def packaged() -> Callable[[Harness, Path, str], None]:
    """Make a package below a folder that has a harness's Memory and Limits, as an exported one has."""

    def made(harness: Harness, folder: Path, package: str) -> None:
        place = folder / package
        place.mkdir(parents=True)
        (place / "harness.json").write_text(json.dumps(harness.to_json()))
        (place / "program.py").write_text(harness.source)
        (place / "__init__.py").write_text(PACKAGE)

    return made


PACKAGE = """
from pathlib import Path

from evolve.harness.limits import Limits
from evolve.harness.memory import bound
from evolve.harness.program import Harness

Memory = bound(Harness.open(Path(__file__).parent))
"""
