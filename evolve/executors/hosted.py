"""The broker in a process of its own: one for all workers of a run, beside the driver, because `llm.sqlite` is there.

The process is a Ray actor, so that Ray starts it, starts it again where it died, and ends it. Calls do not go through
Ray, whose every call costs more than an answer from the store: each caller has a connection of its own to the actor.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import secrets
import socket
import socketserver
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from evolve.errors import EvolveError, ProviderError
from evolve.models.base import Broker, Note, Reply, Request, Spent, Vectors

ASK_AGAIN = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds after which an actor that died is asked again: Ray starts it anew meanwhile."""
CLOSE_SECONDS = 30.0
CONNECT_SECONDS = 10.0
TOKEN_BYTES = 32


class Hostable(Broker, Protocol):
    """A broker that can live in an actor."""

    def preflight(self) -> None:
        """Ask every model something tiny."""
        ...

    def close(self) -> None:
        """Close connections and files."""
        ...


MakeBroker = Callable[[Note], Hostable]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the actor listens, and what it must be told before it reads anything else."""

    host: str
    port: int
    token: bytes


class _Listener(socketserver.ThreadingTCPServer):
    """Answers calls to a broker, each connection in a thread of its own."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, host: str, broker: Hostable) -> None:
        super().__init__((host, 0), _Line)
        self.broker = broker
        self.place = _Place(host, self.server_address[1], secrets.token_bytes(TOKEN_BYTES))
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Line(socketserver.StreamRequestHandler):
    """One connection: a call, its answer, the next call."""

    server: _Listener
    disable_nagle_algorithm = True
    wbufsize = -1

    def handle(self) -> None:
        if not secrets.compare_digest(self.rfile.read(TOKEN_BYTES), self.server.place.token):
            return
        with contextlib.suppress(EOFError, ConnectionError):  # the caller hung up
            while True:
                method, arguments = pickle.load(self.rfile)
                pickle.dump(self._answer(method, arguments), self.wfile)
                self.wfile.flush()

    def _answer(self, method: str, arguments: tuple[Any, ...]) -> tuple[Any, Exception | None]:
        try:
            return getattr(self.server.broker, method)(*arguments), None
        except EvolveError as error:
            return None, error
        except Exception:
            return None, RuntimeError(traceback.format_exc())


class _Caller:
    """The other end of a connection."""

    def __init__(self, place: _Place) -> None:
        self._socket = socket.create_connection((place.host, place.port), timeout=CONNECT_SECONDS)
        self._socket.settimeout(None)  # a model may think for long
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rwb")
        self._file.write(place.token)

    def ask(self, method: str, arguments: tuple[Any, ...]) -> tuple[Any, Exception | None]:
        pickle.dump((method, arguments), self._file)
        self._file.flush()
        answer: tuple[Any, Exception | None] = pickle.load(self._file)
        return answer

    def close(self) -> None:
        with contextlib.suppress(OSError):  # there may be half a call left to send
            self._file.close()
        self._socket.close()


class _Host:
    """Runs in a Ray process. What matters outlives it in the store."""

    def __init__(self, make_broker: MakeBroker, environment: Mapping[str, str]) -> None:
        os.environ.update(environment)
        self._make_broker = make_broker
        self._lock = threading.Lock()
        self._listener: _Listener | None = None
        self._notes: deque[str] = deque()

    def place(self) -> _Place:
        import ray

        with self._lock:
            if self._listener is None:  # not in __init__: what it raises there, Ray only tells as a dead actor
                here: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
                self._listener = _Listener(here, self._make_broker(self._notes.append))
            return self._listener.place

    def close(self) -> None:
        if self._listener is not None:
            self._listener.broker.close()

    def notes(self) -> list[str]:
        return [self._notes.popleft() for _ in range(len(self._notes))]


class HostedBroker:
    """Implements `models.base.Broker` by asking the actor. Can be pickled, and used in any process of the cluster."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor
        self._lock = threading.Lock()
        self._place: _Place | None = None
        self._idle: deque[_Caller] = deque()

    def __reduce__(self) -> tuple[object, ...]:
        return HostedBroker, (self._actor,)

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
        spent: Spent = self._ask("spent")
        return spent

    def preflight(self) -> None:
        """Ask every model something tiny; raises PrerequisiteError."""
        self._ask("preflight")

    def notes(self) -> list[str]:
        """Return the lines for the user since the last time; none where the actor does not answer at once."""
        import ray

        with contextlib.suppress(ray.exceptions.RayError):
            lines: list[str] = ray.get(self._actor.notes.remote(), timeout=1.0)
            return lines
        return []

    def close(self) -> None:
        """Close the broker, then the actor."""
        import ray

        self._hang_up()
        with contextlib.suppress(ray.exceptions.RayError):
            ray.get(self._actor.close.remote(), timeout=CLOSE_SECONDS)
        ray.kill(self._actor)

    def _ask(self, method: str, *arguments: Any) -> Any:
        import ray

        for wait in (*ASK_AGAIN, None):
            try:
                answer, error = self._asked(method, arguments)
            except (ray.exceptions.RayActorError, OSError, EOFError) as death:
                self._hang_up()
                if wait is None:
                    raise ProviderError(f"the broker died and did not come back: {last_line(death)}") from None
                time.sleep(wait)
                continue
            except ray.exceptions.RayTaskError as failure:
                raise failure.cause if isinstance(failure.cause, EvolveError) else failure from None
            if error is not None:
                raise error
            return answer
        raise AssertionError("the last turn returns or raises")

    def _asked(self, method: str, arguments: tuple[Any, ...]) -> tuple[Any, Exception | None]:
        try:
            caller = self._idle.pop()
        except IndexError:
            caller = _Caller(self._found())
        try:
            answer = caller.ask(method, arguments)
        except BaseException:  # an interrupt too leaves a connection with half a call in it
            caller.close()
            raise
        self._idle.append(caller)
        return answer

    def _found(self) -> _Place:
        import ray

        with self._lock:
            if self._place is None:
                place: _Place = ray.get(self._actor.place.remote())
                self._place = place
            return self._place

    def _hang_up(self) -> None:
        """Forget where the actor was, and close all connections that nobody uses."""
        self._place = None
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().close()


def last_line(error: Exception) -> str:
    """Return what a Ray error is about: it tells how it was told first and the cause last."""
    return next(line for line in reversed((str(error).strip() or "no reason").splitlines()) if line.strip())[:200]


def host(make_broker: MakeBroker, environment: Mapping[str, str]) -> HostedBroker:
    """Start the actor on this node, in the Ray that is up."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    # Ray asks for little, and some of it must be answered while the broker is being made: hence the threads.
    options: dict[str, Any] = {"max_concurrency": 4, "scheduling_strategy": here}
    actor = ray.remote(num_cpus=0, max_restarts=-1, **options)(_Host)
    return HostedBroker(actor.remote(make_broker, dict(environment)))
