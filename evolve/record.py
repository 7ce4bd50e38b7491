"""The driver's pen: the only place that writes a run folder.

Git first, then the journal: no event names a commit that is missing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from evolve.archive import Archive
from evolve.attempt import Attempt, Report, Result
from evolve.events import (
    AttemptEnded,
    AttemptStarted,
    Clock,
    Event,
    Measured,
    RunStarted,
    RunStopped,
    Split,
    WinnerChosen,
)
from evolve.journal import Journal
from evolve.operators.critique import critique_markdown
from evolve.population import Population
from evolve.studies import Studies

Observer = Callable[[Event, Population], None]
"""Hears every event after it is safe on disk, with the population that includes it."""


def candidate_id(number: int) -> str:
    """Return the id of the candidate that an attempt makes: the number decides, so a resume cannot reuse one."""
    return f"c{number:03d}"


@dataclass(slots=True)
class Recorder:
    """Turns what happens into events, keeps them, and holds the population that they add up to."""

    journal: Journal
    archive: Archive
    studies: Studies
    population: Population
    observer: Observer
    _session_began: float = field(default_factory=time.monotonic)
    _earlier: float = 0.0
    _begun: dict[int, tuple[float, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._earlier = self.population.elapsed

    @property
    def elapsed(self) -> float:
        """Seconds that the run has been worked on, earlier sessions included."""
        return self._earlier + time.monotonic() - self._session_began

    @property
    def most_stale(self) -> int:
        """How many attempts have ended since the oldest one at work began."""
        ended = len(self.population.ended)
        return ended - min((knew for _, knew in self._begun.values()), default=ended)

    def run_started(
        self,
        *,
        run: str,
        task: str,
        digest: str,
        agent: str,
        scorer: str,
        sandbox: Literal["docker", "process"],
        queries: Mapping[str, int],
    ) -> None:
        """Write the first event."""
        self._record(RunStarted(run, task, digest, agent, sandbox, queries, self._clock(), scorer))

    def attempt_started(self, attempt: Attempt) -> None:
        """Write that an attempt is at work."""
        self._begun[attempt.number] = time.monotonic(), len(self.population.ended)
        parents = tuple(parent.id for parent in attempt.parents)
        self._record(AttemptStarted(attempt.number, attempt.operator, parents, self._clock()))

    def attempt_ended(self, attempt: Attempt, report: Report) -> None:
        """Archive the candidate, then write how its attempt ended."""
        began, knew = self._begun.pop(attempt.number)
        clock = self._clock(since=began, proposing=report.proposing)
        candidate = candidate_id(attempt.number)
        parents = tuple(parent.id for parent in attempt.parents)
        scores = {case.query: case.score for case in report.evaluation.cases} if report.evaluation else {}
        commit = ""
        if report.program is not None or report.critique is not None:
            commit = self.archive.commit(
                candidate,
                source=report.program.source if report.program else None,
                message=_message(candidate, attempt, report),
                # Their own commits: a parent that was measured again meanwhile has later ones.
                parents=[self.population.candidates[parent].commit or parent for parent in parents],
                evaluations={"static": report.evaluation} if report.evaluation else {},
                at=clock.at,
                critique=critique_markdown(report.critique, report.cost) if report.critique else "",
            )
        self._record(
            AttemptEnded(
                attempt=attempt.number,
                candidate=candidate,
                operator=attempt.operator,
                parents=parents,
                note=report.note,
                outcome=report.outcome,
                dropped=report.dropped,
                clock=clock,
                reason=report.reason,
                source=report.program.source if report.program else None,
                digest=report.program.digest if report.program else "",
                behaviour=report.behaviour,
                scores=scores,
                trials=report.trials,
                study=attempt.study,
                stale=len(self.population.ended) - knew,
                asked=report.asked,
                cost=report.cost,
                phases=report.phases,
                commit=commit,
            )
        )
        if report.trials:
            self.studies.add(attempt.study, attempt.parents[0].program, report.trials)

    def measured(self, candidate: str, split: Split, tested: Result) -> None:
        """Archive and write a candidate's evaluation on queries that did not select it."""
        evaluation = tested.evaluation
        clock = self._clock(seconds=evaluation.seconds)
        mean = "no score" if evaluation.mean is None else f"{evaluation.mean:.3f}"
        message = f"{candidate} {split} {mean} on {len(evaluation.counted)} queries"
        commit = self.archive.amend(candidate, split, evaluation, message=message, at=clock.at)
        scores = {case.query: case.score for case in evaluation.cases}
        self._record(Measured(candidate, split, scores, clock, commit, tested.cost))

    def winner_chosen(self, candidate: str) -> None:
        """Write who won, and tag it."""
        self._record(WinnerChosen(candidate, self._clock()))
        self.archive.tag_best(candidate)

    def stopped(self, reason: Literal["finished", "interrupted", "budget"], why: str) -> None:
        """Write that the driver ends cleanly."""
        self._record(RunStopped(reason, why, self._clock()))

    def close(self) -> None:
        """Close the files."""
        self.journal.close()
        self.archive.close()

    def _record(self, event: Event) -> None:
        self.journal.append(event)
        self.population = self.population.apply(event)
        self.observer(event, self.population)

    def _clock(self, *, since: float | None = None, seconds: float = 0.0, proposing: float = 0.0) -> Clock:
        took = seconds if since is None else time.monotonic() - since
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        return Clock(at, round(self.elapsed, 3), round(took, 3), round(proposing, 3))


def _message(candidate: str, attempt: Attempt, report: Report) -> str:
    """The candidate's line in `git log`, and below it what its line has no room for."""
    mean = report.evaluation.mean if report.evaluation else None
    result = f"{mean:.3f}" if report.outcome == "scored" and mean is not None else report.outcome
    body = [f"Operator: {attempt.operator}", *(f"Parent: {parent.id}" for parent in attempt.parents)]
    if report.reason:
        body.append(f"Reason: {report.reason}")
    return f"{candidate} {result} {attempt.operator}: {report.note}\n\n" + "\n".join(body) + "\n"
