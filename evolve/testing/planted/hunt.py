"""One planted search, whole: a run of evolve against the scripted reflector, until it has found what is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evolve.events import Event
from evolve.population import SEED, Population
from evolve.session import run
from evolve.tasks.families.chronicle.world import Subtask
from evolve.testing.model_server import ModelServer
from evolve.testing.planted.optimum import BEST, measuring, planted_config, rewritten
from evolve.testing.planted.reflector import reflect
from evolve.testing.planted.start import START

SHARE = 0.95
"""Of the known best score: the search has found it."""


@dataclass(frozen=True, slots=True)
class Hunt:
    """How a planted search went."""

    known: float
    """Score of the best known program."""
    score: float
    """Of the best program found."""
    attempts: int
    """Up to the one that found it, rejected ones included; all of them where none did."""
    measured: int
    """Of these attempts, those whose child was measured on the whole static set."""

    @property
    def found(self) -> bool:
        """Tell whether the search came to 95 % of the best known score."""
        return self.score >= SHARE * self.known


def hunt(subtask: Subtask, folder: Path, *, name: str, seed: int = 0, stages: bool = True, most: int = 60) -> Hunt:
    """Search until 95 % of the best known score is reached or `most` attempts are over; the run goes to EVOLVE_RUNS.

    `folder` takes the program that the search starts from.
    """
    start = folder / "start.py"
    start.write_text(START, encoding="utf-8")
    with ModelServer(reflect) as server:
        config = planted_config(subtask, start=start, reflector=server.openai, seed=seed, stages=stages)
        with measuring(config) as measure:
            known = measure(rewritten(BEST[subtask]))
        seen = Population()

        def observe(event: Event, population: Population) -> None:
            nonlocal seen
            seen = population

        def enough() -> bool:
            return hunted(seen, known).found or _attempts(seen) >= most

        ended = run(config, name=name, workers=1, observer=observe, interrupted=enough)
    return hunted(ended.population, known)


def hunted(population: Population, known: float) -> Hunt:
    """Return how the search has gone so far."""
    children = [each for each in population.candidates.values() if each.operator != SEED]
    score = population.best.mean if population.best else 0.0
    return Hunt(known, score, len(children), sum(each.outcome != "rejected" for each in children))


def _attempts(population: Population) -> int:
    return sum(each.operator != SEED for each in population.candidates.values())
