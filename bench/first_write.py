"""From "evaluate" to the end of the first `write`, for every seed: warm pool and cold start, in each sandbox there is.

The warm pool starts the next box while a candidate works; the pause between two candidates stands for that work.
"""

from __future__ import annotations

import json
import statistics
import time

from evolve.agents.extractive import ExtractiveAgent
from evolve.config import Limits
from evolve.errors import PrerequisiteError
from evolve.evaluation.evaluate import Lease, no_completions
from evolve.paths import seeds_dir
from evolve.program import load
from evolve.sandbox import Kind, open_sandbox
from evolve.sandbox.base import Sandbox
from evolve.tasks import load as load_task
from evolve.types import Episode, Program

REPEATS = 4
PAUSE_SECONDS = 3.0


def first_write(sandbox: Sandbox, program: Program, episode: Episode) -> float:
    """Seconds from asking for a box to the first memory written."""
    agent = ExtractiveAgent()
    began = time.perf_counter()
    with Lease(sandbox) as lease:
        memory = lease.box().open(program.source, call_llm=no_completions)
        memory.write(agent.extract(program, episode), episode.text)
        return time.perf_counter() - began


def measure(kind: Kind, warm: int, programs: list[Program], episode: Episode) -> list[float]:
    """Every seed, several times, one after the other."""
    sandbox = open_sandbox(kind, Limits(), warm=warm)
    try:
        sandbox.start().close()
        taken = []
        for _ in range(REPEATS):
            for program in programs:
                time.sleep(PAUSE_SECONDS if warm else 0.0)
                taken.append(first_write(sandbox, program, episode))
        return taken
    finally:
        sandbox.close()


def main() -> None:
    """Print a table and a JSON line."""
    programs = [load(path) for path in sorted(seeds_dir().glob("*.py"))]
    episode = load_task("chronicle", {}).episodes[0]
    result: dict[str, dict[str, float]] = {}
    for kind in ("docker", "process"):
        try:
            warm, cold = (measure(kind, warm, programs, episode) for warm in (1, 0))
        except PrerequisiteError as missing:
            print(f"{kind}: {missing}")
            continue
        p50, p90 = statistics.median(warm), statistics.quantiles(warm, n=10)[-1]
        ratio = statistics.median(cold) / p50
        result[kind] = {"warm_p50": round(p50, 4), "warm_p90": round(p90, 4), "cold_over_warm": round(ratio, 1)}
        print(
            f"{kind:8s} warm p50 {p50 * 1000:5.0f} ms  p90 {p90 * 1000:5.0f} ms   cold start takes {ratio:.0f} x that"
        )
    print(json.dumps({"bench": "first_write", "n": REPEATS * len(programs), **result}))


if __name__ == "__main__":
    main()
