"""What the task agent's own model took to remember an episode, to ask the memory and to answer, call by call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypedDict

from evolve.agents.llm import LLMAgent
from evolve.errors import AgentFailure, EvolveError, ProviderError
from evolve.export.recorded import item_of, recorded_ask, splits_of, works_of
from evolve.folder import Run
from evolve.models.base import Ask, Reply, Request
from evolve.plan import program_of
from evolve.population import Candidate
from evolve.tasks import traits


class Taken(TypedDict):
    """What one write, or one question, took on average, as the provider counted and charged it."""

    count: int
    """Writes, or questions."""
    calls: float
    input_tokens: float
    output_tokens: float
    usd: float | None
    """None where a price is not known. What a provider's prompt cache saved in the run is saved here."""


class Answering(TypedDict):
    """The task agent's calls on the static queries; the program's own are not among them."""

    extract: Taken | None
    """For each write."""
    formulate: Taken | None
    """For each read."""
    answer: Taken | None
    """For each answer; None for a game, whose commands are not told apart."""


@dataclass
class _Meter:
    """Answers from the record, and adds up what it was billed."""

    ask: Ask
    replies: list[Reply]

    def __call__(self, request: Request) -> Reply:
        reply = self.ask(request)
        self.replies.append(reply)
        return reply

    def each(self, acts: Sequence[Callable[[], object]]) -> Taken | None:
        """Return what these acts take; None where there are none, or a call is not on record."""
        self.replies.clear()
        try:
            for act in acts:
                _tried(act)
        except EvolveError:
            return None
        bills = [reply.usd for reply in self.replies]
        usd = None if None in bills else sum(bill or 0.0 for bill in bills)
        count = len(acts)
        if not count:
            return None
        return Taken(
            count=count,
            calls=len(bills) / count,
            input_tokens=sum(reply.usage.input_tokens for reply in self.replies) / count,
            output_tokens=sum(reply.usage.output_tokens for reply in self.replies) / count,
            usd=None if usd is None else usd / count,
        )


def _tried(act: Callable[[], object]) -> None:
    with suppress(AgentFailure, ProviderError):  # paid for as well
        act()


def answering(run: Run, candidate: Candidate) -> Answering | None:
    """Return what the task agent's model took; None where none answers, or the task's data is not what it was."""
    if not run.config.models.answering:
        return None
    cases = [case for case in run.cases(candidate.id) if case.outcome == "scored"]
    try:
        works = works_of(splits_of(run), cases)
    except EvolveError:
        return None
    program, known = program_of(candidate), traits(run.config.task)
    meter = _Meter(recorded_ask(run), [])
    agent = LLMAgent(meter, brief=known.answers)
    episodes = [episode for work in works for episode in work.episodes]
    answered = [] if known.interactive else [case for case in cases if case.answer]
    return Answering(
        extract=meter.each([partial(item_of, agent, program, each) for each in episodes]),
        formulate=meter.each([partial(agent.formulate, program, each.question) for each in cases]),
        answer=meter.each([partial(agent.respond, program, each.question, each.read) for each in answered]),
    )
