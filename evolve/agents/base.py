"""The seam to the task agent: fixed, never evolved."""

from __future__ import annotations

from typing import Protocol

from evolve.types import JSON, Episode, Program


class Agent(Protocol):
    """Uses a memory the way an agent does: fills items from episodes, asks the memory, answers from what it read.

    Deterministic agents return equal values for equal arguments. No method sees a gold answer.
    """

    name: str
    follows_instructions: bool
    """False for an agent that ignores the programs' instruction constants."""

    def extract(self, program: Program, episode: Episode) -> dict[str, JSON]:
        """Return the fields of the program's `KnowledgeItem` for this episode."""
        ...

    def formulate(self, program: Program, question: str) -> dict[str, JSON]:
        """Return the fields of the program's `Query` for this question."""
        ...

    def respond(self, program: Program, question: str, read: str) -> str:
        """Return the answer to the question, given what the memory returned."""
        ...
