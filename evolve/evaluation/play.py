"""One game: the agent acts until the goal is reached, the commands are used up, or nothing can be done any more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evolve.environments.base import Situation, told
from evolve.errors import EnvironmentFault
from evolve.types import JSON, Program, Query

if TYPE_CHECKING:
    from evolve.agents.base import Actor
    from evolve.environments.base import Environments

TRIES = 3


@dataclass(frozen=True, slots=True)
class Played:
    """How a game went."""

    won: bool
    steps: int
    transcript: str
    """A line for each command, as "> take mug 1 from desk 2", with what was observed after it."""


def play(
    actor: Actor,
    environments: Environments,
    program: Program,
    query: Query,
    read: str,
    read_again: Callable[[dict[str, JSON]], str],
    check: Callable[[], None],
) -> Played:
    """Play the query's game with what the memory returned for it; read again before every command where that is set.

    A game whose environment fails is begun anew, twice at most; `check` is called before every command and raises where
    nothing may be begun any more. Raises EnvironmentFault, AgentFailure, and what `check`, reading and
    `evolve.models.base.Ask` raise.
    """
    for left in reversed(range(TRIES)):
        try:
            return _once(actor, environments, program, query, read, read_again, check)
        except EnvironmentFault:
            if not left:
                raise
    raise AssertionError("the last try returns or raises")


def _once(
    actor: Actor,
    environments: Environments,
    program: Program,
    query: Query,
    read: str,
    read_again: Callable[[dict[str, JSON]], str],
    check: Callable[[], None],
) -> Played:
    steps: list[tuple[str, str]] = []
    with environments.play() as environment:
        turn = environment.start(query.details)
        while not (turn.won or turn.over) and len(steps) < environments.steps:
            check()
            if steps and environments.reads == "step":
                now = f"{query.text}\n{told(steps)}"
                read = read_again(actor.formulate(program, now))
            command = actor.act(program, Situation(query.text, tuple(steps), turn.commands, read))
            turn = environment.step(command)
            steps.append((command, turn.observation))
    return Played(turn.won, len(steps), told(steps))
