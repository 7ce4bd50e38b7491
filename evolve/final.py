"""After the search: the best few on fresh queries, the winner and the seeds on held-out ones, once."""

from __future__ import annotations

from collections.abc import Sequence

from evolve.attempt import Done, Job, Measurement
from evolve.evaluation.splits import Splits
from evolve.events import Split
from evolve.executors.base import Executor
from evolve.population import Candidate
from evolve.program import parse
from evolve.record import Recorder
from evolve.types import Evaluation

FINALISTS = 3
"""Candidates that are measured on fresh queries. A single noisy best would owe part of its score to luck."""


def choose_winner(recorder: Recorder, executor: Executor[Job, Done], splits: Splits) -> None:
    """Measure the finalists on fresh queries, and record the best on static and fresh together; once in a run."""
    if recorder.population.winner is not None or not recorder.population.scored:
        return
    ranked = sorted(recorder.population.scored, key=lambda candidate: -candidate.mean)
    finalists = [candidate.id for candidate in ranked[:FINALISTS]]
    if splits.fresh and len(finalists) > 1:
        measure(recorder, executor, [recorder.population.candidates[id] for id in finalists], "fresh")
    best = max((recorder.population.candidates[id] for id in finalists), key=_confirmed_mean)
    recorder.winner_chosen(best.id)


def test_finalists(recorder: Recorder, executor: Executor[Job, Done], splits: Splits) -> None:
    """Ask the held-out queries of the winner and of every scored seed, paired. Nobody is chosen by them."""
    population = recorder.population
    if population.winner is None or not splits.test:
        return
    asked = {population.winner: population.candidates[population.winner]}
    asked |= {seed.id: seed for seed in population.seeds if seed.outcome == "scored"}
    measure(recorder, executor, list(asked.values()), "test")


def measure(recorder: Recorder, executor: Executor[Job, Done], candidates: Sequence[Candidate], split: Split) -> None:
    """Measure those candidates that have no scores on the split yet."""
    left = [candidate for candidate in candidates if not (candidate.test if split == "test" else candidate.fresh)]
    at_work = 0
    while left or at_work:
        while left and at_work < executor.slots:
            candidate = left.pop(0)
            assert candidate.source is not None
            executor.submit(candidate.id, Measurement(candidate.id, parse(candidate.source), split))
            at_work += 1
        key, evaluation = executor.next()
        at_work -= 1
        assert isinstance(evaluation, Evaluation)
        recorder.measured(str(key), split, evaluation)


def _confirmed_mean(candidate: Candidate) -> float:
    return sum(candidate.confirmed.values()) / len(candidate.confirmed)
