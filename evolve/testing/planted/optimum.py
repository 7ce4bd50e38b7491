"""What a planted search should find: the best program of each sub-task that good rewrites lead to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, combinations
from pathlib import Path

from evolve.config import Config
from evolve.evaluation.crew import make_evaluator
from evolve.evaluation.evaluate import Lease
from evolve.evaluation.splits import make_splits
from evolve.program import parse
from evolve.sandbox import open_sandbox
from evolve.tasks import load
from evolve.tasks.families.chronicle.world import Subtask
from evolve.testing.planted.rewrites import LIBRARY
from evolve.testing.planted.start import START

Measure = Callable[[str], float]
"""Returns a source's mean score on the static queries."""

_LINES, _ROOM, _LENGTH = "Keep every line that was said", "Return as much as fits", "Keep notes at their full length"
_AROUND, _LAST = "Return the lines around each match", "Prefer what was said last"
_DATES, _NAMES = "Go by the dates in the question", "Search again for the names that were found"
BEST: Mapping[Subtask, tuple[str, ...]] = {
    "recall": (_LINES, _ROOM, _AROUND),
    "latest": (_LINES, _ROOM, _LENGTH, _LAST),
    "count": (_LINES, _ROOM),
    "temporal": (_LINES, _ROOM, _LENGTH, _LAST, _DATES),
    "two_hop": (_LINES, _ROOM, _LENGTH, _NAMES),
}
"""Titles of the rewrites that make the best program of each sub-task, as `search_all` finds them."""
BEST_OF_ALL: tuple[str, ...] = (_LINES, _ROOM, _LENGTH, _AROUND, _DATES)
"""Titles of those that make the best program where all sub-tasks are asked."""


def planted_config(subtask: Subtask, *, start: Path, reflector: str, seed: int = 0, stages: bool = True) -> Config:
    """Return a small search for one sub-task: `start` is the file that holds START, `reflector` the model's address.

    `stages` tells whether the reflector is shown at which stage cases failed.
    """
    return Config.checked(
        {
            "task": "chronicle",
            "seed": seed,
            "task_options": {"lives": 8, "sessions": 16, "turns": 10, "queries": 6, "subtasks": [subtask]},
            "models": {"reflector": {"model": "openai:planted", "base_url": reflector}},
            "search": {"operators": ["reflect"], "seeds": [str(start)], "reflect": {"stages": stages}},
            "evaluation": {"test": 1},
            "budget": {"candidates": 100},
            "sandbox": {"kind": "process"},
        }
    ).resolved()


def rewritten(titles: Sequence[str]) -> str:
    """Return START with the rewrites of these titles."""
    known = {rewrite.title: rewrite for rewrite in LIBRARY}
    source = START
    for title in titles:
        source = known[title].apply(source)
    return source


@contextmanager
def measuring(config: Config) -> Iterator[Measure]:
    """Yield evolve's own measurement of a source on the static queries of the configuration."""
    splits = make_splits(load(config.task, config.task_options), config.evaluation, seed=config.seed)
    works = splits.work(splits.static)
    sandbox = open_sandbox(config.sandbox.kind, config.sandbox.limits)
    try:
        with Lease(sandbox) as lease:
            evaluator = make_evaluator(config, sandbox, None)

            def measure(source: str) -> float:
                mean = evaluator.evaluate(parse(source), works, lease, stage=lambda text: None).mean
                assert mean is not None, "no query could be measured"
                return mean

            yield measure
    finally:
        sandbox.close()


def search_all(measure: Measure) -> Mapping[tuple[str, ...], float]:
    """Return the score of every program that keeps lines, returns all that fits, and has any other good rewrites.

    Titles are the keys. What keeps no lines or returns next to nothing of them is not worth the time.
    """
    rest = [rewrite.title for rewrite in LIBRARY if rewrite.worth == "good" and rewrite.title not in (_LINES, _ROOM)]
    subsets = chain.from_iterable(combinations(rest, size) for size in range(len(rest) + 1))
    return {titles: measure(rewritten(titles)) for titles in ((_LINES, _ROOM, *subset) for subset in subsets)}
