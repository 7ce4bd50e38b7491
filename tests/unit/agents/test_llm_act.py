"""The agent with a model as a player: what its prompt holds, and which replies are a command."""

from __future__ import annotations

import pytest

from evolve.agents.base import Actor
from evolve.agents.llm import NOTHING_READ, LLMAgent
from evolve.environments.base import Situation
from evolve.errors import AgentFailure
from evolve.models.base import Reply, Request, Usage
from evolve.types import Program, Schema

INSTRUCTIONS = {
    "INSTRUCTION_KNOWLEDGE_ITEM": "Note it.",
    "INSTRUCTION_QUERY": "Ask it.",
    "INSTRUCTION_RESPONSE": "Open drawers last.",
    "ALWAYS_ON_KNOWLEDGE": "Mugs like desks.",
}
PROGRAM = Program("", "", Schema("KnowledgeItem", ()), Schema("Query", ()), INSTRUCTIONS)
SITUATION = Situation(
    "Task: put a mug in fridge.\nYou see a desk 1, and a fridge 1.",
    (("go to desk 1", "You arrive at desk 1."),),
    ("take mug 1 from desk 1", "Look", "go to fridge 1"),
    "mug 1 from desk 1",
)


class Script:
    """Answers with the given replies in order, and keeps the requests."""

    def __init__(self, *replies: str) -> None:
        self.replies = replies
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Reply:
        self.requests.append(request)
        return Reply(self.replies[len(self.requests) - 1], Usage(), 0.0)


def test_the_prompt_holds_everything_with_what_changes_least_first():
    script = Script("take mug 1 from desk 1")
    agent: Actor = LLMAgent(script)
    assert agent.act(PROGRAM, SITUATION) == "take mug 1 from desk 1"
    (request,) = script.requests
    constant, changing = (message.text for message in request.messages)
    assert request.role == "agent"
    for part in ("Open drawers last.", "Mugs like desks."):
        assert part in constant
    parts = ["mug 1 from desk 1", SITUATION.goal, "> go to desk 1\nYou arrive at desk 1.", "Look\ngo to fridge 1"]
    assert [changing.index(part) for part in parts] == sorted(changing.index(part) for part in parts)


def test_the_first_command_is_asked_for_without_steps_and_an_empty_memory_is_named():
    script = Script("look")
    LLMAgent(script).act(PROGRAM, Situation(SITUATION.goal, (), SITUATION.commands, " "))
    changing = script.requests[0].messages[1].text
    assert NOTHING_READ in changing
    assert "done so far" not in changing


@pytest.mark.parametrize(
    "reply", ["go to fridge 1", "> go to fridge 1", "`Go to fridge 1`.", "I have the mug.\n\nGo to fridge 1"]
)
def test_a_command_is_understood_whatever_is_about_it(reply: str):
    assert LLMAgent(Script(reply)).act(PROGRAM, SITUATION) == "go to fridge 1"


@pytest.mark.parametrize("reply", ["fly", "", "look\ngo to fridge 1"])
def test_a_reply_without_exactly_one_command_is_asked_for_again_and_then_the_agents_failure(reply: str):
    script = Script(reply, "look")
    assert LLMAgent(script).act(PROGRAM, SITUATION) == "Look"
    assert "must be exactly one" in script.requests[1].messages[-1].text
    with pytest.raises(AgentFailure, match="nothing usable"):
        LLMAgent(Script(reply, reply)).act(PROGRAM, SITUATION)
