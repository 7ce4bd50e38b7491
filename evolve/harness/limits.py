"""What a memory may take: time, model calls, open scopes."""

from __future__ import annotations

from dataclasses import dataclass

from evolve.harness.errors import BadInput


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one memory; a limit that is reached is an error, and never a shorter text."""

    write_seconds: float = 60.0
    """Time of the program's own in one write; waiting for a model is not counted."""
    read_seconds: float = 10.0
    """Time of the program's own in one read; waiting for a model is not counted."""
    model_calls: int | None = None
    """Completions that the program may ask for in one write or read; beyond, its call raises, as in the sandbox.

    None: as many as it got where it was measured, which is none where it was measured without a model.
    """
    model_calls_total: int | None = None
    """Calls of every kind to a model that one `Memory` may make, the agent's included; None: any number."""
    open_scopes: int = 64
    """Scopes that are kept open; the one that was not used for longest is closed first."""
    snapshot_every: int = 256
    """Writes after which a snapshot is taken, where that is more than a tenth of the scope's writes."""

    def __post_init__(self) -> None:
        for name, least in (("write_seconds", 0), ("read_seconds", 0), ("open_scopes", 1), ("snapshot_every", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or value < least or value == 0:
                raise BadInput(f"limits.{name} is {value!r}; give a number above 0.")
        for name in ("model_calls", "model_calls_total"):
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise BadInput(f"limits.{name} is {value!r}; give a whole number, 0 for no call.")
