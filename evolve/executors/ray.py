"""Jobs on Ray actors, on this machine or a cluster: each actor is one worker that does several jobs at a time.

The executor only waits: each worker has one question open, which it answers when the stage of one of its jobs changes,
and with which Ray tells that the worker died. A job is bound to no worker until one has a free lane for it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic

from evolve.errors import EvolveError, PrerequisiteError
from evolve.executors.base import D, J, Key, OnStage, Works
from evolve.executors.cluster import Cluster
from evolve.executors.hosted import last_line

__all__ = ["ATTEMPTS", "Cluster", "RayExecutor"]

ATTEMPTS = 3
"""A job whose worker died is done again by another; so often before the run gives up. As many workers in a row may die
before they are up."""
LOOK_SECONDS = 2.0
"""So often it is looked which processors the cluster has, and what the broker has to say."""
GATHER_SECONDS = 0.2
"""Changes of stages are told so long after the first of them, all at once."""
PATIENCE_SECONDS = 30.0
"""After so long without any worker the user is told why nothing happens."""
CLOSE_SECONDS = 30.0


class _Actor(Generic[J, D]):
    """Runs in a Ray process, with a thread for each lane and two for what is asked meanwhile."""

    def __init__(self, make_worker: Callable[[], Works[J, D]]) -> None:
        self._make_worker = make_worker
        self._making = threading.Lock()
        self._worker: Works[J, D] | None = None
        self._changed = threading.Condition()
        self._changes = 1
        self._stages: dict[Key, str] = {}

    def run(self, key: Key, job: J) -> D:
        with self._making:
            if self._worker is None:  # not in __init__: what it raises there, Ray only tells as a dead actor
                self._worker = self._make_worker()
        try:
            return self._worker.run(job, lambda text: self._say(key, text))
        finally:
            with self._changed:
                self._stages.pop(key, None)

    def stages(self, seen: int) -> tuple[int, dict[Key, str]]:
        """Wait until more changes happened than the caller has seen; return their number, and each job's stage."""
        with self._changed:
            self._changed.wait_for(lambda: self._changes > seen)
        if seen:
            time.sleep(GATHER_SECONDS)
        with self._changed:
            return self._changes, dict(self._stages)

    def close(self) -> None:
        if self._worker is not None:
            self._worker.close()

    def _say(self, key: Key, text: str) -> None:
        with self._changed:
            if self._stages.get(key) != text:
                self._stages[key] = text
                self._changes += 1
                self._changed.notify()


@dataclass(slots=True, eq=False)
class _Hired:
    """A worker, as the executor knows it."""

    actor: Any
    up: bool = False
    """It answered; before, the cluster may have no room for it, and it gets no job."""
    jobs: int = 0


@dataclass(frozen=True, slots=True)
class _Task(Generic[J]):
    """A job that is not done."""

    key: Key
    job: J
    attempt: int = 1


@dataclass(slots=True)
class _Work(Generic[J]):
    """Where every job is."""

    waiting: deque[_Task[J]] = field(default_factory=deque)
    running: dict[Any, tuple[_Task[J], _Hired]] = field(default_factory=dict)
    """By the reference to its result."""
    stages: dict[Key, str] = field(default_factory=dict)
    """The last that was heard."""


class RayExecutor(Generic[J, D]):
    """Workers on every processor that the cluster has for them; a job goes to the one with the most free lanes."""

    def __init__(
        self, cluster: Cluster, make_worker: Callable[[], Works[J, D]], on_stage: OnStage, *, lanes: int = 1
    ) -> None:
        """`make_worker` is pickled once and fetched once by each node, whatever it carries."""
        self._cluster = cluster
        self._on_stage = on_stage
        self._lanes = lanes
        self._ray = cluster.ray
        self._make_worker = self._ray.put(make_worker)
        self._actor = self._ray.remote(_Actor).options(max_concurrency=lanes + 2, num_cpus=1)
        self._hired: list[_Hired] = []
        self._listening: dict[Any, _Hired] = {}
        self._work: _Work[J] = _Work()
        self._stillborn = 0
        self._looked = self._last_up = time.monotonic()
        self._told = False
        self._hire()
        self._slots = self.slots

    @property
    def slots(self) -> int:
        """Jobs that can be at work at a time. Changes where workers come up and die; never 0."""
        up = sum(hired.up for hired in self._hired)
        return max(1, up or len(self._hired)) * self._lanes

    def submit(self, key: Key, job: J) -> None:
        """Hand the job to the worker with the most free lanes, as soon as there is one."""
        self._work.waiting.append(_Task(key, job))
        self._place()

    def next(self) -> tuple[Key, D] | None:
        """Wait for whichever job ends first; see `Executor.next`."""
        while True:
            self._look_around()
            self._place()
            if self.slots != self._slots:
                self._slots = self.slots
                return None
            references = [*self._work.running, *self._listening]
            if not references:  # Ray does not wait for nothing
                time.sleep(LOOK_SECONDS)
                continue
            ready, _ = self._ray.wait(references, num_returns=1, timeout=LOOK_SECONDS)
            if not ready:
                continue
            if ready[0] in self._work.running:
                if (ended := self._end(ready[0])) is not None:
                    return ended
            elif self._hear():
                return None

    def close(self) -> None:
        """Close the workers' sandboxes, then the workers."""
        ray = self._ray
        if closing := [hired.actor.close.remote() for hired in self._hired if hired.up]:
            ray.wait(closing, num_returns=len(closing), timeout=CLOSE_SECONDS)
        for hired in self._hired:
            ray.kill(hired.actor)

    def _place(self) -> None:
        """Hand out the jobs that wait, while a worker that is up has a free lane."""
        work = self._work
        while work.waiting:
            freest = min((hired for hired in self._hired if hired.up), key=lambda hired: hired.jobs, default=None)
            if freest is None or freest.jobs >= self._lanes:
                return
            task = work.waiting.popleft()
            freest.jobs += 1
            work.running[freest.actor.run.remote(task.key, task.job)] = task, freest

    def _end(self, reference: Any) -> tuple[Key, D] | None:
        """Return a job with its result, or None where it is lost and will be done again."""
        ray, (task, hired) = self._ray, self._work.running.pop(reference)
        hired.jobs -= 1
        self._work.stages.pop(task.key, None)
        try:
            result: D = ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            raise error.cause if isinstance(error.cause, EvolveError) else error from None
        except ray.exceptions.RayError as error:  # the worker died, or its node with the result
            self._dismiss(hired, error)
            if task.attempt == ATTEMPTS:
                raise EvolveError(f"a Ray worker died {ATTEMPTS} times on the same job: {last_line(error)}") from None
            self._work.waiting.appendleft(_Task(task.key, task.job, task.attempt + 1))
            return None
        return task.key, result

    def _hear(self) -> bool:
        """Hear all workers that have something to say; True where the stage of a job changed."""
        ray, work = self._ray, self._work
        ready, _ = ray.wait(list(self._listening), num_returns=len(self._listening), timeout=0)
        at_work = {task.key for task, _ in work.running.values()}
        changed = False
        for reference in ready:
            hired = self._listening.pop(reference)
            try:
                changes, stages = ray.get(reference)
            except ray.exceptions.RayError as error:
                self._dismiss(hired, error)  # what it worked on comes back by itself: it may be done
                continue
            if not hired.up:
                hired.up, self._stillborn, self._told = True, 0, False
            self._listen(hired, changes)
            for key, text in stages.items():
                if key in at_work and work.stages.get(key) != text:
                    work.stages[key] = text
                    self._on_stage(key, text)
                    changed = True
        return changed

    def _listen(self, hired: _Hired, seen: int) -> None:
        self._listening[hired.actor.stages.remote(seen)] = hired

    def _hire(self) -> None:
        """Start workers where the cluster has room, and send those away that never came up where it has none."""
        room = self._cluster.room()
        while len(self._hired) < room and self._stillborn < ATTEMPTS:
            hired = _Hired(self._actor.remote(self._make_worker))
            self._hired.append(hired)
            self._listen(hired, 0)
        for hired in [hired for hired in self._hired if not hired.up][: max(0, len(self._hired) - room)]:
            self._forget(hired)

    def _dismiss(self, hired: _Hired, error: Exception) -> None:
        """Forget a worker that died, and hire another where there is room."""
        if hired not in self._hired:
            return
        self._forget(hired)
        self._stillborn += not hired.up
        if self._stillborn >= ATTEMPTS and not self._hired:
            raise PrerequisiteError(
                f"no Ray worker comes up ({last_line(error)}); `evolve check --cluster` says what a node lacks."
            )
        self._hire()

    def _forget(self, hired: _Hired) -> None:
        self._hired.remove(hired)
        self._listening = {reference: other for reference, other in self._listening.items() if other is not hired}
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.kill(hired.actor)  # one that is only out of reach must not go on with what another does again

    def _look_around(self) -> None:
        """Now and then see which nodes joined, and hand on the broker's notes."""
        now = time.monotonic()
        if any(hired.up for hired in self._hired):
            self._last_up = now
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        self._cluster.tell_notes()
        self._hire()
        if now - self._last_up > PATIENCE_SECONDS and not self._told:
            self._told = True
            self._cluster.note(
                "waiting for a Ray worker: no node of the cluster has a free processor; add a node, or free one."
            )
