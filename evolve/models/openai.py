"""OpenAI's models, and every server that speaks the same API, through the official SDK."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import openai
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from evolve.config import ModelTable
from evolve.errors import ModelDeclined, RequestRefused
from evolve.models.base import Answer, Call, Message, Note, RateLimited, Unavailable, Usage
from evolve.models.schemas import is_strict, with_schema
from evolve.models.sdk import CONNECT_SECONDS, Endpoint, Lessons, Part, counted, status_of, tokens_in, whole

_JSON_WORDS = r"response.format|text\.format|json.?schema|json.?object|structured.output|json mode"
_SCHEMA = Part("json_schema", re.compile(_JSON_WORDS, re.IGNORECASE), "its JSON is asked for in the prompt")
_OBJECT = Part("json_object", re.compile(_JSON_WORDS, re.IGNORECASE), "its JSON is asked for in the prompt alone")
_EFFORT = Part("effort", re.compile("reasoning|effort", re.IGNORECASE), "it is left out from now on")
_TEMPERATURE = Part("temperature", re.compile("temperature", re.IGNORECASE), "it is left out from now on")
_NEW_MAX = Part(
    "max_completion_tokens", re.compile("max_completion_tokens", re.IGNORECASE), "max_tokens is sent in its place"
)
_CUT_SHORT = re.compile("max_tokens or model output limit was reached", re.IGNORECASE)

# What a reply that does not have the API's form may raise where it is read.
_FORM = (AttributeError, IndexError, KeyError, TypeError, ValueError)


class OpenAIProvider:
    """One model through chat completions or the Responses API. Implements `models.base.Provider`."""

    def __init__(self, table: ModelTable, note: Note) -> None:
        """Raises PrerequisiteError where there is no key."""
        self._at = Endpoint.of(table, url="https://api.openai.com/v1")
        self._api = table.api or ("chat" if table.base_url else "responses")
        self._lessons = Lessons(self._at, note)
        seconds = table.timeout_seconds
        self._client = openai.OpenAI(
            api_key=self._at.key,
            base_url=self._at.url,
            max_retries=0,
            timeout=openai.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS)),
        )

    def complete(self, call: Call) -> Answer:
        """Return the model's answer; parts of the call that the model refuses are left out, now and later."""
        while True:
            tokens = self._lessons.most(call.max_tokens)
            body, sent = self._body(call, tokens=tokens)
            try:
                reply = self._send(body)
            except openai.APIError as error:
                if status_of(error) == 400 and _CUT_SHORT.search(whole(error)):
                    # A reasoning model that never came to its answer; the tokens are paid for, and not counted.
                    return Answer("", counted(call, "", prompt=None, output=tokens), truncated=True)
                if self._lessons.learn(error, sent, tokens=tokens, schema=call.schema):
                    continue
                raise self._at.fault(error) from None
            except ValueError as error:  # a body that is not JSON
                raise self._at.fault(error) from None
            try:
                return self._read(reply, call)
            except _FORM:
                raise Unavailable(f"{self._at.model} at {self._at.url}: the reply is not of this API's form") from None

    def embed(self, texts: Sequence[str]) -> tuple[tuple[tuple[float, ...], ...], Usage]:
        """Return a row a text, in order, and the usage."""
        if not texts:
            return (), Usage()
        try:
            # The API takes no empty text. "float", because not every server knows the SDK's own choice, base64.
            given = [text or " " for text in texts]
            reply = self._client.embeddings.create(model=self._at.name, input=given, encoding_format="float")
        except (openai.APIError, ValueError) as error:
            raise self._at.fault(error) from None
        try:
            rows = tuple(tuple(map(float, row.embedding)) for row in sorted(reply.data, key=lambda row: row.index))
            usage = Usage(reply.usage.prompt_tokens if reply.usage else tokens_in(*texts))
        except _FORM:
            raise Unavailable(f"{self._at.model} at {self._at.url}: the reply is not of this API's form") from None
        if len(rows) != len(texts):
            raise Unavailable(f"{self._at.model}: {len(rows)} vectors came back for {len(texts)} texts")
        return rows, usage

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def _body(self, call: Call, *, tokens: int) -> tuple[dict[str, Any], list[Part]]:
        """Return a request with the parts that the model may take, and these parts."""
        chat = self._api == "chat"
        body: dict[str, Any] = {"model": self._at.name}
        sent: list[Part] = []
        messages: Sequence[Message] = call.messages
        if call.schema is not None:
            form, part = self._format(call)
            sent += [part] if part else []
            if form:
                body |= {"response_format": form} if chat else {"text": {"format": form}}
            if part is not _SCHEMA:
                messages = with_schema(messages, call.schema)
        if call.effort is not None and self._lessons.takes(_EFFORT.name):
            body |= {"reasoning_effort": call.effort} if chat else {"reasoning": {"effort": call.effort}}
            sent.append(_EFFORT)
        if call.temperature is not None and self._lessons.takes(_TEMPERATURE.name):
            body["temperature"] = call.temperature
            sent.append(_TEMPERATURE)
        turns = [{"role": message.role, "content": message.text} for message in messages]
        if not chat:
            # Some servers cannot tell what an item is from its role.
            items = [{"type": "message", **turn} for turn in turns]
            return {**body, "input": items, "max_output_tokens": tokens, "store": False}, sent
        if self._lessons.takes(_NEW_MAX.name):
            return {**body, "messages": turns, _NEW_MAX.name: tokens}, [*sent, _NEW_MAX]
        return {**body, "messages": turns, "max_tokens": tokens}, sent

    def _format(self, call: Call) -> tuple[dict[str, Any] | None, Part | None]:
        if call.schema is not None and self._lessons.takes_schema(call.schema):
            named = {"name": "answer", "schema": call.schema, "strict": is_strict(call.schema)}
            if self._api == "chat":
                return {"type": "json_schema", "json_schema": named}, _SCHEMA
            return {"type": "json_schema", **named}, _SCHEMA
        if self._lessons.takes(_OBJECT.name):
            return {"type": "json_object"}, _OBJECT
        return None, None

    def _send(self, body: dict[str, Any]) -> ChatCompletion | Response:
        # An `extra_body` is sent as it is; through arguments the SDK walks first, a third of what a call costs us.
        if self._api == "chat":
            return self._client.chat.completions.create(model=self._at.name, messages=[], extra_body=body)
        return self._client.responses.create(model=self._at.name, extra_body=body)

    def _read(self, reply: ChatCompletion | Response, call: Call) -> Answer:
        return self._read_chat(reply, call) if isinstance(reply, ChatCompletion) else self._read_response(reply, call)

    def _read_chat(self, reply: ChatCompletion, call: Call) -> Answer:
        choice = reply.choices[0]
        text = choice.message.content or ""
        if choice.message.refusal or choice.finish_reason == "content_filter":
            raise self._refusal(choice.message.refusal or "its content filter stopped the answer")
        counts = reply.usage
        details = counts.prompt_tokens_details if counts else None
        usage = counted(
            call,
            text,
            prompt=counts.prompt_tokens if counts else None,
            output=counts.completion_tokens if counts else None,
            cached=details.cached_tokens if details else 0,
            written=details.cache_write_tokens if details else 0,
        )
        return Answer(text, usage, truncated=choice.finish_reason == "length")

    def _read_response(self, reply: Response, call: Call) -> Answer:
        if reply.error is not None:
            words = f"{self._at.model}: {self._at.clean(f'{reply.error.code}: {reply.error.message}')}"
            if reply.error.code == "rate_limit_exceeded":
                raise RateLimited(words)
            if reply.error.code in ("server_error", "vector_store_timeout", None):
                raise Unavailable(words)
            raise RequestRefused(f"{words}.")
        parts = [part for item in reply.output if item.type == "message" for part in item.content]
        refusals = [part.refusal for part in parts if part.type == "refusal"]
        why = reply.incomplete_details.reason if reply.incomplete_details else None
        if refusals or why == "content_filter":
            raise self._refusal(refusals[0] if refusals else "its content filter stopped the answer")
        text = reply.output_text
        counts = reply.usage
        details = counts.input_tokens_details if counts else None
        usage = counted(
            call,
            text,
            prompt=counts.input_tokens if counts else None,
            output=counts.output_tokens if counts else None,
            cached=details.cached_tokens if details else 0,
            written=details.cache_write_tokens if details else 0,
        )
        return Answer(text, usage, truncated=reply.status == "incomplete")

    def _refusal(self, words: str) -> ModelDeclined:
        return ModelDeclined(f"{self._at.model} refuses to answer: {self._at.clean(words)}.")
