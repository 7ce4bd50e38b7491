"""What somebody's calls cost, by role: one account per attempt."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import replace

from evolve.models.base import Broker, Purpose, Reply, Request, Role, Vectors
from evolve.types import Cost


class Account:
    """Hands calls on to the broker, and adds up what they cost. Called from many threads."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._lock = threading.Lock()
        self._costs: dict[str, Cost] = {}
        self._dollars: dict[str, list[float]] = {}
        self._phases: dict[Purpose, tuple[int, int]] = {}

    def complete(self, request: Request) -> Reply:
        """Return the broker's answer; see `Broker.complete`."""
        reply = self._broker.complete(request)
        self._book(request.role, reply, request.purpose)
        return reply

    def embed(self, texts: Sequence[str]) -> tuple[tuple[float, ...], ...]:
        """Return one vector a text; see `Broker.embed`."""
        vectors = self._broker.embed(texts)
        self._book("embedding", vectors)
        return vectors.rows

    def costs(self) -> dict[str, Cost]:
        """Return what each role has cost so far."""
        with self._lock:
            return {role: replace(cost, usd=self._usd(role, cost)) for role, cost in self._costs.items()}

    def phases(self) -> dict[Purpose, tuple[int, int]]:
        """Return for each purpose how many requests went to the provider, and how many the store answered."""
        with self._lock:
            return dict(self._phases)

    def _usd(self, role: str, cost: Cost) -> float | None:
        """The exact sum: it must not depend on the order in which threads came to an end."""
        return None if cost.usd is None else math.fsum(self._dollars[role])

    def _book(self, role: Role, answer: Reply | Vectors, purpose: Purpose = "") -> None:
        cost = Cost(cached=1)
        if not answer.cached:
            usage = answer.usage
            cost = Cost(1, 0, usage.input_tokens, usage.cached_tokens, usage.output_tokens, answer.usd)
        with self._lock:
            self._costs[role] = self._costs.get(role, Cost()) + cost
            self._dollars.setdefault(role, []).append(cost.usd or 0.0)
            made, kept = self._phases.get(purpose, (0, 0))
            self._phases[purpose] = made + cost.calls, kept + cost.cached
