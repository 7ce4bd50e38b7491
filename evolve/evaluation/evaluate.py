"""The measurement of one program, at once or in parts: ingest each scope in order, then ask; scopes side by side."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import reduce
from threading import Semaphore
from typing import TYPE_CHECKING

from evolve.errors import ProgramFault, SandboxError
from evolve.evaluation.calls import Calls
from evolve.evaluation.gauge import Complete, both, operation
from evolve.evaluation.scope import Part, Visit
from evolve.types import JSON, Case, Evaluation, Operation, Program, Write

if TYPE_CHECKING:
    from evolve.agents.base import Agent
    from evolve.environments.base import Environments
    from evolve.evaluation.splits import Work
    from evolve.models.base import Purpose, Reply
    from evolve.sandbox.base import Sandbox
    from evolve.sandbox.box import Box, CallEmbed
    from evolve.scoring.base import Scorer

MOST_SCOPES = 8
"""Scopes of one candidate at work at a time; and so many memories are kept for later."""
MOST_OPEN = 16
"""Memories of one candidate open at a time: those at work, those that wait for a model's answers, and those kept."""
MOST_CALLS = 64
"""Calls of one candidate's agent and scorer at a time, where a model answers them; the broker's gate decides."""
ATTEMPTS = 3
"""An infrastructure fault is tried again in a new box; after so many the scope's open queries stay without a score."""
MOST_WRITES = 3
"""Writes that an evaluation shows."""

Stage = Callable[[str], None]
"""Hears what is being done, for the live view."""


class Lease:
    """One candidate's box: started when it is first needed, replaced when it is lost, closed at the end."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._box: Box | None = None

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._box is not None:
            self._box.close()

    def box(self) -> Box:
        """Return the box, which is up as far as is known. Raises SandboxError, PrerequisiteError."""
        if self._box is None or self._box.ended:
            if self._box is not None:
                self._box.close()
            self._box = self._sandbox.start()
        return self._box


def no_completions(messages: list[JSON], kwargs: dict[str, JSON], purpose: Purpose) -> Reply:
    """Answer a program's `llm_completion` in a run without a toolkit model: the call raises in the program."""
    raise ProgramFault("raised", "this run has no toolkit model: llm_completion cannot be answered")


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Measures programs: the fixed task agent, the scorer, the sandbox that programs run in, and what they may call."""

    agent: Agent
    scorer: Scorer
    sandbox: Sandbox
    complete: Complete = no_completions
    call_embed: CallEmbed | None = None
    """None: programs embed with the packaged weights."""
    environments: Environments | None = None
    """Where the queries are goals; the agent is an Actor then, and the environment scores."""
    oracle: bool = False
    """Ask the agent with the gold evidence where a case failed, and let programs complete while they are probed."""

    def evaluate(self, program: Program, works: Sequence[Work], lease: Lease, *, stage: Stage) -> Evaluation:
        """Measure the program on the queries of all parts of the work; never raises for what the program does.

        Nothing of it is at work any more when it returns or raises. Raises PrerequisiteError where the sandbox or a
        model is not there at all, BudgetSpent, and RunFolderError where a replay lacks a call.
        """
        with self.begin(program, lease, stage=stage) as exam:
            return exam.ask(works)

    def begin(self, program: Program, lease: Lease, *, stage: Stage) -> Exam:
        """Return the program's examination, to be asked in parts and closed; nothing is begun yet."""
        return Exam(self, program, lease, stage=stage)


class Exam:
    """The measurement of one program in parts: what was written for one part is kept for those to come.

    Used by one thread; several may be at work at a time, each with a lease of its own.
    """

    def __init__(self, evaluator: Evaluator, program: Program, lease: Lease, *, stage: Stage) -> None:
        self._evaluator = evaluator
        self._program = program
        self._lease = lease
        self._stage = stage
        self._calls = Calls(MOST_CALLS if evaluator.agent.asks_model else 0)
        self._kept: dict[str, Part] = {}
        """The last part of each scope whose memory is open, or that the program's fault has settled."""
        self._begun: dict[str, Visit] = {}
        """By scope: what `prepare` has begun."""

    def __enter__(self) -> Exam:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the memories that were kept; nothing of it is at work any more when it returns."""
        try:
            self._calls.close()
        finally:
            for part in self._kept.values():
                part.close()

    def prepare(self, works: Sequence[Work]) -> None:
        """Begin the model's calls for what is asked first, as far as they need no memory."""
        if self._evaluator.agent.asks_model:
            self._begun = {work.scope: self._visit(Part(work)) for work in works}
            for visit in self._begun.values():
                visit.extract()
            for visit in self._begun.values():
                visit.formulate()

    def _visit(self, part: Part) -> Visit:
        return Visit(self._evaluator, self._program, part, self._calls, self._stage)

    def ask(self, works: Sequence[Work], *, later: Collection[str] = ()) -> Evaluation:
        """Measure the program on the queries of all parts of the work, and on no others; raises as `evaluate`.

        The memory of a scope in `later` stays open, of 8 scopes at most, and is not filled again when it is asked; any
        other is closed. A scope that the program's fault has settled stays settled.
        """
        began = time.monotonic()
        parts = self._parts(works, later)
        visits = [self._visit(part) for part in parts]
        for visit in visits:
            visit.take_over(self._begun.pop(visit.part.work.scope, None))
        try:
            for _ in range(ATTEMPTS):
                if left := [visit for visit in visits if visit.part.open]:
                    self._in_one_box(left)
        finally:
            for part in parts:
                if not part.stays:
                    part.close()
                if part.memory is not None or part.fault:
                    self._kept[part.work.scope] = part
        for visit in visits:
            visit.part.settle("infrastructure", visit.part.lost)
            visit.locate(lambda fields: None)  # what a lost box left without a stage
        cases = tuple(part.cases[query.id] for part in parts for query in part.work.queries)
        seconds = time.monotonic() - began
        operations = {
            "write": operation(part.writing for part in parts),
            "read": operation(part.reading for part in parts),
        }
        return Evaluation(self._program.digest, cases, behaviour(cases), seconds, telling_writes(parts), operations)

    def _parts(self, works: Sequence[Work], later: Collection[str]) -> list[Part]:
        """Return what is to be done, with the memories that are open; close those that are of no use any more.

        Which memories are to stay depends on nothing that happens: a run without a model is repeatable to the write.
        """
        before = {work.scope: self._kept.pop(work.scope, None) for work in works}
        for scope, part in self._kept.items():
            if scope not in later:
                part.close()
        room = MOST_SCOPES - sum(part.memory is not None for part in self._kept.values())
        parts = []
        for work in works:
            part = _resumed(work, before[work.scope])
            part.stays = room > 0 and work.scope in later
            room -= part.stays
            parts.append(part)
        return parts

    def _in_one_box(self, visits: Sequence[Visit]) -> None:
        """Work on these parts side by side; the first that fails for good ends the others."""
        self._stage("starting")
        for visit in visits:
            visit.extract()
        for visit in visits:
            visit.formulate()
        try:
            box = self._lease.box()
        except SandboxError as error:
            for visit in visits:
                visit.lose(str(error))
            return
        for visit in visits:
            visit.move(box)
        turn = Semaphore(MOST_SCOPES)
        open_besides = sum(part.memory is not None for part in self._kept.values())
        staying = sum(visit.part.stays for visit in visits)
        most = MOST_OPEN - open_besides - staying if self._evaluator.agent.asks_model else MOST_SCOPES
        with ThreadPoolExecutor(min(len(visits), most), "evolve-scope") as pool:
            running = [pool.submit(visit.run, box, turn) for visit in visits]
            try:
                for done in as_completed(running):
                    done.result()
            except BaseException:
                self._calls.stop()
                raise


def _resumed(work: Work, before: Part | None) -> Part:
    """Return the part of a scope, going on from the one before where that has written the same episodes."""
    if before is None:
        return Part(work)
    if before.work.episodes != work.episodes:
        before.close()
        return Part(work)
    part = Part(work, before.memory, fault=before.fault)
    if part.memory is not None:
        part.writes = part.memory.writes
    if part.fault:
        part.settle("program", part.fault)
    return part


def joined(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Return several evaluations of one program, at least one, on different queries as one."""
    cases = tuple(case for each in evaluations for case in each.cases)
    seconds = sum(each.seconds for each in evaluations)
    operations = {
        name: reduce(both, (each.operations.get(name, Operation()) for each in evaluations))
        for name in ("write", "read")
    }
    writes: dict[str, Write] = {}
    for write in (write for each in evaluations for write in each.writes):
        writes.setdefault(write.episode, write)
    shown = tuple(writes.values())[:MOST_WRITES]
    return Evaluation(evaluations[0].program, cases, behaviour(cases), seconds, shown, operations)


def telling_writes(parts: Sequence[Part]) -> tuple[Write, ...]:
    """Return at most 3 writes: the one that failed, those of the evidence of the worst cases, then the first ones."""
    writes = {episode: write for part in parts for episode, write in part.writes.items()}
    missed = [
        (case.score, query)
        for part in parts
        for query in part.work.queries
        if (case := part.cases[query.id]).score is not None and case.score < 1
    ]
    wanted = [part.broken for part in parts]
    wanted += [evidence.episode for _, query in sorted(missed, key=lambda pair: pair[0]) for evidence in query.evidence]
    ranked = [episode for episode in dict.fromkeys([*wanted, *writes]) if episode in writes]
    return tuple(writes[episode] for episode in ranked[:MOST_WRITES])


def behaviour(cases: Sequence[Case]) -> str:
    """Return a sha256 that is equal where the same was asked, read and answered, query by query.

    Programs that differ in their instructions alone differ in the answers alone.
    """
    seen = sorted((case.query, case.outcome, dict(case.formulated), case.read, case.answer) for case in cases)
    return hashlib.sha256(json.dumps(seen, sort_keys=True, default=str).encode("utf-8", "replace")).hexdigest()
