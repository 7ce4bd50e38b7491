"""The agent with a model: what its prompts hold and in which order, and how it ends where the model is of no use."""

from __future__ import annotations

import hashlib
from importlib.resources import files

import pytest

from evolve.agents.base import Agent
from evolve.agents.llm import NOTHING_READ, LLMAgent
from evolve.agents.prompts import PROMPTS
from evolve.errors import AgentFailure, BudgetSpent, ModelDeclined, ProviderError, RequestRefused
from evolve.models.base import Reply, Request, Usage
from evolve.types import Episode, Field, Program, Schema

WORDS = {
    "v1": {
        "extract": "69914f2148c05cec",
        "formulate": "450f18c0b745ff2d",
        "respond": "454d6a94c7bdf12e",
        "respond_fully": "998c684b8e2e1dae",
        "act": "6de781108d9f26ac",
    }
}
EPISODE = Episode("e1", "s1", "Date: 8 May\n\nAnn: I pay $5 for ${tea}.")
QUESTION = "What does Ann pay for?"


class Script:
    """Answers with the given replies in order, and keeps the requests; an exception is raised."""

    def __init__(self, *replies: str | Exception) -> None:
        self.replies = replies
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Reply:
        self.requests.append(request)
        reply = self.replies[len(self.requests) - 1]
        if isinstance(reply, Exception):
            raise reply
        return Reply(reply, Usage(), 0.0)


def program(**instructions: str) -> Program:
    item = Schema("KnowledgeItem", (Field("facts", "list[str]", "What Ann says", True), Field("day", "str", "", False)))
    query = Schema("Query", (Field("text", "str", "The question", True),))
    given = {
        "INSTRUCTION_KNOWLEDGE_ITEM": "Note every price.\n\nIn $name order.",
        "INSTRUCTION_QUERY": "Ask for the thing.",
        "INSTRUCTION_RESPONSE": "One word.",
        "ALWAYS_ON_KNOWLEDGE": "Ann lives in Porto.",
        **instructions,
    }
    return Program(source="", digest="", item=item, query=query, instructions=given)


def test_is_an_agent_with_a_model():
    agent: Agent = LLMAgent(Script())
    assert (agent.name, agent.follows_instructions, agent.asks_model) == ("llm", True, True)


def test_extraction_fills_the_item():
    script = Script('{"facts": "tea costs 5", "day": null}')
    assert LLMAgent(script).extract(program(), EPISODE) == {"facts": ["tea costs 5"]}
    request = script.requests[0]
    system, user = request.messages
    assert request.role == "agent"
    assert request.schema is not None
    assert request.schema["required"] == ["facts", "day"]
    assert "Note every price.\n\nIn $name order." in system.text
    assert '- "facts": a list of strings. What Ann says\n- "day": a string or null' in system.text
    assert EPISODE.text in user.text
    assert 'the keys "facts", "day"' in user.text


def test_formulation_fills_the_query():
    script = Script('{"text": "tea"}')
    assert LLMAgent(script).formulate(program(), QUESTION) == {"text": "tea"}
    system, user = script.requests[0].messages
    assert "Ask for the thing." in system.text
    assert '- "text": a string. The question' in system.text
    assert QUESTION in user.text


def test_the_answer_is_plain_text_from_what_was_read():
    script = Script(" Tea.\n")
    assert LLMAgent(script).respond(program(), QUESTION, "Ann: tea costs 5") == "Tea."
    request = script.requests[0]
    system, user = request.messages
    assert request.schema is None
    assert "Ann lives in Porto." in system.text
    assert system.text.endswith("One word.")
    assert user.text.index("Ann: tea costs 5") < user.text.index(QUESTION)


@pytest.mark.parametrize("read", ["", " \n"])
def test_an_empty_memory_is_told(read: str):
    script = Script("I do not know.")
    LLMAgent(script).respond(program(), QUESTION, read)
    assert NOTHING_READ in script.requests[0].messages[1].text


def test_all_that_is_shared_comes_first_and_alone_is_constant():
    script = Script('{"facts": []}', '{"facts": []}', '{"text": "a"}', '{"text": "a"}', "x", "x")
    agent = LLMAgent(script)
    for episode in (EPISODE, Episode("e2", "s1", "another")):
        agent.extract(program(), episode)
    for question in (QUESTION, "Where?"):
        agent.formulate(program(), question)
    for read in ("one", "two"):
        agent.respond(program(), QUESTION, read)
    for first, second in zip(script.requests[::2], script.requests[1::2], strict=True):
        assert [(each.role, each.constant) for each in first.messages] == [("system", True), ("user", False)]
        assert first.messages[0] == second.messages[0]
        assert first.messages[1] != second.messages[1]


def test_what_is_always_known_changes_only_the_answers_prompt():
    scripts = []
    for known in ("Porto", "Lisbon"):
        script = Script('{"facts": []}', '{"text": "a"}', "x")
        agent, changed = LLMAgent(script), program(ALWAYS_ON_KNOWLEDGE=known)
        agent.extract(changed, EPISODE)
        agent.formulate(changed, QUESTION)
        agent.respond(changed, QUESTION, "read")
        scripts.append(script.requests)
    assert [a == b for a, b in zip(*scripts, strict=True)] == [True, True, False]


def test_blank_instructions_leave_no_empty_heading():
    blank = program(INSTRUCTION_KNOWLEDGE_ITEM=" ", INSTRUCTION_RESPONSE="", ALWAYS_ON_KNOWLEDGE="")
    script = Script('{"facts": []}', "x")
    LLMAgent(script).extract(blank, EPISODE)
    LLMAgent(script).respond(blank, QUESTION, "read")
    for request in script.requests:
        assert not request.messages[0].text.rstrip().endswith(":")
        assert "How to" not in request.messages[0].text
    assert "keep in mind" not in script.requests[1].messages[0].text


def test_a_schema_without_fields_needs_no_model():
    script = Script()
    empty = Program("", "", Schema("KnowledgeItem", ()), Schema("Query", ()), program().instructions)
    assert LLMAgent(script).extract(empty, EPISODE) == {}
    assert LLMAgent(script).formulate(empty, QUESTION) == {}
    assert not script.requests


def test_a_bad_reply_is_shown_to_the_model_with_what_is_wrong():
    script = Script('{"facts": {"price": 5}}', '{"facts": ["tea costs 5"]}')
    assert LLMAgent(script).extract(program(), EPISODE) == {"facts": ["tea costs 5"]}
    first, second = script.requests
    assert second.messages[:2] == first.messages
    assert second.messages[2].text == '{"facts": {"price": 5}}'
    assert 'The field "facts" is an object; it must be a list of strings.' in second.messages[3].text
    assert second.schema == first.schema


def test_two_bad_replies_are_the_agents_failure():
    script = Script("no", '{"day": "8 May"}')
    with pytest.raises(
        AgentFailure, match=r'no JSON object in the reply\..*"facts" is missing; it must be a list of strings'
    ):
        LLMAgent(script).extract(program(), EPISODE)
    assert len(script.requests) == 2
    with pytest.raises(AgentFailure, match="The reply is empty"):
        LLMAgent(Script("", " ")).respond(program(), QUESTION, "read")


@pytest.mark.parametrize("before", [(), ("no",)])
def test_a_model_that_declines_fails_and_a_request_that_is_not_taken_is_a_fault(before: tuple[str, ...]):
    with pytest.raises(AgentFailure, match="declined: not this"):
        LLMAgent(Script(*before, ModelDeclined("not this"))).formulate(program(), QUESTION)
    with pytest.raises(ProviderError, match="too long"):
        LLMAgent(Script(*before, RequestRefused("too long"))).formulate(program(), QUESTION)


def test_a_spent_budget_is_nobodys_failure():
    with pytest.raises(BudgetSpent):
        LLMAgent(Script(BudgetSpent("5 dollars"))).formulate(program(), QUESTION)


def test_prompts_change_only_with_their_version():
    for name, digest in WORDS[PROMPTS].items():
        text = files("evolve.agents.prompts").joinpath(f"{name}.{PROMPTS}.md").read_bytes()
        assert hashlib.sha256(text).hexdigest()[:16] == digest, f"{name} changed: raise PROMPTS, rename the files"


def test_prompts_say_nothing_of_being_measured():
    for name in WORDS[PROMPTS]:
        text = files("evolve.agents.prompts").joinpath(f"{name}.{PROMPTS}.md").read_text(encoding="utf-8").lower()
        assert not [word for word in ("score", "gold", "evaluat", "grade", "benchmark", "test") if word in text]
