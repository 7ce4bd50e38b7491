"""What the checks work with: the harness, and the episodes and questions of its run as the run's agent put them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evolve.agents.extractive import ExtractiveAgent
from evolve.errors import AgentFailure, ConfigError, ProviderError, RunFolderError
from evolve.evaluation.splits import Work
from evolve.export.checks.rows import Unmeasured
from evolve.export.recorded import item_of, recorded_agent, recorded_ask, recorded_embed, splits_of, works_of
from evolve.folder import Run
from evolve.harness.calls import Budget, Models
from evolve.harness.engine import Engine
from evolve.harness.errors import ModelFailed
from evolve.harness.limits import Limits
from evolve.harness.memory import Memory, bound
from evolve.harness.models import ask_of
from evolve.harness.program import Harness
from evolve.models.base import Reply, Request
from evolve.population import Candidate
from evolve.types import JSON, Episode, Query

EPISODES = 400
"""Most episodes that are remembered for a check, whole scopes as far as they are smaller."""


@dataclass(frozen=True, slots=True)
class Material:
    """The harness and what it is tried on. It can be pickled: some of it is tried in another process."""

    run: Run
    harness: Harness
    works: tuple[Work, ...]
    """The scopes of the static queries that the candidate was asked, none without an episode."""
    items: Mapping[str, Mapping[str, JSON]]
    """What the agent filled, by episode."""
    asked: Mapping[str, Mapping[str, JSON]]
    """What the agent formulated, by query."""
    completions: Mapping[str, str]
    """What the program's own model said in the run, by what it was asked."""
    extractive: bool
    """The run had no model for its agent: other texts can be extracted just as its own."""

    @property
    def largest(self) -> Work:
        """The scope with most episodes."""
        return max(self.works, key=lambda work: len(work.episodes))

    def open(self, folder: Path, *, snapshot_every: int = Limits().snapshot_every) -> Memory:
        """Open a memory whose program is answered as it was in the run, and not at all beyond that."""
        embedding = recorded_embed(self.run) if self.harness.embedding else None
        limits = Limits(snapshot_every=snapshot_every)
        return bound(self.harness)(folder, toolkit_model=self.said, embedding=embedding, limits=limits)

    def said(self, messages: list[dict[str, str]]) -> str:
        """Return what the program's model said in the run. Raises LookupError."""
        try:
            return self.completions[json.dumps(messages)]
        except KeyError:
            asked = " ".join(messages[-1]["content"].split())[:60]
            raise LookupError(f"the run has no reply to {asked!r}") from None

    def write(self, memory: Memory, episode: Episode) -> float:
        """Write an episode of the run, and return the seconds that it took."""
        began = time.perf_counter()
        memory.write(episode.text, scope=episode.scope, source=episode.id, item=self.items[episode.id])
        return time.perf_counter() - began

    def read(self, memory: Memory, query: Query) -> str:
        """Read for a query of the run."""
        return memory.read(query.text, scope=query.scope, query=self.asked[query.id])

    def filled(self, text: str) -> dict[str, JSON]:
        """Return the item of a text that is not the run's. Raises Unmeasured where only a model could fill it."""
        self._check_free()
        return ExtractiveAgent().extract(self.harness.program(), Episode("", "", text))

    def formulated(self, question: str) -> dict[str, JSON]:
        """Return the query of a question that is not the run's. Raises as `filled`."""
        self._check_free()
        return ExtractiveAgent().formulate(self.harness.program(), question)

    def _check_free(self) -> None:
        if not self.extractive:
            raise Unmeasured("it needs texts that are not the run's, which its agent's model never saw")


def material_of(run: Run, candidate: Candidate, harness: Harness) -> Material:
    """Return what the checks of a candidate's harness work with: what it was asked for its score, or would have been.

    Raises Unmeasured where the run's record or its task's data lack something, and what loading the task raises.
    """
    try:
        splits, agent, program = splits_of(run), recorded_agent(run), harness.program()
        cases = [case for case in run.cases(candidate.id) if case.outcome == "scored"]
        works = _bounded(works_of(splits, cases) if cases else splits.work(splits.static))
        items = {episode.id: item_of(agent, program, episode) for work in works for episode in work.episodes}
        asked = {}
        for query in (query for work in works for query in work.queries):
            try:
                asked[query.id] = agent.formulate(program, query.text)
            except AgentFailure:
                continue  # it was never read for
    except (RunFolderError, ConfigError) as error:
        raise Unmeasured(str(error)) from None
    formulated = tuple(
        replace(work, queries=tuple(query for query in work.queries if query.id in asked)) for work in works
    )
    found = Material(run, harness, formulated, items, asked, {}, extractive=not agent.asks_model)
    return replace(found, completions=_completions(found)) if harness.model_calls else found


def _bounded(works: Sequence[Work]) -> tuple[Work, ...]:
    """Return as many scopes as have so many episodes together, the first one in part where it has more."""
    kept: list[Work] = []
    left = EPISODES
    for work in works:
        if work.episodes and left > 0 and (not kept or len(work.episodes) <= left):
            kept.append(replace(work, episodes=work.episodes[:left]))
            left -= len(work.episodes)
    if not kept:
        raise Unmeasured("the run remembered nothing")
    return tuple(kept)


def _completions(material: Material) -> dict[str, str]:
    """Fill and read a memory as the run did, and return what the program's model said meanwhile."""
    ask, said = recorded_ask(material.run), {}

    def taken_down(request: Request) -> Reply:
        try:
            text = ask(request).text
        except RunFolderError as error:
            raise ProviderError(str(error)) from None

        def spoken(messages: list[dict[str, str]]) -> str:  # as a callable of the user's gets them
            said[json.dumps(messages)] = text
            return text

        return ask_of(spoken)(request)

    embed: Callable[[list[str]], Sequence[Sequence[float]]] | None = None
    if material.harness.embedding:
        embed = recorded_embed(material.run)
    engine = Engine(material.harness, Limits(), Models(taken_down, embed, Budget(None)), isolated=False)
    try:
        for work in material.works:
            _play(engine, work, material)
    except ModelFailed as error:
        raise Unmeasured(str(error)) from None
    return said


def _play(engine: Engine, work: Work, material: Material) -> None:
    base = engine.run(engine.calls("write"), lambda: engine.base(None))
    try:
        for episode in work.episodes:
            item, text = material.items[episode.id], episode.text
            engine.run(engine.calls("write"), lambda: base.write(item, text))  # noqa: B023  (run at once)
        for query in work.queries:
            asked = material.asked[query.id]
            engine.run(engine.calls("read"), lambda: base.read(asked))  # noqa: B023
    finally:
        base.close()
