"""The model that a memory asks: OpenAI's and Anthropic's through their SDKs, a server of one's own, or a callable."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from typing import Any

from evolve.errors import ModelDeclined, ProviderError, RequestRefused
from evolve.harness.errors import BadInput, ModelFailed
from evolve.models.base import Ask, Message, Reply, Request, Usage

Spoken = Callable[[list[dict[str, str]]], str]
"""A model as a callable: takes messages of {"role", "content"}, returns the answer."""

TRIES = 4
"""How often the SDKs send a call again that a provider could not answer."""
MOST_TOKENS = 4_096
"""Of an answer, where the request does not say."""
_KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}


def ask_of(
    model: str | Spoken, *, base_url: str | None = None, api_key: str | None = None, timeout: float = 120.0
) -> Ask:
    """Return what asks a model: "openai:NAME", "anthropic:NAME", or a callable. May be called from many threads.

    `timeout` is in seconds, for one call. Without `api_key` the provider's own variable has the key; a server at
    `base_url` may need none. Raises BadInput for another model, ModelFailed where a key or the SDK is missing. What it
    returns raises ProviderError where no answer came, RequestRefused and ModelDeclined where none will.
    """
    if not isinstance(model, str):
        return _Spoken(model)
    provider, _, name = model.partition(":")
    if provider not in _KEYS or not name:
        raise BadInput(f'model is {model!r}; give "openai:NAME", "anthropic:NAME", or a callable.')
    key = api_key or os.environ.get(_KEYS[provider], "").strip() or ("none" if base_url else "")
    if not key:
        raise ModelFailed(f"{_KEYS[provider]} is not set, and {model} needs a key: export it, or give api_key.")
    try:
        made = _OpenAI if provider == "openai" else _Anthropic
        return made(name, key=key, base_url=base_url, timeout=timeout)
    except ImportError:
        raise ModelFailed(f"{model} needs the package {provider}: pip install {provider}.") from None


class _Spoken:
    """A callable of the user's."""

    def __init__(self, model: Spoken) -> None:
        self._model = model

    def __call__(self, request: Request) -> Reply:
        messages = with_schema(request) if request.schema is not None else request.messages
        try:
            text = self._model(turns(messages))
        except Exception as error:  # whatever it raises
            raise ProviderError(f"the model raised {type(error).__name__}: {error}") from None
        if not isinstance(text, str):
            raise ProviderError(f"the model returned {type(text).__name__}; expected a string.")
        return Reply(text, Usage(), None)


class _Hosted:
    """What both SDKs have in common: JSON by schema as long as the model takes it, and errors in one line."""

    def __init__(self, name: str, *, key: str) -> None:
        self._name = name
        self._key = key
        self._takes_schema = True

    def __call__(self, request: Request) -> Reply:
        by_schema = request.schema is not None and self._takes_schema
        try:
            return self._ask(request, by_schema=by_schema)
        except (ModelDeclined, ProviderError):
            raise
        except Exception as error:  # each SDK has a tree of errors of its own
            failure = error
        if by_schema and _status(failure) in (400, 422):
            self._takes_schema = False  # from now on its JSON is asked for in the prompt
            return self(request)
        said = " ".join(str(failure).replace(self._key, "***").split())[:300].rstrip(".")
        if _status(failure) in (400, 413, 422):
            raise RequestRefused(f"{self._name} refuses the request ({said}).") from None
        raise ProviderError(f"{self._name} gave no answer ({said}).") from None

    def _ask(self, request: Request, *, by_schema: bool) -> Reply:
        raise NotImplementedError

    def _declined(self, said: str | None) -> ModelDeclined:
        return ModelDeclined(f"{self._name} refuses to answer: {said or 'it does not say why'}.")


class _OpenAI(_Hosted):
    """Chat completions, which every server of that kind speaks."""

    def __init__(self, name: str, *, key: str, base_url: str | None, timeout: float) -> None:
        import openai

        super().__init__(name, key=key)
        self._client = openai.OpenAI(api_key=key, base_url=base_url, timeout=timeout, max_retries=TRIES)
        self._limit = "max_tokens" if base_url else "max_completion_tokens"

    def _ask(self, request: Request, *, by_schema: bool) -> Reply:
        body: dict[str, Any] = {"messages": turns(_messages(request, by_schema=by_schema))}
        body[self._limit] = request.max_tokens or MOST_TOKENS
        if by_schema:
            named = {"name": "answer", "schema": request.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        if request.temperature is not None:
            body["temperature"] = request.temperature
        reply = self._client.chat.completions.create(model=self._name, **body)
        if not reply.choices:
            raise ProviderError(f"{self._name} sent a reply without a choice.")
        choice = reply.choices[0]
        if choice.message.refusal or choice.finish_reason == "content_filter":
            raise self._declined(choice.message.refusal)
        counted = reply.usage
        usage = Usage(counted.prompt_tokens, 0, 0, counted.completion_tokens) if counted else Usage()
        return Reply(choice.message.content or "", usage, None, truncated=choice.finish_reason == "length")


class _Anthropic(_Hosted):
    """The messages API."""

    def __init__(self, name: str, *, key: str, base_url: str | None, timeout: float) -> None:
        import anthropic

        super().__init__(name, key=key)
        # The SDK adds the "/v1" that addresses of servers end with.
        address = base_url.rstrip("/").removesuffix("/v1") if base_url else None
        self._client = anthropic.Anthropic(api_key=key, base_url=address, timeout=timeout, max_retries=TRIES)

    def _ask(self, request: Request, *, by_schema: bool) -> Reply:
        messages = [each for each in _messages(request, by_schema=by_schema) if each.text.strip()]
        body: dict[str, Any] = {
            "messages": turns([each for each in messages if each.role != "system"]),
            "system": "\n\n".join(each.text for each in messages if each.role == "system"),
            "max_tokens": request.max_tokens or MOST_TOKENS,
        }
        if by_schema:
            body["output_config"] = {"format": {"type": "json_schema", "schema": request.schema}}
        if request.temperature is not None:
            body["extra_body"] = {"temperature": request.temperature}
        reply = self._client.messages.create(model=self._name, **body)
        if reply.stop_reason == "refusal":
            raise self._declined(reply.stop_details.explanation if reply.stop_details else None)
        text = "".join(block.text for block in reply.content if block.type == "text")
        usage = Usage(reply.usage.input_tokens, 0, 0, reply.usage.output_tokens)
        return Reply(text, usage, None, truncated=reply.stop_reason == "max_tokens")


def turns(messages: Sequence[Message]) -> list[dict[str, str]]:
    """Return messages as every chat API takes them."""
    return [{"role": message.role, "content": message.text} for message in messages]


def with_schema(request: Request) -> list[Message]:
    """Return the request's messages with the schema of the answer at the end of the last one of the user."""
    wish = (
        "Answer with one JSON object and nothing else, without a code fence. It fits this JSON Schema:\n"
        f"{json.dumps(request.schema, ensure_ascii=False)}"
    )
    messages = list(request.messages)
    for at in range(len(messages) - 1, -1, -1):
        if messages[at].role == "user":
            messages[at] = Message("user", f"{messages[at].text}\n\n{wish}")
            return messages
    return [*messages, Message("user", wish)]


def _messages(request: Request, *, by_schema: bool) -> Sequence[Message]:
    return request.messages if by_schema or request.schema is None else with_schema(request)


def _status(error: Exception) -> int | None:
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else None
