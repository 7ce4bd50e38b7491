"""One scope's part of an evaluation, in one box: remember in order, ask, and see where the answers were lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Literal, cast

from evolve.errors import AgentFailure, EvolveError, InfrastructureError, ProgramFault
from evolve.evaluation.gauge import Completions, Gauge
from evolve.evaluation.play import play
from evolve.evaluation.stages import Probe, Tracer, gold_text
from evolve.program.schema import empty_item
from evolve.types import JSON, Case, Episode, Program, Query, Write

if TYPE_CHECKING:
    from collections.abc import Callable

    from evolve.agents.base import Actor
    from evolve.evaluation.calls import Calls
    from evolve.evaluation.evaluate import Evaluator
    from evolve.evaluation.splits import Work
    from evolve.sandbox.box import Box, Scope

LOG_LINES, LOG_CHARS = 20, 300
"""What is kept of a program's log, for each write."""
LOW = 0.5
"""An answer from the gold evidence that scores lower has failed by itself."""


@dataclass(slots=True)
class Part:
    """One scope's cases and writes so far; the cases survive a box that is lost on the way."""

    work: Work
    cases: dict[str, Case] = field(default_factory=dict)
    writes: dict[str, Write] = field(default_factory=dict)
    """By episode, in order."""
    broken: str = ""
    """The episode that the program failed to write."""
    lost: str = ""
    """Why it has to be tried again, in the words of the last try."""
    writing: Gauge = field(default_factory=lambda: Gauge("write"))
    reading: Gauge = field(default_factory=lambda: Gauge("read"))

    @property
    def open(self) -> list[Query]:
        """The queries without a case."""
        return [query for query in self.work.queries if query.id not in self.cases]

    def settle(self, outcome: Literal["program", "infrastructure"], reason: str) -> None:
        """Give every open query the same end."""
        for query in self.open:
            self.cases[query.id] = faulty(query, outcome, reason)


class NotExtracted(Exception):
    """An item is missing for want of a provider: the memory would be filled in part, so nothing is asked."""


class MemoryLost(Exception):
    """The memory could not be read in the middle of a game: the whole scope has to be tried again."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A part and everything that works on it."""

    evaluator: Evaluator
    program: Program
    part: Part
    calls: Calls
    stage: Callable[[str], None]

    def run(self, box: Box) -> None:
        """Bring the part as far as this box lets us; what is still open then has `part.lost` to say why.

        Raises what is nobody's fault and no passing failure: BudgetSpent, PrerequisiteError, RunFolderError.
        """
        self.part.lost = ""
        completions = Completions(self.evaluator.complete)
        try:
            self.calls.check()
            memory = box.open(self.program.source, call_llm=completions, call_embed=self.evaluator.call_embed)
            try:
                self._ingest(memory, completions)
                self._ask(Reader(memory, completions, self.part.reading))
                completions.closed = not self.evaluator.oracle
                self.locate(lambda fields: self._probe(memory, completions, fields))
                if self.evaluator.oracle and self.evaluator.agent.asks_model:
                    self._consult()
            finally:
                memory.close()
        except ProgramFault as fault:
            self.part.settle("program", str(fault))
        except NotExtracted as fault:
            self.part.settle("infrastructure", str(fault))
        except (InfrastructureError, MemoryLost) as error:
            self.part.lost = str(error)

    def locate(self, probe: Probe) -> None:
        """Name the stage of every failed case that has none yet."""
        items = {episode: write.item for episode, write in self.part.writes.items()}
        thorough = self.evaluator.agent.asks_model
        tracer = Tracer(self.program, self.part.work, items, self.part.cases, probe, thorough=thorough)
        for query, stage in tracer.stages().items():
            self.part.cases[query] = replace(self.part.cases[query], stage=stage)

    def _ingest(self, memory: Scope, completions: Completions) -> None:
        self.part.writes.clear()
        self.part.broken = ""
        episodes = self.part.work.episodes
        with closing(self.calls.each(self._extract, episodes)) as items:
            for episode, (item, problem) in zip(episodes, items, strict=True):
                self.calls.check()
                self.stage("ingesting")
                self.part.writing.chars += len(episode.text)
                try:
                    with self.part.writing.measuring(completions):
                        memory.write(item, episode.text)
                except ProgramFault as fault:
                    self.part.broken = episode.id
                    raise ProgramFault(fault.kind, f"writing episode {episode.id}: {fault.message}") from None
                finally:
                    log = tuple(line[:LOG_CHARS] for line in memory.log[:LOG_LINES])
                    memory.log.clear()
                    self.part.writes[episode.id] = Write(episode.id, episode.scope, episode.text, item, log, problem)

    def _extract(self, episode: Episode) -> tuple[dict[str, JSON], str]:
        """Return the item, and why it is not what it should be."""
        try:
            return self.evaluator.agent.extract(self.program, episode), ""
        except AgentFailure as failure:
            return empty_item(self.program.item), str(failure)
        except InfrastructureError as error:
            raise NotExtracted(f"extracting episode {episode.id}: {error}") from None

    def _ask(self, reader: Reader) -> None:
        for case in self.calls.each(lambda asked: self.answer(*asked, reader.read), self._reads(reader)):
            self.part.cases[case.query] = case

    def _reads(self, reader: Reader) -> Iterator[tuple[Query, Case]]:
        """Yield each open query with a case that is over, or that has come as far as what was read."""
        queries = self.part.open
        with closing(self.calls.each(self._formulate, queries)) as begun:
            for query, case in zip(queries, begun, strict=True):
                self.calls.check()
                self.stage("asking")
                if _is_open(case):
                    try:
                        case = replace(case, read=reader.read(dict(case.formulated)))
                    except ProgramFault as fault:
                        case = replace(faulty(query, "program", str(fault)), formulated=case.formulated)
                yield query, case

    def _formulate(self, query: Query) -> Case:
        case = begun(query)
        try:
            return replace(case, formulated=self.evaluator.agent.formulate(self.program, query.text))
        except AgentFailure as failure:
            return replace(case, score=0.0, stage="agent", reason=str(failure))
        except InfrastructureError as error:
            return faulty(query, "infrastructure", str(error))

    def answer(self, query: Query, case: Case, read_again: Callable[[dict[str, JSON]], str]) -> Case:
        """Return the case answered and scored, or played; one that is over stays as it is."""
        if not _is_open(case):
            return case
        try:
            if self.evaluator.environments is not None:
                return self._played(query, case, read_again)
            answer = self.evaluator.agent.respond(self.program, query.text, case.read)
            verdict = self.evaluator.scorer.score(query, case.read, answer)
        except ProgramFault as fault:
            return replace(faulty(query, "program", str(fault)), formulated=case.formulated)
        except AgentFailure as failure:
            return replace(case, score=0.0, stage="agent", reason=str(failure))
        except InfrastructureError as error:
            return replace(case, outcome="infrastructure", reason=str(error))
        return replace(
            case, answer=answer, score=verdict.value, judgement=verdict.words, measures=dict(verdict.measures)
        )

    def _played(self, query: Query, case: Case, read_again: Callable[[dict[str, JSON]], str]) -> Case:
        environments, agent = self.evaluator.environments, self.evaluator.agent
        assert environments is not None

        def read(fields: dict[str, JSON]) -> str:
            try:
                return read_again(fields)
            except InfrastructureError as error:
                raise MemoryLost(str(error)) from None

        actor, check = cast("Actor", agent), self.calls.check
        game = play(actor, environments, self.program, query, case.read, read, check)
        return replace(case, answer=game.transcript, score=float(game.won), measures={"steps": game.steps})

    def _probe(self, memory: Scope, completions: Completions, fields: dict[str, JSON]) -> str | None:
        """Read once more; whatever goes wrong costs the answer to a question that nobody is scored on."""
        if self.calls.stopped or completions.refused:
            return None
        try:
            read = memory.read(fields)
        except EvolveError:
            return None
        return None if completions.refused else read

    def _consult(self) -> None:
        """Ask the agent with the gold evidence where a case failed: where that fails too, the answer was lost there."""
        told = [
            (query, self.part.cases[query.id], text)
            for query in self.part.work.queries
            if self.part.cases[query.id].stage not in ("", "answer", "agent", "program")
            and (text := gold_text(query, self.part.work.episodes))
        ]
        for case in self.calls.each(self._told, told):
            self.part.cases[case.query] = case

    def _told(self, told: tuple[Query, Case, str]) -> Case:
        query, case, text = told
        assert case.score is not None
        try:
            answer = self.evaluator.agent.respond(self.program, query.text, text)
            value = self.evaluator.scorer.score(query, text, answer).value
        except AgentFailure:
            value = 0.0
        except InfrastructureError:
            return case
        return replace(case, stage="answer") if value < LOW or value <= case.score else case


@dataclass(slots=True)
class Reader:
    """Reads a memory, one read at a time, and measures it."""

    memory: Scope
    completions: Completions
    gauge: Gauge
    _turn: Lock = field(default_factory=Lock)

    def read(self, fields: dict[str, JSON]) -> str:
        """Return what the memory returns; raises as `Scope.read`."""
        with self._turn, self.gauge.measuring(self.completions):
            text = self.memory.read(fields)
        self.gauge.chars += len(text)
        return text


def faulty(query: Query, outcome: Literal["program", "infrastructure"], reason: str) -> Case:
    """Return the case of a query that could not be asked."""
    if outcome == "program":
        return replace(begun(query), outcome=outcome, score=0.0, stage="program", reason=reason)
    return replace(begun(query), outcome=outcome, reason=reason)


def begun(query: Query) -> Case:
    """Return the case of a query that nothing has been done for yet."""
    return Case(query.id, query.scope, query.category, outcome="scored", score=None, question=query.text)


def _is_open(case: Case) -> bool:
    return case.outcome == "scored" and case.score is None
