"""What a memory reads is what the sandbox reads: character by character, before and after a restart, for every program.

Every seed, every design of the zoo, and twenty children that the operators without a model and the library of rewrites
make of them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

from evolve.agents.extractive import ExtractiveAgent
from evolve.config import Config, Limits
from evolve.errors import ProgramFault
from evolve.harness.limits import Limits as MemoryLimits
from evolve.harness.memory import Memory, bound
from evolve.harness.program import Harness
from evolve.harness.snapshot import Snapshots
from evolve.operators.base import Ground, Parent
from evolve.operators.recombine import Recombine
from evolve.operators.tune import Tune
from evolve.paths import ZOO, shipped_programs
from evolve.program import load, parse
from evolve.sandbox import open_sandbox
from evolve.sandbox.base import Sandbox
from evolve.tasks import load as load_task
from evolve.testing.rewrites import REWRITES
from evolve.types import JSON, Case, Episode, Evaluation, Program, Query
from evolve.wiring import find_program

SHIPPED = shipped_programs(ZOO)
RECOMBINED, TUNED, REWRITTEN = 8, 6, 6
ALIKE = ("experience", "summarizer", "vector_search", "bm25", "hybrid", "mmr", "raptor", "memory_bank", "budget_mem")
"""Programs of which some read what another has written."""
SENTENCE = re.compile(r"[^.!?\n]{20,120}[.!?]")
FRAGILE = "É\u0000 \U0001f600 \u2028 ' \" \\ {}"
"""Characters that a way over JSON, SQL or pickle may lose."""


@cache
def program(name: str) -> Program:
    return load(find_program(name))


@pytest.fixture(scope="module")
def evolved(sandbox: Sandbox) -> Mapping[str, Program]:
    """Twenty children by name, each of which works: crossovers, other settings, and rewrites."""
    made = [*recombined(sandbox), *tuned(), *rewritten()]
    assert len(made) == len({child.digest for child in made}) == len(CHILDREN)
    assert not {child.digest for child in made} & {program(name).digest for name in SHIPPED}
    return dict(zip(CHILDREN, made, strict=True))


CHILDREN = [
    *(f"recombined-{number}" for number in range(RECOMBINED)),
    *(f"tuned-{number}" for number in range(TUNED)),
    *(f"rewritten-{number}" for number in range(REWRITTEN)),
]


def recombined(sandbox: Sandbox) -> list[Program]:
    found: dict[str, Program] = {}
    for number in range(500):
        draw = Random(f"recombine {number}")
        child = Recombine().propose(ground(draw.sample(ALIKE, 2), draw, [*found])).program
        if child is not None and works(child, sandbox):
            found[child.digest] = child
        if len(found) == RECOMBINED:
            break
    return list(found.values())


def works(child: Program, sandbox: Sandbox) -> bool:
    """A crossover may pass every check and still fail, as many do in a run, at its smoke test."""
    try:
        return any(sandboxed(sandbox, child))
    except ProgramFault:
        return False


def tuned() -> list[Program]:
    tunable = [name for name in SHIPPED if program(name).tunables]
    found = []
    for name in Random("tune").sample(tunable, TUNED):
        child = Tune().propose(ground([name], Random(f"tune {name}"), [])).program
        assert child is not None
        found.append(child)
    return found


def rewritten() -> list[Program]:
    found: dict[str, Program] = {}
    names = [name for name in shipped_programs("") if name != "no_memory"]
    for number, rewrite in enumerate([*REWRITES, *REWRITES]):
        source = rewrite.apply(program(names[number % len(names)]).source, number)
        if source is not None and len(found) < REWRITTEN:
            child = parse(source)
            found[child.digest] = child
    return list(found.values())


def ground(names: Sequence[str], draw: Random, known: list[str]) -> Ground:
    def measure(child: Program) -> Evaluation:
        return Evaluation(child.digest, (Case("q", "s", "", "scored", 1.0, "?"),), "", 0.0)

    return Ground(
        parents=tuple(Parent(name, program(name), rung=0.5) for name in names),
        known=[*known, *(program(name).digest for name in SHIPPED)],
        trials=(),
        draw=draw,
        config=Config(task="chronicle"),
        follows_instructions=False,
        measure=measure,
        trace=lambda child, queries: measure(child),
        smoke=lambda child: "",
    )


def model(messages: list[dict[str, str]]) -> str:
    """Answer every program's own questions in the shape of the example that they show, with sentences of theirs."""
    asked = "\n".join(message["content"] for message in messages)
    drawn = int.from_bytes(hashlib.sha256(asked.encode()).digest()[:8], "big")
    sentences = SENTENCE.findall(asked) or ["Nothing is known."]

    def filled(shape: Any, depth: int) -> JSON:
        if isinstance(shape, dict):
            return {key: filled(value, depth + 1) for key, value in shape.items()}
        if isinstance(shape, list):
            return [filled(each, depth + 1) for each in shape]
        if isinstance(shape, str):
            return sentences[(drawn + depth) % len(sentences)].strip()
        return shape

    shapes = [shape for found in re.findall(r"\{[^{}]*\}", asked) if (shape := shape_of(found)) is not None]
    if shapes:
        return json.dumps(filled(shapes[-1], 0))
    keys = re.findall(r'"(\w+)"', asked)
    return json.dumps(dict.fromkeys(keys, sentences[:3])) if keys else sentences[drawn % len(sentences)].strip()


def shape_of(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


@cache
def life() -> tuple[list[tuple[str, Episode]], list[Query]]:
    """One life of `chronicle` and one episode of odd characters, each with a source, and the questions about them."""
    task = load_task("chronicle", {"lives": 1, "sessions": 16, "queries": 12})
    odd = Episode("odd", task.episodes[0].scope, f"Date: 5 March, 2031\nIris: My sign is {FRAGILE}, and Bo likes it.")
    episodes = [*task.episodes, odd]
    question = Query("odd", odd.scope, "Which sign does Iris have?", "")
    return [(episode.id, episode) for episode in episodes], [*task.queries, question]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    opened = open_sandbox("process", Limits())
    yield opened
    opened.close()


def harness_of(tried: Program) -> Harness:
    known = tried.digest, tried.source, tried.item, tried.query, tried.instructions
    return Harness("tried", "1.0", *known, uses_llm="llm_completion" in tried.source, model_calls=Limits().llm_calls)


def sandboxed(sandbox: Sandbox, tried: Program) -> list[str]:
    episodes, queries = life()
    agent, box = ExtractiveAgent(), sandbox.start()
    try:
        scope = box.open(tried.source, call_llm=lambda messages, kwargs: model(messages))  # type: ignore[arg-type]
        for _, episode in episodes:
            scope.write(agent.extract(tried, episode), episode.text)
        return [scope.read(agent.formulate(tried, query.text)) for query in queries]
    finally:
        box.close()


def opened(folder: Path, harness: Harness) -> Memory:
    asks = {"toolkit_model": model} if harness.uses_llm else {}
    return bound(harness)(folder, limits=MemoryLimits(snapshot_every=5), **asks)  # type: ignore[arg-type]


def remembered(folder: Path, harness: Harness) -> list[str]:
    episodes, queries = life()
    with opened(folder, harness) as memory:
        for source, episode in episodes:
            memory.write(episode.text, scope=episode.scope, source=source)
        return [memory.read(query.text, scope=query.scope) for query in queries]


def reopened(folder: Path, harness: Harness) -> list[str]:
    with opened(folder, harness) as memory:
        return [memory.read(query.text, scope=query.scope) for query in life()[1]]


@pytest.mark.parametrize("name", [*SHIPPED, *CHILDREN])
def test_a_memory_reads_what_the_sandbox_reads(
    name: str, evolved: Mapping[str, Program], sandbox: Sandbox, tmp_path: Path
) -> None:
    tried = evolved[name] if name in CHILDREN else program(name)
    harness = harness_of(tried)
    expected = sandboxed(sandbox, tried)
    if name != "no_memory":
        assert any(expected), "a program that reads nothing proves nothing"

    assert remembered(tmp_path, harness) == expected
    assert reopened(tmp_path, harness) == expected, "from the snapshot, where there is one"
    for log in tmp_path.glob("scopes/*/log.sqlite"):
        Snapshots(log.parent).clear()
    assert reopened(tmp_path, harness) == expected, "from the log alone"
    assert next(tmp_path.glob("scopes/*/snapshot"), None), "opening it again need not replay the log"


def test_the_programs_that_are_tried_ask_the_model_and_use_what_it_says(sandbox: Sandbox) -> None:
    # Else equal reads would say nothing of the replies that a log keeps.
    asking = [name for name in SHIPPED if harness_of(program(name)).uses_llm]
    assert len(asking) >= 20
    episodes, queries = life()
    agent, told = ExtractiveAgent(), 0
    for name in ("mem0", "raptor", "zep", "memgpt", "lightmem"):
        tried, box = program(name), sandbox.start()
        try:
            reads = []
            for answers in (model, lambda messages: "no"):
                scope = box.open(tried.source, call_llm=lambda messages, kwargs, say=answers: say(messages))  # type: ignore[misc]
                for _, episode in episodes:
                    scope.write(agent.extract(tried, episode), episode.text)
                reads.append([scope.read(agent.formulate(tried, query.text)) for query in queries])
            told += reads[0] != reads[1]
        finally:
            box.close()
    assert told >= 2
