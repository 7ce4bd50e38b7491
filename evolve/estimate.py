"""What a run would cost, before anything is spent: calls, tokens, dollars and hours of each phase.

The prompts are the real ones, filled with the task's own episodes and queries for the first seed; how long answers are,
and how long a call takes, are assumptions (the constants below). Nothing is taken to be answered from the store, so a
real run, whose children keep what they share with their parents, comes out below.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import fmean
from typing import TypeVar

from evolve.agents.llm import LLMAgent
from evolve.config import Config, ModelTable
from evolve.environments.base import Situation
from evolve.errors import AgentFailure
from evolve.evaluation.splits import Splits
from evolve.forecast import TESTED, finalists
from evolve.models.base import Price, Reply, Request, Role, Usage
from evolve.models.prices import load_prices
from evolve.tasks import traits
from evolve.traits import scorer_traits
from evolve.types import Episode, Program, Query

_T = TypeVar("_T")

CHARS = 4
"""Characters of a token, in English."""
SAMPLE = 40
"""Episodes, and queries, whose prompts are measured."""
EXTRACTED, FORMULATED, ANSWERED, JUDGED, REFLECTED = 300, 60, 40, 80, 6_000
"""Tokens of an answer, reasoning not included."""
FULLY_ANSWERED = 600
"""Where a rubric decides."""
PARAGRAPH = 1_500
"""Characters of a judge's own words."""
SECONDS: Mapping[Role, float] = {"agent": 2.0, "judge": 2.0, "reflector": 60.0, "toolkit": 2.0, "embedding": 0.5}
"""How long a call takes."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Calls to one role."""

    calls: float = 0.0
    input_tokens: float = 0.0
    output_tokens: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
        )

    def times(self, factor: float) -> Tally:
        """Return so many of it."""
        return Tally(self.calls * factor, self.input_tokens * factor, self.output_tokens * factor)


@dataclass(frozen=True, slots=True)
class Phase:
    """One part of a run."""

    name: str
    by_role: Mapping[Role, Tally]
    usd: float | None
    """None where a price is not known."""
    hours: float

    @property
    def total(self) -> Tally:
        """All roles together."""
        return sum(self.by_role.values(), Tally())


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run would cost at most, but for the completions that programs may ask for themselves."""

    phases: tuple[Phase, ...]
    completions: int
    """The programs' own: so many more if every write and read asks for all it may."""


def estimate(config: Config, splits: Splits, seeds: Sequence[Program]) -> Estimate:
    """Return the expected expense of a run under a resolved configuration; all 0 where no model is named."""
    sizes, budget = config.evaluation, config.budget
    prompts = _Prompts(config, seeds[0])
    static = prompts.measured(splits.episodes, splits.static)
    gate = sizes.race.gate or 0 if sizes.ladder == "default" else 0
    child = _sum(
        static,
        prompts.measured((), splits.rotating[: sizes.rotating]),  # the parent's traces
        prompts.measured((), splits.rotating[:gate]),
        {"reflector": Tally(1, config.search.reflect.tokens, REFLECTED)} if config.models.reflector else {},
    )
    everyone = len(seeds) + budget.candidates
    # Without held-out queries, the comparison is on fresh ones too.
    again = min(finalists(splits) + (0 if splits.test else TESTED - 1), everyone) if everyone > 1 else 0
    # The winner and the best seed, where there are children the winner's parent too.
    tested = min(TESTED if budget.candidates else 2, everyone)
    expenses: dict[str, tuple[_Expense, float]] = {
        f"{len(seeds)} seeds": (static, len(seeds)),
        f"{budget.candidates} children": (child, budget.candidates),
        f"fresh queries of {again}": (prompts.measured(splits.episodes, splits.fresh), again),
        f"held-out test of {tested}": (prompts.measured(splits.test_episodes, splits.test), tested),
    }
    at_once = min(os.cpu_count() or 1, config.search.in_flight)
    phases = [_phase(name, _scaled(each, times), config, at_once) for name, (each, times) in expenses.items()]
    most = config.sandbox.limits.llm_calls if config.models.toolkit else 0
    touched = len(splits.episodes) + len(splits.static)
    return Estimate(tuple(phases), most * touched * (len(seeds) + budget.candidates))


_Expense = Mapping[Role, Tally]


def _phase(name: str, expense: _Expense, config: Config, at_once: int) -> Phase:
    price_of = load_prices(config.models.prices)
    usd: float | None = 0.0
    seconds = 0.0
    for role, tally in expense.items():
        table = config.models.by_role[role]
        usd = _plus(usd, tally, price_of(table.model))
        # Reflections wait for one another only where all workers reflect.
        seconds += SECONDS[role] * tally.calls / (at_once if role == "reflector" else config.models.concurrency)
    return Phase(name, expense, usd, seconds / 3600)


def _plus(usd: float | None, tally: Tally, price: Price | None) -> float | None:
    if usd is None or price is None:
        return None
    return usd + price.of(Usage(round(tally.input_tokens), 0, 0, round(tally.output_tokens)))


@dataclass(frozen=True)
class _Prompts:
    """Measures the agent's and the judge's prompts for a program."""

    config: Config
    program: Program
    asked: list[Request] = field(default_factory=list)

    def measured(self, episodes: Sequence[Episode], queries: Sequence[Query]) -> _Expense:
        """Return the expense of remembering the episodes and answering the queries."""
        found: dict[Role, Tally] = {}
        if isinstance(self.config.models.agent, ModelTable):
            found["agent"] = self._agent(episodes, queries)
        calls = scorer_traits(self.config.evaluation.scorer, traits(self.config.task)).judge_calls
        if calls and queries:
            chars = fmean(PARAGRAPH + len(query.text) + len(query.answer) for query in queries)
            found["judge"] = Tally(1, chars / CHARS, JUDGED).times(calls * len(queries))
        return found

    def _agent(self, episodes: Sequence[Episode], queries: Sequence[Query]) -> Tally:
        task = traits(self.config.task)
        agent, read = LLMAgent(self._ask, brief=task.answers), "x" * self.config.sandbox.limits.read_chars

        def answer(query: Query) -> None:
            if task.interactive:
                agent.act(self.program, Situation(query.text, (), ("look",), read))
            else:
                agent.respond(self.program, query.text, read)

        extracted = self._mean(lambda each: agent.extract(self.program, each), episodes, EXTRACTED)
        formulated = self._mean(lambda each: agent.formulate(self.program, each.text), queries, FORMULATED)
        answered = self._mean(answer, queries, ANSWERED if task.answers else FULLY_ANSWERED)
        return (
            extracted.times(len(episodes)) + formulated.times(len(queries)) + answered.times(task.steps * len(queries))
        )

    def _mean(self, call: Callable[[_T], object], arguments: Sequence[_T], output: int) -> Tally:
        """Return the mean call: the prompts of a sample of the arguments."""
        shown = arguments[:: max(1, len(arguments) // SAMPLE)]
        self.asked.clear()
        for argument in shown:
            with suppress(AgentFailure):
                call(argument)
        if not self.asked:
            return Tally()
        chars = fmean(sum(len(message.text) for message in request.messages) for request in self.asked)
        return Tally(1, chars / CHARS, output)

    def _ask(self, request: Request) -> Reply:
        self.asked.append(request)
        raise AgentFailure("nothing is asked in a dry run")


def _sum(*expenses: _Expense) -> _Expense:
    roles = dict.fromkeys(role for expense in expenses for role in expense)
    return {role: sum((expense.get(role, Tally()) for expense in expenses), Tally()) for role in roles}


def _scaled(expense: _Expense, factor: float) -> _Expense:
    return {role: tally.times(factor) for role, tally in expense.items()}
