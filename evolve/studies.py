"""The tune operator's studies as an Optuna journal, for Optuna's own tools; remade from the run's journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evolve.events import Trial
from evolve.operators.tune import past_trial
from evolve.types import Program

if TYPE_CHECKING:
    import optuna


class Studies:
    """Writes `optuna.journal`. Optuna cannot append after a torn line, so each session begins with a new file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._storage: Any = None

    def remake(self, trials: Mapping[str, Sequence[Trial]], programs: Mapping[str, Program]) -> None:
        """Write all trials so far anew; `programs` holds one program of each study, by study."""
        for old in (
            self._path,
            self._path.with_name(f"{self._path.name}.lock"),
        ):  # a killed driver leaves Optuna's lock
            old.unlink(missing_ok=True)
        for study, of_study in trials.items():
            self.add(study, programs[study], of_study)

    def add(self, study: str, program: Program, trials: Sequence[Trial]) -> None:
        """Append trials of a study."""
        record = self._open(study)
        for trial in trials:
            record.add_trial(past_trial(program, trial))

    def _open(self, study: str) -> optuna.Study:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        if self._storage is None:
            path = str(self._path)
            self._storage = JournalStorage(JournalFileBackend(path, lock_obj=JournalFileOpenLock(path)))
        return optuna.create_study(storage=self._storage, study_name=study, direction="maximize", load_if_exists=True)
