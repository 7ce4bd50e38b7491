"""The programs of `seeds/` run unchanged in both sandboxes, with equal results: every read, character for character."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from evolve.agents.extractive import ExtractiveAgent
from evolve.config import Limits
from evolve.evaluation.evaluate import Evaluator, Lease
from evolve.evaluation.splits import Work
from evolve.paths import seeds_dir
from evolve.program import load
from evolve.sandbox.base import Sandbox
from evolve.sandbox.docker import DockerSandbox
from evolve.sandbox.process import ProcessSandbox
from evolve.scoring import SupportScorer
from evolve.tasks import load as load_task
from evolve.types import Evaluation

SEEDS = sorted(path.stem for path in seeds_dir().glob("*.py"))


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[tuple[Sandbox, Sandbox]]:
    pair = DockerSandbox(Limits()), ProcessSandbox(Limits())
    yield pair
    for sandbox in pair:
        sandbox.close()


def works() -> list[Work]:
    """Two lives of `chronicle`, with all their questions."""
    task = load_task("chronicle", {"lives": 2, "sessions": 16, "queries": 15})
    return [
        Work(
            scope,
            tuple(episode for episode in task.episodes if episode.scope == scope),
            tuple(query for query in task.queries if query.scope == scope),
        )
        for scope in dict.fromkeys(query.scope for query in task.queries)
    ]


@pytest.mark.docker
@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_reads_the_same_in_both_sandboxes(seed: str, sandboxes: tuple[Sandbox, Sandbox]) -> None:
    program = load(seeds_dir() / f"{seed}.py")

    def evaluate(sandbox: Sandbox) -> Evaluation:
        with Lease(sandbox) as lease:
            evaluator = Evaluator(ExtractiveAgent(), SupportScorer(), sandbox)
            return evaluator.evaluate(program, works(), lease, stage=lambda text: None)

    container, process = map(evaluate, sandboxes)
    assert all(case.outcome == "scored" for case in container.cases)
    assert container.cases == process.cases
    assert container.behaviour == process.behaviour
