"""What the broker itself costs: calls a second and CPU for each call, against a server that takes no time.

The real SDKs of OpenAI and Anthropic ask a server in a process of its own, which answers every request with the same
bytes; 64 threads ask at a time, prompts of 3,000 characters with a schema. Each request is asked twice: what the
provider answers is `uncached`, what the store answers is `cached`. "here" is the broker in the process of the callers
(`--workers 1`), "ray" the broker as an actor and the callers in one worker, where CPU is that of every process of Ray.
"alone" is the SDK without a broker: no broker that sends its calls through it can be faster. Medians of 3.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
from _targets import at_least, print_targets

from evolve.config import Config
from evolve.executors.ray import Cluster
from evolve.models.base import Broker, Call, Message, Request, Role
from evolve.models.providers import make_provider
from evolve.types import JSON
from evolve.wiring import broker_of, make_broker

THREADS = 64
CALLS, WARM, REPEATS = 1_000, 300, 3
"""Asked for each figure, and before: the gate opens, and the threads find their connections."""
LEAST = {"uncached": 300, "cached": 2_000}
"""Calls a second that the broker has to serve."""
APIS: dict[str, Role] = {"openai": "agent", "anthropic": "judge"}
WORDS = json.dumps({"fact": "Anna moved to Lisbon in May.", "entities": ["Anna", "Lisbon"]})
SCHEMA: Mapping[str, JSON] = {
    "type": "object",
    "properties": {"fact": {"type": "string"}, "entities": {"type": "array", "items": {"type": "string"}}},
    "required": ["fact", "entities"],
    "additionalProperties": False,
}
RULES = "Fill the fields from what the user says. " * 25
REPLIES = {
    b"POST /v1/chat": {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": "fixed",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": WORDS, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 750,
            "completion_tokens": 20,
            "total_tokens": 770,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    },
    b"POST /v1/mess": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "fixed",
        "content": [{"type": "text", "text": WORDS}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 750,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 20,
        },
    },
}


def packed(body: object) -> bytes:
    """Return a whole HTTP reply."""
    data = json.dumps(body).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    return head.encode() + data


class Fixed(asyncio.Protocol):
    """Answers whatever comes with the reply of its path."""

    replies: dict[bytes, bytes]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with nothing read."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.read = b""

    def data_received(self, data: bytes) -> None:
        """Answer as soon as a request is whole; a client sends the next one only then."""
        self.read += data
        head, end, body = self.read.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if end and len(body) >= int(length):
            self.read = b""
            self.transport.write(self.replies[head[:13]])


def serve(pipe: Connection) -> None:
    """Serve until the process is ended; tells the port."""

    async def run() -> None:
        Fixed.replies = {start: packed(body) for start, body in REPLIES.items()}
        server = await asyncio.get_running_loop().create_server(Fixed, "127.0.0.1", 0, backlog=256)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


@contextmanager
def served() -> Iterator[str]:
    """Yield the address of a server in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.kill()
        process.join()


def configured(address: str) -> Config:
    """Return a run's configuration with both APIs."""
    models = {
        "agent": {"model": "openai:fixed", "base_url": f"{address}/v1"},
        "judge": {"model": "anthropic:fixed", "base_url": address},
        "prices": {name: {"input": 0.25, "output": 2.0} for name in ("openai:fixed", "anthropic:fixed")},
        "concurrency": THREADS,
    }
    return Config.checked({"task": "chronicle", "models": models, "budget": {"usd": 1_000.0}}).resolved()


def questions(role: Role, name: str, count: int) -> list[Request]:
    """Return requests as the task agent asks them, all different."""
    rules = Message("system", RULES, constant=True)
    texts = [f"{name} {number}: " + f"Turn {number} of the conversation. " * 60 for number in range(count)]
    return [Request(role, (rules, Message("user", text)), SCHEMA, purpose="extract") for text in texts]


Asking = Callable[[list[Request]], float]
"""Asks all of them and returns the seconds that it took."""
Figures = dict[str, tuple[float, float]]
"""Calls a second, and CPU milliseconds for each call."""


def seconds(ask: Callable[[Any], object], requests: Sequence[object]) -> float:
    """Ask in threads of this process."""
    with ThreadPoolExecutor(THREADS) as pool:
        began = time.perf_counter()
        for _ in pool.map(ask, requests):
            pass
        return time.perf_counter() - began


def asked(broker: Broker, requests: list[Request]) -> float:
    """Ask the broker, in whichever process this runs."""
    return seconds(broker.complete, requests)


def medians(asking: Asking, role: Role, cpu: Callable[[], float], turns: Sequence[str]) -> Figures:
    """Ask the same requests in every turn, and others in every repeat."""
    asking(questions(role, "warm", WARM))
    found: dict[str, list[tuple[float, float]]] = {turn: [] for turn in turns}
    for number in range(REPEATS):
        requests = questions(role, f"repeat {number}", CALLS)
        for figures in found.values():
            before = cpu()
            took = asking(requests)
            figures.append((round(CALLS / took, 1), round(1e3 * (cpu() - before) / CALLS, 3)))
    return {
        name: (statistics.median(rate for rate, _ in figures), statistics.median(cost for _, cost in figures))
        for name, figures in found.items()
    }


def cpu_of_ray() -> float:
    """Return the CPU seconds of this process and of all that Ray started."""
    total = time.process_time()
    for process in psutil.Process().children(recursive=True):
        if any("ray" in word for word in process.cmdline()):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def alone(config: Config, role: Role) -> Figures:
    """Measure the SDK without a broker."""
    with closing(make_provider(config.models.by_role[role], print)) as provider:

        def asking(requests: list[Request]) -> float:
            return seconds(provider.complete, [Call(each.messages, 4096, each.schema) for each in requests])

        return medians(asking, role, time.process_time, ["uncached"])


def here(config: Config, role: Role, calls: Path) -> Figures:
    """Measure the broker in this process."""
    with broker_of(config, calls, note=print) as broker:
        assert broker is not None
        return medians(partial(asked, broker), role, time.process_time, list(LEAST))


def hosted(config: Config, role: Role, calls: Path) -> Figures:
    """Measure the broker as an actor, asked by a worker."""
    with closing(Cluster(1, "", note=print)) as cluster:
        broker = cluster.host(partial(make_broker, config, calls))
        worker = cluster.ray.remote(asked)

        def asking(requests: list[Request]) -> float:
            return float(cluster.ray.get(worker.remote(broker, requests)))

        return medians(asking, role, cpu_of_ray, list(LEAST))


def main() -> None:
    """Print a table and a JSON line."""
    rows: dict[str, Figures] = {}
    with served() as address, TemporaryDirectory() as folder:
        config = configured(address)
        for api, role in APIS.items():
            rows[f"{api}, alone"] = alone(config, role)
            rows[f"{api}, here"] = here(config, role, Path(folder) / f"{api} here.sqlite")
            rows[f"{api}, ray"] = hosted(config, role, Path(folder) / f"{api} ray.sqlite")
    print(f"{'':18s} {'':9s} {'calls/s':>8s} {'CPU ms a call':>14s}")
    for row, figures in rows.items():
        for turn, (rate, cost) in figures.items():
            print(f"{row:18s} {turn:9s} {rate:8.0f} {cost:14.2f}")
    targets = [
        at_least(f"{row}, {turn}", figures[turn][0], LEAST[turn], "calls/s", bound="machine")
        for row, figures in rows.items()
        if "alone" not in row
        for turn in figures
    ]
    print_targets(targets)
    print(json.dumps({"bench": "broker", "figures": rows, "targets": targets}))


if __name__ == "__main__":
    main()
