"""The one way to the models: the store first, then the caps, the model's gate, tries, and the store again."""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import NoReturn, TypeVar, cast

from evolve.config import Budget, Models, ModelTable
from evolve.errors import BudgetSpent, ConfigError, PrerequisiteError, ProviderError, RunFolderError
from evolve.models.base import (
    Call,
    Denied,
    Note,
    Price,
    Provider,
    ProviderFault,
    RateLimited,
    Reply,
    Request,
    Role,
    Spent,
    Unavailable,
    Vectors,
)
from evolve.models.caps import Caps
from evolve.models.gate import Clock
from evolve.models.preflight import preflight
from evolve.models.store import Asked, Bill, Kept, Store
from evolve.models.targets import Target, make_targets, sendable

TRIES = 8
"""How often one call is sent before it has failed; waiting at the gate is no try."""
FIRST_BACKOFF, LONGEST_BACKOFF = 0.5, 30.0
"""Seconds between tries, doubling; the wait is drawn between 0 and this (full jitter)."""
TINY_BYTES, TINY_TOKENS = 400, 64
"""No preflight sends or gets more."""
BATCH_TEXTS, BATCH_BYTES = 256, 400_000
"""Most that one call embeds; OpenAI takes 300 000 tokens at a time."""

T = TypeVar("T")
OpenProvider = Callable[[ModelTable, Note], Provider]
Buy = Callable[[Sequence[Asked]], None]
"""Puts the answers to all of these into the store, or raises."""


class DirectBroker:
    """Implements `models.base.Broker` in this process."""

    def __init__(
        self,
        models: Models,
        budget: Budget,
        store: Store,
        *,
        providers: OpenProvider,
        prices: Callable[[str], Price | None],
        note: Note,
        clock: Clock | None = None,
    ) -> None:
        """Raises ConfigError where dollars are capped and a model has no price."""
        self._clock = clock or Clock()
        self._targets = make_targets(models, budget, prices, note=note, clock=self._clock)
        self._models = models
        self._replay = models.replay
        self._budget = budget
        self._store = store
        # A replay spends what the run spent, answer by answer.
        self._caps = Caps(budget, store.lost() if self._replay else store.spent())
        self._open_provider = providers
        self._note = note
        self._lock = threading.Lock()
        self._providers: dict[ModelTable, Provider] = {}
        self._in_flight: dict[str, Future[Kept]] = {}
        self._replayed: set[str] = set()

    def complete(self, request: Request) -> Reply:
        """Return the answer, as `Broker.complete` does; one that was cut off is thrown away once and asked for again.

        Whoever asks for the same while it is in flight gets the same answer or the same error.
        """
        target = self._target(request.role)
        call = target.call(request)
        asked = target.completion(call, request.sample)
        kept, cached = self._answers([asked], lambda missing: self._buy_completion(target, asked, call))[asked]
        bill = Bill() if cached else kept.bill
        return Reply(str(kept.answer), bill.usage, bill.usd, cached, kept.truncated)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one vector a text, as `Broker.embed` does; only those that the store does not have are sent."""
        target = self._target("embedding")
        sent = [sendable(text) for text in texts]
        asked = [target.embedding(text) for text in sent]
        text_of = dict(zip(asked, sent, strict=True))

        def buy(missing: Sequence[Asked]) -> None:
            for batch in _batches({each: text_of[each] for each in missing}):
                self._buy_vectors(target, batch)

        found = self._answers(list(text_of), buy)
        bill = sum((kept.bill for kept, cached in found.values() if not cached), Bill())
        rows = tuple(unpacked(found[each][0].answer) for each in asked)
        return Vectors(rows, bill.usage, bill.usd, cached=all(cached for _, cached in found.values()))

    def preflight(self) -> None:
        """Ask every model something tiny, so that a wrong key is an error in the first second; book what it costs.

        Does nothing in a replay, or where a cap leaves no room for it. Raises PrerequisiteError.
        """
        asked = {target.table: target for target in self._targets.values()}
        most = sum(target.most([" " * TINY_BYTES], TINY_TOKENS) for target in asked.values())
        if self._replay or self._caps.refusal(most, len(asked)):
            return
        with self._caps.reserved(most, len(asked)) as book:
            for ready in preflight(self._models, self._provider_of, note=self._note):
                target = self._target(cast(Role, ready.roles[0]))
                bill = target.bill(ready.usage)
                book(bill)
                self._store.discard(target.role, target.table.model, bill, why="preflight")

    def spent(self) -> Spent:
        """Return what is spent, and what calls in flight may still cost."""
        return self._caps.spent()

    def close(self) -> None:
        """Close connections and the store."""
        for provider in self._providers.values():
            provider.close()
        self._store.close()

    def _target(self, role: Role) -> Target:
        if role not in self._targets:
            raise ConfigError(f'models.{role} is not set and this run needs it; set it, for example to "openai:MODEL".')
        return self._targets[role]

    def _answers(self, asked: Sequence[Asked], buy: Buy) -> dict[Asked, tuple[Kept, bool]]:
        """Return for each what the store holds, once `buy` put there what was missing, and whether it is cached."""
        with self._lock:
            joined = {each: self._in_flight[each.key] for each in asked if each.key in self._in_flight}
            mine: dict[Asked, Future[Kept]] = {each: Future() for each in asked if each not in joined}
            self._in_flight.update({each.key: future for each, future in mine.items()})
        try:
            answers = self._answers_of(list(mine), buy)
            for each, future in mine.items():
                future.set_result(answers[each][0])
        except BaseException as error:
            for future in mine.values():
                future.set_exception(error)
            raise
        finally:
            with self._lock:
                for each in mine:
                    del self._in_flight[each.key]
        # Only now that nobody waits for us: two callers that share texts would else wait for each other.
        return answers | {each: (future.result(), True) for each, future in joined.items()}

    def _answers_of(self, asked: Sequence[Asked], buy: Buy) -> dict[Asked, tuple[Kept, bool]]:
        found = {each: kept for each in asked if (kept := self._store.get(each.key)) is not None}
        missing = [each for each in asked if each not in found]
        if missing:
            buy(missing)
        bought = {each: self._bought(each) for each in missing}
        cached = {each: self._was_replayed(each, kept) if self._replay else True for each, kept in found.items()}
        return {each: (kept, cached.get(each, False)) for each, kept in (found | bought).items()}

    def _bought(self, asked: Asked) -> Kept:
        kept = self._store.get(asked.key)
        if kept is None:
            raise RunFolderError(f"{self._store.path} lost an answer that was just written; was it replaced?")
        return kept

    def _was_replayed(self, asked: Asked, kept: Kept) -> bool:
        """The first time that a replay asks for an answer is when the run paid for it."""
        with self._lock:
            if asked.key in self._replayed:
                return True
            self._replayed.add(asked.key)
        self._caps.add(kept.bill)
        return False

    def _buy_completion(self, target: Target, asked: Asked, call: Call) -> None:
        texts = [message.text for message in call.messages]
        if call.schema is not None:
            texts.append(json.dumps(call.schema))
        most = target.most(texts, call.max_tokens)
        if self._replay:
            self._refuse_unseen(target, most, call.messages[-1].text)
        for is_last in (False, True):
            with self._caps.reserved(most) as book:
                answer = self._send(target, lambda provider: provider.complete(call))
                bill = target.bill(answer.usage)
                book(bill)
                if answer.truncated and not is_last:
                    self._store.discard(target.role, target.table.model, bill, why="cut off", key=asked.key)
                    continue
                self._store.keep([(asked, Kept(sendable(answer.text), answer.truncated, bill))])
                return

    def _buy_vectors(self, target: Target, texts: dict[Asked, str]) -> None:
        most = target.most(texts.values())
        if self._replay:
            self._refuse_unseen(target, most, next(iter(texts.values())))
        with self._caps.reserved(most) as book:
            rows, usage = self._send(target, lambda provider: provider.embed(list(texts.values())))
            bill = target.bill(usage)
            book(bill)
            bills = [bill] + [Bill()] * (len(texts) - 1)  # whoever was the first of the call has all of its bill
            kept = [Kept(_packed(row), False, share) for row, share in zip(rows, bills, strict=True)]
            self._store.keep(list(zip(texts, kept, strict=True)))

    def _refuse_unseen(self, target: Target, most: float, text: str) -> NoReturn:
        if refusal := Caps(self._budget, self._store.spent()).refusal(most):
            raise BudgetSpent(refusal)  # here the run itself came to its end
        words = " ".join(text.split())[:80]
        raise RunFolderError(
            f"{self._store.path} has no answer of the {target.role} to {words!r}; run without models.replay to ask."
        )

    def _send(self, target: Target, send: Callable[[Provider], T]) -> T:
        """Send a call until it is answered; raises as `Broker.complete` does."""
        provider = self._provider_of(target.role)
        last: ProviderFault | None = None
        for number in range(TRIES):
            told = isinstance(last, RateLimited) and last.retry_after is not None
            if number and not told:  # what the provider asks for, the gate waits for
                most = min(FIRST_BACKOFF * 2 ** (number - 1), LONGEST_BACKOFF)
                self._clock.sleep(most * self._clock.jitter())
            try:
                with target.gate.call():
                    return send(provider)
            except (RateLimited, Unavailable) as fault:
                last = fault
            except Denied as fault:
                raise PrerequisiteError(f"models.{target.role}: {fault}") from None
        raise ProviderError(f"{TRIES} tries, and no answer; the last: {last.args[0] if last else ''}.")

    def _provider_of(self, role: str) -> Provider:
        table = self._target(cast(Role, role)).table
        with self._lock:
            if table not in self._providers:
                self._providers[table] = self._open_provider(table, self._note)
            return self._providers[table]


def _batches(texts: dict[Asked, str]) -> Iterator[dict[Asked, str]]:
    batch: dict[Asked, str] = {}
    size = 0
    for asked, text in texts.items():
        if batch and (len(batch) == BATCH_TEXTS or size + len(text.encode()) > BATCH_BYTES):
            yield batch
            batch, size = {}, 0
        batch[asked] = text
        size += len(text.encode())
    if batch:
        yield batch


def _packed(row: Sequence[float]) -> bytes:
    return struct.pack(f"<{len(row)}d", *row)


def unpacked(data: str | bytes) -> tuple[float, ...]:
    """Return the vector that the store holds as an embedding's answer."""
    return struct.unpack(f"<{len(data) // 8}d", data) if isinstance(data, bytes) else ()
