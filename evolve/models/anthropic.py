"""Anthropic's models, and every server that speaks the Messages API, through the official SDK."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import anthropic
from anthropic.types import Message as Reply

from evolve.config import ModelTable
from evolve.errors import ModelDeclined, RequestRefused
from evolve.models.base import Answer, Call, Message, Note, Unavailable, Usage
from evolve.models.schemas import is_strict, with_schema
from evolve.models.sdk import CONNECT_SECONDS, Endpoint, Lessons, Part, counted

# "output_config" alone may be about either of its keys: the format is given up first.
_SCHEMA = Part(
    "json_schema",
    re.compile(r"output_config(?!\.effort)|output.format|structured.output|json.?schema", re.IGNORECASE),
    "its JSON is asked for in the prompt",
)
_EFFORT = Part("effort", re.compile("effort|output_config", re.IGNORECASE), "it is left out from now on")
_TEMPERATURE = Part("temperature", re.compile("temperature", re.IGNORECASE), "it is left out from now on")
_THINKING = Part("thinking", re.compile("thinking", re.IGNORECASE), "whether it thinks is left to the model")

_EFFORTS = {"minimal": "low"}
"""Where Anthropic's word is another one than OpenAI's; "none" switches thinking off."""


class AnthropicProvider:
    """One model through the Messages API. Implements `models.base.Provider`."""

    def __init__(self, table: ModelTable, note: Note) -> None:
        """Raises PrerequisiteError where there is no key."""
        self._at = Endpoint.of(table, url="https://api.anthropic.com")
        self._lessons = Lessons(self._at, note)
        seconds = table.timeout_seconds
        self._client = anthropic.Anthropic(
            api_key=self._at.key,
            base_url=self._at.url.rstrip("/").removesuffix("/v1"),  # the SDK adds it
            max_retries=0,
            timeout=anthropic.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS)),
        )

    def complete(self, call: Call) -> Answer:
        """Return the model's answer; parts of the call that the model refuses are left out, now and later."""
        while True:
            tokens = self._lessons.most(call.max_tokens)
            body, sent = self._body(call, tokens=tokens)
            try:
                reply: Reply = self._client.messages.create(**body)
            except anthropic.APIError as error:
                if self._lessons.learn(error, sent, tokens=tokens, schema=call.schema):
                    continue
                raise self._at.fault(error) from None
            except ValueError as error:  # a body that is not JSON
                raise self._at.fault(error) from None
            try:
                return self._read(reply, call)
            except (AttributeError, KeyError, TypeError, ValueError):
                raise Unavailable(f"{self._at.model} at {self._at.url}: the reply is not of this API's form") from None

    def embed(self, texts: Sequence[str]) -> tuple[tuple[tuple[float, ...], ...], Usage]:
        """Raise RequestRefused: Anthropic has no embedding models."""
        raise RequestRefused(f"{self._at.model} does not embed: set models.embedding to a model of OpenAI's API.")

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def _body(self, call: Call, *, tokens: int) -> tuple[dict[str, Any], list[Part]]:
        """Return a request with the parts that the model may take, and these parts."""
        body: dict[str, Any] = {"model": self._at.name, "max_tokens": tokens}
        sent: list[Part] = []
        output: dict[str, Any] = {}
        messages: Sequence[Message] = call.messages
        if call.schema is not None:
            # There is no lenient mode: a schema that is not strict would be refused.
            if is_strict(call.schema) and self._lessons.takes_schema(call.schema):
                output["format"] = {"type": "json_schema", "schema": call.schema}
                sent.append(_SCHEMA)
            else:
                messages = with_schema(messages, call.schema)
        if call.effort not in (None, "none") and self._lessons.takes(_EFFORT.name):
            output["effort"] = _EFFORTS.get(str(call.effort), call.effort)
            sent.append(_EFFORT)
        if call.effort is not None and self._lessons.takes(_THINKING.name):
            body["thinking"] = {"type": "disabled" if call.effort == "none" else "adaptive"}
            sent.append(_THINKING)
        if call.temperature is not None and self._lessons.takes(_TEMPERATURE.name):
            # Newer models have none, so neither has the SDK.
            body["extra_body"] = {"temperature": call.temperature}
            sent.append(_TEMPERATURE)
        if output:
            body["output_config"] = output
        return {**body, **_blocks(messages)}, sent

    def _read(self, reply: Reply, call: Call) -> Answer:
        if reply.stop_reason == "refusal":
            words = (reply.stop_details.explanation if reply.stop_details else None) or "it does not say why"
            raise ModelDeclined(f"{self._at.model} refuses to answer: {self._at.clean(words)}.")
        text = "".join(block.text for block in reply.content if block.type == "text")
        truncated = reply.stop_reason in ("max_tokens", "model_context_window_exceeded")
        if (counts := reply.usage) is None:
            return Answer(text, counted(call, text, prompt=None, output=None), truncated=truncated)
        cached, written = counts.cache_read_input_tokens or 0, counts.cache_creation_input_tokens or 0
        # Anthropic's input_tokens are only those that were neither read from the cache nor written to it.
        prompt = counts.input_tokens + cached + written
        usage = counted(call, text, prompt=prompt, output=counts.output_tokens, cached=cached, written=written)
        return Answer(text, usage, truncated=truncated)


def _blocks(messages: Sequence[Message]) -> dict[str, Any]:
    """Return `system` and `messages`: one turn for neighbours of one role, a cache breakpoint after the constant part.

    Empty texts are left out, because the API takes none.
    """
    system: list[dict[str, Any]] = []
    turns: list[dict[str, Any]] = []
    last: dict[str, Any] | None = None
    for message in messages:
        if not message.text.strip():
            continue
        block: dict[str, Any] = {"type": "text", "text": message.text}
        last = block if message.constant else last
        if message.role == "system":
            system.append(block)
        elif turns and turns[-1]["role"] == message.role:
            turns[-1]["content"].append(block)
        else:
            turns.append({"role": message.role, "content": [block]})
    if last is not None:
        last["cache_control"] = {"type": "ephemeral"}
    return {"messages": turns, **({"system": system} if system else {})}
