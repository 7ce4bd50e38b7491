"""The provider that takes its time: words that fit, latencies as drawn, every call written down."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from evolve.agents.llm import LLMAgent
from evolve.config import Config
from evolve.errors import RequestRefused
from evolve.models.base import Broker, Message, Request
from evolve.paths import seeds_dir
from evolve.program import load
from evolve.testing.simulated import Latency, Simulated
from evolve.types import Episode
from evolve.wiring import broker_of

EPISODE = Episode("e1", "s", "Date: 3 May, 2023\nAda: I moved to Rome in April.\nBob: How do you like the food there?")
QUESTION = "Where did Ada move?"


@pytest.fixture
def provider() -> Iterator[Simulated]:
    with Simulated(Latency(task=0.05, rewrite=0.2)) as provider:
        yield provider


@pytest.fixture
def broker(provider: Simulated, tmp_path: Path) -> Iterator[Broker]:
    models = {"agent": {"model": "openai:simulated", "base_url": provider.openai}}
    config = Config.checked({"task": "chronicle", "models": models}).resolved()
    with broker_of(config, tmp_path / "llm.sqlite", note=print) as broker:
        assert broker is not None
        yield broker


def test_it_fills_the_schemas_of_every_seed_and_answers_from_what_was_read(provider: Simulated, broker: Broker) -> None:
    agent = LLMAgent(broker.complete)
    seeds = [load(path) for path in sorted(seeds_dir().glob("*.py"))]
    for program in seeds:
        item, query = agent.extract(program, EPISODE), agent.formulate(program, QUESTION)
        assert item.keys() == {field.name for field in program.item.fields}
        assert query.keys() == {field.name for field in program.query.fields}
    answer = agent.respond(seeds[0], QUESTION, "Bob likes to cook.\nAda did move to Rome.")
    assert answer == "Ada did move to Rome."
    assert {call.kind for call in provider.calls()} == {"extract", "formulate", "answer"}


def test_another_prompt_about_the_same_episode_gets_another_item(broker: Broker) -> None:
    agent, program = LLMAgent(broker.complete), load(seeds_dir() / "summarizer.py")
    episodes = [Episode(f"e{n}", "s", f"Day {n}.\n{EPISODE.text}") for n in range(8)]
    found = {json.dumps(agent.extract(program, episode)) for episode in episodes}
    assert len(found) > 1, "else a change of the instructions would change nothing after it"


def test_calls_take_as_long_as_was_drawn_and_many_at_a_time(provider: Simulated, broker: Broker) -> None:
    agent, program = LLMAgent(broker.complete), load(seeds_dir() / "summarizer.py")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: agent.formulate(program, f"{QUESTION} {n}"), range(8)))
    calls = provider.calls()
    assert len(calls) == 8
    assert all(0.03 <= call.latency <= 0.07 for call in calls)
    assert len({call.latency for call in calls}) == 8
    assert all(call.latency <= call.ended - call.arrived + 0.002 for call in calls)
    assert any(later.arrived < earlier.ended for earlier, later in pairwise(calls))


def test_equal_words_are_drawn_equal_latencies_and_rewrites_by_their_number() -> None:
    latency = Latency()
    drawn = [latency.of("answer", f"prompt {number}") for number in range(400)]
    assert drawn == [latency.of("answer", f"prompt {number}") for number in range(400)]
    assert 0.3 <= min(drawn) < 0.31
    assert 0.69 < max(drawn) <= 0.7
    assert sum(drawn) / 400 == pytest.approx(0.5, abs=0.02)
    assert 12 <= latency.of("rewrite", "rewrite 0") <= 28


def test_a_request_without_words_is_refused_and_told(provider: Simulated, broker: Broker) -> None:
    with pytest.raises(RequestRefused, match="no words for"):
        broker.complete(Request("agent", (Message("user", "What is the weather like?"),)))
    with pytest.raises(AssertionError, match="What is the weather like"):
        provider.calls()


def test_its_process_ends_with_it() -> None:
    with Simulated(Latency(task=30.0)) as provider:
        process = provider._process
        began = time.monotonic()
    assert process.returncode == 0
    assert time.monotonic() - began < 10
