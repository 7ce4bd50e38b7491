"""The table of tools: strict schemas that the SDKs' types take, and calls as models make them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from anthropic.types import ToolParam
from jsonschema import Draft202012Validator
from openai.types.chat import ChatCompletionFunctionToolParam
from openai.types.responses import FunctionToolParam
from pydantic import ConfigDict, TypeAdapter, with_config

from evolve.harness.errors import BadInput, HarnessError, UnknownScope
from evolve.harness.memory import Memory
from evolve.harness.program import Harness
from evolve.harness.tools import NOTHING, TOOLS, anthropic_tools, call, openai_tools, outcome

OFFERED = ["remember", "recall", "forget", "stats"]


@pytest.fixture
def memory(seed_harness: Callable[[str], Harness], memory_of: Callable[..., Memory]) -> Memory:
    return memory_of(seed_harness("bm25"))


def _taken(kind: Any, value: dict[str, Any]) -> dict[str, Any]:
    """Return what an SDK's type makes of a tool; a key that it does not know is an error."""
    strict = with_config(ConfigDict(extra="forbid"))(kind)
    return TypeAdapter(strict).validate_python(value)


def test_openai_takes_the_tools_and_every_argument_is_required() -> None:
    made = openai_tools()
    assert [tool["name"] for tool in made] == OFFERED
    for tool in made:
        assert _taken(FunctionToolParam, tool) == tool
        schema = tool["parameters"]
        Draft202012Validator.check_schema(schema)
        assert tool["strict"] is True
        assert schema["additionalProperties"] is False
        assert schema["required"] == list(schema["properties"])
    properties = made[0]["parameters"]["properties"]
    assert [properties[name]["type"] for name in ("text", "scope")] == ["string", ["string", "null"]]


def test_chat_completions_take_the_same_functions() -> None:
    for tool, chat in zip(openai_tools(), openai_tools(api="chat"), strict=True):
        assert _taken(ChatCompletionFunctionToolParam, chat) == chat
        assert {"type": "function", **chat["function"]} == tool


def test_anthropic_takes_the_tools() -> None:
    made = anthropic_tools()
    assert [tool["name"] for tool in made] == OFFERED
    for tool in made:
        assert _taken(ToolParam, tool) == tool
        Draft202012Validator.check_schema(tool["input_schema"])
        assert tool["strict"] is True
        assert tool["input_schema"]["additionalProperties"] is False
    assert [tool["input_schema"]["required"] for tool in made] == [["text"], ["question"], [], []]


def test_what_a_model_remembers_it_recalls(memory: Memory) -> None:
    said = call(
        memory, "remember", '{"text": "Caroline: I moved to Lisbon.", "scope": "c", "source": null, "when": null}'
    )
    assert json.loads(said) == {"number": 1, "scope": "c"}
    assert "Lisbon" in call(memory, "recall", {"question": "Where did Caroline move?", "scope": "c"})
    assert call(memory, "recall", {"question": "zebra", "scope": "c"}) == NOTHING


def test_the_date_and_the_source_reach_the_memory(memory: Memory) -> None:
    call(memory, "remember", {"text": "Ann: I sold the boat.", "source": "chat-1", "when": "2026-05-08"})
    call(memory, "remember", {"text": "Ann: I bought a bicycle.", "source": "chat-2", "when": ""})
    assert "8 May, 2026" in call(memory, "recall", {"question": "boat"})
    assert outcome(memory, "forget", {"source": "chat-1"}) == {"forgotten": 1}
    assert call(memory, "recall", {"question": "boat"}) == NOTHING
    assert "bicycle" in call(memory, "recall", {"question": "bicycle"})


def test_every_result_is_of_the_schema_it_is_promised_with(memory: Memory) -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("remember", {"text": "Ann: I sold the boat."}),
        ("recall", {"question": "boat"}),
        ("answer", {"question": "boat"}),
        ("stats", {}),
        ("forget", {"scope": "default"}),
    ]
    assert {name for name, _ in calls} == set(TOOLS)
    for name, arguments in calls:
        result = outcome(memory, name, arguments)
        Draft202012Validator(TOOLS[name].result_schema()).validate(json.loads(json.dumps(result)))


def test_a_scope_of_your_own_is_out_of_the_models_hands(memory: Memory) -> None:
    for made in (*openai_tools(scope="ann"), *openai_tools(scope="ann", api="chat"), *anthropic_tools(scope="ann")):
        assert "scope" not in json.dumps(made)
    memory.write("Bob: my code is 4711.", scope="bob")
    call(memory, "remember", {"text": "Ann: my code is 1234."}, scope="ann")
    read = call(memory, "recall", {"question": "What is the code?"}, scope="ann")
    assert "1234" in read
    assert "4711" not in read
    for name in OFFERED:
        with pytest.raises(BadInput, match="no argument 'scope'"):
            call(memory, name, {"scope": "bob", "text": "x", "question": "x"}, scope="ann")
    assert outcome(memory, "stats", {}, scope="ann")["writes"] == 1
    assert outcome(memory, "forget", {}, scope="ann") == {"forgotten": 1}
    assert memory.scopes() == ["bob"]


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("delete", {}, "there is no tool 'delete'; call one of remember, recall, answer, forget, stats."),
        ("recall", {}, "recall needs 'question'; call it again with question, scope."),
        ("recall", {"question": None}, "recall needs 'question'"),
        ("recall", {"question": ["x"]}, "question is of the type list; give a text."),
        ("recall", {"question": "x", "limit": "3"}, "recall has no argument 'limit'; it has question, scope."),
        ("recall", '{"question": ', "the arguments of recall are no JSON object; give one with question, scope."),
        ("recall", '["x"]', "the arguments of recall are no JSON object"),
        ("remember", {"text": "  "}, "text is blank"),
        ("remember", {"text": "x", "scope": ""}, "scope is empty"),
        ("forget", {}, "neither scope nor source is given"),
        ("forget", {"scope": "default", "source": ""}, "source is empty"),
    ],
)
def test_a_wrong_call_says_what_is_right(memory: Memory, name: str, arguments: Any, says: str) -> None:
    memory.write("Ann: I sold the boat.")
    with pytest.raises(BadInput) as caught:
        call(memory, name, arguments)
    assert says in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert memory.stats().writes == 1


def test_an_unknown_scope_is_the_memorys_error(memory: Memory) -> None:
    with pytest.raises(UnknownScope) as caught:
        call(memory, "recall", {"question": "boat", "scope": "nobody"})
    assert isinstance(caught.value, HarnessError)
    assert "nobody" in str(caught.value)
