"""Processor seconds of ours for each thousand calls to a model, in a whole run against a provider that takes no time.

Counted are this process (the driver) and all below it: the workers and the broker, their start included. Ray's own
processes are shown apart, and so are the sandboxes, whose work is the programs'; the provider, a server in a process of
its own, is not counted. Calls are those that reached the provider. The run is that of bench/latency.py. The reference
(M*, run the same way) takes 50 s of its one process for a thousand calls.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from tempfile import TemporaryDirectory

from _cpu import CpuWatch
from _load import CHILDREN, load_config
from _targets import at_most, print_targets

import evolve
from evolve.testing.simulated import Latency, Simulated

REFERENCE = 50.0
MOST = 6.0


def main() -> None:
    """Print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--children", type=int, default=CHILDREN)
    arguments = parser.parse_args()
    latency = Latency(task=0.0, rewrite=0.0)
    with TemporaryDirectory() as folder, Simulated(latency) as provider, CpuWatch(without=[provider.pid]) as cpu:
        os.environ["EVOLVE_RUNS"] = folder
        began = time.monotonic()
        evolve.run(load_config(provider.openai, children=arguments.children), name="overhead")
        took = time.monotonic() - began
        calls, used = len(provider.calls()), cpu.seconds
    print(f"{calls} calls in {took:.0f} s")
    print(f"{'processes':10s} {'cpu s':>7s} {'per 1,000 calls':>16s}")
    for name, seconds in used.items():
        print(f"{name:10s} {seconds:7.1f} {seconds / calls * 1000:16.2f}")
    ours = (used["driver"] + used.get("workers", 0.0)) / calls * 1000
    targets = [at_most("driver, workers and broker per 1,000 calls", ours, MOST, "cpu s")]
    print(f"the reference: {REFERENCE:g}, {REFERENCE / ours:.1f} times as much")
    print_targets(targets)
    shares = {name: round(seconds / calls * 1000, 3) for name, seconds in used.items()}
    result = {"bench": "overhead", "calls": calls, "cpu": shares, "reference": REFERENCE}
    print(json.dumps({**result, "targets": targets}))


if __name__ == "__main__":
    main()
