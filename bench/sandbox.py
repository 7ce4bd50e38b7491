"""What a sandbox round trip costs beside a bare echo over the same kind of pipe: a `read` that does nothing.

The read goes from the worker to the runner, to the scope's process and back; the echo is a process at the other end of
such a pipe that returns every frame as it is. The difference of the medians is ours. Both are asked in turn, a hundred
at a time, so that a busy machine is busy for both.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator

from _targets import Target, at_most, print_targets

from evolve import wire
from evolve.config import Limits
from evolve.errors import PrerequisiteError
from evolve.evaluation.evaluate import no_completions
from evolve.evaluation.gauge import Completions
from evolve.sandbox import Kind, open_sandbox
from evolve.sandbox.box import Transport
from evolve.sandbox.process import ProcessTransport
from evolve.testing.programs import program
from evolve.types import JSON

ROUNDS, AT_A_TIME = 40, 100
WARM_UP = 200
ECHO = "import os\nwhile data := os.read(0, 65536):\n    os.write(1, data)"
QUESTION: dict[str, JSON] = {"text": "Where did they go in May?"}


@contextlib.contextmanager
def echo(kind: Kind) -> Iterator[Transport]:
    """Yield a process that echoes, spoken to as a sandbox of that kind is."""
    if kind == "process":
        transport: Transport = ProcessTransport([sys.executable, "-I", "-c", ECHO])
    else:
        import docker

        from evolve.sandbox.docker import DockerTransport
        from evolve.sandbox.image import image_tag

        client = docker.from_env()
        entry = ["python", "-I", "-c", ECHO]
        made = client.containers.create(
            image_tag(), entrypoint=entry, stdin_open=True, network_mode="none", auto_remove=True
        )
        transport = DockerTransport(client, made)
    try:
        yield transport
    finally:
        transport.kill()


def timed(ask: Callable[[], object], times: list[float]) -> None:
    """Ask a hundred times, and note the milliseconds of each."""
    for _ in range(AT_A_TIME):
        began = time.perf_counter()
        ask()
        times.append((time.perf_counter() - began) * 1000)


def measure(kind: Kind) -> dict[str, float]:
    """Return the medians in milliseconds."""
    sandbox = open_sandbox(kind, Limits(scope_seconds=3600), warm=0)
    try:
        box = sandbox.start()
        memory = box.open(program(read='return "found"'), call_llm=Completions(no_completions))
        frame = wire.encode(1, {"op": "read", "query": dict(QUESTION), "id": 1}, limit=1 << 20)
        with echo(kind) as other:

            def bare() -> None:
                other.send(frame)
                got = 0
                while got < len(frame):
                    got += len(other.receive())

            def ours() -> None:
                memory.read(dict(QUESTION))

            for ask in (bare, ours):
                for _ in range(WARM_UP):
                    ask()
            times: dict[str, list[float]] = {"echo": [], "read": []}
            for _ in range(ROUNDS):
                timed(bare, times["echo"])
                timed(ours, times["read"])
        box.close()
        medians = {name: statistics.median(found) for name, found in times.items()}
        return {**medians, "ours": medians["read"] - medians["echo"]}
    finally:
        sandbox.close()


def main() -> None:
    """Print a table and a JSON line."""
    found: dict[str, dict[str, float]] = {}
    print(f"{'sandbox':8s} {'echo ms':>8s} {'read ms':>8s} {'ours ms':>8s}")
    for kind in ("process", "docker"):
        try:
            found[kind] = measure(kind)
        except PrerequisiteError as missing:
            print(f"{kind:8s} not measured: {str(missing).partition(' (')[0]}")
            continue
        print(f"{kind:8s} " + " ".join(f"{found[kind][name]:8.3f}" for name in ("echo", "read", "ours")))
    targets: list[Target] = [
        at_most(f"ours per round trip, {kind}", each["ours"], 0.5, "ms") for kind, each in found.items()
    ]
    print_targets(targets)
    print(json.dumps({"bench": "sandbox", "n": ROUNDS * AT_A_TIME, "ms": found, "targets": targets}))


if __name__ == "__main__":
    main()
