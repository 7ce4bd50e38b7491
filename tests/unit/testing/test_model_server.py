"""The model server, asked through the real SDKs: they must take its replies for a provider's."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import openai
import pytest

from evolve.testing.dialects import embedding
from evolve.testing.model_server import Asked, Billed, Faults, ModelServer, Said, Script, Unscripted

COLOUR: dict[str, Any] = {
    "type": "object",
    "properties": {"colour": {"type": "string"}},
    "required": ["colour"],
    "additionalProperties": False,
}


def echo(asked: Asked) -> str:
    """Say what was asked, and how."""
    if asked.schema is not None:
        return json.dumps({"colour": "red"})
    return f"{asked.system}|{asked.text}|{asked.max_tokens}|{asked.temperature}|{asked.effort}"


def by_openai(server: ModelServer, **options: Any) -> openai.OpenAI:
    options = {"api_key": "k", "max_retries": 0, "timeout": 20, **options}
    return openai.OpenAI(base_url=server.openai, **options)


def by_anthropic(server: ModelServer, **options: Any) -> anthropic.Anthropic:
    options = {"api_key": "k", "max_retries": 0, "timeout": 20, **options}
    return anthropic.Anthropic(base_url=server.address, **options)


def chat(server: ModelServer, text: str = "hello", **options: Any) -> Any:
    client = by_openai(server, **options.pop("client", {}))
    return client.chat.completions.create(model="m", messages=[{"role": "user", "content": text}], **options)


def test_chat_completions() -> None:
    with ModelServer(echo) as server:
        reply = by_openai(server).chat.completions.create(
            model="m",
            messages=[{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "hello"}],
            max_completion_tokens=50,
            temperature=0.5,
            reasoning_effort="low",
        )
        coloured = chat(
            server,
            response_format={"type": "json_schema", "json_schema": {"name": "c", "strict": True, "schema": COLOUR}},
        )
        plain = chat(server, response_format={"type": "json_object"})
        assert server.arrivals[2].asked is not None
        assert server.arrivals[2].asked.schema == {"type": "object"}
    assert reply.choices[0].message.content == "Be brief.|hello|50|0.5|low"
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (4, 7)
    assert json.loads(coloured.choices[0].message.content) == {"colour": "red"}
    assert json.loads(plain.choices[0].message.content) == {"colour": "red"}


def test_responses() -> None:
    with ModelServer(lambda asked: Said(echo(asked), reasoning=3)) as server:
        client = by_openai(server)
        reply = client.responses.create(
            model="m", instructions="Be brief.", input="hello", max_output_tokens=50, reasoning={"effort": "low"}
        )
        coloured = client.responses.create(
            model="m",
            input=[{"role": "user", "content": [{"type": "input_text", "text": "which?"}]}],
            text={"format": {"type": "json_schema", "name": "c", "strict": True, "schema": COLOUR}},
        )
        cut = client.responses.create(model="m", input="hello" * 30, max_output_tokens=16)
    assert reply.output_text == "Be brief.|hello|50|None|low"
    assert reply.status == "completed"
    assert reply.usage is not None
    assert reply.usage.output_tokens_details.reasoning_tokens == 3
    assert reply.usage.output_tokens == 10
    assert json.loads(coloured.output_text) == {"colour": "red"}
    assert cut.status == "incomplete"
    assert cut.incomplete_details is not None
    assert cut.incomplete_details.reason == "max_output_tokens"
    assert cut.usage is not None
    assert cut.usage.output_tokens == 16
    assert len(cut.output_text) == 4 * 13


def test_messages() -> None:
    with ModelServer(echo) as server:
        client = by_anthropic(server)
        reply = client.messages.create(
            model="m", system="Be brief.", messages=[{"role": "user", "content": "hello"}], max_tokens=50
        )
        coloured = client.messages.create(
            model="m",
            messages=[{"role": "user", "content": "which?"}],
            max_tokens=50,
            output_config={"effort": "low", "format": {"type": "json_schema", "schema": COLOUR}},
        )
        tool = client.messages.create(
            model="m",
            messages=[{"role": "user", "content": "which?"}],
            max_tokens=50,
            tools=[{"name": "answer", "description": "Answers.", "input_schema": COLOUR}],
            tool_choice={"type": "tool", "name": "answer"},
        )
        cut = client.messages.create(model="m", messages=[{"role": "user", "content": "hello"}], max_tokens=2)
    assert reply.content[0].type == "text"
    assert reply.content[0].text == "Be brief.|hello|50|None|None"
    assert reply.stop_reason == "end_turn"
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (4, 7)
    assert coloured.content[0].type == "text"
    assert json.loads(coloured.content[0].text) == {"colour": "red"}
    assert tool.content[0].type == "tool_use"
    assert tool.content[0].input == {"colour": "red"}
    assert cut.stop_reason == "max_tokens"


def test_a_refusal_is_told_apart_from_an_answer() -> None:
    with ModelServer(lambda asked: Said("I will not.", refused=True)) as server:
        by_chat = chat(server).choices[0].message
        by_messages = by_anthropic(server).messages.create(
            model="m", messages=[{"role": "user", "content": "hello"}], max_tokens=50
        )
        by_responses: Any = by_openai(server).responses.create(model="m", input="hello").output[0]
    assert (by_chat.content, by_chat.refusal) == (None, "I will not.")
    assert by_messages.stop_reason == "refusal"
    assert by_responses.content[0].refusal == "I will not."


def test_embeddings_of_texts_that_share_words_are_close() -> None:
    texts = ["Ada paints boats", "Ada paints houses", "rain fell"]
    with ModelServer(echo) as server:
        rows = [row.embedding for row in by_openai(server).embeddings.create(model="e", input=texts).data]
        floats = by_openai(server).embeddings.create(model="e", input=texts[0], encoding_format="float")
    assert floats.data[0].embedding == pytest.approx(embedding(texts[0]))
    assert rows[0] == pytest.approx(floats.data[0].embedding, abs=1e-6)

    def product(one: int, other: int) -> float:
        return sum(a * b for a, b in zip(rows[one], rows[other], strict=True))

    assert product(0, 0) == pytest.approx(1.0)
    assert product(0, 1) > 0.5 > product(0, 2)


def test_a_repeated_prefix_is_read_from_the_cache() -> None:
    prefix = "All that was ever said. " * 250  # 6000 characters
    with ModelServer(echo) as server:
        bills = [chat(server, prefix + end).usage for end in ("One?", "Two?")]
        marked: Any = [{"type": "text", "text": prefix, "cache_control": {"type": "ephemeral"}}]
        client = by_anthropic(server)
        usages = [
            client.messages.create(
                model="m", system=marked, messages=[{"role": "user", "content": end}], max_tokens=50
            ).usage
            for end in ("One?", "Two?")
        ]
        unmarked = client.messages.create(
            model="m", system=prefix, messages=[{"role": "user", "content": "Two?"}], max_tokens=50
        ).usage
        billed = [arrival.billed for arrival in server.arrivals]
    assert [bill.prompt_tokens_details.cached_tokens for bill in bills] == [0, 1408]
    assert [(use.cache_creation_input_tokens, use.cache_read_input_tokens) for use in usages] == [(1500, 0), (0, 1500)]
    assert [use.input_tokens for use in usages] == [1, 1]
    assert unmarked.cache_read_input_tokens == 0
    assert billed[3] == Billed(input=1501, cached=1500, written=0, output=billed[3].output if billed[3] else 0)


def test_what_all_answers_cost() -> None:
    with ModelServer(lambda asked: "x" * 40) as server:
        for _ in range(3):
            chat(server, "y" * 400)
        assert server.usd(input=1.0, output=10.0) == pytest.approx(3 * (100 * 1.0 + 10 * 10.0) / 1e6)


def test_a_script_without_words_fails_the_test() -> None:
    def script(asked: Asked) -> str:
        raise Unscripted("no words for hello")

    server = ModelServer(script)
    with pytest.raises(openai.BadRequestError, match="no words for hello"):
        chat(server)
    with pytest.raises(AssertionError, match="no words for hello"):
        server.close()
    assert server.ends == {"unscripted": 1}


def broken_body(server: ModelServer) -> None:
    by_anthropic(server).post("/v1/messages", body={"model": "m"}, cast_to=object)


def loose_schema(server: ModelServer) -> None:
    loose = {**COLOUR, "required": []}
    form: Any = {"type": "json_schema", "json_schema": {"name": "c", "strict": True, "schema": loose}}
    chat(server, response_format=form)


@pytest.mark.parametrize("call", [broken_body, loose_schema, lambda server: by_openai(server).models.list()])
def test_what_no_provider_would_take_fails_the_test(call: Callable[[ModelServer], object]) -> None:
    server = ModelServer(echo)
    with pytest.raises((openai.BadRequestError, anthropic.BadRequestError)):
        call(server)
    with pytest.raises(AssertionError, match="1 requests went wrong"):
        server.close()


def test_a_script_that_fails_is_not_taken_for_a_provider_that_does() -> None:
    def script(asked: Asked) -> str:
        raise KeyError("oops")

    server = ModelServer(script)
    with pytest.raises(openai.BadRequestError):
        chat(server)
    with pytest.raises(AssertionError, match="oops"):
        server.close()


def test_a_test_that_fails_is_not_hidden_by_what_the_server_has_to_say() -> None:
    def script(asked: Asked) -> str:
        raise Unscripted("hello")

    with pytest.raises(openai.BadRequestError), ModelServer(script) as server:
        chat(server)


def test_wrong_keys_unknown_models_and_refused_parameters() -> None:
    with ModelServer(echo, key="right", models=["m"], refuses=["temperature", "schema"]) as server:
        with pytest.raises(openai.AuthenticationError):
            chat(server)
        with pytest.raises(anthropic.AuthenticationError):
            by_anthropic(server).messages.create(model="m", messages=[], max_tokens=5)
        with pytest.raises(openai.NotFoundError):
            by_openai(server, api_key="right").responses.create(model="other", input="hello")
        with pytest.raises(openai.BadRequestError, match="temperature") as refused:
            chat(server, client={"api_key": "right"}, temperature=0.0)
        with pytest.raises(anthropic.BadRequestError, match=r"output_config\.format"):
            by_anthropic(server, api_key="right").messages.create(
                model="m",
                messages=[{"role": "user", "content": "hello"}],
                max_tokens=5,
                output_config={"format": {"type": "json_schema", "schema": COLOUR}},
            )
        assert chat(server, client={"api_key": "right"}).choices[0].message.content
        assert server.ends == {"denied": 2, "missing": 1, "refused": 2, "answered": 1}
    assert refused.value.param == "temperature"
    with pytest.raises(ValueError, match="expected some of schema, temperature"):
        ModelServer(echo, refuses=["colour"])


def test_each_fault_reaches_the_client_as_itself() -> None:
    def only(**shares: float) -> Faults:
        calm = {"limited": 0.0, "broken": 0.0, "timeouts": 0.0, "cut": 0.0}
        return Faults(0, **{**calm, **shares}, hold=1.0, retry_after=0.2)

    with ModelServer(echo, only(limited=1.0)) as server:
        with pytest.raises(openai.RateLimitError) as limited:
            chat(server)
        assert float(limited.value.response.headers["Retry-After"]) == pytest.approx(0.2)
        with pytest.raises(openai.RateLimitError):
            chat(server)
        time.sleep(0.25)
        assert chat(server).choices[0].message.content
        assert server.ends == {"limited": 2, "answered": 1}
    with ModelServer(echo, only(broken=1.0)) as server, pytest.raises(openai.InternalServerError):
        chat(server)
    with ModelServer(echo, only(timeouts=1.0)) as server:
        with pytest.raises(openai.APITimeoutError):
            chat(server, client={"timeout": 0.3})
        with pytest.raises(openai.APIConnectionError):
            chat(server)
    with ModelServer(echo, only(cut=1.0)) as server:
        with pytest.raises(openai.APIConnectionError):
            chat(server)
        assert [bool(arrival.billed) for arrival in server.arrivals] == [True]


def test_a_server_that_is_down_comes_back() -> None:
    with ModelServer(echo) as server:
        server.go_down(0.4)
        with pytest.raises(openai.APIConnectionError):
            chat(server)
        time.sleep(0.45)
        assert chat(server).choices[0].message.content
        assert server.ends == {"down": 1, "answered": 1}


def test_many_callers_at_once_are_all_answered() -> None:
    with ModelServer(echo, latency=0.1) as server:
        client = by_openai(server)

        def ask(number: int) -> str | None:
            asked: Any = [{"role": "user", "content": str(number)}]
            return client.chat.completions.create(model="m", messages=asked).choices[0].message.content

        began = time.monotonic()
        with ThreadPoolExecutor(32) as threads:
            said = list(threads.map(ask, range(64)))
        assert time.monotonic() - began < 64 * 0.1
    assert said == [f"|{number}|None|None|None" for number in range(64)]
    assert sorted(arrival.words for arrival in server.arrivals) == sorted(said)


def test_closing_ends_what_is_open() -> None:
    script: Script = echo
    server = ModelServer(script, Faults(0, timeouts=1.0, limited=0.0, hold=60.0))
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(chat, server)
        while not server.arrivals:
            time.sleep(0.01)
        began = time.monotonic()
        server.close()
        with pytest.raises(openai.APIConnectionError):
            asked.result(timeout=10)
    assert time.monotonic() - began < 10
    with pytest.raises(openai.APIConnectionError):
        chat(server)
