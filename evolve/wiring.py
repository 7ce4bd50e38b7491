"""Names become objects: programs, sandboxes, the broker, and the workers of a run."""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from evolve.attempt import Done, Job
from evolve.config import Config
from evolve.errors import ConfigError, PrerequisiteError
from evolve.evaluation.crew import make_environments, make_evaluator
from evolve.evaluation.splits import Splits
from evolve.executors.base import Executor, OnStage
from evolve.executors.lanes import LaneExecutor
from evolve.executors.serial import SerialExecutor
from evolve.models.account import Account
from evolve.models.base import Broker, Note
from evolve.models.broker import DirectBroker
from evolve.paths import ZOO, seeds_dir, shipped_programs
from evolve.sandbox import Kind, open_sandbox
from evolve.sandbox.base import Sandbox, Say
from evolve.worker import Worker

if TYPE_CHECKING:
    from evolve.executors.hosted import Hostable

WARM = 6
"""Boxes that a worker with several lanes keeps ready."""


def find_program(name: str) -> Path:
    """Return the file of a program given by its name in `seeds/` or its path. Raises ConfigError."""
    for folder in (seeds_dir(), seeds_dir() / ZOO):
        if (shipped := folder / f"{name}.py").is_file():
            return shipped
    if Path(name).is_file():
        return Path(name)
    close = difflib.get_close_matches(name, shipped_programs(ZOO), n=2)
    hint = f" Did you mean {' or '.join(repr(match) for match in close)}?" if close else ""
    raise ConfigError(
        f"there is no program {name!r}.{hint} The seeds are {', '.join(shipped_programs(''))}; seeds/zoo/ has more; or "
        "give the path of a file."
    )


def kind_of(sandbox: Sandbox) -> Literal["docker", "process"]:
    """Return which of the two an open sandbox is."""
    return "docker" if sandbox.name == "docker" else "process"


def sandbox_of(config: Config, kind: Kind, *, workers: int | None, say: Say) -> Sandbox:
    """Return the sandbox of a run with so many workers, its first boxes on their way where this process uses them."""
    lanes = _lanes_here(config, workers)
    return open_sandbox(kind, config.sandbox.limits, warm=min(lanes, WARM), say=say)


def _hire(config: Config, splits: Splits, kind: Kind, broker: Broker | None, *, lanes: int) -> Worker:
    """Return a worker with a sandbox of its own, for so many jobs at a time. Runs in the worker's process."""
    sandbox = open_sandbox(kind, config.sandbox.limits, warm=min(lanes, WARM))
    return _worker(config, splits, sandbox, broker)


def _worker(config: Config, splits: Splits, sandbox: Sandbox, broker: Broker | None) -> Worker:
    # What a scorer imports can take a second: now, while the first box comes up, and not before the first answer.
    make_evaluator(config, sandbox, Account(broker) if broker else None)
    return Worker(config, splits, sandbox, broker, make_environments(config))


def make_broker(config: Config, calls: Path, note: Note) -> DirectBroker:
    """Return the broker of a run, whose calls are kept in that file. Raises ConfigError for an unknown price."""
    from evolve.models.prices import load_prices
    from evolve.models.providers import make_provider
    from evolve.models.store import Store

    store = Store(calls, read_only=config.models.replay)
    prices = load_prices(config.models.prices)
    return DirectBroker(config.models, config.budget, store, providers=make_provider, prices=prices, note=note)


def check_keys(config: Config) -> None:
    """Raise PrerequisiteError for the first model whose key is missing, before anything takes time."""
    from evolve.models.sdk import Endpoint

    for role, table in config.models.by_role.items():
        try:
            Endpoint.of(table, url="")
        except PrerequisiteError as error:
            raise PrerequisiteError(f"models.{role}: {error}") from None


@contextmanager
def broker_of(config: Config, calls: Path, *, note: Say) -> Iterator[DirectBroker | None]:
    """Yield the broker of a run whose calls are kept in that file, in this process; None for a run without models."""
    if not config.models.by_role:
        yield None
        return
    broker = make_broker(config, calls, note)
    try:
        yield broker
    finally:
        broker.close()


@contextmanager
def hired(
    config: Config, splits: Splits, sandbox: Sandbox, calls: Path, *, workers: int | None, on_stage: OnStage, say: Say
) -> Iterator[tuple[Executor[Job, Done], Hostable | None]]:
    """Yield the workers of a run and their broker; in this process they use the sandbox, elsewhere one of their own.

    `workers` 1 does one job at a time in this process. None is what suits the run: on a cluster, all of its processors;
    on this machine, lanes in this process where models do the work and are waited for, else a process a processor.
    """
    if lanes := _lanes_here(config, workers):
        with broker_of(config, calls, note=say) as broker:
            here = partial(_worker, config, splits, sandbox, broker)
            one = SerialExecutor(here, on_stage) if lanes == 1 else LaneExecutor(here, on_stage, lanes=lanes)
            with closing(one):
                yield one, broker
        return
    from evolve.executors.ray import Cluster, RayExecutor

    models, at_a_time = bool(config.models.by_role), _at_a_time(config)
    if models:
        make_broker(config, calls, say).close()  # what is wrong with it is said here, before anything starts
    with closing(Cluster(_most_workers(config, workers), config.ray.address, note=say)) as cluster:
        hosted = None
        if models:
            hosted = cluster.host(partial(make_broker, config, calls.absolute()), environment=_keys(config))
        lanes = math.ceil(at_a_time / max(1, cluster.room())) if models else 1
        work = partial(_hire, config, splits, kind_of(sandbox), hosted, lanes=lanes)
        with closing(RayExecutor(cluster, work, on_stage, lanes=lanes)) as executor:
            yield executor, hosted


def _lanes_here(config: Config, workers: int | None) -> int:
    """How many jobs at a time this process does itself; 0 where Ray does them."""
    models = bool(config.models.by_role)
    if workers == 1 or (_most_workers(config, workers) == 1 and not models):
        return 1
    return _at_a_time(config) if models and workers is None and not config.ray.address else 0


def _most_workers(config: Config, workers: int | None) -> int:
    at_a_time = _at_a_time(config)
    return workers or (at_a_time if config.ray.address else min(os.cpu_count() or 1, at_a_time))


def _at_a_time(config: Config) -> int:
    """How many jobs keep a search busy: with a model most of them wait, some for a proposal, some for answers."""
    return config.search.in_flight * (2 if config.models.by_role else 1)


def _keys(config: Config) -> dict[str, str]:
    """The variables that hold keys: a cluster that is up already does not have them."""
    names = {table.key_name for table in config.models.by_role.values()}
    return {name: os.environ[name] for name in names if name in os.environ}


def preflight(config: Config, *, say: Say) -> None:
    """Ask every model of the configuration one tiny thing. Raises PrerequisiteError for the first that fails."""
    with TemporaryDirectory() as folder, broker_of(config, Path(folder) / "llm.sqlite", note=say) as broker:
        if broker is not None:
            broker.preflight()
