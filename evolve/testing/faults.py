"""What goes wrong between a client and a provider, drawn so that the same calls meet the same faults again."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import Literal, TypeAlias

Fault: TypeAlias = Literal["", "limited", "broken", "timeout", "cut"]
"""What happens to one request: nothing, a 429, a 500, no answer in time, a reply that breaks off."""


@dataclass(frozen=True, slots=True)
class Faults:
    """A storm. Shares are of the requests that arrive, and may add up to 1 at most.

    A request that is limited (429) is told when to come back. If it comes before that it is refused again; if it comes
    later it is not limited another time, which is how a token bucket behaves. All else is drawn anew for every arrival.
    """

    seed: int
    limited: float = 0.30
    broken: float = 0.05
    timeouts: float = 0.05
    cut: float = 0.02
    retry_after: float = 0.05
    """Seconds that a limited request is told to wait."""
    hold: float = 3.0
    """Seconds that a request without an answer is held before its connection is closed; longer than clients wait."""


class Storm:
    """The faults of one server. Draws depend on a request's digest and on how many of its kind came before, not on
    the order in which different requests arrive. Called from many threads."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self._lock = threading.Lock()
        self._seen: Counter[str] = Counter()
        self._welcome: dict[str, float] = {}
        """When a limited request may come back, on the monotonic clock."""

    def strike(self, digest: str) -> tuple[Fault, float]:
        """Return what happens to a request that arrives now, and the seconds that a limited one has to wait."""
        with self._lock:
            now = time.monotonic()
            early = self._welcome.get(digest, now) - now
            if early > 0:
                return "limited", early
            number = self._seen[digest]
            self._seen[digest] += 1
            fault = self._drawn(digest, number)
            if fault == "limited":
                if digest in self._welcome:
                    return "", 0.0
                self._welcome[digest] = now + self.faults.retry_after
            return fault, self.faults.retry_after

    def _drawn(self, digest: str, number: int) -> Fault:
        words = f"{self.faults.seed}:{number}:{digest}"
        drawn = int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big") / 2**64
        shares: tuple[tuple[Fault, float], ...] = (
            ("limited", self.faults.limited),
            ("broken", self.faults.broken),
            ("timeout", self.faults.timeouts),
            ("cut", self.faults.cut),
        )
        for fault, share in shares:
            if drawn < share:
                return fault
            drawn -= share
        return ""
