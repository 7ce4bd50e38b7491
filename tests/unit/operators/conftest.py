"""A ground whose measurements and replies are written down in advance; what is not written down fails the test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NoReturn

import pytest

from evolve.config import Config
from evolve.models.base import Reply, Request, Usage
from evolve.operators.base import Ground, Parent
from evolve.paths import seeds_dir
from evolve.program import load
from evolve.types import Case, Evaluation, Evidence, Program, Query, Write

BM25 = load(seeds_dir() / "bm25.py")
VECTOR = load(seeds_dir() / "vector_search.py")


def query(number: int, *, category: str = "") -> Query:
    """A rotating query whose gold can be told from everything else."""
    evidence = (Evidence(f"e{number}", f"EVIDENCE-{number:02} stands in its episode"),)
    return Query(f"r{number:02}", "s", f"QUESTION-{number:02}?", f"GOLD-{number:02}", evidence, category)


QUERIES = tuple(query(number, category="temporal" if number % 2 else "single_hop") for number in range(20))


@dataclass
class Script:
    """Answers as written down, and keeps what it was asked."""

    replies: list[str | Reply | Exception]
    requests: list[Request] = field(default_factory=list)

    def __call__(self, request: Request) -> Reply:
        self.requests.append(request)
        assert self.replies, f"an unexpected call: {request.messages[-1].text[:500]}"
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return Reply(reply, Usage(), 0.0) if isinstance(reply, str) else reply

    @property
    def prompt(self) -> str:
        """All of the first request."""
        return "\n".join(message.text for message in self.requests[0].messages)


@dataclass
class Traces:
    """Measures by query id, and keeps which queries were asked of which program."""

    scores: Callable[[Program, Query], float | None]
    calls: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    read: str = "what was read"

    def __call__(self, program: Program, queries: Sequence[Query]) -> Evaluation:
        self.calls.append((program.digest, tuple(query.id for query in queries)))
        return Evaluation(
            program.digest, tuple(self.case(program, query) for query in queries), "b", 0.0, self.writes(queries)
        )

    def case(self, program: Program, query: Query) -> Case:
        score = self.scores(program, query)
        return Case(
            query=query.id,
            scope="s",
            category=query.category,
            outcome="infrastructure" if score is None else "scored",
            score=score,
            question=query.text,
            formulated={"text": f"FORMULATED-{query.id}"},
            read=f"READ-{query.id} {self.read}",
            answer=f"ANSWER-{query.id}",
            stage="" if score in (None, 1.0) else "read",
        )

    def writes(self, queries: Sequence[Query]) -> tuple[Write, ...]:
        return tuple(
            Write(
                query.evidence[0].episode, "s", f"TEXT-{query.id}", {"date": f"ITEM-{query.id}"}, (f"LOG-{query.id}",)
            )
            for query in queries[:3]
        )


class Kit:
    """What tests of reflector operators are made from."""

    bm25, vector, queries = BM25, VECTOR, QUERIES
    parent = Parent("c004", BM25, 0.4, 0.45)

    def script(self, *replies: str | Reply | Exception) -> Script:
        """Answer with these, in order, and with nothing else."""
        return Script(list(replies))

    def traces(self, score: Callable[[Program, Query], float | None], read: str = "what was read") -> Traces:
        """Measure by program and query."""
        return Traces(score, read=read)

    def ground(
        self,
        script: Script | None = None,
        traces: Traces | None = None,
        *,
        settings: Mapping[str, object] | None = None,
        follows: bool = True,
        parents: tuple[Parent, ...] = (parent,),
        smoke: Callable[[Program], str] = lambda program: "",
        draw: str = "0:1",
        rotating: tuple[Query, ...] = QUERIES,
        wins: tuple[Mapping[str, int], ...] = (),
        reference: Parent | None = None,
        known: frozenset[str] = frozenset(),
    ) -> Ground:
        """A ground of a run with a task agent that is a model."""
        table = {"task": "chronicle", "models": {"agent": "openai:none"}, **(settings or {})}
        return Ground(
            parents=parents,
            known=known | {parent.program.digest for parent in parents},
            trials=(),
            draw=Random(draw),
            config=Config.checked(table).resolved(),
            follows_instructions=follows,
            measure=_never,
            trace=traces or Traces(lambda program, query: 0.0),
            smoke=smoke,
            rotating=rotating,
            wins=wins,
            reference=reference,
            ask=script,
        )

    def reply(self, change: str, *, message: str = "Rank whole episodes") -> str:
        """A reply in good form."""
        return f"## Diagnosis\nIt looks at single lines.\n\n## Commit message\n{message}\n\n## Change\n{change}\n"

    def patch(self, *lines: str) -> str:
        """A patch of program.py."""
        return "\n".join(["*** Begin Patch", "*** Update File: program.py", "@@", *lines, "*** End Patch"])

    @property
    def good(self) -> str:
        """A reply whose change holds."""
        return self.reply(self.patch("-READ_CHARS = 3000", "+READ_CHARS = 2000"))


@pytest.fixture
def kit() -> Kit:
    """What tests of reflector operators are made from."""
    return Kit()


def _never(program: Program) -> NoReturn:
    raise AssertionError("a reflector measures nothing on the cheap rung")
