"""Wall-clock of a whole run against a provider that takes its time, beside what the latencies themselves allow.

The provider is a server in a process of its own: 0.5 s a task call and 20 s a rewrite, each +/- 40 %, drawn beforehand
so that equal runs meet equal latencies. The run is LoCoMo-sized: 3 seeds and 20 children on 60 static queries with 120
training episodes, 5 rotating queries before each rewrite, no ladder, 8 proposals in flight, then fresh queries for the
best few and 100 held-out ones; nothing is cached when it begins. The reference (M*, run the same way) needs 517 s and
1,571 calls with 2.3 in flight on average. The bound is computed from the latencies that this very run met
(bench/_ideal.py). `python bench/latency.py docker` takes the other sandbox; `--children N` makes a shorter run.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from tempfile import TemporaryDirectory

from _cpu import CpuWatch
from _ideal import Calls, Shape, ideal
from _load import CHILDREN, load_config
from _targets import at_least, at_most, print_targets

import evolve
from evolve.events import AttemptEnded, AttemptStarted, Event, Measured, RunStarted
from evolve.folder import Run
from evolve.population import SEED, Population
from evolve.testing.simulated import Kind, Latency, Served, Simulated

TASK_CALLS: tuple[Kind, ...] = ("extract", "formulate", "answer")
REFERENCE = {"seconds": 517.0, "calls": 1_571.0, "in_flight": 2.3}
PHASES = ("load", "start", "preflight", "seeds", "search", "final", "close")


@dataclass(slots=True)
class Diary:
    """When what happened in the run, on the monotonic clock."""

    began: float = field(default_factory=time.monotonic)
    loaded: float = 0.0
    """The task is there, and the sandbox's first boxes are on their way."""
    ended: float = 0.0
    scopes: int = 0
    """Of the static queries."""
    events: list[tuple[float, Event]] = field(default_factory=list)

    def hear(self, event: Event, population: Population) -> None:
        """Note an event of the run."""
        self.events.append((time.monotonic(), event))

    def say(self, line: str) -> None:
        """Note when the first line for the user comes: which sandbox it is, when all that goes before is done."""
        self.loaded = self.loaded or time.monotonic()

    def attempts(self, *, seeds: bool) -> list[tuple[float, AttemptEnded]]:
        """Return the attempts with the time at which they ended."""
        return [
            (at, event)
            for at, event in self.events
            if isinstance(event, AttemptEnded) and (event.operator == SEED) == seeds
        ]

    def marks(self, calls: Sequence[Served]) -> list[float]:
        """Return the ends of the phases, the beginning of the first in front."""
        started = next(at for at, event in self.events if isinstance(event, RunStarted))
        first = next(at for at, event in self.events if isinstance(event, AttemptStarted))
        return [
            self.began,
            self.loaded,
            min(calls[0].arrived, started),
            first,
            max(at for at, _ in self.attempts(seeds=True)),
            max((at for at, _ in self.attempts(seeds=False)), default=first),
            self.events[-1][0],
            self.ended,
        ]

    def evaluations(self) -> list[tuple[float, float]]:
        """Return when each evaluation began and ended."""
        found = [(at - (event.clock.seconds - event.clock.proposing), at) for at, event in self._measured_attempts()]
        found += [(at - event.clock.seconds, at) for at, event in self.events if isinstance(event, Measured)]
        return found

    def _measured_attempts(self) -> list[tuple[float, AttemptEnded]]:
        both = self.attempts(seeds=True) + self.attempts(seeds=False)
        return [(at, event) for at, event in both if event.scores]


def in_flight(calls: Sequence[Served], spans: Sequence[tuple[float, float]]) -> float:
    """Return the mean number of task calls in flight while at least one of the spans lasts."""
    joined: list[tuple[float, float]] = []
    for began, ended in sorted(spans):
        if joined and began <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], ended)
        else:
            joined.append((began, ended))
    flown = sum(
        max(0.0, min(call.ended, ended) - max(call.arrived, began))
        for call in calls
        if call.kind in TASK_CALLS
        for began, ended in joined
    )
    return flown / sum(ended - began for began, ended in joined)


def shape_of(diary: Diary, run: Run) -> Shape:
    """Return what the run did, for the bound."""

    def phased(event: AttemptEnded) -> Calls:
        counts = {name: event.phases[name].calls if name in event.phases else 0 for name in TASK_CALLS}
        return Calls(**counts)

    def again(event: Measured) -> Calls:
        made, asked = event.cost["agent"].calls, len(event.scores)
        return Calls(max(0, made - 2 * asked), asked, asked)

    later = [event for _, event in diary.events if isinstance(event, Measured)]
    return Shape(
        seeds=[phased(event) for _, event in diary.attempts(seeds=True)],
        children=[phased(event) for _, event in diary.attempts(seeds=False) if event.scores][
            : run.config.budget.candidates
        ],
        finalists=[again(event) for event in later if event.split == "fresh"],
        tests=[again(event) for event in later if event.split == "test"],
        rotating=run.config.evaluation.rotating,
        lanes=run.config.search.in_flight,
        scopes=diary.scopes,
    )


def measured(arguments: argparse.Namespace) -> tuple[Diary, Run, tuple[Served, ...], dict[str, float]]:
    """Run it once, and return what happened, the calls, and the processor seconds that it took."""
    latency = Latency(task=arguments.task_seconds, rewrite=arguments.rewrite_seconds)
    with TemporaryDirectory() as folder, Simulated(latency) as provider, CpuWatch(without=[provider.pid]) as cpu:
        os.environ["EVOLVE_RUNS"] = folder
        config = load_config(provider.openai, children=arguments.children, sandbox=arguments.sandbox)
        diary = Diary()
        run = evolve.run(config, name="latency", observer=diary.hear, say=diary.say)
        diary.ended = time.monotonic()
        diary.scopes = len({case.scope for case in run.cases(run.population.seeds[0].id)})
        return diary, run, provider.calls(), cpu.seconds


def print_timeline(marks: Sequence[float], bound: Mapping[str, float], calls: Sequence[Served]) -> None:
    """Print a line for each phase of the run."""
    print(f"{'phase':10s} {'bound s':>8s} {'ours s':>8s} {'calls':>6s} {'in flight':>9s}")
    for name, (began, ended) in zip(PHASES, pairwise(marks), strict=True):
        within = [call for call in calls if began <= call.arrived < ended]
        flight = sum(min(call.ended, ended) - call.arrived for call in within) / max(ended - began, 1e-9)
        allowed = f"{bound[name]:8.1f}" if name in bound else " " * 8
        print(f"{name:10s} {allowed} {ended - began:8.1f} {len(within):6d} {flight:9.1f}")


def main() -> None:
    """Print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sandbox", nargs="?", default="process", choices=("process", "docker"))
    parser.add_argument("--children", type=int, default=CHILDREN)
    parser.add_argument("--task-seconds", type=float, default=0.5)
    parser.add_argument("--rewrite-seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    diary, run, calls, cpu = measured(arguments)
    marks = diary.marks(calls)
    bound = ideal(shape_of(diary, run), calls)
    print_timeline(marks, bound, calls)
    allowed, ours = sum(bound.values()), diary.ended - diary.began
    flight, rewrites = in_flight(calls, diary.evaluations()), [call for call in calls if call.kind == "rewrite"]
    print(
        f"{'all':10s} {allowed:8.1f} {ours:8.1f} {len(calls):6d} {flight:9.1f} while at least one evaluation is at work"
    )
    print(f"{len(rewrites)} rewrites for {arguments.children} children; the reference: {REFERENCE['seconds']:g} s")
    print("processor seconds: " + ", ".join(f"{name} {seconds:.1f}" for name, seconds in cpu.items()))
    busy = sum(cpu.values()) / ours
    print(f"of {os.cpu_count()} processors {busy:.2f} were busy, {cpu['others'] / ours:.2f} with other things")
    targets = [
        at_most("from run() to its return", ours, 75, "s", bound="machine"),
        at_most("beside the bound of latencies and dependencies", ours / allowed, 1.25, "times", bound="machine"),
        at_least("task calls in flight while evaluations run", flight, 25, bound="machine"),
    ]
    print_targets(targets)
    seconds = dict(zip(PHASES, (round(ended - began, 2) for began, ended in pairwise(marks)), strict=True))
    result = {"bench": "latency", "seconds": seconds, "bound": allowed, "calls": len(calls), "cpu": cpu}
    print(json.dumps({**result, "reference": REFERENCE, "targets": targets}))


if __name__ == "__main__":
    main()
