"""Is a harness fit to be taken home? Tried on the real candidate, before anybody relies on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from evolve.errors import EvolveError
from evolve.export.checks.forgetting import forgetting
from evolve.export.checks.growth import growth
from evolve.export.checks.material import Material, material_of
from evolve.export.checks.restart import restart_and_latency
from evolve.export.checks.rows import Row, Unmeasured
from evolve.export.checks.source import leak_scan, secrets_scan
from evolve.export.checks.together import reads_during_writes
from evolve.export.checks.updates import updates
from evolve.folder import Run
from evolve.harness.errors import HarnessError, LimitReached, ModelFailed
from evolve.harness.program import Harness
from evolve.population import Candidate
from evolve.types import JSON

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Readiness", "Row", "check"]

_STYLES = {"passed": "green", "warning": "yellow", "failed": "red", "not measured": "dim"}


@dataclass(frozen=True, slots=True)
class Readiness:
    """What every check found."""

    rows: tuple[Row, ...]

    @property
    def passed(self) -> bool:
        """No check failed. What was not measured has not failed, and has not passed either: see the rows."""
        return not self.failed

    @property
    def failed(self) -> tuple[Row, ...]:
        """The checks that stand against an export."""
        return tuple(row for row in self.rows if row.passed is False)

    def to_json(self) -> dict[str, JSON]:
        """Return all of it as plain JSON values."""
        rows: list[JSON] = [{**asdict(row), "figures": dict(row.figures), "result": row.result} for row in self.rows]
        return {"passed": self.passed, "rows": rows}

    def table(self) -> Table:
        """Return it as a table without lines, for a terminal."""
        from rich.table import Table
        from rich.text import Text

        made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        made.add_column("check", no_wrap=True)
        made.add_column("result", no_wrap=True)
        made.add_column("what was found", ratio=1)
        for row in self.rows:
            made.add_row(row.check, Text(row.result, style=_STYLES[row.result]), Text(row.said))
        return made


def check(
    run: Run, candidate: Candidate, harness: Harness, *, say: Callable[[str], None] = lambda line: None
) -> Readiness:
    """Try a candidate's harness in a temporary folder, on the run's own episodes and queries. Takes minutes at most.

    Models are answered from the run's record; what cannot be tried with that is not measured. `say` takes a line before
    each check. Raises nothing: what goes wrong is a row.
    """
    source = candidate.source or harness.source
    rows: list[Row] = []
    with TemporaryDirectory(prefix="evolve-readiness-") as made:
        try:
            say("readiness: loading the run's task")
            material = material_of(run, candidate, harness)
        except (Unmeasured, EvolveError, HarnessError) as error:
            rows += [_missing(name, error) for names, _ in _TRIALS for name in names]
        else:
            for names, trial in _TRIALS:
                say(f"readiness: {' and '.join(names)}")
                rows += _tried(names, lambda: trial(material, Path(made) / names[0]))  # noqa: B023  (run at once)
    say("readiness: leaks and secrets")
    rows += _tried(("leaks",), lambda: [leak_scan(run, source)])
    rows += _tried(("secrets",), lambda: [secrets_scan(source)])
    return Readiness(tuple(rows))


_Trial = tuple[tuple[str, ...], Callable[[Material, Path], Sequence[Row]]]
_TRIALS: tuple[_Trial, ...] = (
    (("restart", "latency"), restart_and_latency),
    (("growth",), lambda material, folder: [growth(material, folder)]),
    (("reads during writes",), lambda material, folder: [reads_during_writes(material, folder)]),
    (("deletion",), lambda material, folder: [forgetting(material, folder)]),
    (("updates",), lambda material, folder: [updates(material, folder)]),
)
"""The names of the rows that each trial gives."""


def _tried(names: Sequence[str], trial: Callable[[], Sequence[Row]]) -> Sequence[Row]:
    try:
        return trial()
    except (Unmeasured, ModelFailed, LimitReached) as error:
        return [_missing(name, error) for name in names]
    except HarnessError as error:
        said = f"{str(error).rstrip('.')}: mend the program so that it can be written to and read from, as in its run."
        return [Row(name, False, said) for name in names]


def _missing(name: str, error: Exception) -> Row:
    return Row(name, None, f"not measured: {str(error).rstrip('.')}.")
