"""Calls to a model for each second of a run, one at a time and as many as the broker allows: real SDK, loopback server.

The server, a process of its own, takes 0.2 s for every answer and never says no, so that the figures are those of the
broker and the SDK: how much of the concurrency arrives. M* made 5,985 calls in 5.1 hours at a limit of 64, which is
0.33 a second.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from evolve.config import Config
from evolve.models.base import Message, Request
from evolve.testing.simulated import Latency, Simulated
from evolve.wiring import broker_of

SECONDS = 0.2
ASKED = "<memory>\nAnna counted {0} boats.\n</memory>\n\nThe question:\n\nHow many boats, {0}?"
CALLS = {1: 40, 64: 2_000}
"""By concurrency; the second includes the time in which the broker finds out what the provider bears."""


def rate(server: Simulated, concurrency: int) -> float:
    """Return calls a second."""
    models = {"agent": {"model": "openai:fixed", "base_url": server.openai}, "concurrency": concurrency}
    config = Config.checked({"task": "chronicle", "models": models}).resolved()
    rules = Message("system", "You answer a question from what is in the memory.", constant=True)
    asked = [Request("agent", (rules, Message("user", ASKED.format(number)))) for number in range(CALLS[concurrency])]
    with (
        TemporaryDirectory() as folder,
        broker_of(config, Path(folder) / "llm.sqlite", note=print) as broker,
        ThreadPoolExecutor(concurrency) as pool,
    ):
        assert broker is not None
        broker.preflight()
        began = time.monotonic()
        replies = list(pool.map(broker.complete, asked))
        took = time.monotonic() - began
        assert not any(reply.cached for reply in replies)
    return len(asked) / took


def main() -> None:
    """Print a table and a JSON line."""
    with Simulated(Latency(task=SECONDS, spread=0.0)) as server:
        rates = {concurrency: rate(server, concurrency) for concurrency in CALLS}
    print(f"{'at a time':>9s} {'calls/s':>8s} {'of what is possible':>20s}")
    for concurrency, found in rates.items():
        print(f"{concurrency:9d} {found:8.1f} {found * SECONDS / concurrency:20.0%}")
    ratio = rates[64] / rates[1]
    print(f"64 at a time are {ratio:.0f} times as fast as one")
    print(json.dumps({"bench": "calls", "rates": rates, "ratio": ratio}))


if __name__ == "__main__":
    main()
