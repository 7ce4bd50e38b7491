"""The studies on disk, read back by Optuna itself."""

from __future__ import annotations

import time
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from evolve.events import Trial
from evolve.operators.tune import study_name
from evolve.program import load
from evolve.session import find_program
from evolve.studies import Studies
from evolve.types import Program

TRIALS = (Trial({"STEMMING": "on", "LINE_CHARS": 300, "HITS": 60, "ORDER": "rank"}, 0.5),)
LOST = Trial({"STEMMING": "off", "LINE_CHARS": 300, "HITS": 15, "ORDER": "time"}, None)


@pytest.fixture(scope="module")
def program() -> Program:
    return load(find_program("bm25"))


def studies(path: Path) -> dict[str, list[tuple[dict[str, object], float | None]]]:
    """Return what Optuna finds in the file."""
    storage = JournalStorage(JournalFileBackend(str(path)))
    found = optuna.get_all_study_names(storage)
    held = {name: optuna.load_study(study_name=name, storage=storage).trials for name in found}
    return {name: [(trial.params, trial.value) for trial in trials] for name, trials in held.items()}


def test_optuna_reads_what_was_added(tmp_path: Path, program: Program) -> None:
    path, name = tmp_path / "optuna.journal", study_name(program)
    written = Studies(path)
    written.add(name, program, TRIALS)
    written.add(name, program, [LOST])
    assert studies(path) == {name: [(dict(TRIALS[0].params), 0.5), (dict(LOST.params), None)]}


def test_remake_begins_anew_and_goes_on(tmp_path: Path, program: Program) -> None:
    path, name = tmp_path / "optuna.journal", study_name(program)
    Studies(path).add(name, program, TRIALS)
    again = Studies(path)
    again.remake({name: TRIALS}, {name: program})
    again.add(name, program, [LOST])
    assert [value for _, value in studies(path)[name]] == [0.5, None]


def test_a_torn_file_and_the_lock_of_a_killed_driver_hold_nobody_up(tmp_path: Path, program: Program) -> None:
    path, name = tmp_path / "optuna.journal", study_name(program)
    Studies(path).add(name, program, TRIALS)
    path.write_bytes(path.read_bytes()[:-7])
    (tmp_path / "optuna.journal.lock").touch()
    began = time.monotonic()
    Studies(path).remake({name: TRIALS}, {name: program})
    assert time.monotonic() - began < 20  # Optuna itself waits 30 s before it breaks a lock
    assert [value for _, value in studies(path)[name]] == [0.5]


def test_no_trials_no_file(tmp_path: Path) -> None:
    Studies(tmp_path / "optuna.journal").remake({}, {})
    assert list(tmp_path.iterdir()) == []
