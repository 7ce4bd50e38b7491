"""Ray itself: started on this machine, or joined where a cluster is up."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping
from typing import Any

from evolve.errors import ConfigError, PrerequisiteError
from evolve.executors.hosted import HostedBroker, MakeBroker, host
from evolve.models.base import Note

OBJECT_STORE_BYTES = 256 << 20
"""Jobs are small; the default of a third of the memory would starve the sandboxes."""
CONNECT_SECONDS = 10.0


class Cluster:
    """Ray, on this machine or elsewhere; up from here to `close`."""

    def __init__(self, workers: int, address: str, *, note: Note = lambda line: None) -> None:
        """`workers` is how many are wanted: of an empty address as many processors are promised to Ray, of a cluster
        no more are taken. `note` hears the lines for the user.

        Raises PrerequisiteError where Ray does not start, ConfigError for an address of Ray Client.
        """
        self.workers = workers
        self.ray = _start(workers, address)
        self.note = note
        self._broker: HostedBroker | None = None

    def room(self) -> int:
        """Return how many workers the nodes that are alive have processors for, at most those that are wanted."""
        return min(self.workers, int(self.ray.cluster_resources().get("CPU", 0)))

    def host(self, make_broker: MakeBroker, *, environment: Mapping[str, str] | None = None) -> HostedBroker:
        """Return the broker of this run, made in a process of its own on this node.

        `environment` is what the process needs and a cluster that is already up does not have, such as keys.
        """
        self._broker = host(make_broker, environment or {})
        return self._broker

    def tell_notes(self) -> None:
        """Hand on the lines of what is hosted since the last time."""
        for line in self._broker.notes() if self._broker else ():
            self.note(line)

    def close(self) -> None:
        """Close the broker, and end Ray or the connection to it."""
        if self._broker is not None:
            self.tell_notes()
            self._broker.close()
        self.ray.shutdown()


def _start(workers: int, address: str) -> Any:
    if address.startswith("ray://"):
        raise ConfigError(
            f"ray.address = {address!r}: Ray Client is not supported, as the broker must be where the run folder is; "
            "start evolve on a node of the cluster, with ray.address=auto."
        )
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
    host, _, port = address.rpartition(":")
    if port.isdigit():
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
