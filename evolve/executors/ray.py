"""Jobs on Ray actors, on this machine or a cluster: each actor is one worker with a sandbox of its own."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Callable, Mapping
from typing import Any, Generic

from evolve.errors import EvolveError, PrerequisiteError
from evolve.executors.base import D, J, Key, OnStage, Works
from evolve.executors.hosted import HostedBroker, MakeBroker, host, last_line
from evolve.models.base import Note

POLL_SECONDS = 0.5
ATTEMPTS = 3
"""A job whose worker died is done again by a new one; so often before the run gives up."""
OBJECT_STORE_BYTES = 256 << 20
"""Jobs are small; the default of a third of the memory would starve the sandboxes."""
CLOSE_SECONDS = 30.0
CONNECT_SECONDS = 10.0


class _Actor(Generic[J, D]):
    """Runs in a Ray process. A second thread answers `stage` while the first one works."""

    def __init__(self, make_worker: Callable[[], Works[J, D]]) -> None:
        self._make_worker = make_worker
        self._worker: Works[J, D] | None = None
        self._stage = ""

    def run(self, job: J) -> D:
        if self._worker is None:  # not in __init__: what it raises there, Ray only tells as a dead actor
            self._worker = self._make_worker()
        return self._worker.run(job, self._say)

    def stage(self) -> str:
        return self._stage

    def close(self) -> None:
        if self._worker is not None:
            self._worker.close()

    def _say(self, text: str) -> None:
        self._stage = text


class Cluster:
    """Ray, on this machine or elsewhere, with room for so many workers; up from here to `close`."""

    def __init__(self, workers: int, address: str, *, note: Note = lambda line: None) -> None:
        """Raises PrerequisiteError where Ray does not start. `note` hears the lines for the user of what is hosted."""
        self.workers = workers
        self.ray = _start(workers, address)
        self._note = note
        self._broker: HostedBroker | None = None

    def host(self, make_broker: MakeBroker, *, environment: Mapping[str, str] | None = None) -> HostedBroker:
        """Return the broker of this run, made in a process of its own on this node.

        `environment` is what the process needs and a cluster that is already up does not have, such as keys.
        """
        self._broker = host(make_broker, environment or {})
        return self._broker

    def tell_notes(self) -> None:
        """Hand on the lines for the user since the last time."""
        for line in self._broker.notes() if self._broker else ():
            self._note(line)

    def close(self) -> None:
        """Close the broker, and end Ray or the connection to it."""
        if self._broker is not None:
            self.tell_notes()
            self._broker.close()
        self.ray.shutdown()


class RayExecutor(Generic[J, D]):
    """A fixed number of actors; a job goes to whichever is free."""

    def __init__(self, cluster: Cluster, make_worker: Callable[[], Works[J, D]], on_stage: OnStage) -> None:
        self.slots = cluster.workers
        self._cluster = cluster
        self._make_worker = make_worker
        self._on_stage = on_stage
        self._ray = cluster.ray
        self._actor = self._ray.remote(_Actor).options(max_concurrency=2, num_cpus=1)
        self._free = [self._actor.remote(make_worker) for _ in range(self.slots)]
        self._running: dict[Any, tuple[Key, J, Any, int]] = {}

    def submit(self, key: Key, job: J) -> None:
        """Hand the job to a free actor."""
        self._run(key, job, self._free.pop(), 1)

    def next(self) -> tuple[Key, D]:
        """Wait for whichever job ends first, asking the others for their stage meanwhile."""
        ray = self._ray
        while True:
            done, _ = ray.wait(list(self._running), num_returns=1, timeout=POLL_SECONDS)
            if not done:
                self._ask_stages()
                self._cluster.tell_notes()
                continue
            key, job, actor, attempt = self._running.pop(done[0])
            try:
                result: D = ray.get(done[0])
            except ray.exceptions.RayActorError as error:
                if attempt == ATTEMPTS:
                    raise EvolveError(
                        f"a Ray worker died {ATTEMPTS} times on the same job: {last_line(error)}"
                    ) from None
                self._run(key, job, self._actor.remote(self._make_worker), attempt + 1)
                continue
            except ray.exceptions.RayTaskError as error:
                self._free.append(actor)
                raise error.cause if isinstance(error.cause, EvolveError) else error from None
            self._free.append(actor)
            return key, result

    def close(self) -> None:
        """Close the workers' sandboxes, then the workers."""
        ray = self._ray
        actors = [*self._free, *(actor for _, _, actor, _ in self._running.values())]
        with contextlib.suppress(ray.exceptions.RayError):
            ray.get([actor.close.remote() for actor in actors], timeout=CLOSE_SECONDS)
        for actor in actors:
            ray.kill(actor)

    def _run(self, key: Key, job: J, actor: Any, attempt: int) -> None:
        self._running[actor.run.remote(job)] = (key, job, actor, attempt)

    def _ask_stages(self) -> None:
        asked = {actor.stage.remote(): key for key, _, actor, _ in self._running.values()}
        answered, _ = self._ray.wait(list(asked), num_returns=len(asked), timeout=POLL_SECONDS)
        for reference in answered:
            with contextlib.suppress(self._ray.exceptions.RayError):
                self._on_stage(asked[reference], self._ray.get(reference))


def _start(workers: int, address: str) -> Any:
    # Ray reads these when it is imported: no usage statistics over the network, no note about accelerators.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    local: dict[str, Any] = {"num_cpus": workers, "object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}
    try:
        _reach(address)
        ray.init(
            address=address or "local",
            logging_level=logging.ERROR,
            log_to_driver=False,
            **({} if address else local),
        )
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        where = f"the Ray cluster at {address}" if address else "Ray on this machine"
        raise PrerequisiteError(f"{where} does not start ({_first_line(error)}); --workers 1 needs none.") from None
    return ray


def _reach(address: str) -> None:
    """Raise OSError where nothing listens at host:port: Ray itself would wait for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdigit():
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
