"""After the search: the best few on fresh queries, the winner and what it is compared with on held-out ones, once.

Nothing waits that need not: the best seed is tested whoever wins, and the candidates that lead while the last children
are at work are measured on fresh queries then (`ahead`). A child that comes to lead late is measured after it; who was
measured for nothing has cost some calls. Nothing of it can reach a choice: the search looks at static scores alone,
`choose` at the finalists' fresh ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from evolve.attempt import Done, Job, Measurement, Result, Unpaid
from evolve.config import Config
from evolve.errors import BudgetSpent
from evolve.evaluation.splits import Splits
from evolve.events import Split
from evolve.executors.base import Executor, Key
from evolve.forecast import compared, finalists
from evolve.ladder import COVERAGE
from evolve.plan import program_of
from evolve.population import Candidate
from evolve.record import Recorder

Asked = tuple[str, Split]
"""A candidate's id, and the queries that it is asked."""


@dataclass(slots=True)
class Final:
    """The end of a run. What is in the journal is never measured again; done again, it goes on from there."""

    config: Config
    recorder: Recorder
    executor: Executor[Job, Done]
    splits: Splits
    interrupted: Callable[[], bool]
    at_work: dict[Key, Measurement] = field(default_factory=dict)
    ended: set[Asked] = field(default_factory=set)
    unpaid: str = ""

    def run(self) -> bool:
        """Choose the winner, test it beside what it is compared with, and return False where the user interrupted that.

        Raises BudgetSpent where the money does not last.
        """
        while True:
            self._choose()
            while self._has_room() and (job := next(self._left(), None)) is not None:
                self.at_work[job.key] = job
                self.executor.submit(job.key, job)
            if not self.at_work:
                break
            if (ended := self.executor.next()) is not None:
                self._end(*ended)
        if self.unpaid:
            raise BudgetSpent(self.unpaid)
        return next(self._left(), None) is None

    def ahead(self) -> Iterator[Measurement]:
        """What this would ask first if the search ended now."""
        return self._left()

    def _choose(self) -> None:
        """Record the winner as soon as there is nothing left to be known about the finalists."""
        best_few = self._finalists()
        if self.recorder.population.winner is None and best_few and not any(self._fresh_left(best_few)):
            self.recorder.winner_chosen(choose(best_few, queries=len(self.splits.fresh)).id)

    def _finalists(self) -> list[Candidate]:
        ranked = sorted(self.recorder.population.scored, key=lambda candidate: -candidate.mean)
        return ranked[: finalists(self.splits)]

    def _fresh_left(self, best_few: Sequence[Candidate]) -> Iterator[Asked]:
        """The finalists without fresh scores; none where there is nothing to choose from, or by."""
        if self.splits.fresh and len(best_few) > 1:
            yield from (
                (candidate.id, "fresh")
                for candidate in best_few
                if not candidate.fresh and (candidate.id, "fresh") not in self.ended
            )

    def _left(self) -> Iterator[Measurement]:
        """What is to be measured and not yet at work: what the choice needs first."""
        population = self.recorder.population
        left = list(self._fresh_left(self._finalists())) if population.winner is None else []
        beside = compared(population, paid=self.config.models.answering)
        if self.splits.test:
            left += [(candidate.id, "test") for candidate in beside if not candidate.test]
        elif self.splits.fresh and len(population.scored) > 1:
            left += [(candidate.id, "fresh") for candidate in beside if not candidate.fresh]
        at_work = {(job.candidate, job.split) for job in self.at_work.values()}
        for candidate, split in dict.fromkeys(left):
            if (candidate, split) not in at_work | self.ended:
                yield Measurement(candidate, program_of(population.candidates[candidate]), split)

    def _has_room(self) -> bool:
        return not self.unpaid and len(self.at_work) < self.executor.slots and not self.interrupted()

    def _end(self, key: Key, done: Done) -> None:
        job = self.at_work.pop(key)
        if isinstance(done, Unpaid):
            self.unpaid = done.reason  # nothing is recorded: done again with more money, it is not paid twice
            return
        assert isinstance(done, Result)
        self.ended.add((job.candidate, job.split))
        self.recorder.measured(job.candidate, job.split, done)


def choose(best_few: Sequence[Candidate], *, queries: int) -> Candidate:
    """Return the finalist that is best on the fresh queries, of which there are so many; of equals the first.

    Static scores made them finalists, and what luck was in that is not counted twice: they only decide between equals,
    and where there are no fresh scores. Compared are the queries that all have, without finalists that lost too many to
    faults of the infrastructure. Test scores are never looked at.
    """
    measured = [candidate for candidate in best_few if candidate.fresh and len(candidate.fresh) >= COVERAGE * queries]
    if not measured:
        return max(best_few, key=lambda candidate: candidate.mean)
    shared = set.intersection(*(set(candidate.fresh) for candidate in measured))
    # fsum: the same sum in whatever order the set gives its queries.
    return max(measured, key=lambda each: (math.fsum(each.fresh[query] for query in shared), each.mean))
