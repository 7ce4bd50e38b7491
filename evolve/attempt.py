"""What a worker does: one attempt from proposal to evaluation, or one more measurement of a candidate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from evolve.config import Config
from evolve.errors import ProgramFault, SandboxError
from evolve.evaluation.evaluate import Evaluator, Lease, Stage, behaviour, no_completions
from evolve.evaluation.splits import Splits
from evolve.events import CandidateOutcome, Split, Trial
from evolve.operators import OPERATORS
from evolve.operators.base import Ground, Parent, Proposal
from evolve.types import Evaluation, Program, Query

COVERAGE = 0.9
"""A candidate with a smaller share of queries that could be measured is void, not bad."""
TOLERANCE = 0.02
"""A child may be so much worse than its best parent on the cheap rung and still be measured in full."""
SMOKE_EPISODES = 2


@dataclass(frozen=True, slots=True)
class Attempt:
    """Everything that a worker needs to make and measure one candidate; immutable."""

    number: int
    operator: str
    """"seed", or the name of an operator."""
    draw: str
    """Seed of the attempt's own source of chance."""
    program: Program | None = None
    """The seed itself; None for an operator."""
    parents: tuple[Parent, ...] = ()
    known: Mapping[str, str] = field(default_factory=dict)
    """Candidate by digest."""
    behaviours: Mapping[str, str] = field(default_factory=dict)
    """Candidate by behaviour on the cheap rung."""
    study: str = ""
    trials: tuple[Trial, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """How an attempt ended."""

    outcome: CandidateOutcome
    note: str
    reason: str = ""
    program: Program | None = None
    behaviour: str = ""
    evaluation: Evaluation | None = None
    trials: tuple[Trial, ...] = ()


@dataclass(frozen=True, slots=True)
class Measurement:
    """A candidate to be measured on queries that did not select it."""

    candidate: str
    program: Program
    split: Split


Job = Attempt | Measurement
Done = Report | Evaluation


@dataclass(frozen=True, slots=True)
class Worker:
    """Runs jobs, one at a time, in the process that owns its sandbox."""

    config: Config
    splits: Splits
    evaluator: Evaluator

    def run(self, job: Job, stage: Stage) -> Done:
        """Return a Report for an attempt, an Evaluation for a measurement."""
        with Lease(self.evaluator.sandbox) as lease:
            match job:
                case Attempt():
                    return _Bench(self, job, lease, stage).attempt()
                case Measurement():
                    works = self.splits.work(self.splits.test if job.split == "test" else self.splits.fresh)
                    return self.evaluator.evaluate(job.program, works, lease, stage=stage)

    def close(self) -> None:
        """End the sandbox."""
        self.evaluator.sandbox.close()


@dataclass(frozen=True, slots=True)
class _Bench:
    """One attempt at work, with the candidate's box."""

    worker: Worker
    job: Attempt
    lease: Lease
    stage: Stage

    def attempt(self) -> Report:
        draw = Random(self.job.draw)
        proposal = self._propose(draw)
        program = proposal.program
        if program is None:
            return Report("rejected", "", proposal.note, trials=proposal.trials)
        report = Report("rejected", proposal.note, program=program, trials=proposal.trials)
        if fault := self._smoke(program, draw):
            return replace(report, reason=f"fails its smoke test: {fault}")
        rung = proposal.rung or self._measure(program, self.worker.splits.rung())
        report = replace(report, behaviour=behaviour(rung.cases))
        if reason := self._gate(rung, report.behaviour):
            return replace(report, reason=reason, evaluation=rung)
        done = {case.query for case in rung.cases}
        rest = self._measure(program, [query for query in self.worker.splits.static if query.id not in done])
        return _judge(report, rung, rest)

    def _propose(self, draw: Random) -> Proposal:
        if self.job.program is not None:
            return Proposal(self.job.program, _bet(self.job.program))
        self.stage("proposing")
        rung = self.worker.splits.rung()
        ground = Ground(
            parents=self.job.parents,
            known=frozenset(self.job.known),
            trials=self.job.trials,
            draw=draw,
            follows_instructions=self.worker.evaluator.agent.follows_instructions,
            measure=lambda program: self._measure(program, rung),
        )
        return OPERATORS[self.job.operator].propose(ground)

    def _smoke(self, program: Program, draw: Random) -> str:
        """Load the program, let it write and read real things of the task; return its fault, or ""."""
        self.stage("smoke test")
        splits, agent = self.worker.splits, self.worker.evaluator.agent
        pool = splits.rotating or splits.static
        asked = draw.sample(pool, min(self.worker.config.evaluation.rotating, len(pool)))
        try:
            memory = self.lease.box().open(program.source, call_llm=no_completions)
            for episode in splits.work(asked)[0].episodes[:SMOKE_EPISODES]:
                memory.write(agent.extract(program, episode), episode.text)
            for query in asked:
                memory.read(agent.formulate(program, query.text))
            memory.close()
        except ProgramFault as fault:
            return str(fault)
        except SandboxError:
            return ""  # not the program's fault; the evaluation tries again and counts what it loses
        return ""

    def _gate(self, rung: Evaluation, seen: str) -> str:
        """Return why the child is not worth a full measurement, or ""."""
        if self.worker.config.evaluation.ladder == "none":
            return ""
        if seen in self.job.behaviours:
            return f"behaves like {self.job.behaviours[seen]} on every query of the cheap rung"
        known = [(parent.rung, parent.id) for parent in self.job.parents if parent.rung is not None]
        if known and rung.mean is not None:
            best, parent = max(known)
            if rung.mean < best - TOLERANCE:
                return f"{rung.mean:.3f} on the cheap rung, {parent} has {best:.3f}"
        return ""

    def _measure(self, program: Program, queries: Sequence[Query]) -> Evaluation:
        works = self.worker.splits.work(queries)
        return self.worker.evaluator.evaluate(program, works, self.lease, stage=self.stage)


def rung_mean(scores: Mapping[str, float], splits: Splits) -> float | None:
    """Return a candidate's mean on the cheap rung, None where it has no score there."""
    on_rung = [scores[query.id] for query in splits.rung() if query.id in scores]
    return sum(on_rung) / len(on_rung) if on_rung else None


def _judge(report: Report, rung: Evaluation, rest: Evaluation) -> Report:
    """Put both parts of the static set together: scored, or void where too much of it could not be measured."""
    cases = rung.cases + rest.cases
    whole = Evaluation(rung.program, cases, behaviour(cases), rung.seconds + rest.seconds)
    if whole.coverage >= COVERAGE:
        return replace(report, outcome="scored", evaluation=whole)
    lost = next((case.reason for case in cases if case.outcome == "infrastructure"), "")
    reason = f"only {whole.coverage:.0%} of the queries could be measured ({lost})"
    return replace(report, outcome="void", reason=reason, evaluation=whole)


def _bet(program: Program) -> str:
    """The first sentence of its docstring: what the program bets on."""
    return " ".join(program.docstring.split()).partition(". ")[0].rstrip(".") or "a seed without a docstring"
