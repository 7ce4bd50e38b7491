"""Running memory programs where they can do no harm: `docker` and `process`, behind one seam."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from evolve.errors import PrerequisiteError

if TYPE_CHECKING:
    from evolve.config import Limits
    from evolve.sandbox.base import Sandbox, Say

Kind = Literal["auto", "docker", "process"]


def open_sandbox(kind: Kind, limits: Limits, *, warm: int = 1, say: Say | None = None) -> Sandbox:
    """Return the sandbox of that kind; "auto" is docker where an engine answers, else process.

    `warm` boxes are kept ready; `say` hears of the image being built. Raises PrerequisiteError.
    """
    from evolve.sandbox.docker import DockerSandbox
    from evolve.sandbox.process import ProcessSandbox

    if kind == "process":
        return ProcessSandbox(limits, warm=warm)
    try:
        return DockerSandbox(limits, warm=warm, say=say)
    except PrerequisiteError:
        if kind == "docker":
            raise
        return ProcessSandbox(limits, warm=warm)
