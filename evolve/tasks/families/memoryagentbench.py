"""MemoryAgentBench, conflict resolution: long lists of facts that contradict each other, where the later one holds.

Source: Hu et al., "Evaluating Memory in LLM Agents via Incremental Multi-Turn Interactions" (arXiv 2507.05257), the
eight FactConsolidation contexts with 100 questions each. The single-hop and the multi-hop context of a length are the
same text, so they are one scope; an episode is a block of numbered facts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from evolve.errors import ConfigError
from evolve.scoring.support import words
from evolve.tasks.base import Options, hold_out, make_task
from evolve.tasks.data import Source
from evolve.tasks.family import Family
from evolve.tasks.published import Record, find_file, list_of, read_records, text_of, wrong
from evolve.traits import ScorerTraits, Traits
from evolve.types import JSON, Episode, Evidence, Query, Task

if TYPE_CHECKING:
    from evolve.models.base import Ask
    from evolve.scoring.base import Scorer

PUBLISHED = "conflict_resolution"
SOURCE = Source(
    path="memoryagentbench/Conflict_Resolution.json",
    url="https://raw.githubusercontent.com/DSAIL-Memory/EvoMemBench/3726cf1894d2b16698b9bc4a6186db91ad93849d/"
    "In-Episode-Knowledge/INEP-KNOW/MemoryAgentBench/data/Conflict_Resolution.json",
    sha256="d5168e94cba99744e35031c1e6419e6090d63978f5addc9163d56704a78c7acd",
    licence="MIT",
    instead=("memoryagentbench/Conflict_Resolution.json.gz",),
)
DEFAULT_SOURCES = ("sh_6k", "mh_6k", "sh_32k", "mh_32k", "sh_64k", "mh_64k")
"""All but the longest: its 18,332 facts take a memory minutes to remember."""
PREFIX = "factconsolidation_"
_FACT = re.compile(r"(\d+)\. (.+)")


class MemoryAgentBenchOptions(Options):
    """Options of the task `memoryagentbench`."""

    file: str = PUBLISHED
    """"conflict_resolution" for the published file, or the path of a file of that shape."""
    sources: list[str] = Field(default_factory=lambda: list(DEFAULT_SOURCES))
    """A list of contexts by hops and length, such as "sh_6k" or "mh_262k"; an empty list for all of the file."""
    facts_per_episode: int = Field(default=20, ge=1)
    """Facts in one episode; 1 or more."""


class MemoryAgentBench(Family[MemoryAgentBenchOptions]):
    """Questions about facts of which some have been replaced."""

    name = "memoryagentbench"
    options_model = MemoryAgentBenchOptions
    sources = (SOURCE,)
    traits = Traits(
        whole=True,
        scorers={
            "substring": ScorerTraits(
                "A case scores 1 where the agent's answer contains the gold answer (case, punctuation and articles "
                "aside), else 0. Of two facts that contradict each other, the one with the higher number holds.",
                "Substring is the share of answers that contain the gold answer, the benchmark's own measure.",
            ),
            "first_fact": ScorerTraits(
                "A case scores 1 where the first line that `read` returned (empty lines and dates in brackets aside) "
                "contains the gold answer, else 0: of facts that contradict each other the memory has to put the one "
                "that holds now, which is the one with the highest number, first, a fact a line.",
                "First fact is the share of questions for which the first line that was read contains the gold answer. "
                "It measures whether the memory puts the fact that holds now first: {answered}",
                free=True,
            ),
        },
    )

    def load(self) -> Task:
        """Load the chosen contexts, downloading the published file once if needed.

        Held out: the longer half of the contexts, whole; of a single context, half of its questions.
        """
        path = find_file(self.options.file, {PUBLISHED: SOURCE}, task=self.name)
        contexts = {}
        for number, record in enumerate(read_records(path), start=1):
            name, context = _source(record, where=f"{path.name}, record {number}")
            contexts[name] = (record, context)
        chosen = _chosen(self.options.sources, list(contexts))
        scopes: dict[str, str] = {}
        queries: list[Query] = []
        for name in chosen:
            record, context = contexts[name]
            # The hops are in the questions: a memory of the same facts is the same memory.
            scope = scopes.setdefault(context, name.partition("_")[2] or name)
            where = f"{path.name}, source {name!r}"
            facts = _facts(context, where=where)
            queries += _queries(record, name, scope, facts, size=self.options.facts_per_episode, where=where)
        if len(set(scopes.values())) < len(scopes):
            raise wrong(path.name, "context", sorted(scopes.values()), "one text for each length")
        episodes = [
            Episode(_place(scope, n), scope, "\n".join(block))
            for context, scope in scopes.items()
            for n, block in enumerate(
                _blocks(_facts(context, where=path.name), self.options.facts_per_episode), start=1
            )
        ]
        return make_task(
            self.name,
            options={**self.options.model_dump(), "sources": list(chosen)},
            episodes=episodes,
            queries=queries,
            held_out=_held_out(queries, sorted(scopes, key=len), scopes),
        )

    def scorer(self, name: str, ask: Ask | None) -> Scorer:
        """Return "substring" or "first_fact"."""
        from evolve.scoring.conflicts import FirstFactScorer, SubstringScorer

        return FirstFactScorer() if name == "first_fact" else SubstringScorer()


def evidence_of(question: str, answers: Sequence[str], facts: Sequence[str]) -> str | None:
    """Return the fact that a single-hop question asks for, where it can be told, else None.

    It ends with the answer, shares more words with the question than any other that does, has every name of the
    question, and no later fact begins with the same words.
    """
    asked = set(words(question))
    names = {word for part in question.split()[1:] if part[:1].isupper() for word in words(part)}
    candidates = []
    for number, fact in enumerate(facts):
        for answer in answers:
            if fact.lower().endswith(f" {answer.lower()}."):
                start = fact[: -len(answer) - 1]
                said = set(words(start.partition(". ")[2]))
                if names <= said and asked & said:
                    candidates.append((len(asked & said) / len(asked | said), number, start.partition(". ")[2].lower()))
    best = max(candidates, default=None)
    if best is None or any(share == best[0] and start != best[2] for share, _, start in candidates):
        return None
    _, number, start = best
    later = facts[number + 1 :]
    return None if any(fact.partition(". ")[2].lower().startswith(start) for fact in later) else facts[number]


def _source(record: Record, *, where: str) -> tuple[str, str]:
    """Return the record's name without what all names begin with, and its context."""
    metadata = record.get("metadata")
    if not isinstance(metadata, dict):
        raise wrong(where, "metadata", metadata, "an object")
    name = text_of(metadata, "source", where=where).removeprefix(PREFIX)
    return name, text_of(record, "context", where=where)


def _chosen(given: Sequence[str], names: Sequence[str]) -> list[str]:
    """Resolve the option, in the file's order."""
    for name in given:
        if name.removeprefix(PREFIX) not in names:
            raise ConfigError(
                f"Task 'memoryagentbench', option 'sources': the file has no context {name!r}; good values: "
                f"{', '.join(names)}."
            )
    wanted = {name.removeprefix(PREFIX) for name in given}
    return [name for name in names if name in wanted or not given]


def _facts(context: str, *, where: str) -> list[str]:
    """Return the numbered lines; the published contexts begin with a heading, and a fact's number is its place."""
    lines = [line.strip() for line in context.splitlines()]
    facts = [line for line in lines if _FACT.fullmatch(line)]
    if not facts:
        raise wrong(where, "context", context, "lines such as '12. The capital of X is Y.'")
    numbers = [int(fact.partition(".")[0]) for fact in facts]
    if sorted(numbers) != numbers:
        raise wrong(where, "context", numbers[:8], "facts in order of their numbers")
    return facts


def _blocks(facts: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(facts), size):
        yield facts[start : start + size]


def _queries(record: Record, name: str, scope: str, facts: Sequence[str], *, size: int, where: str) -> Iterator[Query]:
    questions, answers = list_of(record, "questions", where=where), list_of(record, "answers", where=where)
    if len(questions) != len(answers):
        raise wrong(where, "answers", len(answers), f"as many as there are questions: {len(questions)}")
    places = {fact: number for number, fact in enumerate(facts)}
    for number, (question, answer) in enumerate(zip(questions, answers, strict=True)):
        here = f"{where}, question {number}"
        if not isinstance(question, str) or not question.strip():
            raise wrong(here, "questions", question, "a string that is not empty")
        right = _answers(answer, where=here)
        fact = evidence_of(question, right, facts) if name.startswith("sh") else None
        yield Query(
            id=f"{name}/q{number}",
            scope=scope,
            text=question.strip(),
            answer=right[0],
            evidence=(Evidence(_place(scope, places[fact] // size + 1), fact),) if fact else (),
            category=name,
            aliases=tuple(right[1:]),
        )


def _answers(answer: JSON, *, where: str) -> list[str]:
    """Return the right answers, the first of which stands for them."""
    listed = answer if isinstance(answer, list) else [answer]
    right = [item.strip() for item in listed if isinstance(item, str) and words(item)]
    if not right or len(right) < len(listed):
        raise wrong(where, "answers", answer, "a list of at least one answer, each with a letter or a digit")
    return right


def _held_out(queries: Sequence[Query], contexts: Sequence[str], scopes: Mapping[str, str]) -> frozenset[str]:
    """Hold out the longer half of the contexts, or half of the queries of a single one."""
    if len(contexts) < 2:
        return hold_out(queries)
    later = {scopes[context] for context in contexts[-(len(contexts) // 2) :]}
    return frozenset(query.id for query in queries if query.scope in later)


def _place(scope: str, number: int) -> str:
    return f"{scope}/block_{number}"
