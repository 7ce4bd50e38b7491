"""The measurement of one program: ingest each scope in order, then ask. Scopes run side by side."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from evolve.errors import ProgramFault, SandboxError
from evolve.types import JSON, Case, Evaluation, Outcome, Program, Query

if TYPE_CHECKING:
    from evolve.agents.base import Agent
    from evolve.evaluation.splits import Work
    from evolve.sandbox.base import Sandbox
    from evolve.sandbox.box import Box, Scope
    from evolve.scoring import Scorer

MOST_SCOPES = 8
"""Scopes of one candidate at work at a time."""
ATTEMPTS = 3
"""An infrastructure fault is tried again in a new box; after so many the scope's open queries stay without a score."""

Stage = Callable[[str], None]
"""Hears what is being done, for the live view."""


@dataclass(slots=True)
class Part:
    """One scope's cases so far; what is finished survives a box that is lost on the way."""

    work: Work
    cases: dict[str, Case] = field(default_factory=dict)

    @property
    def open(self) -> list[Query]:
        return [query for query in self.work.queries if query.id not in self.cases]


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


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Measures programs: the fixed task agent, the scorer, and the sandbox that programs run in."""

    agent: Agent
    scorer: Scorer
    sandbox: Sandbox

    def evaluate(self, program: Program, works: Sequence[Work], lease: Lease, *, stage: Stage) -> Evaluation:
        """Measure the program on the queries of all parts of the work; never raises for what the program does.

        Raises PrerequisiteError where the sandbox is not there at all.
        """
        began = time.monotonic()
        parts = [Part(work) for work in works]
        lost = ""
        for _ in range(ATTEMPTS):
            left = [part for part in parts if part.open]
            if not left:
                break
            lost = self._in_one_box(program, left, lease, stage)
        for part in parts:
            for query in part.open:
                part.cases[query.id] = _case(query, outcome="infrastructure", score=None, reason=lost)
        cases = tuple(part.cases[query.id] for part in parts for query in part.work.queries)
        return Evaluation(program.digest, cases, behaviour(cases), time.monotonic() - began)

    def _in_one_box(self, program: Program, parts: Sequence[Part], lease: Lease, stage: Stage) -> str:
        """Run the open queries of these parts; return why the box was lost, or "" where it was not."""
        stage("starting")
        try:
            box = lease.box()
        except SandboxError as error:
            return str(error)
        with ThreadPoolExecutor(min(len(parts), MOST_SCOPES), "evolve-scope") as pool:
            losses = list(pool.map(lambda part: self._scope(program, part, box, stage), parts))
        return next((lost for lost in losses if lost), "")

    def _scope(self, program: Program, part: Part, box: Box, stage: Stage) -> str:
        try:
            try:
                memory = self._ingest(program, part, box, stage)
            except ProgramFault as fault:
                for query in part.open:
                    part.cases[query.id] = _case(query, outcome="program", score=0.0, reason=str(fault))
                return ""
            for query in part.open:
                part.cases[query.id] = self._ask(program, query, memory)
                stage("asking")
            memory.close()
        except SandboxError as error:
            return str(error)
        return ""

    def _ingest(self, program: Program, part: Part, box: Box, stage: Stage) -> Scope:
        memory = box.open(program.source, call_llm=no_completions)
        for episode in part.work.episodes:
            stage("ingesting")
            item = self.agent.extract(program, episode)
            try:
                memory.write(item, episode.text)
            except ProgramFault as fault:
                memory.close()
                raise ProgramFault(fault.kind, f"writing episode {episode.id}: {fault.message}") from None
        return memory

    def _ask(self, program: Program, query: Query, memory: Scope) -> Case:
        formulated = self.agent.formulate(program, query.text)
        try:
            read = memory.read(formulated)
        except ProgramFault as fault:
            return _case(query, outcome="program", score=0.0, formulated=formulated, reason=str(fault))
        answer = self.agent.respond(program, query.text, read)
        score = self.scorer.score(query, read, answer)
        return _case(query, outcome="scored", score=score, formulated=formulated, read=read, answer=answer)


def behaviour(cases: Sequence[Case]) -> str:
    """Return a sha256 that is equal for evaluations in which the program asked and read the same, query by query."""
    seen = sorted((case.query, case.outcome, dict(case.formulated), case.read) for case in cases)
    return hashlib.sha256(json.dumps(seen, sort_keys=True, default=str).encode("utf-8", "replace")).hexdigest()


def _case(
    query: Query,
    *,
    outcome: Outcome,
    score: float | None,
    formulated: dict[str, JSON] | None = None,
    read: str = "",
    answer: str = "",
    reason: str = "",
) -> Case:
    return Case(
        query=query.id,
        scope=query.scope,
        category=query.category,
        outcome=outcome,
        score=score,
        question=query.text,
        formulated=formulated or {},
        read=read,
        answer=answer,
        reason=reason,
    )


def no_completions(messages: list[JSON], kwargs: dict[str, JSON]) -> NoReturn:
    """Answer a program's `llm_completion` in a run without a toolkit model: the call raises in the program."""
    raise ProgramFault("raised", "this run has no toolkit model: llm_completion cannot be answered")
