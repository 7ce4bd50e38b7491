"""The seam to environments: a query of an interactive task is a goal, and its environment says when it is reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from evolve.types import JSON


@dataclass(frozen=True, slots=True)
class Turn:
    """What the environment shows after a command, or at the start."""

    observation: str
    commands: tuple[str, ...]
    """What may be done next."""
    won: bool = False
    over: bool = False
    """True where nothing can be done any more: won, or lost for good."""


@dataclass(frozen=True, slots=True)
class Situation:
    """All that an agent knows when it decides what to do next."""

    goal: str
    """The query's text: the task and what was seen first."""
    steps: tuple[tuple[str, str], ...]
    """The commands so far, each with what was observed after it."""
    commands: tuple[str, ...]
    """What may be done next."""
    read: str
    """What the memory returned."""


def told(steps: Sequence[tuple[str, str]]) -> str:
    """Return the steps as lines, such as "> take mug 1 from desk 2", each with what was observed after it."""
    return "\n".join(f"> {command}\n{observation}" for command, observation in steps)


class Environment(Protocol):
    """One game at a time, in a process that is killed where it does not answer in time."""

    def start(self, details: Mapping[str, JSON]) -> Turn:
        """Set the game of a query's `details` up anew. Raises EnvironmentFault."""
        ...

    def step(self, command: str) -> Turn:
        """Do one command; one that is not among the `commands` changes nothing. Raises EnvironmentFault."""
        ...


class Environments(Protocol):
    """The environments of one worker."""

    steps: int
    """Most commands in one play."""
    reads: Literal["episode", "step"]
    """Whether the memory is read once at the start, or before every command."""

    def play(self) -> AbstractContextManager[Environment]:
        """Lend an environment for one play; waits where too many are lent already. Called from many threads."""
        ...

    def close(self) -> None:
        """End every process."""
        ...
