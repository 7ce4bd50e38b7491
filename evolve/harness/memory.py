"""The memory itself: write, read, answer, forget, in as many scopes as there are users, kept in a folder."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Literal, Self, TypeAlias

from evolve.agents.base import Agent
from evolve.agents.extractive import ExtractiveAgent
from evolve.agents.llm import LLMAgent
from evolve.harness import rows
from evolve.harness.calls import Budget, Embedding, Models, model_errors
from evolve.harness.checks import dated, fields_of, text_of, when_of
from evolve.harness.engine import Engine
from evolve.harness.errors import BadInput, HarnessError, UnknownScope
from evolve.harness.folder import Folder
from evolve.harness.limits import Limits
from evolve.harness.models import ask_of
from evolve.harness.program import Harness
from evolve.harness.scope import unknown
from evolve.harness.scopes import Scopes
from evolve.harness.stats import ScopeStats, Stats
from evolve.types import JSON, Episode

Model: TypeAlias = str | Callable[[list[dict[str, str]]], str] | None
"""A model: "openai:NAME", "anthropic:NAME", a callable from chat messages to a text, or None for none."""
OWN_EMBEDDING = "callable"
"""What the folder notes as the embedding where it is the user's and not what the harness was measured with."""


class Memory:
    """A memory in a folder. Used by many threads; several memories, in several processes, may share a folder.

    A write is acknowledged, by returning, once it is on the disk: nothing that happens to the process afterwards
    loses it, and a write that fails leaves no trace. What is read is what the program's knowledge base returns, the
    same before and after a restart.

    The program's code is trusted: with `isolation="none"` it runs in this process, and may do what the process may.
    One that takes too long is given up, but its thread cannot be killed and goes on until the process ends; with
    `isolation="process"` it runs in processes of its own, which are killed.
    """

    harness: ClassVar[Harness]
    """What runs here; `bound` sets it."""

    def __init__(
        self,
        folder: str | Path,
        *,
        model: Model = None,
        base_url: str | None = None,
        api_key: str | None = None,
        toolkit_model: Model = None,
        embedding: Embedding | None = None,
        isolation: Literal["none", "process"] = "none",
        limits: Limits = Limits(),  # noqa: B008  (frozen)
    ) -> None:
        """Open the folder, which is made with the first write.

        Args:
            folder: where everything is kept.
            model: fills items and queries, and answers; None for the extractive agent, which copies sentences.
            base_url: of an OpenAI-compatible server; None for the provider's own.
            api_key: None for the provider's usual environment variable.
            toolkit_model: answers the program's own questions; None for `model`.
            embedding: returns one vector a text, instead of the packaged weights; always the same for a folder.
            isolation: where the program runs, see above.
            limits: time, model calls, open scopes.

        Raises:
            BadInput: an argument is wrong, or the program needs a model and there is none.
            FolderError: the folder is another harness's, or of a newer format.
        """
        if not isinstance(folder, str | Path) or not str(folder):
            raise BadInput(f"folder is {folder!r}; give the path of a folder.")
        if isolation not in ("none", "process"):
            raise BadInput(f'isolation is {isolation!r}; give "none" or "process".')
        has_model = not (model is None and toolkit_model is None)
        harness = _served(self.harness, limits, embedding, has_model=has_model)
        budget = Budget(limits.model_calls_total)
        ask = None if model is None else ask_of(model, base_url=base_url, api_key=api_key)
        own_ask = ask if toolkit_model is None else ask_of(toolkit_model, base_url=base_url, api_key=api_key)
        self._program = harness.program()
        self._agent: Agent = (
            ExtractiveAgent(keep=False) if ask is None else LLMAgent(budget.metered(ask), brief=harness.brief)
        )
        self._folder = Folder(Path(folder), harness)
        models = Models(own_ask, embedding, budget)
        self._scopes = Scopes(self._folder, Engine(harness, limits, models, isolated=isolation == "process"))

    @property
    def has_model(self) -> bool:
        """Whether a model extracts, formulates and answers; without one, an answer is what was read."""
        return self._agent.asks_model

    def write(
        self,
        text: str,
        *,
        scope: str = "default",
        source: str = "",
        when: str | date | datetime | None = None,
        item: Mapping[str, JSON] | None = None,
    ) -> int:
        """Remember a text, and return the number that the write has in its scope.

        Args:
            text: one episode, such as a conversation.
            scope: whose memory it is.
            source: where the text is from, for `forget`.
            when: when it took place; put before the text as a line "Date: ...", as in the built-in tasks.
            item: the fields of the program's `KnowledgeItem`, where they are not to be extracted.

        Raises:
            BadInput, FolderError, ProgramFailed, ModelFailed, LimitReached: nothing was written.
        """
        _scope_of(scope)
        text_of("text", text, blank="give what is to be remembered")
        text_of("source", source)
        moment = when_of(when)
        filled = self._extracted(text, scope, moment) if item is None else fields_of("item", self._program.item, item)
        try:
            return self._scopes.do(scope, lambda lent: lent.write(filled, text, source=source, when=moment), make=True)
        except BaseException:
            self._leave_no_trace(scope)
            raise

    def read(self, question: str, *, scope: str = "default", query: Mapping[str, JSON] | None = None) -> str:
        """Return what the program finds for a question, as text for a prompt; "" where it finds nothing.

        `query` gives the fields of the program's `Query`, where they are not to be formulated from the question.

        Raises:
            BadInput, UnknownScope, FolderError, ProgramFailed, ModelFailed, LimitReached.
        """
        _scope_of(scope)
        text_of("question", question, blank="give a question")
        self._known(scope)
        if query is None:
            with model_errors("formulating the query"):
                query = self._agent.formulate(self._program, question)
        asked = fields_of("query", self._program.query, query)
        return self._scopes.do(scope, lambda lent: lent.read(asked))

    def answer(self, question: str, *, scope: str = "default") -> str:
        """Read, and answer the question from what was read; without a model, return what was read. Raises as `read`."""
        found = self.read(question, scope=scope)
        with model_errors("answering"):
            return self._agent.respond(self._program, question, found)

    def forget(self, *, scope: str | None = None, source: str | None = None) -> int:
        """Remove a scope, or the writes of a source in one scope or in all, and return how many writes are gone.

        Nothing of them is left in the folder. Where a source is forgotten, the scope's other writes are made again
        without it, with the replies that models gave then; what a program now asks otherwise is asked anew.

        Raises:
            BadInput: neither is given.
            UnknownScope: nothing was written in the scope.
            ModelFailed, LimitReached, ProgramFailed: nothing was removed from the scope that the error names.
        """
        if scope is None and source is None:
            raise BadInput("neither scope nor source is given; say what to forget.")
        if scope is not None:
            _scope_of(scope)
            self._known(scope)
        if source is None:
            assert scope is not None
            return self._scopes.remove(scope, even_if_written=True)
        text_of("source", source)
        return sum(self._forgotten(name, source) for name in ([scope] if scope is not None else self.scopes()))

    def scopes(self) -> list[str]:
        """Return the scopes that were written in, in alphabetical order. Raises FolderError."""
        return self._folder.names()

    def stats(self, *, scope: str | None = None) -> Stats:
        """Return the size and growth of every scope, or of one. Raises UnknownScope, FolderError."""
        if scope is not None:
            _scope_of(scope)
            return Stats((self._scopes.look(scope, lambda lent: lent.figures()),))
        return Stats(tuple(found for name in self._folder.names() if (found := self._figures(name))))

    def export(self, scope: str, path: str | Path) -> int:
        """Write a scope as JSON lines, one write each, and return how many; an existing file is replaced at the end.

        Each line has text, item, source, when, and the replies that the program's model calls got.
        Raises UnknownScope, FolderError.
        """
        _scope_of(scope)
        entries = self._scopes.look(scope, lambda lent: lent.entries())
        return rows.save(entries, Path(path))

    def import_(self, path: str | Path, *, scope: str = "default") -> int:
        """Write what `export` wrote after what the scope has, all of it or nothing, and return how many writes.

        Raises:
            BadInput: a line is wrong; the error says which.
            FolderError, ProgramFailed, ModelFailed, LimitReached: nothing was imported.
        """
        _scope_of(scope)
        listed = rows.load(Path(path), self._program.item)
        if not listed:
            return 0
        try:
            return self._scopes.do(scope, lambda lent: lent.load(listed), make=True)
        except BaseException:
            self._leave_no_trace(scope)
            raise

    def close(self) -> None:
        """Take snapshots, so that the next opening is fast, and let go of everything. Does nothing the second time."""
        self._scopes.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _extracted(self, text: str, scope: str, moment: str) -> Mapping[str, JSON]:
        with model_errors("extracting the item"):
            return self._agent.extract(self._program, Episode("", scope, dated(text, moment)))

    def _known(self, scope: str) -> None:
        """Raise UnknownScope before a model is asked for nothing."""
        if not self._folder.has(scope):
            raise unknown(scope)

    def _forgotten(self, scope: str, source: str) -> int:
        try:
            gone = self._scopes.do(scope, lambda lent: lent.forget(source))
        except UnknownScope:  # the whole scope was forgotten meanwhile
            return 0
        if gone:
            self._leave_no_trace(scope)
        return gone

    def _leave_no_trace(self, scope: str) -> None:
        """Remove the folder of a scope without a write; where the disk will not, an empty scope harms nobody."""
        with contextlib.suppress(HarnessError):
            self._scopes.remove(scope, even_if_written=False)

    def _figures(self, scope: str) -> ScopeStats | None:
        try:
            return self._scopes.look(scope, lambda lent: lent.figures())
        except UnknownScope:  # forgotten meanwhile, or killed before its first write
            return None


def bound(harness: Harness) -> type[Memory]:
    """Return the class of memories that run this harness."""
    return type("Memory", (Memory,), {"harness": harness, "__doc__": Memory.__doc__})


def _served(harness: Harness, limits: Limits, embedding: Embedding | None, *, has_model: bool) -> Harness:
    """Return the harness with the embedding that it gets. Raises BadInput where it lacks a model that it needs."""
    if harness.completions(limits.model_calls) and not has_model:
        measured = harness.model or "openai:NAME"
        raise BadInput(f"the program of {harness.name} asks a model itself; give one, as in model={measured!r}.")
    if embedding is not None:
        return replace(harness, embedding=harness.embedding or OWN_EMBEDDING)
    if harness.embedding:
        raise BadInput(
            f"{harness.name} was measured with the embedding {harness.embedding}; give a callable as embedding=."
        )
    return harness


def _scope_of(scope: object) -> None:
    text_of("scope", scope, blank="name whose memory it is")
