"""The models of a planted search, in this process: a call takes no time, and the broker counts it like any other.

The task agent says what `ExtractiveAgent` says, so that scores by support are those of a run without a model.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from evolve.agents.extractive import ExtractiveAgent
from evolve.config import ModelTable
from evolve.models.base import Answer, Call, Note, Usage
from evolve.program import parse
from evolve.testing.dialects import tokens
from evolve.testing.planted.reflector import answer
from evolve.testing.planted.start import START
from evolve.testing.weak_agent import between
from evolve.types import Episode

_AGENT = ExtractiveAgent()
_FIELDS = parse(START)
"""Its schemas are those of every planted program."""
PLANTED = {"model": "openai:planted", "base_url": "http://127.0.0.1/v1"}
"""The table of a role that this module plays; the address is never called."""


class PlantedProvider:
    """Implements `models.base.Provider` for the task agent and the reflector alike: the prompt tells who is asked."""

    def __init__(self, table: ModelTable, note: Note, *, rewords: bool = False, children: Sequence[str] = ()) -> None:
        """Takes what the broker opens providers with, and what `reflector.answer` takes.

        With `children` the reflector sends these programs one after the other, whatever it is shown.
        """
        self._rewords = rewords
        self._children = iter(children) if children else None

    def complete(self, call: Call) -> Answer:
        """Return the words for a prompt of the task agent or of the reflector."""
        turns = [message.text for message in call.messages if message.role != "system"]
        if call.schema:
            text = filled(turns[0])
        elif (memory := between(turns[0], "memory")) is not None:
            text = memory  # the answer to a question is what was read
        elif self._children is not None:
            text = f"```python\n{next(self._children, '')}```"
        else:
            text = answer(turns, rewords=self._rewords)
        prompt = sum(tokens(message.text) for message in call.messages)
        return Answer(text, Usage(input_tokens=prompt, output_tokens=tokens(text)))

    def embed(self, texts: Sequence[str]) -> tuple[tuple[tuple[float, ...], ...], Usage]:
        """Raise: planted programs embed nothing."""
        raise NotImplementedError("planted programs embed nothing")

    def close(self) -> None:
        """Hold nothing."""


def filled(prompt: str) -> str:
    """Return the JSON object of an item's or a query's fields."""
    episode = between(prompt, "episode")
    if episode is not None:
        return json.dumps(_AGENT.extract(_FIELDS, Episode(id="", scope="", text=episode)))
    return json.dumps(_AGENT.formulate(_FIELDS, prompt.rpartition("The question:\n\n")[2].partition("\n\n")[0]))
