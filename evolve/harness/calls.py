"""What a program asks of models while it writes or reads: answered from what was kept of it, else by the models."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from typing import Any, cast

from evolve.errors import AgentFailure, InfrastructureError, ProgramFault, RequestRefused
from evolve.harness.errors import HarnessError, LimitReached, ModelFailed, ProgramFailed
from evolve.harness.log import Reply, asked
from evolve.models.base import Ask, Purpose, Request
from evolve.models.base import Reply as Completion
from evolve.models.toolkit import completions
from evolve.types import JSON

Embedding = Callable[[list[str]], Sequence[Sequence[float]]]
"""Returns one vector a text."""

REFUSED = "refused"
"""The key of a kept reply that the program saw as an error; its value is the error's text."""


class Budget:
    """Counts the calls of one memory to its models. Used by many threads."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._spent = 0
        self._lock = threading.Lock()

    def spend(self) -> None:
        """Count one call. Raises LimitReached where there is none left."""
        with self._lock:
            if self._most is not None and self._spent >= self._most:
                raise LimitReached(
                    f"all {self._most} model calls of this memory are spent: raise limits.model_calls_total."
                )
            self._spent += 1

    def metered(self, ask: Ask) -> Ask:
        """Return `ask` with every call counted before it is made."""

        def counted(request: Request) -> Completion:
            self.spend()
            return ask(request)

        return counted


@contextmanager
def model_errors(doing: str) -> Iterator[None]:
    """Turn what an agent, or a model, raises into ModelFailed."""
    try:
        yield
    except (AgentFailure, InfrastructureError, RequestRefused) as error:
        raise ModelFailed(f"{doing}: {error}") from None


@dataclass(frozen=True, slots=True)
class Models:
    """What answers a program. Used by many threads."""

    ask: Ask | None
    """Answers the toolkit's completions; None where there is no model."""
    embedding: Embedding | None
    """None for the packaged weights, of which nothing is asked here."""
    budget: Budget

    def complete(self, request: Mapping[str, Any], purpose: Purpose) -> str:
        """Return a completion. Raises ProgramFault where the program may not have it, ModelFailed, LimitReached."""
        if self.ask is None:
            raise ModelFailed("the program asks a model, and there is none: give this memory a model.")
        answer = completions(self.budget.metered(self.ask))
        try:
            return answer(request["messages"], request["kwargs"], purpose).text
        except InfrastructureError as error:
            raise ModelFailed(f"the program's model failed: {error}") from None

    def embed(self, texts: list[str]) -> list[list[float]]:
        """Return one vector a text. Raises ModelFailed, LimitReached."""
        if self.embedding is None:
            raise ModelFailed("the program embeds by a model, and there is none: give this memory an embedding.")
        self.budget.spend()
        try:
            rows = [[float(number) for number in row] for row in self.embedding(texts)]
        except Exception as error:  # a callable of the user's: whatever it raises
            raise ModelFailed(f"the embedding failed: {type(error).__name__}: {error}") from None
        if len(rows) != len(texts) or len({len(row) for row in rows}) > 1:
            raise ModelFailed(
                f"the embedding returned {len(rows)} vectors for {len(texts)} texts; expected one each, of one length."
            )
        return rows


class Watch:
    """Measures the program's own time: it stands still while a model is asked."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.restart()

    def restart(self) -> None:
        """Give it all of its time again."""
        self._until = time.monotonic() + self.seconds
        self._paused: float | None = None

    def left(self) -> float:
        """Return the seconds that are left; below 0 where the time is over."""
        return self._until - (self._paused or time.monotonic())

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stand still."""
        began = self._paused = time.monotonic()
        try:
            yield
        finally:
            self._until += time.monotonic() - began
            self._paused = None


@dataclass(slots=True)
class Calls:
    """The calls of one write or read. Equal requests get equal replies, as in a run.

    `kept` are the replies that this very write got before. A program may put a clock, or a set's order, into what it
    asks: with `in_place`, where nothing before the write has changed, such a request gets the next reply of its kind.
    """

    models: Models
    most: int
    """Completions that the program may have."""
    watch: Watch
    purpose: Purpose
    kept: Sequence[Reply] = ()
    in_place: bool = False
    replies: dict[str, Reply] = field(default_factory=dict)
    """What the program got, by what it asked."""
    _failure: HarnessError | None = None
    _refusal: HarnessError | None = None
    _count: int = 0
    _over: bool = False
    _left: dict[str, Reply] = field(init=False)

    def __post_init__(self) -> None:
        self._left = {reply.asked: reply for reply in self.kept}

    def answer(self, kind: str, request: JSON) -> JSON:
        """Answer as `evolve.harness.base.Answers`."""
        if self._over:
            raise RuntimeError("the operation is over")
        try:
            if kind == "embed":
                return self._vectors(cast("dict[str, list[str]]", request)["texts"])
            return self._completion(request)
        except HarnessError as error:
            self._failure = error
            raise RuntimeError(str(error)) from None

    def end(self) -> None:
        """Answer nothing any more: the operation is over, or given up."""
        self._over = True

    def settle(self, failed: BaseException | None = None) -> None:
        """Raise what went wrong: a model's failure before the program's, which follows from it."""
        if isinstance(failed, ProgramFailed) or failed is None:
            failed = self._failure or (failed and self._refusal) or failed
        if failed is not None:
            raise failed from None

    def _completion(self, request: JSON) -> str:
        self._count += 1
        key = asked("llm", request)
        reply = self._known("llm", key) or self._bought(key, request)
        self.replies[key] = reply
        if isinstance(reply.value, dict):
            raise RuntimeError(reply.value[REFUSED])
        return str(reply.value)

    def _bought(self, key: str, request: JSON) -> Reply:
        if self._count > self.most:
            said = f"only {self.most} completions are allowed per write or read"
            self._refusal = LimitReached(f"the program asked for more: {said}; raise limits.model_calls.")
            return Reply("llm", key, {REFUSED: said})
        try:
            with self.watch.paused():
                text = self.models.complete(cast("dict[str, Any]", request), self.purpose)
        except ProgramFault as fault:
            return Reply("llm", key, {REFUSED: fault.message})
        return Reply("llm", key, text.encode("utf-8", "replace").decode("utf-8"))

    def _vectors(self, texts: list[str]) -> JSON:
        """Return the vectors; each text is kept as a request of its own, since batches change where texts go."""
        keys = {text: asked("embed", {"texts": [text]}) for text in texts}
        missing = [text for text, key in keys.items() if self._known("embed", key) is None]
        if missing:
            with self.watch.paused():
                rows = self.models.embed(missing)
            for text, row in zip(missing, rows, strict=True):
                self.replies[keys[text]] = Reply("embed", keys[text], cast(JSON, row))
        return [self.replies[keys[text]].value for text in texts]

    def _known(self, kind: str, key: str) -> Reply | None:
        """Return the reply that was given, or kept, for a request, and note that it was given."""
        reply = self.replies.get(key) or self._left.pop(key, None)
        if reply is None and self.in_place:
            reply = next((each for each in self._left.values() if each.kind == kind), None)
            if reply is not None:
                del self._left[reply.asked]
                reply = Reply(kind, key, reply.value)
        if reply is not None:
            self.replies[key] = reply
        return reply


_current: ContextVar[Calls] = ContextVar("calls")


def answers(kind: str, request: JSON) -> JSON:
    """Answer the program that is at work in this context."""
    return _current.get().answer(kind, request)


@contextmanager
def answering(calls: Calls) -> Iterator[None]:
    """Have these calls answer what is asked in this context."""
    token = _current.set(calls)
    try:
        yield
    finally:
        _current.reset(token)


def within(watch: Watch, act: Callable[[], None]) -> bool:
    """Run `act`, which raises nothing, in a thread; return False where it is not done when its time is over.

    Python cannot kill a thread: one that hangs goes on until the process ends. A process can be killed.
    """
    # The user's own callables may look for what their caller has set in its context.
    run = copy_context().run
    thread = threading.Thread(target=run, args=(act,), daemon=True, name="memory-program")
    thread.start()
    while thread.is_alive():
        left = watch.left()
        if left <= 0:
            return not thread.is_alive()
        thread.join(max(left, 0.02))
    return True
