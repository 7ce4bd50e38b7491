"""A program's `llm_completion`: what it may ask, and how it is told what it may not."""

from __future__ import annotations

import pytest

from evolve.errors import BudgetSpent, ProgramFault, ProviderError, RequestRefused
from evolve.models.base import Message, Reply, Request, Usage
from evolve.models.toolkit import completions
from evolve.types import JSON

HELLO: list[JSON] = [{"role": "user", "content": "hello"}]


def asked(messages: list[JSON], **kwargs: JSON) -> Request:
    requests: list[Request] = []

    def ask(request: Request) -> Reply:
        requests.append(request)
        return Reply("forty-two", Usage(), 0.0)

    assert completions(ask)(messages, kwargs, "write").text == "forty-two"
    return requests[0]


def test_messages_become_a_request_of_the_toolkit() -> None:
    messages: list[JSON] = [{"role": role, "content": role[:3]} for role in ("system", "user", "assistant", "user")]
    assert asked(messages) == Request(
        "toolkit",
        (Message("system", "sys"), Message("user", "use"), Message("assistant", "ass"), Message("user", "use")),
        purpose="write",
    )


def test_arguments_are_taken_and_the_model_is_not_the_programs_choice() -> None:
    request = asked(HELLO, model="gpt-9", temperature=1, max_tokens=200, response_format={"type": "json_object"})
    assert (request.temperature, request.max_tokens, request.schema) == (1.0, 200, {"type": "object"})
    plain = asked(HELLO, temperature=None, max_tokens=5, response_format={"type": "text"})
    assert (plain.temperature, plain.max_tokens, plain.schema) == (None, 16, None)


@pytest.mark.parametrize(
    ("messages", "kwargs", "said"),
    [
        ([], {}, "messages is empty"),
        (["hello"], {}, r"messages\[0\] is 'hello'; expected \{'role': ..., 'content': ...\}"),
        ([{"role": "user"}], {}, r"messages\[0\] is"),
        ([*HELLO, {"role": "user", "content": "x", "name": "y"}], {}, r"messages\[1\] is"),
        ([{"role": "tool", "content": "x"}], {}, "role 'tool'; expected system, user, assistant"),
        ([{"role": ["user"], "content": "x"}], {}, r"role \['user'\]"),
        ([{"role": "user", "content": ["x"]}], {}, r"content \['x'\]; expected a string"),
        (HELLO, {"temperature": "hot"}, "temperature is 'hot'; expected a number from 0 to 2"),
        (HELLO, {"temperature": float("nan")}, "temperature is nan"),
        (HELLO, {"temperature": True}, "temperature is True"),
        (HELLO, {"max_tokens": 0}, "max_tokens is 0; expected a whole number above 0"),
        (HELLO, {"max_tokens": 2.5}, r"max_tokens is 2\.5"),
        (HELLO, {"response_format": "json"}, "response_format is 'json'; expected"),
        (HELLO, {"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format is"),
        (HELLO, {"response_format": {"type": ["text"]}}, "response_format is"),
        (HELLO, {"top_p": 0.5}, "no argument 'top_p'; expected messages, temperature, max_tokens, response_format"),
    ],
)
def test_anything_else_raises_in_the_program(messages: list[JSON], kwargs: dict[str, JSON], said: str) -> None:
    with pytest.raises(ProgramFault, match=said) as caught:
        asked(messages, **kwargs)
    assert caught.value.kind == "raised"
    assert caught.value.message.startswith("llm_completion: ")


def test_a_long_value_is_quoted_in_short() -> None:
    with pytest.raises(ProgramFault) as caught:
        asked([{"role": "user", "content": ["x" * 10_000]}])
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    ("error", "raised"), [(RequestRefused("too long"), ProgramFault), (BudgetSpent("b"), BudgetSpent)]
)
def test_a_refusal_is_the_programs_affair_and_other_errors_pass(error: Exception, raised: type[Exception]) -> None:
    def ask(request: Request) -> Reply:
        raise error

    with pytest.raises(raised):
        completions(ask)(HELLO, {}, "write")


def test_a_provider_that_fails_is_not_the_programs_fault() -> None:
    def ask(request: Request) -> Reply:
        raise ProviderError("down")

    with pytest.raises(ProviderError):
        completions(ask)(HELLO, {}, "write")
