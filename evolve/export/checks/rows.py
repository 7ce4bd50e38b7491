"""One line of a readiness check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evolve.types import JSON


@dataclass(frozen=True, slots=True)
class Row:
    """What one check found."""

    check: str
    passed: bool | None
    """None: it was not measured, which is never a pass."""
    said: str
    """What was found, in a line; where it failed, what to do."""
    figures: Mapping[str, JSON] = field(default_factory=dict)
    """The numbers behind it; times in seconds, sizes in bytes."""
    warning: bool = False
    """It passed, and there is something that whoever uses the harness should know."""

    @property
    def result(self) -> str:
        """One of "passed", "warning", "failed", "not measured"."""
        if self.passed is None:
            return "not measured"
        return "failed" if not self.passed else "warning" if self.warning else "passed"


class Unmeasured(Exception):
    """A check has not what it needs, such as a model's reply that the run never got; the message says what."""
