"""The values that cross between layers: frozen, JSON-compatible, and pickled unchanged to Ray workers."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
Scalar: TypeAlias = bool | int | float | str | None
"""What a tunable may be set to."""
Outcome: TypeAlias = Literal["scored", "program", "infrastructure"]
"""How a case ended: measured, the program's fault (counts as 0), or the infrastructure's (never averaged)."""


FailureStage: TypeAlias = Literal[
    "", "episodes", "extraction", "write", "query", "read", "truncated", "answer", "agent", "program", "unknown"
]
"""The first stage that lost the answer, "" where nothing was lost: not in the episodes that were remembered, lost by
the agent's extraction, lost by `write`, missed by the query that the agent formulated, missed by `read`, cut short,
read and not used by the answer; "agent" where the agent gave nothing usable, "program" for a program's fault,
"unknown" where neither evidence nor answer can tell."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One unit of experience, in the order in which the agent lives it."""

    id: str
    scope: str
    """Whose memory it is; one knowledge base per scope."""
    text: str
    """What the agent observes; goes to the program as `raw_text`. Dates are part of the text."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A span of an episode that a gold answer rests on. Never leaves the host."""

    episode: str
    text: str
    """Verbatim from the episode's text."""


@dataclass(frozen=True, slots=True)
class Query:
    """One question, or one goal to reach. What is gold stays on the host and reaches only the scorer."""

    id: str
    scope: str
    text: str
    answer: str
    """Gold; empty where a rubric or an environment decides."""
    evidence: tuple[Evidence, ...] = ()
    category: str = ""
    aliases: tuple[str, ...] = ()
    """Other answers that are as right; gold."""
    details: Mapping[str, JSON] = field(default_factory=dict, hash=False)
    """What only the task's own scorer or environment understands, such as a rubric or a game; gold."""


@dataclass(frozen=True, slots=True)
class Task:
    """Episodes to remember and queries to answer, fully loaded and checked."""

    name: str
    """Name of the built-in task, or of the folder."""
    options: Mapping[str, JSON]
    """The options it was loaded with, defaults included."""
    episodes: tuple[Episode, ...]
    """In order of time within each scope."""
    queries: tuple[Query, ...]
    held_out: frozenset[str]
    """Ids of the queries reserved for the final test. Where the task has enough scopes these are whole scopes."""
    digest: str
    """sha256 of everything above, hexadecimal."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a program's `KnowledgeItem` or `Query`, as the task agent is shown it."""

    name: str
    type: str
    """"str", "int", "float", "bool", "list[str]", "dict[str, str]", or one of these as "Optional[...]"."""
    description: str
    required: bool
    """False where the dataclass gives a default."""


@dataclass(frozen=True, slots=True)
class Schema:
    """The fields that the task agent fills."""

    name: Literal["KnowledgeItem", "Query"]
    fields: tuple[Field, ...]


_EMPTY: dict[str, JSON] = {
    "str": "", "int": 0, "float": 0.0, "bool": False, "list[str]": [], "dict[str, str]": {}
}  # fmt: skip


def empty_value(kind: str) -> JSON:
    """Return the emptiest value of a field's type: None where it is optional."""
    return None if kind.startswith("Optional[") else deepcopy(_EMPTY[kind])


def empty_item(schema: Schema) -> dict[str, JSON]:
    """Return the schema filled by somebody who found nothing: its required fields, empty."""
    return {field.name: empty_value(field.type) for field in schema.fields if field.required}


@dataclass(frozen=True, slots=True)
class Tunable:
    """A module constant that the `tune` operator may rewrite: a range, or a list of choices."""

    name: str
    value: Scalar
    """What the program has now."""
    low: float | int | None = None
    high: float | int | None = None
    """Inclusive. Both ints: an integer range."""
    choices: tuple[Scalar, ...] = ()
    """Empty for a range."""


@dataclass(frozen=True, slots=True)
class Program:
    """A memory program that passed the contract check. Made by `evolve.program.parse` only."""

    source: str
    digest: str
    """sha256 that ignores formatting, comments and docstrings, hexadecimal."""
    item: Schema
    query: Schema
    instructions: Mapping[str, str]
    """The four string constants of the contract, by name."""
    tunables: tuple[Tunable, ...] = ()
    docstring: str = ""
    """What the program bets on."""


@dataclass(frozen=True, slots=True)
class Case:
    """One query's full record."""

    query: str
    """Id of the task's query."""
    scope: str
    category: str
    outcome: Outcome
    score: float | None
    """At most 1; 0.0 for a program's fault, None for an infrastructure fault. Only rubrics with negative criteria go
    below 0."""
    question: str
    formulated: Mapping[str, JSON] = field(default_factory=dict)
    """What was passed to `read`."""
    read: str = ""
    answer: str = ""
    """What the task agent answered; the extractive agent answers with what was read."""
    reason: str = ""
    """Why it was not scored, or why the agent's failure scored 0."""
    stage: FailureStage = ""
    judgement: str = ""
    """What the judge said, where a judge scored it."""
    measures: Mapping[str, float] = field(default_factory=dict)
    """What else was measured of the same answer, by name, such as steps or another F1."""


@dataclass(frozen=True, slots=True)
class Write:
    """One episode on its way into the memory, as a reflector may see it."""

    episode: str
    scope: str
    text: str
    """The episode's."""
    item: Mapping[str, JSON]
    """The fields of the `KnowledgeItem` that the task agent filled."""
    log: tuple[str, ...] = ()
    """What the program logged while it wrote."""
    problem: str = ""
    """Why the item is not what the agent should have filled."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What the writes, or the reads, of an evaluation came to."""

    count: int = 0
    calls: int = 0
    """Completions that the program got."""
    tokens: int = 0
    """Input and output of these completions."""
    chars: int = 0
    """Written: of the episodes. Read: of what was returned."""
    p50: float = 0.0
    """Median wall clock in seconds, completions included."""
    p95: float = 0.0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The measurement of one program on a list of queries."""

    program: str
    """Digest of the program."""
    cases: tuple[Case, ...]
    behaviour: str
    """sha256 over every query's formulated fields and read text: equal where two programs cannot be told apart."""
    seconds: float
    """Wall clock."""
    writes: tuple[Write, ...] = ()
    """A few of the writes, those that matter most for the cases that failed first."""
    operations: Mapping[str, Operation] = field(default_factory=dict)
    """"write" and "read": how often, how long, at what expense."""

    @property
    def counted(self) -> tuple[Case, ...]:
        """The cases that have a score; infrastructure faults are left out."""
        return tuple(case for case in self.cases if case.score is not None)

    @property
    def scores(self) -> dict[str, float]:
        """The scores of the counted cases, by query id."""
        return {case.query: case.score for case in self.cases if case.score is not None}

    @property
    def mean(self) -> float | None:
        """Mean score over the counted cases; None where there are none."""
        counted = [case.score for case in self.cases if case.score is not None]
        return sum(counted) / len(counted) if counted else None

    @property
    def coverage(self) -> float:
        """Share of the cases that have a score."""
        return len(self.counted) / len(self.cases) if self.cases else 0.0


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of a child's evaluation: what was expected of it, and what came."""

    again: bool
    """Its requests were expected to differ from the parents': nothing of it could be reused."""
    calls: int = 0
    """Requests that went to the provider."""
    cached: int = 0
    """Requests whose answer the run had already."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one role's calls to a model added up to."""

    calls: int = 0
    """Requests that were answered by the provider for the first time in this run."""
    cached: int = 0
    """Requests whose answer the run already had; they cost nothing."""
    input_tokens: int = 0
    cached_tokens: int = 0
    """Of the input tokens, those that the provider had in its prompt cache."""
    output_tokens: int = 0
    usd: float | None = 0.0
    """None where a price is not known."""

    def __add__(self, other: Cost) -> Cost:
        usd = None if self.usd is None or other.usd is None else self.usd + other.usd
        return Cost(
            self.calls + other.calls,
            self.cached + other.cached,
            self.input_tokens + other.input_tokens,
            self.cached_tokens + other.cached_tokens,
            self.output_tokens + other.output_tokens,
            usd,
        )
