"""The wheel of an exported project, built by hatchling in a process of its own: no network, and no new environment."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from evolve.errors import EvolveError, PrerequisiteError

DIST = "dist"
_BUILD = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
_SECONDS = 120.0


def build_wheel(project: Path, *, epoch: int) -> Path:
    """Build the project's wheel into its `dist/`, and return it; equal files and epochs give equal bytes.

    `epoch` is the time that everything inside bears, in seconds since 1970. Raises PrerequisiteError without hatchling,
    EvolveError where it fails.
    """
    if importlib.util.find_spec("hatchling") is None:
        raise PrerequisiteError("hatchling is not there, which builds the wheel; `pip install hatchling`.")
    dist = project / DIST
    dist.mkdir()
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    command = [sys.executable, "-P", "-c", _BUILD, DIST]
    try:
        done = subprocess.run(
            command, cwd=project, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise EvolveError(f"hatchling did not build the wheel of {project} in {_SECONDS:g} s; try again.") from None
    wheels = list(dist.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise EvolveError(f"hatchling cannot build the wheel; it says: {said}")
    return wheels[0]
