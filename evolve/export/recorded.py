"""What a run has on record: the answers of its models, and what its task agent made of episodes and questions.

Nothing is asked of a provider, and nothing is written to the run's folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evolve.agents.base import Agent
from evolve.config import Budget
from evolve.errors import AgentFailure, ConfigError, RunFolderError
from evolve.evaluation.crew import make_agent
from evolve.evaluation.splits import Splits, Work, make_splits
from evolve.folder import Run
from evolve.models.base import Ask, Reply, Request, Role
from evolve.models.broker import unpacked
from evolve.models.gate import Clock
from evolve.models.store import Asked, Kept, Store
from evolve.models.targets import Target, make_targets, sendable
from evolve.tasks import load
from evolve.types import JSON, Case, Episode, Program, empty_item

Embed = Callable[[Sequence[str]], Sequence[Sequence[float]]]
"""Returns one vector a text."""


def recorded_ask(run: Run) -> Ask:
    """Return what answers a request as the run's own models did; the reply has the bill that the run paid for it.

    May be called from many threads. What it returns raises RunFolderError where the run never asked this, and
    ConfigError for a role that no model of the run plays.
    """
    return _Record.of(run).complete


def recorded_embed(run: Run) -> Embed:
    """Return what embeds texts as the run's embedding model did. It raises as what `recorded_ask` returns."""
    return _Record.of(run).embed


@dataclass(frozen=True, slots=True)
class _Record:
    """The answers in a run's llm.sqlite, found by what the run's configuration makes of a request."""

    run: str
    targets: Mapping[Role, Target]
    store: Store

    @classmethod
    def of(cls, run: Run) -> _Record:
        # Nothing is bought: neither prices nor budgets matter.
        targets = make_targets(run.config.models, Budget(), lambda model: None, note=lambda line: None, clock=Clock())
        return cls(run.name, targets, Store(run.paths.calls, read_only=True))

    def complete(self, request: Request) -> Reply:
        target = self._target(request.role)
        call = target.call(request)
        kept = self._kept(target.completion(call, request.sample), call.messages[-1].text)
        return Reply(str(kept.answer), kept.bill.usage, kept.bill.usd, truncated=kept.truncated)

    def embed(self, texts: Sequence[str]) -> tuple[tuple[float, ...], ...]:
        target = self._target("embedding")
        return tuple(unpacked(self._kept(target.embedding(sendable(text)), text).answer) for text in texts)

    def _target(self, role: Role) -> Target:
        if role not in self.targets:
            raise ConfigError(f"run {self.run!r} has no model for models.{role}: there is no answer of it on record.")
        return self.targets[role]

    def _kept(self, asked: Asked, text: str) -> Kept:
        try:
            kept = self.store.get(asked.key)
        finally:
            self.store.close()  # it opens again by itself, and nobody has to remember to close it
        if kept is None:
            words = " ".join(text.split())[:80]
            raise RunFolderError(
                f"run {self.run!r} has no answer of its {asked.role} on record to {words!r}; only what it asked can be "
                "answered without its models."
            )
        return kept


def recorded_agent(run: Run) -> Agent:
    """Return the run's task agent; where it is a model, it answers from the record."""
    return make_agent(run.config, recorded_ask(run) if run.config.models.answering else None)


def splits_of(run: Run) -> Splits:
    """Return who was asked what in the run, from the task's data.

    Raises RunFolderError where the data changed since, and what loading the task raises.
    """
    task = load(run.config.task, run.config.task_options)
    started = run.population.started
    if started is not None and started.task_digest != task.digest:
        raise RunFolderError(f"the data of task {task.name!r} changed since run {run.name!r} began; bring it back.")
    return make_splits(task, run.config.evaluation, seed=run.config.seed)


def works_of(splits: Splits, cases: Sequence[Case]) -> tuple[Work, ...]:
    """Return what was remembered for these cases' queries, all of one split, and these queries, scope by scope."""
    asked = {case.query for case in cases}
    queries = (*splits.static, *splits.rotating, *splits.fresh, *splits.test)
    return splits.work([query for query in queries if query.id in asked])


def item_of(agent: Agent, program: Program, episode: Episode) -> dict[str, JSON]:
    """Return what the agent filled the program's `KnowledgeItem` with in the run. Raises as `recorded_ask`."""
    try:
        return agent.extract(program, episode)
    except AgentFailure:
        return empty_item(program.item)  # an evaluation goes on with that as well
