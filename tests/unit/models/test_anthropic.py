"""AnthropicProvider, the real SDK against a server on the loopback: what is sent and what replies mean."""

from __future__ import annotations

from typing import Any

import pytest

from evolve.config import ModelTable
from evolve.errors import PrerequisiteError, RequestRefused
from evolve.models.anthropic import AnthropicProvider
from evolve.models.base import Call, Denied, Message, RateLimited, Unavailable, Usage
from evolve.models.providers import make_provider

KEY = "sk-ant-api03-very-secret-key-0123456789"
SCHEMA = {
    "type": "object",
    "properties": {"facts": {"type": "array", "items": {"type": "string"}}},
    "required": ["facts"],
    "additionalProperties": False,
}
LOOSE = {"type": "object", "properties": {"tags": {"type": "object", "additionalProperties": {"type": "string"}}}}
ASK = (Message("system", "You extract facts."), Message("user", "Ann moved to Oslo."))
CACHE = {"type": "ephemeral"}


def provider(server: Any, notes: list[str], **more: Any) -> AnthropicProvider:
    made = make_provider(ModelTable(model="anthropic:m-1", base_url=server.url, **more), notes.append)
    assert isinstance(made, AnthropicProvider)
    return made


def reply(text: str = "fine", stop: str = "end_turn", usage: Any = None, **more: Any) -> dict[str, Any]:
    content = [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": text}]
    counts = {"input_tokens": 10, "output_tokens": 3} if usage is None else usage
    return {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "m-1",
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": counts,
        **more,
    }


def refused(message: str, kind: str = "invalid_request_error") -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}}


def call(*messages: Message, **more: Any) -> Call:
    return Call(messages or ASK, max_tokens=200, **more)


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def test_a_request_is_sent_whole(server: Any, notes: list[str]) -> None:
    server.will(reply("yes"))
    answer = provider(server, notes).complete(call(temperature=0.5, effort="medium", schema=SCHEMA))
    assert (answer.text, answer.truncated) == ("yes", False)
    (asked,) = server.asked
    assert asked.path == "/v1/messages"
    assert asked.headers["authorization"] == "Bearer none"
    assert asked.body == {
        "model": "m-1",
        "max_tokens": 200,
        "system": [text("You extract facts.")],
        "messages": [{"role": "user", "content": [text("Ann moved to Oslo.")]}],
        "temperature": 0.5,
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "medium", "format": {"type": "json_schema", "schema": SCHEMA}},
    }
    assert notes == []


def test_efforts_that_anthropic_names_otherwise(server: Any, notes: list[str]) -> None:
    one = provider(server, notes)
    for effort in ("minimal", "none"):
        server.will(reply())
        one.complete(call(effort=effort))
    assert server.asked[0].body["output_config"] == {"effort": "low"}
    assert server.asked[1].body["thinking"] == {"type": "disabled"}
    assert "output_config" not in server.asked[1].body


def test_the_last_constant_message_is_the_cache_breakpoint(server: Any, notes: list[str]) -> None:
    one = provider(server, notes)
    server.will(reply())
    one.complete(
        call(
            Message("system", "Rules.", constant=True),
            Message("system", "Contract.", constant=True),
            Message("user", "Episode 7."),
        )
    )
    assert server.asked[0].body["system"] == [text("Rules."), text("Contract.", cache_control=CACHE)]
    assert server.asked[0].body["messages"] == [{"role": "user", "content": [text("Episode 7.")]}]
    server.will(reply())
    one.complete(
        call(
            Message("system", "Rules.", constant=True),
            Message("user", "The whole program.", constant=True),
            Message("user", "This case."),
            Message("assistant", "Which?"),
            Message("user", ""),
            Message("user", "That."),
        )
    )
    assert server.asked[1].body["system"] == [text("Rules.")]
    assert server.asked[1].body["messages"] == [
        {"role": "user", "content": [text("The whole program.", cache_control=CACHE), text("This case.")]},
        {"role": "assistant", "content": [text("Which?")]},
        {"role": "user", "content": [text("That.")]},
    ]


def test_input_tokens_are_all_of_the_prompt(server: Any, notes: list[str]) -> None:
    usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 2_000,
        "cache_creation_input_tokens": 300,
        "output_tokens": 7,
    }
    server.will(reply(usage=usage))
    got = provider(server, notes).complete(call()).usage
    assert got == Usage(input_tokens=2_310, cached_tokens=2_000, written_tokens=300, output_tokens=7)


def test_what_a_server_does_not_count_is_four_characters_a_token(server: Any, notes: list[str]) -> None:
    body = reply("12345")
    del body["usage"]
    server.will(body)
    assert provider(server, notes).complete(call()).usage == Usage(input_tokens=10, output_tokens=2)


@pytest.mark.parametrize(
    "said",
    [
        "output_config.format: Extra inputs are not permitted",
        "'m-1' does not support output format.",
        "output_config: Extra inputs are not permitted",
        "Structured outputs are not supported by this model",
    ],
)
def test_json_falls_back_to_the_prompt_and_is_never_tried_again(server: Any, notes: list[str], said: str) -> None:
    server.will(refused(said), 400)
    server.will(reply("{}"))
    server.will(reply("{}"))
    one = provider(server, notes)
    for _ in range(2):
        assert one.complete(call(schema=SCHEMA)).text == "{}"
    assert ["output_config" in asked.body for asked in server.asked] == [True, False, False]
    last = [asked.body["messages"][-1]["content"][-1]["text"] for asked in server.asked]
    assert last[0] == "Ann moved to Oslo."
    for words in last[1:]:
        assert words.startswith("Ann moved to Oslo.\n\n")
        assert '"additionalProperties": false' in words
    assert len(notes) == 1
    assert notes[0].startswith("anthropic:m-1 refuses json_schema (")


def test_a_schema_that_is_not_strict_goes_into_the_prompt_and_others_keep_their_mode(
    server: Any, notes: list[str]
) -> None:
    server.will(reply("{}"))
    server.will(refused("output_config.format.schema: Schema is too complex for compilation."), 400)
    server.will(reply("{}"))
    server.will(reply("{}"))
    one = provider(server, notes)
    one.complete(call(schema=LOOSE))
    one.complete(call(schema=SCHEMA))
    other = {**SCHEMA, "description": "Another one."}
    one.complete(call(schema=other))
    assert ["output_config" in asked.body for asked in server.asked] == [False, True, False, True]
    assert len(notes) == 1


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ("`temperature` is deprecated for this model.", "temperature"),
        ("This model does not support the effort parameter.", "output_config"),
        ("output_config.effort: Input should be 'low' or 'high'", "output_config"),
        ("adaptive thinking is not supported on this model", "thinking"),
    ],
)
def test_a_refused_parameter_is_left_out_from_then_on_and_noted_once(
    server: Any, notes: list[str], said: str, key: str
) -> None:
    server.will(refused(said), 400)
    server.will(reply())
    server.will(reply())
    one = provider(server, notes)
    for _ in range(2):
        assert one.complete(call(temperature=0.7, effort="high")).text == "fine"
    assert [key in asked.body for asked in server.asked] == [True, False, False]
    others = {"temperature", "output_config", "thinking"} - {key}
    assert all(others <= asked.body.keys() for asked in server.asked)
    assert len(notes) == 1


def test_a_models_most_tokens_are_learned(server: Any, notes: list[str]) -> None:
    said = (
        "max_tokens: 32768 > 8192, which is the maximum allowed number of output tokens for claude-3-5-haiku-20241022"
    )
    server.will(refused(said), 400)
    server.will(reply())
    server.will(reply())
    one = provider(server, notes)
    one.complete(Call(ASK, max_tokens=32_768))
    one.complete(Call(ASK, max_tokens=32_768))
    assert [asked.body["max_tokens"] for asked in server.asked] == [32_768, 8_192, 8_192]
    assert len(notes) == 1


def test_a_long_answer_needs_no_streaming(server: Any, notes: list[str]) -> None:
    server.will(reply())
    assert provider(server, notes, timeout_seconds=600.0).complete(Call(ASK, max_tokens=64_000)).text == "fine"


def test_the_end_of_the_tokens_is_told(server: Any, notes: list[str]) -> None:
    one = provider(server, notes)
    for stop, truncated in (("max_tokens", True), ("model_context_window_exceeded", True), ("end_turn", False)):
        server.will(reply("", stop=stop))
        answer = one.complete(call())
        assert (answer.text, answer.truncated) == ("", truncated)


def test_a_refusal_is_the_requests_fault(server: Any, notes: list[str]) -> None:
    server.will(reply(stop="refusal", stop_details={"type": "refusal", "category": "bio", "explanation": "No labs."}))
    server.will(reply(stop="refusal"))
    one = provider(server, notes)
    with pytest.raises(RequestRefused, match="anthropic:m-1 refuses to answer: No labs"):
        one.complete(call())
    with pytest.raises(RequestRefused, match="refuses to answer"):
        one.complete(call())
    with pytest.raises(RequestRefused, match="does not embed"):
        one.embed(["a"])


@pytest.mark.parametrize(
    ("status", "raised"),
    [
        (400, RequestRefused),
        (401, Denied),
        (402, Denied),
        (403, Denied),
        (404, Denied),
        (408, Unavailable),
        (409, Unavailable),
        (413, RequestRefused),
        (429, RateLimited),
        (500, Unavailable),
        (503, RateLimited),
        (504, Unavailable),
        (529, RateLimited),
    ],
)
def test_every_status_has_its_meaning_and_is_asked_once(
    server: Any, notes: list[str], status: int, raised: type[Exception]
) -> None:
    server.will(refused("because of the weather"), status, headers={"retry-after": "2"})
    with pytest.raises(raised) as caught:
        provider(server, notes).complete(call())
    assert f"HTTP {status}: because of the weather" in str(caught.value)
    if isinstance(caught.value, RateLimited):
        assert caught.value.retry_after == 2.0
    assert len(server.asked) == 1


def test_an_empty_account_is_denied_although_it_is_a_400(server: Any, notes: list[str]) -> None:
    server.will(refused("Your credit balance is too low to access the Anthropic API."), 400)
    with pytest.raises(Denied, match="add credit"):
        provider(server, notes).complete(call())


def test_a_reply_that_breaks_off_or_is_of_no_form_is_a_passing_failure(server: Any, notes: list[str]) -> None:
    one = provider(server, notes)
    server.will(reply(), cut=True)
    server.will('{"id": "m", "content": [{"ty')
    server.will("<html>gateway</html>")
    server.will({"content": None})
    server.will("[]")
    for _ in range(5):
        with pytest.raises(Unavailable, match="anthropic:m-1 at http"):
            one.complete(call())


def test_time_outs_and_closed_ports_are_passing_failures(server: Any, notes: list[str]) -> None:
    server.will(reply(), wait=1.0)
    with pytest.raises(Unavailable, match="timed out"):
        provider(server, notes, timeout_seconds=0.2).complete(call())
    closed = ModelTable(model="anthropic:m-1", base_url="http://127.0.0.1:9")
    with pytest.raises(Unavailable, match="refused"):
        make_provider(closed, notes.append).complete(call())


def test_keys_and_addresses(server: Any, notes: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PrerequisiteError, match="ANTHROPIC_API_KEY is not set"):
        make_provider(ModelTable(model="anthropic:m-1"), notes.append)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    server.will(reply())
    table = ModelTable(model="anthropic:m-1", base_url=f"{server.url}/v1/")
    make_provider(table, notes.append).complete(call())
    assert server.asked[-1].path == "/v1/messages"
    assert server.asked[-1].headers["authorization"] == f"Bearer {KEY}"
    server.will(refused(f"invalid x-api-key {KEY}"), 401)
    with pytest.raises(Denied) as caught:
        make_provider(table, notes.append).complete(call())
    assert "very" not in str(caught.value)
    assert "ANTHROPIC_API_KEY is refused" in str(caught.value)
