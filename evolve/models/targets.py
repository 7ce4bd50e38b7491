"""What each role calls: its model, its settings, its price, and the gate that it shares with others of that model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import cast

from evolve.config import Budget, Models, ModelTable
from evolve.errors import ConfigError
from evolve.models.base import Call, Note, Price, Request, Role, Usage
from evolve.models.gate import Clock, Gate
from evolve.models.store import Asked, Bill

MAX_TOKENS: Mapping[str, int] = {"agent": 4096, "reflector": 32768, "judge": 2048, "toolkit": 1024}
MESSAGE_TOKENS = 16
"""What a provider may add around one message, one text or one schema."""
BYTES_PER_TOKEN = 2
"""Text has about 4; an upper bound must hold for dense JSON and for any language."""


@dataclass(frozen=True, slots=True)
class Target:
    """The model of one role."""

    role: Role
    table: ModelTable
    price: Price | None
    gate: Gate

    def call(self, request: Request) -> Call:
        """Return the request with everything that the role's configuration adds; its max_tokens are never exceeded."""
        most = self.table.max_tokens or MAX_TOKENS[self.role]
        return Call(
            messages=tuple(replace(message, text=sendable(message.text)) for message in request.messages),
            max_tokens=min(request.max_tokens or most, most),
            schema=request.schema,
            temperature=self.table.temperature if request.temperature is None else request.temperature,
            effort=self.table.effort,
        )

    def completion(self, call: Call, sample: int) -> Asked:
        """Return a completion as the store knows it."""
        return Asked.of(
            self.role,
            self.table.model,
            {
                "base_url": self.table.base_url,
                "api": self.table.api,
                "messages": [[message.role, message.text] for message in call.messages],
                "schema": None if call.schema is None else dict(call.schema),
                "temperature": call.temperature,
                "effort": call.effort,
                "max_tokens": call.max_tokens,
                "sample": sample,
            },
        )

    def embedding(self, text: str) -> Asked:
        """Return one text to embed as the store knows it."""
        return Asked.of(self.role, self.table.model, {"base_url": self.table.base_url, "text": text})

    def bill(self, usage: Usage) -> Bill:
        """Return what one answer costs."""
        usd = None if self.price is None else self.price.of(usage)
        return Bill(1, usage.input_tokens, usage.cached_tokens, usage.written_tokens, usage.output_tokens, usd)

    def most(self, texts: Iterable[str], max_tokens: int = 0) -> float:
        """Return the most dollars that a call may cost; 0.0 where the price is not known, and so none are capped."""
        if self.price is None:
            return 0.0
        tokens = sum(len(text.encode()) / BYTES_PER_TOKEN + MESSAGE_TOKENS for text in texts)
        dearest = max(self.price.input, self.price.cached or 0.0, self.price.written or 0.0)
        return (tokens * dearest + max_tokens * self.price.output) / 1e6


def make_targets(
    models: Models, budget: Budget, prices: Callable[[str], Price | None], *, note: Note, clock: Clock
) -> Mapping[Role, Target]:
    """Return the targets of all roles that a model plays.

    Raises ConfigError where dollars are capped and a model has no price.
    """
    gates: dict[tuple[str, str], Gate] = {}
    targets: dict[Role, Target] = {}
    for role, table in models.by_role.items():
        at = (table.model, table.base_url)
        if at not in gates:
            gates[at] = Gate(table.model, models.concurrency, note=note, clock=clock)
        targets[cast(Role, role)] = Target(cast(Role, role), table, prices(table.model), gates[at])
    unpriced = sorted({target.table.model for target in targets.values() if target.price is None})
    if unpriced and budget.usd is not None:
        raise ConfigError(
            f"budget.usd = {budget.usd:g} needs a price for {' and '.join(unpriced)}: add it, in dollars for a million "
            f'tokens, as in models.prices = {{"{unpriced[0]}" = {{input = 0.25, output = 2.0}}}}, or drop budget.usd.'
        )
    return targets


def sendable(text: str) -> str:
    """Return the text with "?" for halves of surrogate pairs, which programs can make and UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode()
