"""What a worker does: one attempt from proposal to evaluation, or one more measurement of a candidate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from random import Random
from typing import Literal

from evolve.config import Config
from evolve.environments.base import Environments
from evolve.errors import AgentFailure, BudgetSpent, InfrastructureError, ProgramFault
from evolve.evaluation.crew import make_evaluator
from evolve.evaluation.evaluate import Evaluator, Lease, Stage, behaviour
from evolve.evaluation.gauge import Completions, both
from evolve.evaluation.oracle import evaluate_oracle
from evolve.evaluation.splits import Splits
from evolve.events import CandidateOutcome, Trial
from evolve.models.account import Account
from evolve.models.base import Broker, Reply, Request
from evolve.operators import OPERATORS
from evolve.operators.base import Critique, Ground, Parent, Proposal
from evolve.sandbox.base import Sandbox
from evolve.tasks import open_family
from evolve.types import Cost, Evaluation, Operation, Program, Query

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
    reference: Parent | None = None
    """The best candidate outside the parents' lineage."""


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
    critique: Critique | None = None
    asked: int = 0
    """Queries that were asked in all."""
    cost: Mapping[str, Cost] = field(default_factory=dict)
    """Of its calls to models, by role."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A candidate to be measured on queries that did not select it, or a program without a run on any."""

    candidate: str
    program: Program
    split: Literal["static", "fresh", "test"]
    oracle: bool = False
    """Answer from a perfect memory with the program's instructions, and do not run it."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a measurement found."""

    evaluation: Evaluation
    cost: Mapping[str, Cost]


@dataclass(frozen=True, slots=True)
class Unpaid:
    """A job that a budget ended half way; what its calls brought is in the broker's store."""

    reason: str


Job = Attempt | Measurement
Done = Report | Result | Unpaid


@dataclass(frozen=True, slots=True)
class Worker:
    """Runs jobs, one at a time, in the process that owns its sandbox."""

    config: Config
    splits: Splits
    sandbox: Sandbox
    broker: Broker | None = None
    """None in a run without models."""
    environments: Environments | None = None
    """None where the task's queries are questions."""

    def run(self, job: Job, stage: Stage) -> Done:
        """Return a Report for an attempt, Result for a measurement, Unpaid for either where a budget ended it."""
        account = Account(self.broker) if self.broker else None
        evaluator = make_evaluator(self.config, self.sandbox, account, self.environments)
        try:
            with Lease(self.sandbox) as lease:
                match job:
                    case Attempt():
                        report = _Bench(self, job, evaluator, account, lease, stage).attempt()
                        return replace(report, cost=account.costs()) if account else report
                    case Measurement():
                        works = self.splits.work(getattr(self.splits, job.split))
                        if job.oracle:
                            tell = open_family(self.config.task, self.config.task_options).oracle
                            evaluation = evaluate_oracle(evaluator, job.program, works, tell, stage=stage)
                        else:
                            evaluation = evaluator.evaluate(job.program, works, lease, stage=stage)
                        return Result(evaluation, account.costs() if account else {})
        except BudgetSpent as spent:
            return Unpaid(str(spent))

    def close(self) -> None:
        """End the sandbox and the environments."""
        try:
            self.sandbox.close()
        finally:
            if self.environments is not None:
                self.environments.close()


@dataclass(slots=True)
class _Bench:
    """One attempt at work, with the candidate's box."""

    worker: Worker
    job: Attempt
    evaluator: Evaluator
    account: Account | None
    lease: Lease
    stage: Stage
    asked: int = 0

    def attempt(self) -> Report:
        draw = Random(self.job.draw)
        try:
            proposal = self._propose(draw)
        except InfrastructureError as error:
            return Report("void", "", f"nothing could be proposed ({error})", asked=self.asked)
        report = Report("rejected", proposal.note, trials=proposal.trials, critique=proposal.critique)
        if proposal.program is None:
            return replace(report, note=proposal.idea, reason=proposal.note, asked=self.asked)
        report = self._measured(replace(report, program=proposal.program), proposal, draw)
        return replace(report, asked=self.asked)

    def _measured(self, report: Report, proposal: Proposal, draw: Random) -> Report:
        program = proposal.program
        assert program is not None
        # A model's child has passed the smoke test while there was still somebody to mend it.
        if proposal.critique is None and (fault := self._smoke(program, draw)):
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
        splits = self.worker.splits
        ground = Ground(
            parents=self.job.parents,
            known=frozenset(self.job.known),
            trials=self.job.trials,
            draw=draw,
            config=self.worker.config,
            follows_instructions=self.evaluator.agent.follows_instructions,
            measure=lambda program: self._measure(program, splits.rung()),
            trace=self._measure,
            smoke=lambda program: self._smoke(program, draw),
            rotating=splits.rotating,
            wins=_wins(self.job.parents, splits),
            reference=self.job.reference,
            ask=self._ask if self.account else None,
        )
        return OPERATORS[self.job.operator].propose(ground)

    def _ask(self, request: Request) -> Reply:
        assert self.account is not None
        self.stage("reflecting")
        return self.account.complete(request)

    def _smoke(self, program: Program, draw: Random) -> str:
        """Load the program, let it write and read real things of the task; return its fault, or ""."""
        self.stage("smoke test")
        splits, evaluator = self.worker.splits, self.evaluator
        pool = splits.rotating or splits.static
        asked = draw.sample(pool, min(self.worker.config.evaluation.rotating, len(pool)))
        fault = ""
        try:
            box = self.lease.box()
            memory = box.open(program.source, call_llm=Completions(evaluator.complete), call_embed=evaluator.call_embed)
            for episode in splits.work(asked)[0].episodes[:SMOKE_EPISODES]:
                with suppress(AgentFailure):
                    memory.write(evaluator.agent.extract(program, episode), episode.text)
            for query in asked:
                with suppress(AgentFailure):
                    memory.read(evaluator.agent.formulate(program, query.text))
            memory.close()
        except ProgramFault as error:
            fault = str(error)
        except InfrastructureError:
            pass  # not the program's fault; the evaluation tries again and counts what it loses
        return fault

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
        self.asked += len(queries)
        return self.evaluator.evaluate(program, self.worker.splits.work(queries), self.lease, stage=self.stage)


def rung_mean(scores: Mapping[str, float], splits: Splits) -> float | None:
    """Return a candidate's mean on the cheap rung, None where it has no score there."""
    on_rung = [scores[query.id] for query in splits.rung() if query.id in scores]
    return sum(on_rung) / len(on_rung) if on_rung else None


def _wins(parents: Sequence[Parent], splits: Splits) -> tuple[Mapping[str, int], ...]:
    """For two parents: on how many static queries each beats the other, by category."""
    if len(parents) < 2:
        return ()
    one, other = (parent.scores or {} for parent in parents[:2])
    both = [query for query in splits.static if query.id in one and query.id in other]
    return (
        dict(Counter(query.category for query in both if one[query.id] > other[query.id])),
        dict(Counter(query.category for query in both if other[query.id] > one[query.id])),
    )


def _judge(report: Report, rung: Evaluation, rest: Evaluation) -> Report:
    """Put both parts of the static set together: scored, or void where too much of it could not be measured."""
    cases = rung.cases + rest.cases
    writes = (rung.writes + rest.writes)[:3]
    operations = {
        name: both(rung.operations.get(name, Operation()), rest.operations.get(name, Operation()))
        for name in ("write", "read")
    }
    whole = Evaluation(rung.program, cases, behaviour(cases), rung.seconds + rest.seconds, writes, operations)
    if whole.coverage >= COVERAGE:
        return replace(report, outcome="scored", evaluation=whole)
    lost = next((case.reason for case in cases if case.outcome == "infrastructure"), "")
    reason = f"only {whole.coverage:.0%} of the queries could be measured ({lost})"
    return replace(report, outcome="void", reason=reason, evaluation=whole)


def _bet(program: Program) -> str:
    """The first sentence of its docstring: what the program bets on."""
    return " ".join(program.docstring.split()).partition(". ")[0].rstrip(".") or "a seed without a docstring"
