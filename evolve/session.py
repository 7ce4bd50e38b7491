"""The composition root: names become objects, a run is opened, resumed and driven to its end."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import evolve
from evolve.agents.prompts import PROMPTS
from evolve.archive import Archive
from evolve.config import Config, ModelTable, differences, load_config
from evolve.errors import BudgetSpent, ConfigError, DataError, EvolveError, RunFolderError
from evolve.evaluation.splits import Splits, make_splits
from evolve.events import AttemptStarted, Event, RunStopped
from evolve.executors.base import Key, OnStage
from evolve.final import Final
from evolve.folder import Run as HeldRun
from evolve.folder import claimed, folded
from evolve.folder import open_run as open_held
from evolve.forecast import Forecast
from evolve.journal import Journal, canonical
from evolve.paths import RunPaths, runs_dir
from evolve.population import Population
from evolve.program import load, parse
from evolve.record import Observer, Recorder
from evolve.sandbox import Kind
from evolve.sandbox.base import Sandbox, Say
from evolve.scoring.judge import JUDGE_PROMPT
from evolve.search import INTERRUPTED, Search
from evolve.studies import Studies
from evolve.tasks import load as load_task
from evolve.tasks import resolve
from evolve.types import Program, Task
from evolve.wiring import check_keys, find_program, hired, kind_of, preflight, sandbox_of

if TYPE_CHECKING:
    from evolve.export.project import Exported
    from evolve.export.readiness import Readiness
    from evolve.export.texts import License

__all__ = ["Run", "default_name", "find_program", "open_run", "preflight", "run"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
SECRET = re.compile(r"(key|token|secret|password)[^=]*=", re.IGNORECASE)


class Run(HeldRun):
    """A run, and what can be made of it."""

    __slots__ = ()

    def export(
        self,
        to: str | Path,
        candidate: str = "best",
        *,
        name: str | None = None,
        version: str = "0.1.0",
        license: License = "Apache-2.0",
        force: bool = False,
        checked: Callable[[Readiness], None] = lambda readiness: None,
        say: Say = lambda line: None,
    ) -> Exported:
        """Write a candidate as an installable project to a folder; see `evolve.export.project.export`."""
        from evolve.export.project import export

        return export(
            self,
            candidate,
            to=Path(to),
            name=name,
            version=version,
            license=license,
            force=force,
            checked=checked,
            say=say,
        )


def open_run(path: str | Path) -> Run:
    """Open a run by its folder, or by its name below the runs folder. Raises RunFolderError."""
    held = open_held(path)
    return Run(held.paths, held.config, held.population)


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
    config = resolve(_overridden(config, overrides))
    chosen = _checked(name or default_name(config))
    original = RunPaths(runs_dir() / chosen)
    paths = _cleared_for_replay(original, config) if config.models.replay else original
    if not config.models.replay:
        check_keys(config)
    task = load_task(config.task, config.task_options)
    _check_size(task)
    seeds = [_seed(name) for name in config.search.seeds]
    with claimed(paths, config):
        population = _Driver(
            name=chosen,
            paths=paths,
            calls=original.calls,
            config=config,
            task=task,
            seeds=seeds,
            workers=workers or (1 if config.models.replay else None),
            observer=observer or (lambda event, population: None),
            on_stage=on_stage or (lambda key, text: None),
            say=say or (lambda line: None),
            interrupted=interrupted or (lambda: False),
        ).drive()
    done = Run(paths, config, population)
    if config.models.replay and done.status == "finished":
        _check_replayed(original, paths)
    return done


def default_name(config: Config) -> str:
    """Return the name of a run that was given none: its task's."""
    return Path(config.task).resolve().name if "/" in config.task or config.task.startswith(".") else config.task


@dataclass(frozen=True, slots=True)
class _Driver:
    """One session of a run: everything is checked, the folder is ours."""

    name: str
    paths: RunPaths
    calls: Path
    """Where the broker keeps its calls; of a replay, the original's."""
    config: Config
    task: Task
    seeds: Sequence[Program]
    workers: int | None
    observer: Observer
    on_stage: OnStage
    say: Say
    interrupted: Callable[[], bool]

    def drive(self) -> Population:
        """Search, choose the winner, test it, and stop cleanly; or do nothing where all of it is done."""
        journal = Journal(self.paths.journal)
        population = folded(journal)
        if population.stopped is not None and population.stopped.reason == "finished":
            return population
        _check_task(self.paths, population, self.task)
        # A run keeps the kind of sandbox that it began with.
        wanted: Kind = population.started.sandbox if population.started else self.config.sandbox.kind
        with closing(sandbox_of(self.config, wanted, workers=self.workers, say=self.say)) as sandbox:
            self.say(f"sandbox: {sandbox.describe()}")
            archive, studies = Archive(self.paths.lineage), Studies(self.paths.studies)
            archive.unlock()
            studies.remake(population.trials, _of_studies(population))
            recorder = Recorder(journal, archive, studies, population, self.observer)
            try:
                self._drive(recorder, sandbox)
            finally:
                recorder.close()
        return recorder.population

    def _drive(self, recorder: Recorder, sandbox: Sandbox) -> None:
        splits = make_splits(self.task, self.config.evaluation, seed=self.config.seed)  # while the first boxes come up
        stages: dict[Key, str] = {}

        def heard(key: Key, text: str) -> None:
            stages[key] = text
            self.on_stage(key, text)

        with hired(self.config, splits, sandbox, self.calls, workers=self.workers, on_stage=heard, say=self.say) as (
            executor,
            broker,
        ):
            if broker is not None and not self.config.models.replay:
                broker.preflight()
            if recorder.population.started is None:
                self._begin(recorder, splits, sandbox)
            final = Final(self.config, recorder, executor, splits, self.interrupted)
            search = Search(
                self.config, splits, self.seeds, recorder, executor, self.interrupted, broker, stages, final.ahead
            )
            try:
                why = search.run()
                done = why != INTERRUPTED and final.run()
                recorder.stopped("finished" if done else "interrupted", why if done else INTERRUPTED)
            except BudgetSpent as spent:
                rest = Forecast(self.config, splits).rest(recorder.population)
                recorder.stopped("budget", f"{str(spent).rstrip('.')}; the rest of the run would have cost {rest}")

    def _begin(self, recorder: Recorder, splits: Splits, sandbox: Sandbox) -> None:
        image = getattr(sandbox, "image", None)
        _write_versions(self.paths, self.task, image.id if image else None)
        agent = self.config.models.agent
        recorder.run_started(
            run=self.name,
            task=self.task.name,
            digest=self.task.digest,
            agent=agent.model if isinstance(agent, ModelTable) else agent,
            scorer=self.config.evaluation.scorer or "support",
            sandbox=kind_of(sandbox),
            queries={split: len(getattr(splits, split)) for split in ("static", "rotating", "fresh", "test")},
        )


def _check_task(paths: RunPaths, population: Population, task: Task) -> None:
    if population.started is not None and population.started.task_digest != task.digest:
        raise RunFolderError(
            f"the data of task {task.name!r} changed since run {paths.root.name!r} began; give --name."
        )


def _cleared_for_replay(original: RunPaths, config: Config) -> RunPaths:
    """Return the empty folder of a replay, made anew each time. Raises RunFolderError where nothing can be replayed."""
    run = open_run(original.root)
    if run.status != "finished" or not original.calls.exists():
        raise RunFolderError(
            f"run {run.name!r} cannot be replayed: it is {run.status}, or has no {original.calls.name}."
        )
    live = config.model_copy(update={"models": config.models.model_copy(update={"replay": False})})
    if changed := differences(run.config, live):
        raise RunFolderError(f"a replay of {run.name!r} keeps its configuration; drop the change ({changed[0]}).")
    shutil.rmtree(original.replay, ignore_errors=True)
    return RunPaths(original.replay)


def _check_replayed(original: RunPaths, replayed: RunPaths) -> None:
    """Raise EvolveError for the first event in which a replay differs from its run."""
    pairs = zip_longest(_unbroken(original), _unbroken(replayed))
    for number, (was, now) in enumerate(pairs, 1):
        before, after = (canonical(event) if event else {} for event in (was, now))
        if before != after:
            differ = [name for name in {**before, **after} if before.get(name) != after.get(name)]
            what = f"event {number} ({before.get('type') or after.get('type')}) differs in {', '.join(differ)}"
            raise EvolveError(f"the replay is not the run: {what}; see {replayed.journal}.")


def _unbroken(paths: RunPaths) -> list[Event]:
    """A run's events without what only tells of its interruptions: stops on the way, attempts that were done again."""
    events = list(Journal(paths.journal).read())
    began = {event.attempt: at for at, event in enumerate(events) if isinstance(event, AttemptStarted)}
    return [
        event
        for at, event in enumerate(events)
        if not (isinstance(event, RunStopped) and event.reason != "finished")
        and not (isinstance(event, AttemptStarted) and began[event.attempt] != at)
    ]


def _check_size(task: Task) -> None:
    if all(query.id in task.held_out for query in task.queries):
        raise DataError(f"task {task.name!r} has no query left to search with; it has {len(task.queries)} in all.")


def _write_versions(paths: RunPaths, task: Task, image: str | None) -> None:
    packages = ("anthropic", "chromadb", "docker", "libcst", "numpy", "openai", "optuna", "ray", "wordllama")
    versions = {
        "evolve": evolve.__version__,
        "python": platform.python_version(),
        **{package: importlib.metadata.version(package) for package in packages},
    }
    argv = [argument if not SECRET.search(argument) else argument.partition("=")[0] + "=..." for argument in sys.argv]
    prompts = {"agent": PROMPTS, "judge": JUDGE_PROMPT}
    held = {"versions": versions, "prompts": prompts, "task_digest": task.digest, "image": image, "argv": argv}
    try:
        paths.versions.write_text(json.dumps(held, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise RunFolderError(f"{paths.versions} cannot be written ({error.strerror}).") from None


def _of_studies(population: Population) -> Mapping[str, Program]:
    """One program of each study, remade from the candidates that have tunables."""
    return {
        study: parse(population.candidates[candidate].source or "") for study, candidate in population.studies.items()
    }


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
