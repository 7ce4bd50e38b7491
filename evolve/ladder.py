"""One attempt: propose a child, and measure it rung by rung, cheapest first, only as long as it may be worth more.

Static checks and a smoke test; the gate, a few rotating queries paired with the parent; the race, the static queries
block by block, paired with the best candidate. What a child was asked is kept where it is dropped.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import TypeVar

from evolve.attempt import Attempt, Report
from evolve.config import Config
from evolve.errors import AgentFailure, InfrastructureError, ProgramFault
from evolve.evaluation.calls import Calls, Rank
from evolve.evaluation.evaluate import MOST_CALLS, Evaluator, Exam, Lease, Stage, behaviour, joined
from evolve.evaluation.gauge import Completions
from evolve.evaluation.race import losing, risk_at
from evolve.evaluation.splits import Splits
from evolve.models.account import Account
from evolve.models.base import Purpose, Reply, Request
from evolve.operators import OPERATORS
from evolve.operators.base import Ground, Parent, Proposal
from evolve.program.phases import PHASES, again, in_words
from evolve.types import JSON, Evaluation, Phase, Program, Query

A = TypeVar("A")

COVERAGE = 0.9
"""A candidate with a smaller share of queries that could be measured is void, not bad."""
SMOKE_EPISODES = 2
MEASURING = "measuring"
"""How the stages begin that come after the proposal."""


@dataclass(slots=True)
class Ladder:
    """One attempt at work, with the candidate's box."""

    config: Config
    splits: Splits
    job: Attempt
    evaluator: Evaluator
    account: Account | None
    lease: Lease
    tell: Stage
    asked: int = 0
    traced: dict[str, dict[str, float]] = field(default_factory=dict)
    """Scores on rotating queries that the proposal has brought, by digest of the program and query."""
    is_measuring: bool = False

    def climb(self) -> Report:
        """Make the child and measure it. Raises what the evaluation and the broker raise, InfrastructureError aside."""
        draw, began = Random(self.job.draw), time.monotonic()
        try:
            proposal = self._propose(draw)
        except InfrastructureError as error:
            return Report("void", "", f"nothing could be proposed ({error})", asked=self.asked)
        report = Report("rejected", proposal.note, trials=proposal.trials, critique=proposal.critique)
        if proposal.program is None:
            report = replace(report, note=proposal.idea, reason=proposal.note)
        else:
            report = self._tried(replace(report, program=proposal.program), proposal, draw, began)
        return replace(report, asked=self.asked, proposing=report.proposing or time.monotonic() - began)

    def _tried(self, report: Report, proposal: Proposal, draw: Random, began: float) -> Report:
        program = proposal.program
        assert program is not None
        with self.evaluator.begin(program, self.lease, stage=self._say) as exam:
            if self.job.program is not None:
                exam.prepare(self.splits.work(self.splits.static))  # a seed hardly ever fails: nothing waits for that
            # A model's child has passed the smoke test while there was still somebody to mend it.
            if proposal.critique is None and (fault := self._smoke(program, draw)):
                return replace(report, reason=f"fails its smoke test: {fault}")
            report = replace(report, proposing=time.monotonic() - began)
            self.is_measuring = True
            gate = self._gate_queries(draw)
            parent = self._on_rotating(self.job.parents[0].program, gate) if gate else {}
            expected, before = self._expected(program), self._calls()
            report = self._gated(report, exam, gate, parent)
            if not report.dropped:
                report = self._raced(report, exam, proposal.rung)
        return replace(report, phases=self._phases(expected, before))

    def _gate_queries(self, draw: Random) -> tuple[Query, ...]:
        """Rotating queries for child and parent: those that the parent was asked for the proposal, if there are any."""
        count = self.config.evaluation.race.gate or 0
        if self.config.evaluation.ladder == "none" or not self.job.parents or not count:
            return ()
        pool = self.splits.rotating
        known = self.traced.get(self.job.parents[0].program.digest, {})
        asked = tuple(query for query in pool if query.id in known)
        return asked[:count] or tuple(draw.sample(pool, min(count, len(pool))))

    def _gated(self, report: Report, exam: Exam, queries: Sequence[Query], parent: Mapping[str, float]) -> Report:
        """Give the child up where it is clearly worse than its parent on the rotating queries."""
        if not parent:
            return report
        scores = self._ask(exam, queries, later={query.scope for query in self.splits.static}).scores
        shared = scores.keys() & parent.keys()
        child, other = (sum(each[query] for query in shared) / max(1, len(shared)) for each in (scores, parent))
        if not shared or child >= other - self.config.evaluation.race.margin:
            return report
        reason = f"{child:.3f} on {len(shared)} rotating queries, {self.job.parents[0].id} has {other:.3f} on them"
        return replace(report, reason=reason, dropped="gate")

    def _raced(self, report: Report, exam: Exam, rung: Evaluation | None) -> Report:
        """Ask block by block, until the child loses or there is nothing left to ask; all at once where nobody looks."""
        blocks, done = self.splits.blocks, [rung] if rung is not None else []
        if not self._has_looks and rung is None:
            blocks = (self.splits.static,)
        whole = joined(done) if done else None
        for number, block in enumerate(blocks):
            if number >= len(done):
                later = {query.scope for after in blocks[number + 1 :] for query in after}
                done.append(self._ask(exam, block, later=later))
                whole = joined(done)
            assert whole is not None
            if number == 0:
                report = replace(report, behaviour=self._on_rung(whole))
            is_last = number == len(blocks) - 1
            if not is_last and (dropped := self._dropped(report, whole)):
                return dropped
        assert whole is not None, "there is a static query"
        return judged(report, whole)

    @property
    def _has_looks(self) -> bool:
        """Seeds are what all else is compared with: they are measured in full."""
        return self.config.evaluation.ladder != "none" and bool(self.job.parents)

    def _on_rung(self, whole: Evaluation) -> str:
        """Return how the candidate behaves on the cheap rung, whatever it was asked besides."""
        rung = {query.id for query in self.splits.rung}
        return behaviour([case for case in whole.cases if case.query in rung])

    def _dropped(self, report: Report, whole: Evaluation) -> Report | None:
        """Return how the child ends after a block, None where it goes on."""
        rival, race = self.job.rival, self.config.evaluation.race
        if self.config.evaluation.ladder == "none":
            return None
        twin = self.job.behaviours.get(report.behaviour)
        if twin is not None and len(whole.cases) == len(self.splits.rung):
            reason = f"behaves like {twin} on every query of the cheap rung"
            return replace(report, reason=reason, evaluation=whole)
        if rival is None or not self._has_looks:
            return None
        if not losing(whole.scores, rival.scores, risk=risk_at(race.risk, len(self.splits.blocks))):
            return None
        shared = whole.scores.keys() & rival.scores.keys()
        child, other = (sum(each[query] for query in shared) / len(shared) for each in (whole.scores, rival.scores))
        reason = (
            f"{child:.3f} on {len(shared)} of {len(self.splits.static)} static queries, "
            f"{rival.id} has {other:.3f} on them"
        )
        return replace(report, reason=reason, evaluation=whole, dropped="race")

    def _propose(self, draw: Random) -> Proposal:
        if self.job.program is not None:
            return Proposal(self.job.program, _bet(self.job.program))
        self._say("proposing")
        ground = Ground(
            parents=self.job.parents,
            known=frozenset(self.job.known),
            trials=self.job.trials,
            draw=draw,
            config=self.config,
            follows_instructions=self.evaluator.agent.follows_instructions,
            measure=lambda program: self._measure(program, self.splits.rung),
            trace=self._trace,
            smoke=lambda program: self._smoke(program, draw),
            rotating=self.splits.rotating,
            wins=_wins(self.job.parents, self.splits),
            reference=self.job.reference,
            ask=self._reflect if self.account else None,
        )
        return OPERATORS[self.job.operator].propose(ground)

    def _reflect(self, request: Request) -> Reply:
        assert self.account is not None
        self._say("reflecting")
        return self.account.complete(request)

    def _smoke(self, program: Program, draw: Random) -> str:
        """Load the program, let it write and read real things of the task; return its fault, or ""."""
        self._say("smoke test")
        evaluator, asked = self.evaluator, self._smoke_queries(draw)
        episodes = self.splits.work(asked)[0].episodes[:SMOKE_EPISODES]
        fault = ""
        try:
            with Calls(MOST_CALLS if evaluator.agent.asks_model else 0) as calls:
                items = calls.ahead(
                    lambda episode: _usable(evaluator.agent.extract, program, episode), episodes, Rank.EXTRACT
                )
                fields = calls.ahead(
                    lambda query: _usable(evaluator.agent.formulate, program, query.text), asked, Rank.FORMULATE
                )
                box = self.lease.box()
                completions = Completions(evaluator.complete)
                memory = box.open(program.source, call_llm=completions, call_embed=evaluator.call_embed)
                for item, episode in zip(items, episodes, strict=True):
                    if item is not None:
                        memory.write(item, episode.text)
                for query in fields:
                    if query is not None:
                        memory.read(query)
                memory.close()
        except ProgramFault as error:
            fault = str(error)
        except InfrastructureError:
            pass  # not the program's fault; the evaluation tries again and counts what it loses
        return fault

    def _smoke_queries(self, draw: Random) -> list[Query]:
        """Rotating queries: those that the parent was asked, which the gate asks next, if there are any."""
        pool = self.splits.rotating or self.splits.static
        drawn = draw.sample(pool, min(self.config.evaluation.rotating, len(pool)))
        known = self.traced.get(self.job.parents[0].program.digest, {}) if self.job.parents else {}
        return [query for query in pool if query.id in known][: len(drawn)] or drawn

    def _measure(self, program: Program, queries: Sequence[Query]) -> Evaluation:
        self.asked += len(queries)
        return self.evaluator.evaluate(program, self.splits.work(queries), self.lease, stage=self._say)

    def _trace(self, program: Program, queries: Sequence[Query]) -> Evaluation:
        evaluation = self._measure(program, queries)
        self.traced.setdefault(program.digest, {}).update(evaluation.scores)
        return evaluation

    def _on_rotating(self, program: Program, queries: Sequence[Query]) -> Mapping[str, float]:
        known = self.traced.get(program.digest, {})
        if missing := [query for query in queries if query.id not in known]:
            self._trace(program, missing)
            known = self.traced[program.digest]
        return {query.id: known[query.id] for query in queries if query.id in known}

    def _ask(self, exam: Exam, queries: Sequence[Query], *, later: set[str]) -> Evaluation:
        self.asked += len(queries)
        return exam.ask(self.splits.work(queries), later=later)

    def _say(self, text: str) -> None:
        self.tell(f"{MEASURING}: {text}" if self.is_measuring else text)

    def _calls(self) -> Mapping[Purpose, tuple[int, int]]:
        return self.account.phases() if self.account else {}

    def _expected(self, program: Program) -> Collection[Purpose]:
        """Say, and return, which phases of the child's evaluation must ask what no parent has asked."""
        environments = self.evaluator.environments
        stepwise = environments is not None and environments.reads == "step"
        expected = again([parent.program for parent in self.job.parents], program, stepwise=stepwise)
        self._say(f"{in_words(expected)} again" if self.job.parents else "every phase")
        return expected

    def _phases(self, expected: Collection[Purpose], before: Mapping[Purpose, tuple[int, int]]) -> Mapping[str, Phase]:
        """What was expected of each phase of the evaluation, and what came; nothing where no model answers."""
        if not self.config.models.answering:
            return {}
        after = self._calls()
        found: dict[str, Phase] = {}
        for phase in PHASES:
            (made, kept), (had, held) = after.get(phase, (0, 0)), before.get(phase, (0, 0))
            found[phase] = Phase(phase in expected, made - had, kept - held)
        return found


def judged(report: Report, whole: Evaluation) -> Report:
    """Return the report on a child that was asked everything: scored, or void where too much could not be measured."""
    if whole.coverage >= COVERAGE:
        return replace(report, outcome="scored", evaluation=whole)
    lost = next((case.reason for case in whole.cases if case.outcome == "infrastructure"), "")
    reason = f"only {whole.coverage:.0%} of the queries could be measured ({lost})"
    return replace(report, outcome="void", reason=reason, evaluation=whole)


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


def _usable(fill: Callable[[Program, A], dict[str, JSON]], program: Program, given: A) -> dict[str, JSON] | None:
    """Return what the agent filled in, None where it failed: a smoke test is no test of the agent."""
    try:
        return fill(program, given)
    except AgentFailure:
        return None


def _bet(program: Program) -> str:
    """The first sentence of its docstring: what the program bets on."""
    return " ".join(program.docstring.split()).partition(". ")[0].rstrip(".") or "a seed without a docstring"
