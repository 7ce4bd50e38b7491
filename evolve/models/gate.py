"""How many calls a model gets at a time, and when it gets none: the provider's answers decide."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from evolve.errors import ProviderError
from evolve.models.base import Note, ProviderFault, RateLimited, Unavailable

START = 8
"""Calls at a time before the provider has shown what it takes."""
ROW = 8
"""So many failures without a success between them open the gate's circuit."""
RECENT, MOST = 20, 15
"""So do 15 failures among the last 20 calls: more than that is a storm, fewer are weather."""
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0
"""Seconds before the first probe, and at most before any later one."""
PATIENCE = 15 * 60.0
"""Seconds that a provider may do nothing but fail before callers are told."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as gates and brokers know it; tests hand in their own."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    """Between 0 and 1."""


@dataclass(frozen=True, slots=True)
class _Pass:
    """What a call was let in with."""

    era: int
    """How often the limit had been halved: a call that began before the last halving does not halve it again."""
    probe: bool


class Gate:
    """Lets calls to one model through: as many as it bears, none for as long as it asks, one at a time in a storm.

    Additive increase, multiplicative decrease (Chiu and Jain 1989), with a circuit breaker (Nygard, Release It!).
    """

    def __init__(
        self, name: str, highest: int, *, note: Note, clock: Clock | None = None, patience: float = PATIENCE
    ) -> None:
        self.name = name
        self._highest = highest
        self._note = note
        self._clock = clock or Clock()
        self._patience = patience
        self._changed = threading.Condition()
        self._limit = float(min(START, highest))
        self._inside = 0
        self._era = 0
        self._results: deque[bool] = deque(maxlen=RECENT)
        self._row = 0
        self._shut_until = 0.0
        """The provider asked to be left alone until then."""
        self._probe_at: float | None = None
        """The circuit is open, and this is when it is tried again; None where it is closed."""
        self._probing = False
        self._pause = FIRST_PAUSE
        self._failing_since: float | None = None

    @property
    def limit(self) -> int:
        """Calls that may be inside at a time."""
        return int(self._limit)

    @contextmanager
    def call(self) -> Iterator[None]:
        """Hold a place for one call, and learn from how it ends.

        Blocks until there is a place. Raises ProviderError where the provider has not answered for `patience` seconds.
        """
        held = self._enter()
        try:
            yield
        except (RateLimited, Unavailable) as fault:
            self._leave(held, fault)
            raise
        except BaseException:
            self._leave(held, None)  # refused or denied: the provider is there and answers
            raise
        self._leave(held, None)

    def _enter(self) -> _Pass:
        while True:
            with self._changed:
                seconds = self._seconds_to_wait()
                if seconds is None:
                    self._changed.wait()  # whoever is inside wakes us when it leaves
                    continue
                if seconds <= 0:
                    self._inside += 1
                    self._probing = self._probe_at is not None
                    return _Pass(self._era, self._probing)
            self._clock.sleep(seconds)

    def _seconds_to_wait(self) -> float | None:
        """Return 0 where the caller may go in, None where it must wait for another to leave."""
        now = self._clock.now()
        until = max(self._shut_until, self._probe_at or 0.0)
        if self._probing or now < until:
            self._check_patience(now, until)
        if self._probing or (self._inside >= self.limit and self._probe_at is None):
            return None
        return max(0.0, until - now)

    def _check_patience(self, now: float, until: float) -> None:
        """Raise where waiting has no end in sight. Then one call is let through now and then, and nobody waits."""
        since = self._failing_since
        if since is None or max(now, until) - since <= self._patience:
            return
        self._changed.notify_all()  # so that all who wait are told
        if self._shut_until - now > self._patience:
            raise ProviderError(f"{self.name} asks to be left alone for {self._shut_until - now:.0f} s.")
        raise ProviderError(f"{self.name} has not answered a call for {now - since:.0f} s.")

    def _leave(self, held: _Pass, fault: RateLimited | Unavailable | None) -> None:
        with self._changed:
            self._inside -= 1
            said = self._succeeded(held) if fault is None else self._failed(held, fault)
            self._changed.notify(max(1, self.limit - self._inside))
        if said:
            self._note(said)

    def _succeeded(self, held: _Pass) -> str:
        self._failing_since = None
        # Twice as many a window until the provider first says no (TCP's slow start), then one more a window.
        step = 1.0 if self._era == 0 else 1 / self._limit
        self._limit = min(self._limit + step, float(self._highest))
        self._row = 0
        self._results.append(True)
        if not held.probe:
            return ""
        self._probing, self._probe_at, self._pause = False, None, FIRST_PAUSE
        self._results.clear()
        return f"{self.name} answers again."

    def _failed(self, held: _Pass, fault: ProviderFault) -> str:
        now = self._clock.now()
        if self._failing_since is None:
            self._failing_since = now
        self._row += 1
        self._results.append(False)
        if isinstance(fault, RateLimited):
            self._slow_down(held, now + (fault.retry_after or 0.0))
        if held.probe:
            self._probing = False
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            self._probe_at = now + self._jittered(self._pause)
        elif self._probe_at is None and (self._row >= ROW or self._results.count(False) >= MOST):
            self._probe_at = now + self._jittered(self._pause)
            return f"{self.name} fails again and again ({fault.args[0]}): calls to it wait until it answers."
        return ""

    def _slow_down(self, held: _Pass, until: float) -> None:
        self._shut_until = max(self._shut_until, until)
        if held.era == self._era:
            self._era += 1
            self._limit = max(1.0, self._limit / 2)

    def _jittered(self, seconds: float) -> float:
        """Several sessions that failed together should not come back together."""
        return seconds * (0.5 + 0.5 * self._clock.jitter())
