"""After the search: the best few on fresh queries, the winner and the seeds on held-out ones, once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evolve.attempt import Done, Job, Measurement, Result, Unpaid
from evolve.config import Config
from evolve.errors import BudgetSpent
from evolve.evaluation.splits import Splits
from evolve.events import Split
from evolve.executors.base import Executor
from evolve.forecast import FINALISTS
from evolve.population import Candidate
from evolve.program import parse
from evolve.record import Recorder


@dataclass(frozen=True, slots=True)
class Final:
    """The end of a run. A step returns False where the user interrupted it; done again, it goes on from there.

    A step raises BudgetSpent where the money does not last.
    """

    config: Config
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
        """Ask the held-out queries of the winner and of seeds, paired. Nobody is chosen by them.

        Of every scored seed where that costs nothing; of the best one where a model answers.
        """
        population = self.recorder.population
        if population.winner is None or not self.splits.test:
            return True
        asked = {population.winner: population.candidates[population.winner]}
        seeds = [seed for seed in population.seeds if seed.outcome == "scored"]
        if self.config.models.answering:
            seeds = sorted(seeds, key=lambda seed: -seed.mean)[:1]
        asked |= {seed.id: seed for seed in seeds}
        return self._measure(list(asked.values()), "test")

    def _measure(self, candidates: Sequence[Candidate], split: Split) -> bool:
        """Measure those candidates that have no scores on the split yet."""
        left = [candidate for candidate in candidates if not (candidate.test if split == "test" else candidate.fresh)]
        at_work, unpaid = 0, ""
        while left or at_work:
            while left and not unpaid and at_work < self.executor.slots and not self.interrupted():
                candidate = left.pop(0)
                assert candidate.source is not None
                self.executor.submit(candidate.id, Measurement(candidate.id, parse(candidate.source), split))
                at_work += 1
            if not at_work and unpaid:
                raise BudgetSpent(unpaid)
            if not at_work:
                return False
            key, tested = self.executor.next()
            at_work -= 1
            if isinstance(tested, Unpaid):
                unpaid = tested.reason
                continue
            assert isinstance(tested, Result)
            self.recorder.measured(str(key), split, tested)
        if unpaid:
            raise BudgetSpent(unpaid)
        return True


def _confirmed_mean(candidate: Candidate) -> float:
    return sum(candidate.confirmed.values()) / len(candidate.confirmed)
