"""The seam to the sandboxes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from evolve.sandbox.box import Box

Say = Callable[[str], None]
"""Takes one line for the user."""


class Sandbox(Protocol):
    """Runs memory programs outside of this process."""

    name: str

    def start(self) -> Box:
        """Return a box of its own for one candidate, warm where one is ready.

        Raises SandboxError where the infrastructure fails, PrerequisiteError where it is not there at all.
        """
        ...

    def describe(self) -> str:
        """Return one line: what it is, and what it does not protect against."""
        ...

    def close(self) -> None:
        """End every box, warm ones included; nothing is left running. Safe to call twice."""
        ...
