"""evolve: find the memory harness that fits your task.

run = evolve.run("chronicle", budget__candidates=10)    # start a run, or go on with it
run = evolve.open("chronicle")                          # look at one
run.best, run.candidates
run.export("chronicle-memory")                          # take the best one home
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evolve.session import Run, run
    from evolve.session import open_run as open

__version__ = "0.1.0"
__all__ = ["Run", "open", "run"]

_NAMES = {"Run": "Run", "run": "run", "open": "open_run"}


def __getattr__(name: str) -> Any:
    """Load what a run needs when it is first asked for: importing evolve does nothing and costs nothing."""
    if name not in _NAMES:
        raise AttributeError(f"module 'evolve' has no attribute {name!r}")
    from evolve import session

    return getattr(session, _NAMES[name])
