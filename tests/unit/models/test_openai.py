"""OpenAIProvider, the real SDK against a server on the loopback: both APIs, what is sent and what replies mean."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from typing import Any

import pytest

from evolve.config import ModelTable
from evolve.errors import PrerequisiteError, RequestRefused
from evolve.models.base import Call, Denied, Message, RateLimited, Unavailable, Usage
from evolve.models.openai import OpenAIProvider
from evolve.models.providers import make_provider

KEY = "sk-proj-very-secret-key-0123456789"
SCHEMA = {
    "type": "object",
    "properties": {"facts": {"type": "array", "items": {"type": "string"}}},
    "required": ["facts"],
    "additionalProperties": False,
}
LOOSE = {"type": "object", "properties": {"tags": {"type": "object", "additionalProperties": {"type": "string"}}}}
ASK = (Message("system", "You extract facts."), Message("user", "Ann moved to Oslo."))


def provider(server: Any, notes: list[str], **more: Any) -> OpenAIProvider:
    table = ModelTable(model="openai:m-1", base_url=f"{server.url}/v1", **more)
    made = make_provider(table, notes.append)
    assert isinstance(made, OpenAIProvider)
    return made


def chat(text: str | None = "fine", finish: str = "stop", usage: Any = None, **message: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": finish}
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": "m-1", "choices": [choice]}
    return body if usage is None else {**body, "usage": usage}


def response(text: str = "fine", status: str = "completed", **more: Any) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    thought = {"type": "reasoning", "id": "r", "summary": []}
    item = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [part]}
    return {"id": "r", "object": "response", "status": status, "output": [thought, item], **more}


def refused(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", **more}}


def call(**more: Any) -> Call:
    return Call(ASK, max_tokens=200, **more)


def test_chat_sends_what_the_call_says_and_counts_what_the_server_counted(server: Any, notes: list[str]) -> None:
    usage = {
        "prompt_tokens": 120,
        "completion_tokens": 30,
        "total_tokens": 150,
        "prompt_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 5},
    }
    server.will(chat("yes", usage=usage))
    answer = provider(server, notes).complete(call(temperature=0.5, effort="low", schema=SCHEMA))
    assert (answer.text, answer.truncated) == ("yes", False)
    assert answer.usage == Usage(input_tokens=120, cached_tokens=100, written_tokens=5, output_tokens=30)
    (asked,) = server.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.body == {
        "model": "m-1",
        "messages": [
            {"role": "system", "content": "You extract facts."},
            {"role": "user", "content": "Ann moved to Oslo."},
        ],
        "max_completion_tokens": 200,
        "temperature": 0.5,
        "reasoning_effort": "low",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
        },
    }
    assert notes == []


def test_responses_sends_what_the_call_says_and_counts_what_the_server_counted(server: Any, notes: list[str]) -> None:
    usage = {
        "input_tokens": 120,
        "input_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 8},
        "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 4},
        "total_tokens": 129,
    }
    server.will(response("yes", usage=usage))
    answer = provider(server, notes, api="responses").complete(call(temperature=0.5, effort="low", schema=SCHEMA))
    assert (answer.text, answer.truncated) == ("yes", False)
    assert answer.usage == Usage(input_tokens=120, cached_tokens=64, written_tokens=8, output_tokens=9)
    (asked,) = server.asked
    assert asked.path == "/v1/responses"
    assert asked.body == {
        "model": "m-1",
        "input": [
            {"type": "message", "role": "system", "content": "You extract facts."},
            {"type": "message", "role": "user", "content": "Ann moved to Oslo."},
        ],
        "max_output_tokens": 200,
        "store": False,
        "temperature": 0.5,
        "reasoning": {"effort": "low"},
        "text": {"format": {"type": "json_schema", "name": "answer", "schema": SCHEMA, "strict": True}},
    }


def test_a_schema_that_strict_mode_would_refuse_is_sent_without_it(server: Any, notes: list[str]) -> None:
    server.will(chat())
    provider(server, notes).complete(call(schema=LOOSE))
    assert server.asked[0].body["response_format"]["json_schema"]["strict"] is False


def test_what_a_server_does_not_count_is_four_characters_a_token(server: Any, notes: list[str]) -> None:
    server.will(chat("12345"))
    server.will(chat("12345", usage={}))
    server.will(response("12345"))
    expected = Usage(input_tokens=5 + 5, output_tokens=2)  # 18 and 18 characters
    one = provider(server, notes)
    assert [one.complete(call()).usage, one.complete(call()).usage] == [expected, expected]
    assert provider(server, notes, api="responses").complete(call()).usage == expected


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_json_falls_back_to_an_object_then_to_the_prompt_and_is_never_tried_again(
    server: Any, notes: list[str], api: str
) -> None:
    good = chat('{"facts": []}') if api == "chat" else response('{"facts": []}')
    place = "response_format" if api == "chat" else "text"
    server.will(refused("This response_format type is unavailable now"), 400)
    server.will({"detail": [{"loc": ["body", "response_format"], "msg": "Extra inputs are not permitted"}]}, 422)
    server.will(good)
    server.will(good)
    one = provider(server, notes, api=api)
    for _ in range(2):
        assert one.complete(call(schema=SCHEMA)).text == '{"facts": []}'
    forms = [asked.body.get(place) for asked in server.asked]
    kinds = [form and (form.get("type") or form["format"]["type"]) for form in forms]
    assert kinds == ["json_schema", "json_object", None, None]
    last = [(asked.body.get("messages") or asked.body["input"])[-1]["content"] for asked in server.asked]
    assert last[0] == "Ann moved to Oslo."
    for text in last[1:]:
        assert text.startswith("Ann moved to Oslo.\n\n")
        assert '"additionalProperties": false' in text
    assert len(notes) == 2
    assert notes[0].startswith("openai:m-1 refuses json_schema (This response_format type is unavailable now)")


def test_a_refused_schema_is_not_held_against_other_schemas(server: Any, notes: list[str]) -> None:
    server.will(
        refused("Invalid schema for response_format 'answer': too deep.", param="response_format"),
        400,
    )
    for _ in range(3):
        server.will(chat("{}"))
    one = provider(server, notes)
    one.complete(call(schema=SCHEMA))
    one.complete(call(schema=LOOSE))
    one.complete(call(schema=SCHEMA))
    kinds = [asked.body["response_format"]["type"] for asked in server.asked]
    assert kinds == ["json_schema", "json_object", "json_schema", "json_object"]
    assert len(notes) == 1


@pytest.mark.parametrize(
    ("api", "error", "key"),
    [
        ("chat", refused("Unsupported value.", param="temperature", code="unsupported_value"), "temperature"),
        ("responses", refused("Unsupported parameter: 'temperature' is not supported."), "temperature"),
        ("chat", refused("Unrecognized request argument supplied: reasoning_effort"), "reasoning_effort"),
        ("responses", refused("Unsupported parameter.", param="reasoning.effort"), "reasoning"),
    ],
)
def test_a_refused_parameter_is_left_out_from_then_on_and_noted_once(
    server: Any, notes: list[str], api: str, error: Any, key: str
) -> None:
    good = chat() if api == "chat" else response()
    server.will(error, 400)
    server.will(good)
    server.will(good)
    one = provider(server, notes, api=api)
    for _ in range(2):
        assert one.complete(call(temperature=0.7, effort="low")).text == "fine"
    assert [key in asked.body for asked in server.asked] == [True, False, False]
    other = ({"temperature", "reasoning_effort", "reasoning"} & server.asked[0].body.keys()) - {key}
    assert other
    assert all(other <= asked.body.keys() for asked in server.asked)
    assert len(notes) == 1
    assert notes[0].endswith("it is left out from now on.")


def test_an_old_server_gets_max_tokens(server: Any, notes: list[str]) -> None:
    server.will(refused("Unrecognized request argument supplied: max_completion_tokens"), 400)
    server.will(chat())
    server.will(chat())
    one = provider(server, notes)
    one.complete(call())
    one.complete(call())
    limits = [(asked.body.get("max_completion_tokens"), asked.body.get("max_tokens")) for asked in server.asked]
    assert limits == [(200, None), (None, 200), (None, 200)]
    assert len(notes) == 1


@pytest.mark.parametrize(
    "said",
    [
        "max_tokens is too large: 32768. This model supports at most 16384 completion tokens, whereas you provided "
        "32768.",
        "Invalid max_tokens value, the valid range of max_tokens is [1, 16384]",
    ],
)
def test_a_models_most_tokens_are_learned(server: Any, notes: list[str], said: str) -> None:
    server.will(refused(said, param="max_tokens"), 400)
    server.will(chat())
    server.will(chat())
    one = provider(server, notes)
    one.complete(Call(ASK, max_tokens=32_768))
    one.complete(Call(ASK, max_tokens=1_000))
    assert [asked.body["max_completion_tokens"] for asked in server.asked] == [32_768, 16_384, 1_000]
    assert len(notes) == 1


def test_a_request_that_is_too_long_teaches_nothing(server: Any, notes: list[str]) -> None:
    said = (
        "'max_tokens' or 'max_completion_tokens' is too large: 200. This model's maximum context length is 512 tokens "
        "and your request has 400 input tokens."
    )
    server.will(refused(said), 400)
    server.will(chat())
    one = provider(server, notes)
    with pytest.raises(RequestRefused, match="maximum context length is 512"):
        one.complete(call(temperature=0.1))
    one.complete(call(temperature=0.1))
    assert server.asked[0].body == server.asked[1].body
    assert notes == []


def test_threads_that_are_refused_at_once_learn_it_once(server: Any, notes: list[str]) -> None:
    def rule(asked: Any) -> tuple[Any, int]:
        return (refused("no temperature here"), 400) if "temperature" in asked.body else (chat(), 200)

    server.rule = rule
    one = provider(server, notes)
    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda _: one.complete(call(temperature=1.0)).text, range(24)))
    assert texts == ["fine"] * 24
    assert len(notes) == 1
    one.complete(call(temperature=1.0))
    assert "temperature" not in server.asked[-1].body


def test_the_end_of_the_tokens_is_told(server: Any, notes: list[str]) -> None:
    server.will(chat("half an ans", finish="length"))
    server.will(chat(None, finish="length"))
    server.will(chat(None))
    server.will(
        refused("Could not finish the message because max_tokens or model output limit was reached."),
        400,
    )
    one = provider(server, notes)
    answers = [one.complete(call()) for _ in range(4)]
    assert [(answer.text, answer.truncated) for answer in answers] == [
        ("half an ans", True),
        ("", True),
        ("", False),
        ("", True),
    ]
    assert answers[3].usage.output_tokens == 200
    server.will(response("half", status="incomplete", incomplete_details={"reason": "max_output_tokens"}))
    answer = provider(server, notes, api="responses").complete(call())
    assert (answer.text, answer.truncated) == ("half", True)


def test_a_refusal_is_the_requests_fault(server: Any, notes: list[str]) -> None:
    server.will(chat(None, refusal="I cannot help with that."))
    server.will(chat("", finish="content_filter"))
    one = provider(server, notes)
    with pytest.raises(RequestRefused, match="openai:m-1 refuses to answer: I cannot help with that"):
        one.complete(call())
    with pytest.raises(RequestRefused, match="content filter"):
        one.complete(call())
    refusal = response()
    refusal["output"][1]["content"] = [{"type": "refusal", "refusal": "No."}]
    server.will(refusal)
    server.will(response(status="incomplete", incomplete_details={"reason": "content_filter"}))
    two = provider(server, notes, api="responses")
    for _ in range(2):
        with pytest.raises(RequestRefused, match="refuses to answer"):
            two.complete(call())


@pytest.mark.parametrize(
    ("code", "raised"),
    [("server_error", Unavailable), ("rate_limit_exceeded", RateLimited), ("invalid_prompt", RequestRefused)],
)
def test_a_failed_response_is_told_apart_by_its_code(
    server: Any, notes: list[str], code: str, raised: type[Exception]
) -> None:
    server.will(response(status="failed", error={"code": code, "message": "went wrong"}))
    with pytest.raises(raised, match="went wrong"):
        provider(server, notes, api="responses").complete(call())


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
        (422, RequestRefused),
        (429, RateLimited),
        (500, Unavailable),
        (502, Unavailable),
        (503, RateLimited),
        (504, Unavailable),
        (529, RateLimited),
    ],
)
def test_every_status_has_its_meaning_and_is_asked_once(
    server: Any, notes: list[str], status: int, raised: type[Exception]
) -> None:
    server.will(refused("because of the weather"), status)
    server.will(refused("because of the weather"), status)
    one = provider(server, notes)
    with pytest.raises(raised) as caught:
        one.complete(call())
    assert "because of the weather" in str(caught.value)
    assert f"HTTP {status}" in str(caught.value)
    with pytest.raises(raised):
        one.embed(["a"])
    assert len(server.asked) == 2  # the SDK did not try again by itself


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, refused("You exceeded your current quota.", code="insufficient_quota")),
        (400, refused("The requested model 'm-1' does not exist.", code="model_not_found")),
    ],
)
def test_what_no_later_call_can_change_is_denied_whatever_its_status(
    server: Any, notes: list[str], status: int, error: Any
) -> None:
    server.will(error, status)
    with pytest.raises(Denied):
        provider(server, notes).complete(call())


@pytest.mark.parametrize(
    ("headers", "low", "high"),
    [
        ({"Retry-After": "7"}, 7, 7),
        ({"retry-after-ms": "250", "Retry-After": "1"}, 0.25, 0.25),
        ({"Retry-After": formatdate(time.time() + 3600, usegmt=True)}, 1800, 3601),
        ({"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0, 0),
        ({"Retry-After": "-3"}, 0, 0),
    ],
)
def test_retry_after_is_read_in_every_form(
    server: Any, notes: list[str], headers: dict[str, str], low: float, high: float
) -> None:
    server.will(refused("slow down"), 429, headers=headers)
    with pytest.raises(RateLimited) as caught:
        provider(server, notes).complete(call())
    assert caught.value.retry_after is not None
    assert low <= caught.value.retry_after <= high


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "soon"}, {"Retry-After": "nan"}])
def test_retry_after_that_cannot_be_read_is_none(server: Any, notes: list[str], headers: dict[str, str]) -> None:
    server.will(refused("slow down"), 429, headers=headers)
    with pytest.raises(RateLimited) as caught:
        provider(server, notes).complete(call())
    assert caught.value.retry_after is None


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_reply_that_breaks_off_or_is_of_no_form_is_a_passing_failure(server: Any, notes: list[str], api: str) -> None:
    good = chat() if api == "chat" else response()
    one = provider(server, notes, api=api)
    server.will(good, cut=True)
    server.will('{"id": "c", "choices": [{"mess')
    server.will("<html>gateway</html>")
    server.will({"error": {"message": "upstream failed"}, "choices": None, "output": None})
    server.will("[]")
    for _ in range(5):
        with pytest.raises(Unavailable, match="openai:m-1"):
            one.complete(call())


def test_time_outs_and_closed_ports_are_passing_failures(server: Any, notes: list[str]) -> None:
    server.will(chat(), wait=1.0)
    with pytest.raises(Unavailable, match="timed out"):
        provider(server, notes, timeout_seconds=0.2).complete(call())
    closed = ModelTable(model="openai:m-1", base_url="http://127.0.0.1:9/v1")
    with pytest.raises(Unavailable, match="refused"):
        make_provider(closed, notes.append).complete(call())


def test_embeddings_come_back_in_order(server: Any, notes: list[str]) -> None:
    rows = [{"index": 1, "embedding": [0.0, 1.0]}, {"index": 0, "embedding": [1, 0]}]
    server.will({"object": "list", "data": rows, "model": "m-1", "usage": {"prompt_tokens": 6, "total_tokens": 6}})
    server.will({"object": "list", "data": rows, "model": "m-1"})
    server.will({"object": "list", "data": rows[:1], "model": "m-1"})
    server.will({"object": "list", "data": None})
    one = provider(server, notes)
    assert one.embed(["left", ""]) == (((1.0, 0.0), (0.0, 1.0)), Usage(input_tokens=6))
    assert server.asked[0].path == "/v1/embeddings"
    assert server.asked[0].body == {"model": "m-1", "input": ["left", " "], "encoding_format": "float"}
    assert one.embed(["left", "right"])[1] == Usage(input_tokens=3)
    with pytest.raises(Unavailable, match="1 vectors came back for 2 texts"):
        one.embed(["left", "right"])
    with pytest.raises(Unavailable, match="form"):
        one.embed(["left", "right"])
    assert one.embed([]) == ((), Usage())


def test_keys(server: Any, notes: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PrerequisiteError, match="OPENAI_API_KEY is not set"):
        make_provider(ModelTable(model="openai:m-1"), notes.append)
    with pytest.raises(PrerequisiteError, match="MY_KEY is not set"):
        provider(server, notes, key_env="MY_KEY")
    server.will(chat())
    provider(server, notes).complete(call())
    assert server.asked[-1].headers["authorization"] == "Bearer none"
    monkeypatch.setenv("MY_KEY", KEY)
    server.will(chat())
    provider(server, notes, key_env="MY_KEY").complete(call())
    assert server.asked[-1].headers["authorization"] == f"Bearer {KEY}"
    monkeypatch.setenv("MY_KEY", f"{KEY}\nexport")
    with pytest.raises(PrerequisiteError) as caught:
        provider(server, notes, key_env="MY_KEY")
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_no_message_holds_the_key(server: Any, notes: list[str], monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.will(refused(f"Incorrect API key provided: {KEY},\n abridged sk-proj-very***6789. temperature"), status)
    if status == 400:
        server.will(refused(f"key {KEY}"), status)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        provider(server, notes).complete(call(temperature=0.1))
    for text in (str(caught.value), repr(caught.value), *notes):
        assert "very" not in text
        assert "\n" not in text
    assert caught.value.__suppress_context__


def test_without_base_url_the_address_is_the_providers_own(notes: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:10/elsewhere")  # a run is what its configuration says
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # nothing leaves this machine
    with pytest.raises(Unavailable, match=r"openai:m-1 at https://api\.openai\.com/v1: .*refused"):
        make_provider(ModelTable(model="openai:m-1"), notes.append).complete(call())


def test_the_sdks_are_imported_only_with_a_provider() -> None:
    light = "import sys, evolve.models.providers, evolve.models.preflight, evolve.models.prices, evolve.models.sdk"
    found = "print([name for name in ('openai', 'anthropic', 'httpx2') if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", f"{light}; {found}"], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
