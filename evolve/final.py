"""After the search: the best few on fresh queries, the winner and the seeds on held-out ones, once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Final:
    """The end of a run. A step returns False where the user interrupted it; done again, it goes on from there."""

    recorder: Recorder
    executor: Executor[Job, Done]
    splits: Splits
    interrupted: Callable[[], bool]

    def choose_winner(self) -> bool:
        """Measure the finalists on fresh queries, and record the best on static and fresh together; once in a run."""
        population = self.recorder.population
        if population.winner is not None or not population.scored:
            return True
        finalists = sorted(population.scored, key=lambda candidate: -candidate.mean)[:FINALISTS]
        if self.splits.fresh and len(finalists) > 1 and not self._measure(finalists, "fresh"):
            return False
        candidates = self.recorder.population.candidates
        best = max((candidates[finalist.id] for finalist in finalists), key=_confirmed_mean)
        self.recorder.winner_chosen(best.id)
        return True

    def ask_held_out(self) -> bool:
        """Ask the held-out queries of the winner and of every scored seed, paired. Nobody is chosen by them."""
        population = self.recorder.population
        if population.winner is None or not self.splits.test:
            return True
        asked = {population.winner: population.candidates[population.winner]}
        asked |= {seed.id: seed for seed in population.seeds if seed.outcome == "scored"}
        return self._measure(list(asked.values()), "test")

    def _measure(self, candidates: Sequence[Candidate], split: Split) -> bool:
        """Measure those candidates that have no scores on the split yet."""
        left = [candidate for candidate in candidates if not (candidate.test if split == "test" else candidate.fresh)]
        at_work = 0
        while left or at_work:
            while left and at_work < self.executor.slots and not self.interrupted():
                candidate = left.pop(0)
                assert candidate.source is not None
                self.executor.submit(candidate.id, Measurement(candidate.id, parse(candidate.source), split))
                at_work += 1
            if not at_work:
                return False
            key, evaluation = self.executor.next()
            at_work -= 1
            assert isinstance(evaluation, Evaluation)
            self.recorder.measured(str(key), split, evaluation)
        return True


def _confirmed_mean(candidate: Candidate) -> float:
    return sum(candidate.confirmed.values()) / len(candidate.confirmed)
