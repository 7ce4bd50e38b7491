"""The sandbox on a Docker engine: one container per candidate, with nothing in it to reach and nothing to keep."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from typing import TYPE_CHECKING, Any

import psutil

from evolve.config import Limits
from evolve.errors import PrerequisiteError, SandboxError
from evolve.sandbox.base import Say
from evolve.sandbox.box import Box
from evolve.sandbox.image import ensure_image
from evolve.sandbox.pool import WarmPool

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container

LABEL = "evolve.owner"
"""Every container carries it; the value is `pid:start-time` of the process that will remove it."""
RUNNER_MB = 512
"""Memory for the runner, the embedding weights and scratch, on top of the program's own."""
READY_SECONDS = 120.0
STREAM = struct.Struct("!BxxxI")
STDOUT = 1
REMEDY = 'start Docker, or choose sandbox.kind = "process"'


def connect() -> docker.DockerClient:
    """Return a client of an engine that answers, or raise PrerequisiteError with the remedy."""
    import docker
    import requests

    try:
        client = docker.from_env(timeout=120)
        client.ping()
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise PrerequisiteError(f"no Docker engine answers ({_first_line(error)}): {REMEDY}.") from None
    return client


class DockerSandbox:
    """Boxes that are containers: no network, read-only root, no capabilities, no user, no environment, no mounts."""

    name = "docker"

    def __init__(self, limits: Limits, *, warm: int = 1, say: Say | None = None) -> None:
        self._client = connect()
        self._limits = limits
        self.image = ensure_image(self._client, say=say)
        self._pool = WarmPool(self._launch, READY_SECONDS, warm)

    def start(self) -> Box:
        """Return a warm box; see `Sandbox.start`."""
        return self._pool.take()

    def describe(self) -> str:
        """Name the engine, the image and the limits."""
        version = self._client.version()["Version"]
        limits = self._limits
        return (
            f"docker {version}, image {self.image.tag}: no network, read-only, "
            f"{limits.memory_mb + RUNNER_MB} MB, {limits.cpus:g} cpu, {limits.pids} pids"
        )

    def close(self) -> None:
        """Remove every container of this sandbox."""
        self._pool.close()
        self._client.close()

    def _launch(self) -> Box:
        import docker
        import requests

        try:
            container = self._create()
            return Box(DockerTransport(self._client, container), self._limits)
        except (docker.errors.DockerException, requests.RequestException) as error:
            raise SandboxError(f"the engine did not start a container: {_first_line(error)}") from None

    def _create(self) -> Container:
        from docker.types import LogConfig

        limits = self._limits
        memory = f"{limits.memory_mb + RUNNER_MB}m"
        return self._client.containers.create(
            self.image.tag,
            command=[limits.model_dump_json()],
            stdin_open=True,
            network_mode="none",
            read_only=True,
            tmpfs={"/tmp": f"size={limits.scratch_mb}m,mode=1777,noexec,nosuid,nodev"},
            mem_limit=memory,
            memswap_limit=memory,
            nano_cpus=int(limits.cpus * 1e9),
            pids_limit=limits.pids,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            user="65534:65534",
            ipc_mode="none",
            log_config=LogConfig(type="none"),
            labels={LABEL: _owner(os.getpid())},
            auto_remove=True,  # the engine removes it even when we are killed: the runner ends when its stdin does
        )


class DockerTransport:
    """A runner in a container, spoken to over its attached stdin and stdout."""

    def __init__(self, client: docker.DockerClient, container: Container) -> None:
        self._client = client
        self._container = container
        self._how: str | None = None
        self._buffer = bytearray()
        self._closing = False
        wanted = {"stdin": 1, "stdout": 1, "stream": 1}
        self._attached = client.api.attach_socket(str(container.id), params=wanted)
        self._socket: socket.socket = getattr(self._attached, "_sock", self._attached)
        self._socket.settimeout(None)  # the client's own time-out is for its requests; a box may be silent for long
        container.start()

    def send(self, data: bytes) -> None:
        """Write all of it to the container's stdin."""
        self._socket.sendall(data)

    def receive(self) -> bytes:
        """Block for the runner's next bytes, freed of the engine's stream headers."""
        while True:
            if len(self._buffer) >= STREAM.size:
                stream, size = STREAM.unpack_from(self._buffer)
                if len(self._buffer) >= STREAM.size + size:
                    data = bytes(self._buffer[STREAM.size : STREAM.size + size])
                    del self._buffer[: STREAM.size + size]
                    if stream == STDOUT and data:
                        return data
                    continue
            more = self._socket.recv(1 << 16)
            if not more:
                return b""
            self._buffer += more

    def kill(self) -> str:
        """Kill and remove the container, and wait until the engine has forgotten it."""
        if self._how is None:
            self._how = "container gone"
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._how = remove(self._client, str(self._container.id))
            with contextlib.suppress(OSError):
                self._attached.close()
                self._socket.close()
        return self._how


def remove(client: docker.DockerClient, container_id: str) -> str:
    """Remove a container by force, and return how it was found. Raises SandboxError where the engine cannot."""
    import docker
    import requests

    how = "killed"
    try:
        for _ in range(100):
            state = client.api.inspect_container(container_id)["State"]
            if not state["Running"]:
                how = (
                    f"container ended with status {state['ExitCode']}{', out of memory' if state['OOMKilled'] else ''}"
                )
            with contextlib.suppress(docker.errors.APIError):  # "removal already in progress"
                client.api.remove_container(container_id, force=True)
            time.sleep(0.02)
    except docker.errors.NotFound:
        return how
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise SandboxError(f"container {container_id[:12]} could not be removed: {_first_line(error)}") from None
    raise SandboxError(f"container {container_id[:12]} does not go away")


def leftovers(client: docker.DockerClient) -> list[str]:
    """Return the ids of our containers whose process is gone."""
    containers: list[dict[str, Any]] = client.api.containers(all=True, filters={"label": LABEL})
    return [str(c["Id"]) for c in containers if not _alive(c["Labels"][LABEL])]


def _owner(pid: int) -> str:
    return f"{socket.gethostname()}:{pid}:{psutil.Process(pid).create_time():.0f}"


def _alive(owner: str) -> bool:
    host, pid, _ = owner.rsplit(":", 2)
    if host != socket.gethostname():
        return True  # an engine shared with another machine: not ours to judge
    return psutil.pid_exists(int(pid)) and _owner(int(pid)) == owner


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
