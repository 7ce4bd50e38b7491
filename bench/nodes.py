"""One node against eight, and eight of which one dies, under jobs that wait as they would for a provider.

The nodes are simulated: Ray nodes of one processor each on this machine, and a first one without any for the driver.
Jobs wait 0.5 s, give or take 40 %, and go through the executor of a run, one at a time on each worker. What counts is
the steady state: seconds of waiting done in a second, from when all workers are up (their start is told apart) until
fewer jobs are left than there are workers, since the last jobs of a load cannot be shared by any number of nodes.

Then one of eight nodes is killed, without a word, when half of the jobs are done. The time with seven nodes from then
on is what is left to wait, and one job once more, at the pace of seven of the eight. Each job writes down that it is
done: none may be missing, and only what the dead node had at work may be there twice.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from _targets import at_least, at_most, print_targets

from evolve.executors.base import Key
from evolve.executors.ray import Cluster, RayExecutor

NODES = 8
JOBS_OF_A_NODE = 40
SECONDS, SPREAD = 0.5, 0.4
NODE = {"num_cpus": 1, "object_store_memory": 80 << 20}
LEAST_SHARE, MOST_OVER = 0.9, 1.05
Job = tuple[int, float]
"""Its number, and how long it waits."""


@dataclass(frozen=True, slots=True)
class Waits:
    """A worker whose jobs wait, and write down that they are done."""

    diary: Path

    def run(self, job: Job, stage: Callable[[str], None], /) -> None:
        number, seconds = job
        time.sleep(seconds)
        with self.diary.open("a") as file:
            file.write(f"{number}\n")

    def close(self) -> None:
        """Nothing to close."""


@dataclass(slots=True)
class Load:
    """Jobs, and when each began and ended; seconds since the first."""

    jobs: Sequence[Job]
    began: dict[int, float] = field(default_factory=dict)
    ended: dict[int, float] = field(default_factory=dict)

    def work(self, executor: RayExecutor[Job, None], at: Mapping[int, Callable[[], object]]) -> None:
        """Do them, as many at a time as there are slots; after so many as `at` says, something happens."""
        start = time.monotonic()
        while len(self.ended) < len(self.jobs):
            while len(self.began) < len(self.jobs) and len(self.began) - len(self.ended) < executor.slots:
                job = self.jobs[len(self.began)]
                self.began[job[0]] = time.monotonic() - start
                executor.submit(job[0], job)
            if (done := executor.next()) is not None:
                self.ended[int(done[0])] = time.monotonic() - start
                at.get(len(self.ended), lambda: None)()

    def waited(self, at: float) -> float:
        """Seconds of all jobs that were over by then, those that were at work in part."""
        return sum(
            seconds if self.ended[number] <= at else min(seconds, max(0.0, at - self.began[number]))
            for number, seconds in self.jobs
        )

    def time(self, count: int) -> float:
        """When so many had ended."""
        return sorted(self.ended.values())[count - 1]

    def pace(self, workers: int) -> float:
        """Seconds waited in a second, until fewer jobs are left than workers."""
        until = self.time(len(self.jobs) - workers + 1)
        return self.waited(until) / until


def load_of(jobs: int, seed: int) -> Load:
    """Return a load of so many jobs."""
    draw = random.Random(seed)
    return Load([(number, SECONDS * draw.uniform(1 - SPREAD, 1 + SPREAD)) for number in range(jobs)])


def deaf(key: Key, text: str) -> None:
    """Hear no stages."""


def measured(
    machines: Any, diary: Path, workers: int, *, seed: int, kill: Callable[[], object] | None = None
) -> tuple[Load, float]:
    """Return a load that so many workers did, and the seconds until they were up."""
    began = time.monotonic()
    load = load_of(workers * JOBS_OF_A_NODE, seed)
    with closing(Cluster(workers, machines.address)) as cluster:
        executor: RayExecutor[Job, None] = RayExecutor(cluster, partial(Waits, diary), deaf)
        with closing(executor):
            load_of(1, seed).work(executor, {})  # from its end on the slots are those of workers that are up
            while executor.slots < workers:
                load_of(workers, seed).work(executor, {})
            load_of(2 * workers, seed).work(executor, {})
            diary.unlink()
            start = time.monotonic() - began
            load.work(executor, {len(load.jobs) // 2: kill} if kill else {})
    return load, start


def main() -> None:
    """Print a table and a JSON line."""
    from ray.cluster_utils import Cluster as Machines

    machines: Any = Machines(initialize_head=True, head_node_args={**NODE, "num_cpus": 0})
    try:
        began = time.monotonic()
        nodes = [machines.add_node(**NODE) for _ in range(NODES)]
        nodes_up = time.monotonic() - began
        with TemporaryDirectory() as folder:
            diary = Path(folder) / "diary"
            one, start_one = measured(machines, diary, 1, seed=1)
            all_of_them, start_all = measured(machines, diary, NODES, seed=2)
            dies = partial(machines.remove_node, nodes[-1], allow_graceful=False)
            killed, _ = measured(machines, diary, NODES, seed=3, kill=dies)
            times = Counter(map(int, diary.read_text().split()))
    finally:
        machines.shutdown()
    report(one, all_of_them, killed, times, {"nodes": nodes_up, "one": start_one, "eight": start_all})


def report(one: Load, eight: Load, killed: Load, times: Counter[int], start: Mapping[str, float]) -> None:
    """Print what was measured."""
    share = eight.pace(NODES) / NODES / one.pace(1)
    jobs = len(killed.jobs)
    death, end = killed.time(jobs // 2), killed.time(jobs - NODES + 1)
    left = killed.waited(end) - killed.waited(death) + SECONDS
    expected = death + left / (eight.pace(NODES) * (NODES - 1) / NODES)
    lost, twice = jobs - len(times), sum(times.values()) - len(times)
    print(f"{'':24s} {'jobs':>5s} {'seconds':>8s} {'waited a second':>16s} {'start s':>8s}")
    for name, load, workers, up in (
        ("1 node", one, 1, start["one"]),
        (f"{NODES} nodes", eight, NODES, start["eight"]),
    ):
        seconds = load.time(len(load.jobs) - workers + 1)
        print(f"{name:24s} {len(load.jobs):5d} {seconds:8.2f} {load.pace(workers):16.2f} {up:8.1f}")
    print(f"{f'{NODES} nodes, 1 dies':24s} {jobs:5d} {end:8.2f}, expected {expected:.2f}; it died at {death:.2f}")
    print(f"The nodes themselves took {start['nodes']:.0f} s to start on this machine.")
    targets = [
        at_least(f"speed-up of {NODES} nodes, as a share of {NODES}", share, LEAST_SHARE, bound="machine"),
        at_most("time where a node dies, against 7 nodes from then on", end / expected, MOST_OVER, bound="machine"),
        at_most("finished jobs that were lost where a node died", lost, 0, "jobs"),
        at_most("jobs that were done twice where a node died", twice, 1, "jobs"),
    ]
    print_targets(targets)
    figures = {"share": round(share, 3), "end": round(end, 2), "expected": round(expected, 2)}
    figures |= {f"start_{name}": round(seconds, 1) for name, seconds in start.items()}
    print(json.dumps({"bench": "nodes", **figures, "targets": targets}))


if __name__ == "__main__":
    main()
