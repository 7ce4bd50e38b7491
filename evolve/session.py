"""The composition root: names become objects, a run is opened, resumed and driven to its end."""

from __future__ import annotations

import fcntl
import importlib.metadata
import json
import os
import platform
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TextIO

import evolve
from evolve.archive import Archive
from evolve.attempt import Done, Job, Worker
from evolve.config import Config, differences, dump_config, load_config
from evolve.errors import ConfigError, DataError, RunFolderError
from evolve.evaluation.evaluate import Evaluator
from evolve.evaluation.splits import Splits, make_splits
from evolve.executors.base import Executor, OnStage
from evolve.final import Final
from evolve.journal import Journal
from evolve.operators.tune import study_name
from evolve.paths import RunPaths, runs_dir, seeds_dir
from evolve.population import Candidate, Population, fold
from evolve.program import load, parse
from evolve.record import Observer, Recorder
from evolve.sandbox import Kind, open_sandbox
from evolve.sandbox.base import Say
from evolve.search import INTERRUPTED, Search
from evolve.studies import Studies
from evolve.tasks import load as load_task
from evolve.types import Case, Program, Task

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
SECRET = re.compile(r"(key|token|secret|password)[^=]*=", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Run:
    """A run as its folder holds it. Reading never writes."""

    paths: RunPaths
    config: Config
    population: Population

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.paths.root.name

    @property
    def status(self) -> str:
        """One of "finished", "running", "stopped" (cleanly; can go on), "interrupted" (without a word; can go on)."""
        stopped = self.population.stopped
        if stopped is not None:
            return "finished" if stopped.reason == "finished" else "stopped"
        return "running" if _is_locked(self.paths.lock) else "interrupted"

    @property
    def candidates(self) -> Sequence[Candidate]:
        """All candidates in the order in which their attempts ended, rejected ones included."""
        return tuple(self.population.candidates.values())

    @property
    def best(self) -> Candidate | None:
        """The winner; before there is one, the best on the static queries."""
        return self.population.best

    def candidate(self, id: str) -> Candidate:
        """Return a candidate by id, or "best". Raises ConfigError."""
        if id == "best" and self.best is not None:
            return self.best
        if id not in self.population.candidates:
            known = ", ".join([*list(self.population.candidates)[:8], "..."])
            raise ConfigError(f"run {self.name} has no candidate {id!r}; it has best, {known}")
        return self.population.candidates[id]

    def cases(self, candidate: str, split: str = "static") -> tuple[Case, ...]:
        """Return a candidate's full case records on the "static", "fresh" or "test" queries; () where it has none."""
        held = self.candidate(candidate)
        if not held.commit:
            return ()
        archive = Archive(self.paths.lineage)
        try:
            return archive.cases(f"refs/candidates/{held.id}", split)
        finally:
            archive.close()


def open_run(path: str | Path) -> Run:
    """Open a run by its folder, or by its name below the runs folder. Raises RunFolderError."""
    root = Path(path)
    if not (root / "journal.jsonl").exists():
        root = runs_dir() / path
    paths = RunPaths(root)
    if not paths.journal.exists():
        there = sorted(p.parent.name for p in runs_dir().glob("*/journal.jsonl"))
        hint = f"runs there are: {', '.join(there)}" if there else "`evolve run chronicle` makes one"
        raise RunFolderError(f"there is no run {str(path)!r}; {hint}.")
    return Run(paths, load_config(str(paths.config)), _folded(Journal(paths.journal)))


def run(
    config: Config | str,
    *,
    name: str | None = None,
    workers: int | None = None,
    observer: Observer | None = None,
    on_stage: OnStage | None = None,
    say: Say | None = None,
    interrupted: Callable[[], bool] | None = None,
    **overrides: object,
) -> Run:
    """Start a run, or go on with the one of that name, and return it when it stops.

    `config` is a Config, a TOML file, a built-in task or a task folder; `overrides` are keys of the configuration with
    "__" for ".", as in budget__candidates=40. `workers` defaults to the number of processors; 1 works in this process,
    more on Ray. Raises EvolveError.
    """
    if not isinstance(config, Config):
        config = load_config(config)
    config = _overridden(config, overrides).resolved()
    paths = RunPaths(runs_dir() / _checked(name or default_name(config)))
    task = load_task(config.task, config.task_options)
    splits = make_splits(task, config.evaluation, seed=config.seed)
    _check_sizes(task, splits)
    seeds = [_seed(name) for name in config.search.seeds]
    with _claimed(paths, config):
        _Driver(
            paths=paths,
            config=config,
            task=task,
            splits=splits,
            seeds=seeds,
            workers=workers,
            observer=observer or (lambda event, population: None),
            on_stage=on_stage or (lambda key, text: None),
            say=say or (lambda line: None),
            interrupted=interrupted or (lambda: False),
        ).drive()
    return open_run(paths.root)


def default_name(config: Config) -> str:
    """Return the name of a run that was given none: its task's."""
    return Path(config.task).resolve().name if "/" in config.task or config.task.startswith(".") else config.task


def find_program(name: str) -> Path:
    """Return the file of a program given by its name in `seeds/` or its path. Raises ConfigError."""
    shipped = seeds_dir() / f"{name}.py"
    if shipped.is_file():
        return shipped
    if Path(name).is_file():
        return Path(name)
    names = ", ".join(sorted(path.stem for path in seeds_dir().glob("*.py")))
    raise ConfigError(f"there is no program {name!r}; the seeds are {names}, or give the path of a file.")


def make_evaluator(config: Config, kind: Kind, *, warm: int = 1, say: Say | None = None) -> Evaluator:
    """Return what measures programs under this configuration, its sandbox started."""
    from evolve.agents.extractive import ExtractiveAgent
    from evolve.scoring import SupportScorer

    return Evaluator(ExtractiveAgent(), SupportScorer(), open_sandbox(kind, config.sandbox.limits, warm=warm, say=say))


def make_worker(config: Config, splits: Splits, kind: Kind) -> Worker:
    """Return a worker with a sandbox of its own. Runs in the worker's process."""
    return Worker(config, splits, make_evaluator(config, kind))


@dataclass(frozen=True, slots=True)
class _Driver:
    """One session of a run: everything is checked, the folder is ours."""

    paths: RunPaths
    config: Config
    task: Task
    splits: Splits
    seeds: Sequence[Program]
    workers: int | None
    observer: Observer
    on_stage: OnStage
    say: Say
    interrupted: Callable[[], bool]

    def drive(self) -> None:
        """Search, choose the winner, test it, and stop cleanly; or do nothing where all of it is done."""
        journal = Journal(self.paths.journal)
        population = _folded(journal)
        if population.stopped is not None and population.stopped.reason == "finished":
            return
        _check_task(self.paths, population, self.task)
        kind, image = self._sandbox(population)
        archive, studies = Archive(self.paths.lineage), Studies(self.paths.studies)
        archive.unlock()
        studies.remake(population.trials, _of_studies(population))
        recorder = Recorder(journal, archive, studies, population, self.observer)
        executor = self._executor(kind)
        try:
            if population.started is None:
                self._begin(recorder, kind, image)
            why = Search(self.config, self.splits, self.seeds, recorder, executor, self.interrupted).run()
            final = Final(recorder, executor, self.splits, self.interrupted)
            done = why != INTERRUPTED and final.choose_winner() and final.ask_held_out()
            recorder.stopped("finished" if done else "interrupted", why if done else INTERRUPTED)
        finally:
            executor.close()
            recorder.close()

    def _sandbox(self, population: Population) -> tuple[Literal["docker", "process"], str | None]:
        """Say which sandbox it is, and return its kind and its image; a run keeps the kind that it began with."""
        wanted: Kind = population.started.sandbox if population.started else self.config.sandbox.kind
        sandbox = open_sandbox(wanted, self.config.sandbox.limits, warm=0, say=self.say)
        self.say(f"sandbox: {sandbox.describe()}")
        image = getattr(sandbox, "image", None)
        sandbox.close()
        return ("docker" if sandbox.name == "docker" else "process"), image.id if image else None

    def _begin(self, recorder: Recorder, kind: Literal["docker", "process"], image: str | None) -> None:
        _write_versions(self.paths, self.task, image)
        recorder.run_started(
            run=self.paths.root.name,
            task=self.task.name,
            digest=self.task.digest,
            agent=self.config.models.agent,
            sandbox=kind,
            queries={split: len(getattr(self.splits, split)) for split in ("static", "rotating", "fresh", "test")},
        )

    def _executor(self, kind: Kind) -> Executor[Job, Done]:
        from evolve.executors.serial import SerialExecutor

        count = min(self.workers or os.cpu_count() or 1, self.config.search.in_flight)
        worker = partial(make_worker, self.config, self.splits, kind)
        if count == 1:
            return SerialExecutor(worker, self.on_stage)
        from evolve.executors.ray import RayExecutor

        return RayExecutor(worker, count, address=self.config.ray.address, on_stage=self.on_stage)


def _folded(journal: Journal) -> Population:
    try:
        return fold(journal.read())
    except (KeyError, ValueError) as error:  # well-formed lines that do not belong together
        raise RunFolderError(f"{journal.path} contradicts itself ({error}); it was changed by hand.") from None


@contextmanager
def _claimed(paths: RunPaths, config: Config) -> Iterator[None]:
    """Hold the run folder: one driver at a time, one configuration for ever."""
    try:
        paths.root.mkdir(parents=True, exist_ok=True)
        file: TextIO = paths.lock.open("a+")
    except OSError as error:
        raise RunFolderError(
            f"{paths.root} cannot be written ({error.strerror}); set EVOLVE_RUNS to a folder that can."
        ) from None
    with file:
        if not _lock(file):
            raise RunFolderError(f"{paths.root} is in use by another evolve; wait for it, or give --name.")
        _same_config(paths, config)
        yield


def _same_config(paths: RunPaths, config: Config) -> None:
    if paths.config.exists() and paths.journal.exists():
        changed = differences(load_config(str(paths.config)), config)
        if changed:
            raise RunFolderError(
                f"run {paths.root.name!r} was started with another configuration ({'; '.join(changed[:3])}); "
                "give --name for a new run, or drop the change."
            )
        return
    try:
        draft = paths.config.with_suffix(".new")
        draft.write_text(dump_config(config), encoding="utf-8")
        draft.replace(paths.config)
    except OSError as error:
        raise RunFolderError(f"{paths.config} cannot be written ({error.strerror}).") from None


def _lock(file: TextIO) -> bool:
    """Take the lock; a reader that looks whether it is taken holds it for a moment, so try for a second."""
    for _ in range(10):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(0.1)
        else:
            return True
    return False


def _is_locked(lock: Path) -> bool:
    if not lock.exists():
        return False
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _check_task(paths: RunPaths, population: Population, task: Task) -> None:
    if population.started is not None and population.started.task_digest != task.digest:
        raise RunFolderError(
            f"the data of task {task.name!r} changed since run {paths.root.name!r} began; give --name."
        )


def _check_sizes(task: Task, splits: Splits) -> None:
    if not splits.static:
        raise DataError(f"task {task.name!r} has no query left to search with; it has {len(task.queries)} in all.")


def _write_versions(paths: RunPaths, task: Task, image: str | None) -> None:
    packages = ("chromadb", "docker", "libcst", "numpy", "optuna", "ray", "wordllama")
    versions = {
        "evolve": evolve.__version__,
        "python": platform.python_version(),
        **{package: importlib.metadata.version(package) for package in packages},
    }
    argv = [argument if not SECRET.search(argument) else argument.partition("=")[0] + "=..." for argument in sys.argv]
    held = {"versions": versions, "task_digest": task.digest, "image": image, "argv": argv}
    try:
        paths.versions.write_text(json.dumps(held, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise RunFolderError(f"{paths.versions} cannot be written ({error.strerror}).") from None


def _of_studies(population: Population) -> Mapping[str, Program]:
    """One program of each study, remade from the candidates that have tunables."""
    found: dict[str, Program] = {}
    for candidate in population.candidates.values():
        if candidate.source and population.trials:
            program = parse(candidate.source)
            if program.tunables:
                found.setdefault(study_name(program), program)
    return found


def _overridden(config: Config, overrides: Mapping[str, object]) -> Config:
    if not overrides:
        return config
    table: dict[str, Any] = config.model_dump(mode="json", exclude_unset=True)
    for key, value in overrides.items():
        *parents, last = key.split("__")
        inner = table
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = value
    return Config.checked(table)


def _checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ConfigError(f"run name {name!r}: expected letters, digits, '.', '_' and '-', for example chronicle-2.")
    return name


def _seed(name: str) -> Program:
    return load(find_program(name))
