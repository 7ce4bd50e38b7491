"""The measurement of one program: ingest each scope in order, then ask. Scopes run side by side."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evolve.errors import ProgramFault, SandboxError
from evolve.evaluation.calls import Calls
from evolve.evaluation.gauge import Complete, operation
from evolve.evaluation.scope import Part, Visit
from evolve.types import JSON, Case, Evaluation, Program, Write

if TYPE_CHECKING:
    from evolve.agents.base import Agent
    from evolve.environments.base import Environments
    from evolve.evaluation.splits import Work
    from evolve.models.base import Purpose, Reply
    from evolve.sandbox.base import Sandbox
    from evolve.sandbox.box import Box, CallEmbed
    from evolve.scoring.base import Scorer

MOST_SCOPES = 8
"""Scopes of one candidate at work at a time."""
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
        began = time.monotonic()
        with Calls(MOST_CALLS if self.agent.asks_model else 0) as calls:
            visits = [Visit(self, program, Part(work), calls, stage) for work in works]
            for _ in range(ATTEMPTS):
                if left := [visit for visit in visits if visit.part.open]:
                    self._in_one_box(left, lease, calls, stage)
        for visit in visits:
            visit.part.settle("infrastructure", visit.part.lost)
            visit.locate(lambda fields: None)  # what a lost box left without a stage
        parts = [visit.part for visit in visits]
        cases = tuple(part.cases[query.id] for part in parts for query in part.work.queries)
        seconds = time.monotonic() - began
        operations = {
            "write": operation(part.writing for part in parts),
            "read": operation(part.reading for part in parts),
        }
        return Evaluation(program.digest, cases, behaviour(cases), seconds, telling_writes(parts), operations)

    def _in_one_box(self, visits: Sequence[Visit], lease: Lease, calls: Calls, stage: Stage) -> None:
        """Work on these parts side by side; the first that fails for good ends the others."""
        stage("starting")
        try:
            box = lease.box()
        except SandboxError as error:
            for visit in visits:
                visit.part.lost = str(error)
            return
        with ThreadPoolExecutor(min(len(visits), MOST_SCOPES), "evolve-scope") as pool:
            running = [pool.submit(visit.run, box) for visit in visits]
            try:
                for done in as_completed(running):
                    done.result()
            except BaseException:
                calls.stop()
                raise


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
