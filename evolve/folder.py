"""A run's folder: opened for reading, claimed by the one driver that writes it."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from evolve.archive import Archive
from evolve.config import Config, differences, dump_config, load_config
from evolve.errors import ConfigError, RunFolderError
from evolve.journal import Journal
from evolve.paths import RunPaths, runs_dir
from evolve.population import Candidate, Population, fold
from evolve.types import Case, Operation


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

    def critique(self, candidate: str) -> str:
        """Return how a model came to a candidate, in Markdown: diagnosis, prompts, replies, cost; "" where none did."""
        held = self.candidate(candidate)
        if not held.commit:
            return ""
        archive = Archive(self.paths.lineage)
        try:
            return archive.critique(f"refs/candidates/{held.id}")
        finally:
            archive.close()

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

    def operations(self, candidate: str, split: str = "static") -> dict[str, Operation]:
        """Return what a candidate's writes and reads came to on a split, by "write" and "read"; {} where unknown."""
        held = self.candidate(candidate)
        if not held.commit:
            return {}
        archive = Archive(self.paths.lineage)
        try:
            return archive.operations(f"refs/candidates/{held.id}", split)
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
    return Run(paths, load_config(str(paths.config)), folded(Journal(paths.journal)))


def folded(journal: Journal) -> Population:
    try:
        return fold(journal.read())
    except (KeyError, ValueError) as error:  # well-formed lines that do not belong together
        raise RunFolderError(f"{journal.path} contradicts itself ({error}); it was changed by hand.") from None


@contextmanager
def claimed(paths: RunPaths, config: Config) -> Iterator[None]:
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
        if not changed:
            return
        stopped = folded(Journal(paths.journal)).stopped
        finished = stopped is not None and stopped.reason == "finished"
        if not finished and all(change.startswith("budget.") for change in changed):
            _write_config(paths, config)  # more money or time changes nothing of what was measured
        else:
            raise RunFolderError(
                f"run {paths.root.name!r} was started with another configuration ({'; '.join(changed[:3])}); "
                "give --name for a new run, or drop the change."
            )
        return
    _write_config(paths, config)


def _write_config(paths: RunPaths, config: Config) -> None:
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
