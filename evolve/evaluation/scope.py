"""One scope's part of an evaluation, in one box: remember in order, ask, and see where the answers were lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Literal, cast

from evolve.errors import AgentFailure, EvolveError, InfrastructureError, ProgramFault
from evolve.evaluation.calls import Rank, Results
from evolve.evaluation.gauge import Completions, Gauge
from evolve.evaluation.play import play
from evolve.evaluation.stages import Probe, Tracer, gold_text
from evolve.types import JSON, Case, Episode, Program, Query, Write, empty_item

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


Extracted = tuple[dict[str, JSON], str]
"""An item, and why it is not what it should be."""


@dataclass(frozen=True, slots=True)
class Memory:
    """A scope's memory with all of its episodes written, open in a box."""

    box: Box
    scope: Scope
    completions: Completions
    episodes: tuple[Episode, ...]
    writes: dict[str, Write] = field(default_factory=dict)
    """By episode, in order."""


@dataclass(slots=True)
class Part:
    """One scope's cases and writes so far; the cases survive a box that is lost on the way."""

    work: Work
    memory: Memory | None = None
    """None where it has to be filled; whoever sees the part last closes it."""
    stays: bool = False
    """The memory is left open for later queries."""
    cases: dict[str, Case] = field(default_factory=dict)
    writes: dict[str, Write] = field(default_factory=dict)
    """By episode, in order."""
    broken: str = ""
    """The episode that the program failed to write."""
    lost: str = ""
    """Why it has to be tried again, in the words of the last try."""
    fault: str = ""
    """What the program did that leaves no memory to ask, now or later."""
    writing: Gauge = field(default_factory=lambda: Gauge(purpose="write"))
    reading: Gauge = field(default_factory=lambda: Gauge(purpose="read"))

    @property
    def open(self) -> list[Query]:
        """The queries without a case."""
        return [query for query in self.work.queries if query.id not in self.cases]

    def settle(self, outcome: Literal["program", "infrastructure"], reason: str) -> None:
        """Give every open query the same end."""
        for query in self.open:
            self.cases[query.id] = faulty(query, outcome, reason)

    def close(self) -> None:
        """Close the memory, if there is one."""
        if self.memory is not None:
            self.memory.scope.close()
            self.memory = None


class NotExtracted(Exception):
    """An item is missing for want of a provider: the memory would be filled in part, so nothing is asked."""


class MemoryLost(Exception):
    """The memory could not be read in the middle of a game: the whole scope has to be tried again."""


@dataclass(slots=True)
class Visit:
    """A part and everything that works on it."""

    evaluator: Evaluator
    program: Program
    part: Part
    calls: Calls
    stage: Callable[[str], None]
    _items: Results[Extracted] | None = None
    _begun: Results[Case] | None = None

    def extract(self) -> None:
        """Begin to extract what has to be written, which needs no box; nothing where it is begun or the memory open."""
        if self.part.memory is None and self._items is None:
            self._items = self.calls.ahead(self._extract, self.part.work.episodes, Rank.EXTRACT)

    def formulate(self) -> None:
        """Begin to formulate what is to be asked, which needs no memory; nothing where it is begun."""
        self._begun = self._begun or self.calls.ahead(self._formulate, self.part.open, Rank.FORMULATE)

    def take_over(self, other: Visit | None) -> None:
        """Go on with what another visit has begun to ask for the same work."""
        if other is not None and other.part.work == self.part.work:
            self._items, self._begun = other._items, other._begun

    def move(self, box: Box) -> None:
        """Have the memory in this box: one that is open in another, which is lost, has to be filled again."""
        if self.part.memory is not None and self.part.memory.box is not box:
            self.part.close()
            self.extract()

    def lose(self, why: str) -> None:
        """Give up for now what was begun; there is no box to go on in."""
        self.part.lost = why
        self._stop()

    def run(self, box: Box, turn: AbstractContextManager[object]) -> None:
        """Bring the part as far as this box lets us; what is still open then has `part.lost` to say why.

        It is at work on the memory in its turn only: waiting for answers is not. Raises what is nobody's fault and no
        passing failure: BudgetSpent, PrerequisiteError, RunFolderError.
        """
        self.part.lost = ""
        stays = False
        try:
            self._run(box, turn)
            memory = self.part.memory
            stays = self.part.stays and memory is not None and memory.scope.fault is None
        except ProgramFault as fault:
            self.part.fault = str(fault)
            self.part.settle("program", self.part.fault)
        except NotExtracted as fault:
            self.part.settle("infrastructure", str(fault))
        except (InfrastructureError, MemoryLost) as error:
            self.part.lost = str(error)
        finally:
            self._stop()
            if not stays:
                self.part.close()

    def _stop(self) -> None:
        for results in (self._items, self._begun):
            if results is not None:
                results.close()
        self._items = self._begun = None

    def _run(self, box: Box, turn: AbstractContextManager[object]) -> None:
        part = self.part
        with turn:
            self.calls.check()
            memory = self._memory(box)
            reader = Reader(memory.scope, memory.completions, part.reading)
            answers = self.calls.ahead(lambda asked: self.answer(*asked, reader.read), self._reads(reader), Rank.ANSWER)
        with closing(answers):
            for case in answers:
                part.cases[case.query] = case
        part.fault = str(memory.scope.fault or "")  # before it is probed, which costs nobody a score
        memory.completions.closed = not self.evaluator.oracle
        with turn:
            self.locate(lambda fields: self._probe(memory, fields))
        if self.evaluator.oracle and self.evaluator.agent.asks_model:
            self._consult()

    def _memory(self, box: Box) -> Memory:
        """Return the memory filled, and ready to be asked."""
        if self.part.memory is None:
            source, completions = self.program.source, Completions(self.evaluator.complete)
            scope = box.open(source, call_llm=completions, call_embed=self.evaluator.call_embed)
            self.part.memory = Memory(box, scope, completions, self.part.work.episodes)
            self._ingest(self.part.memory)
        memory = self.part.memory
        memory.completions.closed = memory.completions.refused = False
        return memory

    def locate(self, probe: Probe) -> None:
        """Name the stage of every failed case that has none yet."""
        items = {episode: write.item for episode, write in self.part.writes.items()}
        thorough = self.evaluator.agent.asks_model
        tracer = Tracer(self.program, self.part.work, items, self.part.cases, probe, thorough=thorough)
        for query, stage in tracer.stages().items():
            self.part.cases[query] = replace(self.part.cases[query], stage=stage)

    def _ingest(self, memory: Memory) -> None:
        assert self._items is not None, "extraction was begun"
        self.part.writes, self.part.broken = memory.writes, ""
        for episode, (item, problem) in zip(memory.episodes, self._items, strict=True):
            self.calls.check()
            self.stage("ingesting")
            self.part.writing.chars += len(episode.text)
            try:
                with self.part.writing.measuring(memory.completions):
                    memory.scope.write(item, episode.text)
            except ProgramFault as fault:
                self.part.broken = episode.id
                raise ProgramFault(fault.kind, f"writing episode {episode.id}: {fault.message}") from None
            finally:
                log = tuple(line[:LOG_CHARS] for line in memory.scope.log[:LOG_LINES])
                memory.scope.log.clear()
                memory.writes[episode.id] = Write(episode.id, episode.scope, episode.text, item, log, problem)

    def _extract(self, episode: Episode) -> Extracted:
        try:
            return self.evaluator.agent.extract(self.program, episode), ""
        except AgentFailure as failure:
            return empty_item(self.program.item), str(failure)
        except InfrastructureError as error:
            raise NotExtracted(f"extracting episode {episode.id}: {error}") from None

    def _reads(self, reader: Reader) -> Iterator[tuple[Query, Case]]:
        """Yield each open query with a case that is over, or that has come as far as what was read."""
        assert self._begun is not None, "formulation was begun"
        for query, case in zip(self.part.open, self._begun, strict=True):
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

    def _probe(self, memory: Memory, fields: dict[str, JSON]) -> str | None:
        """Read once more; whatever goes wrong costs the answer to a question that nobody is scored on."""
        if self.calls.stopped or memory.completions.refused:
            return None
        try:
            read = memory.scope.probe(fields)
        except EvolveError:
            return None
        return None if memory.completions.refused else read

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
    _lost: str = ""
    _turn: Lock = field(default_factory=Lock)

    def read(self, fields: dict[str, JSON]) -> str:
        """Return what the memory returns. Raises as `Scope.read`, MemoryLost after a read that was nobody's fault."""
        with self._turn:
            if self._lost:
                raise MemoryLost(self._lost)
            try:
                with self.gauge.measuring(self.completions):
                    text = self.memory.read(fields)
            except InfrastructureError as error:
                self._lost = str(error)
                raise
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
