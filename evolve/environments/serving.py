"""The far side of a game's process: worlds answer one JSON object a line until their host is gone."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Protocol

from evolve.environments.base import Turn
from evolve.types import JSON

ORPHANED_SECONDS = 1.0
"""How often a process that works looks whether its host is still there."""


class World(Protocol):
    """A game's rules; everything is in memory and nothing outlives it."""

    def start(self) -> Turn:
        """Return what is seen first."""
        ...

    def step(self, command: str) -> Turn:
        """Do a command; one that is not among the commands changes nothing."""
        ...


def serve(new_world: Callable[[Mapping[str, JSON]], World]) -> None:
    """Answer {"start": details} and {"step": command} with a turn each, or {"error": why}; end with the input.

    What a world prints goes to the standard error: the pipe to the host carries answers alone.
    """
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    answers, sys.stdout = sys.stdout, sys.stderr
    world: World | None = None
    for line in sys.stdin:
        try:
            asked = json.loads(line)
            if "start" in asked:
                world = new_world(asked["start"])
                turn = world.start()
            else:
                assert world is not None, "no game was started"
                turn = world.step(asked["step"])
            answer: object = asdict(turn)
        except Exception as error:  # the host decides what becomes of a game that fails
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


def _end_with(host: int) -> None:
    """End this process when its host has ended, also where it hangs in a command and does not see the input's end."""
    while os.getppid() == host:
        time.sleep(ORPHANED_SECONDS)
    os._exit(1)
