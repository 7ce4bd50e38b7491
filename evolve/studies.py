"""The tune operator's studies as an Optuna journal, for Optuna's own tools; remade from the run's journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evolve.errors import RunFolderError
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
        self._path.unlink(missing_ok=True)
        self._path.with_name(f"{self._path.name}.lock").unlink(missing_ok=True)  # a killed driver leaves Optuna's lock
        for study in sorted(trials.keys() & programs.keys()):
            self.add(study, programs[study], trials[study])

    def add(self, study: str, program: Program, trials: Sequence[Trial]) -> None:
        """Append trials of a study."""
        try:
            record = self._open(study)
            for trial in trials:
                record.add_trial(past_trial(program, trial))
        except OSError as error:
            raise RunFolderError(
                f"{self._path} cannot be written ({error.strerror}); make room, then run the same command again."
            ) from None

    def _open(self, study: str) -> optuna.Study:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        if self._storage is None:
            path = str(self._path)
            self._storage = JournalStorage(JournalFileBackend(path, lock_obj=JournalFileOpenLock(path)))
        return optuna.create_study(storage=self._storage, study_name=study, direction="maximize", load_if_exists=True)
