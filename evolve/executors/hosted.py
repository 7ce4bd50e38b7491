"""The broker as a Ray actor: one for all workers of a run, beside the driver, because `llm.sqlite` is there."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from evolve.errors import EvolveError, ProviderError
from evolve.models.base import Broker, Note, Reply, Request, Spent, Vectors

CALLS = 256
"""Calls that the actor can hold at a time; each waits in a thread of its own."""
ASK_AGAIN = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds after which an actor that died is asked again: Ray starts it anew meanwhile."""
CLOSE_SECONDS = 30.0


class Hostable(Broker, Protocol):
    """A broker that can live in an actor."""

    def preflight(self) -> None:
        """Ask every model something tiny."""
        ...

    def close(self) -> None:
        """Close connections and files."""
        ...


MakeBroker = Callable[[Note], Hostable]


class _Host:
    """Runs in a Ray process. What matters outlives it in the store."""

    def __init__(self, make_broker: MakeBroker, environment: Mapping[str, str]) -> None:
        os.environ.update(environment)
        self._make_broker = make_broker
        self._lock = threading.Lock()
        self._broker: Hostable | None = None
        self._notes: deque[str] = deque()

    def do(self, method: str, *arguments: Any) -> Any:
        return getattr(self._made(), method)(*arguments)

    def close(self) -> None:
        if self._broker is not None:
            self._broker.close()

    def notes(self) -> list[str]:
        return [self._notes.popleft() for _ in range(len(self._notes))]

    def _made(self) -> Hostable:
        with self._lock:
            if self._broker is None:  # not in __init__: what it raises there, Ray only tells as a dead actor
                self._broker = self._make_broker(self._notes.append)
            return self._broker


class HostedBroker:
    """Implements `models.base.Broker` by asking the actor. Can be pickled, and used in any process of the cluster."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def complete(self, request: Request) -> Reply:
        """Return the answer; see `Broker.complete`."""
        reply: Reply = self._ask("complete", request)
        return reply

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one vector a text; see `Broker.embed`."""
        vectors: Vectors = self._ask("embed", tuple(texts))
        return vectors

    def spent(self) -> Spent:
        """Return what is spent, and what calls in flight may still cost."""
        spent: Spent = self._ask("spent", group="looks")
        return spent

    def preflight(self) -> None:
        """Ask every model something tiny; raises PrerequisiteError."""
        self._ask("preflight")

    def notes(self) -> list[str]:
        """Return the lines for the user since the last time; none where the actor does not answer at once."""
        import ray

        with contextlib.suppress(ray.exceptions.RayError):
            lines: list[str] = ray.get(self._actor.notes.options(concurrency_group="looks").remote(), timeout=1.0)
            return lines
        return []

    def close(self) -> None:
        """Close the broker, then the actor."""
        import ray

        with contextlib.suppress(ray.exceptions.RayError):
            ray.get(self._actor.close.options(concurrency_group="looks").remote(), timeout=CLOSE_SECONDS)
        ray.kill(self._actor)

    def _ask(self, method: str, *arguments: Any, group: str = "calls") -> Any:
        import ray

        for wait in (*ASK_AGAIN, None):
            try:
                return ray.get(self._actor.do.options(concurrency_group=group).remote(method, *arguments))
            except ray.exceptions.RayActorError as error:
                if wait is None:
                    raise ProviderError(f"the broker died and did not come back: {last_line(error)}") from None
                time.sleep(wait)
            except ray.exceptions.RayTaskError as error:
                raise error.cause if isinstance(error.cause, EvolveError) else error from None
        raise AssertionError("the last turn returns or raises")


def last_line(error: Exception) -> str:
    """Return what a Ray error is about: it tells how it was told first and the cause last."""
    return next(line for line in reversed((str(error).strip() or "no reason").splitlines()) if line.strip())[:200]


def host(make_broker: MakeBroker, environment: Mapping[str, str]) -> HostedBroker:
    """Start the actor on this node, in the Ray that is up."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    # `looks` has threads of its own: it must be answered while all of `calls` wait in a storm.
    options: dict[str, Any] = {"concurrency_groups": {"calls": CALLS, "looks": 4}, "scheduling_strategy": here}
    actor = ray.remote(num_cpus=0, max_restarts=-1, **options)(_Host)
    return HostedBroker(actor.remote(make_broker, dict(environment)))
