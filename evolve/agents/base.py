"""The seam to the task agent: fixed, never evolved."""

from __future__ import annotations

from typing import Protocol

from evolve.environments.base import Situation
from evolve.types import JSON, Episode, Program


class Agent(Protocol):
    """Uses a memory the way an agent does: fills items from episodes, asks the memory, answers from what it read.

    Called from many threads. Deterministic agents return equal values for equal arguments. No method sees a gold
    answer. An agent with a model raises AgentFailure where the model gave nothing usable even when asked again, and
    what `evolve.models.base.Ask` raises.
    """

    name: str
    follows_instructions: bool
    """False for an agent that ignores the programs' instruction constants."""
    asks_model: bool
    """True where a call takes long enough to make several at a time."""

    def extract(self, program: Program, episode: Episode) -> dict[str, JSON]:
        """Return the fields of the program's `KnowledgeItem` for this episode."""
        ...

    def formulate(self, program: Program, question: str) -> dict[str, JSON]:
        """Return the fields of the program's `Query` for this question."""
        ...

    def respond(self, program: Program, question: str, read: str) -> str:
        """Return the answer to the question, given what the memory returned."""
        ...


class Actor(Protocol):
    """An agent that plays: it also fills queries and items as every `Agent` does."""

    def formulate(self, program: Program, question: str) -> dict[str, JSON]:
        """Return the fields of the program's `Query` for this goal."""
        ...

    def act(self, program: Program, situation: Situation) -> str:
        """Return the next command, one of `situation.commands`. Raises AgentFailure, and what `Ask` raises."""
        ...
