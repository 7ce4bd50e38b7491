"""The task agent with a model: it fills the programs' schemas, answers questions and plays, by four prompts.

Source: M* (arXiv 2604.11811), whose prompts it follows in words of our own. A program steers it by its instruction
constants and its fields' descriptions and by nothing else: `INSTRUCTION_KNOWLEDGE_ITEM` how an episode is extracted,
`INSTRUCTION_QUERY` how a question becomes a query, `INSTRUCTION_RESPONSE` and `ALWAYS_ON_KNOWLEDGE` how it is answered,
or what is done next.

A prompt begins with what all episodes or questions of a program share and ends with the one at hand, so that providers'
prompt caches find the beginning again. `ALWAYS_ON_KNOWLEDGE` is where it answers or acts alone, as in M*: a child that
changes it keeps its parent's items and queries, and pays for answers only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

from evolve.agents.prompts import messages
from evolve.agents.structured import described, json_schema, parse
from evolve.environments.base import Situation, told
from evolve.errors import AgentFailure, ModelDeclined, ProviderError, RequestRefused
from evolve.models.base import Ask, Request
from evolve.models.replies import Unusable, ask_for
from evolve.types import JSON, Episode, Program, Schema

NOTHING_READ = "(The memory returned nothing for this question.)"

_T = TypeVar("_T")


class LLMAgent:
    """A task agent whose model is whatever answers `ask`: one call a method, a second where the reply is of no use."""

    name = "llm"
    follows_instructions = True
    asks_model = True

    def __init__(self, ask: Ask, *, brief: bool = True) -> None:
        """`brief` asks for the shortest answer that is right, as gold answers are; rubrics want more."""
        self._ask = ask
        self._respond = "respond" if brief else "respond_fully"

    def extract(self, program: Program, episode: Episode) -> dict[str, JSON]:
        """Fill the `KnowledgeItem` schema from the episode. Raises AgentFailure, and what `Ask` raises."""
        instruction = program.instructions["INSTRUCTION_KNOWLEDGE_ITEM"]
        return self._fill("extract", program.item, {"instruction": instruction, "episode": episode.text})

    def formulate(self, program: Program, question: str) -> dict[str, JSON]:
        """Fill the `Query` schema from the question. Raises AgentFailure, and what `Ask` raises."""
        instruction = program.instructions["INSTRUCTION_QUERY"]
        return self._fill("formulate", program.query, {"instruction": instruction, "question": question})

    def respond(self, program: Program, question: str, read: str) -> str:
        """Answer the question from what was read. Raises AgentFailure, and what `Ask` raises."""
        values = {
            "always_on": program.instructions["ALWAYS_ON_KNOWLEDGE"],
            "instruction": program.instructions["INSTRUCTION_RESPONSE"],
            "read": read if read.strip() else NOTHING_READ,
            "question": question,
        }
        return self._usable(Request("agent", messages(self._respond, values), purpose="answer"), _answer)

    def act(self, program: Program, situation: Situation) -> str:
        """Choose the next command. Raises AgentFailure, and what `Ask` raises."""
        values = {
            "always_on": program.instructions["ALWAYS_ON_KNOWLEDGE"],
            "instruction": program.instructions["INSTRUCTION_RESPONSE"],
            "read": situation.read if situation.read.strip() else NOTHING_READ,
            "goal": situation.goal,
            "steps": told(situation.steps),
            "commands": "\n".join(situation.commands),
        }
        request = Request("agent", messages("act", values), purpose="answer")
        return self._usable(request, lambda text: _command(text, situation.commands))

    def _fill(self, prompt: Literal["extract", "formulate"], schema: Schema, values: dict[str, str]) -> dict[str, JSON]:
        if not schema.fields:
            return {}
        keys = ", ".join(f'"{field.name}"' for field in schema.fields)
        filled = messages(prompt, {**values, "fields": described(schema), "keys": keys})
        request = Request("agent", filled, json_schema(schema), purpose=prompt)
        return self._usable(request, lambda text: parse(schema, text))

    def _usable(self, request: Request, read: Callable[[str], _T]) -> _T:
        try:
            return ask_for(self._ask, request, read)
        except Unusable as error:
            raise AgentFailure(f"the agent's model gave nothing usable. {error}") from None
        except ModelDeclined as error:
            raise AgentFailure(f"the agent's model declined: {error}") from None
        except RequestRefused as error:  # a request that the provider does not take says nothing about the program
            raise ProviderError(str(error)) from None


def _answer(text: str) -> str:
    answer = text.strip()
    if not answer:
        raise ValueError("The reply is empty.")
    return answer


def _command(text: str, commands: Sequence[str]) -> str:
    """Return the one command that is a line of the reply, whatever quotes, marks or capitals are about it."""
    known = {command.lower(): command for command in commands}
    lines = [line.strip(" \t>`*\"'.").lower() for line in text.splitlines()]
    found = list(dict.fromkeys(known[line] for line in lines if line in known))
    if len(found) != 1:
        raise ValueError(f"The reply names {len(found)} of the commands that can be done now; it must be exactly one.")
    return found[0]
