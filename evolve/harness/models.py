"""The model that a memory asks: OpenAI's or Anthropic's through their SDKs, a server of one's own, or a callable."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evolve.errors import ModelDeclined, ProviderError, RequestRefused
from evolve.harness.errors import BadInput
from evolve.models.base import Ask, Message, Reply, Request, Usage
from evolve.models.schemas import is_strict, with_schema

if TYPE_CHECKING:
    from anthropic.types import Message as AnthropicMessage
    from openai.types.chat import ChatCompletion
    from openai.types.responses import Response

Spoken = Callable[[list[dict[str, str]]], str]
"""A model as a callable: takes messages of {"role", "content"}, returns the answer."""

RETRIES = 4
"""How often an SDK sends a call again that the provider could not take (429, 5xx, no connection)."""
MOST_TOKENS = 4096
"""Of an answer, reasoning included, where the request does not say: what a run asks for."""
_KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
_REFUSED = (400, 413, 422)
_OPTIONAL = {
    "schema": re.compile(r"response.?format|text\.format|output.?(config|format)|json|schema|structured.output", re.I),
    "temperature": re.compile("temperature", re.I),
    "max_completion_tokens": re.compile("max_completion_tokens", re.I),
}
"""Parts of a call that not every model takes, by what a refusal says that is about them."""


def ask_of(
    model: str | Spoken, *, base_url: str | None = None, api_key: str | None = None, timeout: float = 120.0
) -> Ask:
    """Return what asks a model; it may be called from many threads.

    What it returns raises ProviderError where no answer came, RequestRefused where none will come to this request, and
    ModelDeclined where the model will not give one. Its replies have no price.

    Args:
        model: "openai:NAME" or "anthropic:NAME", whose API it speaks and its name there; or a callable, which is told
            in the prompt of JSON that its answer must be.
        base_url: of a server that speaks the same API; None for the provider's own, or what the SDK's variable says.
        api_key: None for the provider's own environment variable, which a server at `base_url` may not need.
        timeout: seconds that the provider may stay silent before the call is sent again.

    Raises:
        BadInput: there is no such model, no key, or its SDK is not installed.
    """
    if not isinstance(model, str):
        return _Called(model)
    provider, _, name = model.partition(":")
    if provider not in _KEYS or not name:
        raise BadInput(f'model is {model!r}; give "openai:NAME", "anthropic:NAME", or a callable.')
    made = _OpenAI if provider == "openai" else _Anthropic
    key = _key(model, api_key, variable=_KEYS[provider], needed=base_url is None)
    try:
        return made(model, key=key, base_url=base_url, timeout=timeout)
    except ImportError:
        package = __name__.partition(".")[0].replace("_", "-")
        raise BadInput(
            f"{model} needs the package {provider}, which is not installed: pip install '{package}[{provider}]'."
        ) from None


def _key(model: str, given: str | None, *, variable: str, needed: bool) -> str:
    key = (given or os.environ.get(variable, "")).strip()
    if not key and needed:
        raise BadInput(f"{variable} is not set, and {model} needs a key: export it, or give api_key.")
    if not key.isascii() or any(letter.isspace() for letter in key):
        where = "api_key" if given else variable
        raise BadInput(f"{where} holds a space or a letter that no key has; give the key alone.")
    return key or "none"


class _Called:
    """A callable of the user's."""

    def __init__(self, model: Spoken) -> None:
        self._model = model

    def __call__(self, request: Request) -> Reply:
        messages = request.messages if request.schema is None else with_schema(request.messages, request.schema)
        try:
            text = self._model(_turns(messages))
        except Exception as error:  # whatever it raises
            raise ProviderError(f"the model raised {type(error).__name__}: {error}") from error
        if not isinstance(text, str):
            raise ProviderError(f"the model returned {type(text).__name__}; expected a string.")
        return Reply(text, Usage(), None)


class _Hosted(ABC):
    """What both SDKs have in common; parts of a call that the model was found to refuse are left out from then on."""

    _errors: type[Exception]

    def __init__(self, model: str, *, key: str) -> None:
        self._model = model
        self._name = model.partition(":")[2]
        self._key = key
        self._refused: set[str] = set()

    def __call__(self, request: Request) -> Reply:
        while True:
            parts = self._parts(request)
            try:
                return self._read(self._send(self._body(request, parts)))
            except self._errors as error:
                fault = self._fault(error)
                said = f"{error} {getattr(error, 'body', '')}"  # an error's text leaves parameters out
                about = next((part for part in parts if _OPTIONAL[part].search(said)), None)
                if about is None or not isinstance(fault, RequestRefused):
                    raise fault from None
                self._refused.add(about)
            except (AttributeError, IndexError, KeyError, TypeError, ValueError):
                raise ProviderError(f"{self._model}: the reply is not of this API's form.") from None

    def _parts(self, request: Request) -> set[str]:
        """Return which optional parts a call is to have."""
        wanted = {
            "schema": request.schema is not None and self._by_schema(request.schema),
            "temperature": request.temperature is not None,
            "max_completion_tokens": True,
        }
        return {part for part in wanted if wanted[part]} - self._refused

    def _by_schema(self, schema: Mapping[str, Any]) -> bool:
        """Whether the API takes such a schema at all."""
        return True

    @abstractmethod
    def _body(self, request: Request, parts: set[str]) -> dict[str, Any]: ...

    @abstractmethod
    def _send(self, body: dict[str, Any]) -> Any: ...

    @abstractmethod
    def _read(self, reply: Any) -> Reply: ...

    def _fault(self, error: Exception) -> ProviderError | RequestRefused:
        status = getattr(error, "status_code", None)
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        said = self._clean(f"{error}{cause}")
        if status in _REFUSED:
            return RequestRefused(f"{self._model} refuses the request: {said}.")
        return ProviderError(f"{self._model} gave no answer: {said}.")

    def _declined(self, why: str | None) -> ModelDeclined:
        return ModelDeclined(f"{self._model} refuses to answer: {self._clean(why or 'it does not say why')}.")

    def _clean(self, text: str) -> str:
        """Return what a server said as one short line without the key, whole or as the server abridged it."""
        line = " ".join(text.split())
        if self._key != "none":
            line = line.replace(self._key, "***")
        line = re.sub(r"\bsk-[\w*.-]+", "***", line).rstrip(".")
        return line if len(line) <= 300 else line[:300] + "…"


class _OpenAI(_Hosted):
    """The Responses API; at a server of one's own chat completions, which all of them speak."""

    def __init__(self, model: str, *, key: str, base_url: str | None, timeout: float) -> None:
        import openai

        super().__init__(model, key=key)
        self._errors = openai.APIError
        self._chat = base_url is not None
        self._client = openai.OpenAI(api_key=key, base_url=base_url, timeout=timeout, max_retries=RETRIES)

    def _body(self, request: Request, parts: set[str]) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self._name}
        turns = _turns(_messages(request, parts))
        tokens = request.max_tokens or MOST_TOKENS
        if "temperature" in parts:
            body["temperature"] = request.temperature
        form = {"name": "answer", "schema": request.schema, "strict": is_strict(request.schema)}
        if self._chat:
            if "schema" in parts:
                body["response_format"] = {"type": "json_schema", "json_schema": form}
            limit = "max_completion_tokens" if "max_completion_tokens" in parts else "max_tokens"
            return {**body, "messages": turns, limit: tokens}
        if "schema" in parts:
            body["text"] = {"format": {"type": "json_schema", **form}}
        items = [{"type": "message", **turn} for turn in turns]
        return {**body, "input": items, "max_output_tokens": tokens, "store": False}

    def _send(self, body: dict[str, Any]) -> Any:
        if self._chat:
            return self._client.chat.completions.create(**body)
        return self._client.responses.create(**body)

    def _read(self, reply: Any) -> Reply:
        return self._read_chat(reply) if self._chat else self._read_response(reply)

    def _read_chat(self, reply: ChatCompletion) -> Reply:
        choice, counts = reply.choices[0], reply.usage
        if choice.message.refusal or choice.finish_reason == "content_filter":
            raise self._declined(choice.message.refusal)
        details = counts.prompt_tokens_details if counts else None
        cached = details.cached_tokens if details else 0
        usage = Usage(counts.prompt_tokens, cached or 0, 0, counts.completion_tokens) if counts else Usage()
        return Reply(choice.message.content or "", usage, None, truncated=choice.finish_reason == "length")

    def _read_response(self, reply: Response) -> Reply:
        if reply.error is not None:
            raise ProviderError(f"{self._model} gave no answer: {self._clean(reply.error.message)}.")
        parts = [part for item in reply.output if item.type == "message" for part in item.content]
        refusals = [part.refusal for part in parts if part.type == "refusal"]
        why = reply.incomplete_details.reason if reply.incomplete_details else None
        if refusals or why == "content_filter":
            raise self._declined(refusals[0] if refusals else None)
        counts = reply.usage
        cached = counts.input_tokens_details.cached_tokens if counts and counts.input_tokens_details else 0
        usage = Usage(counts.input_tokens, cached or 0, 0, counts.output_tokens) if counts else Usage()
        return Reply(reply.output_text, usage, None, truncated=reply.status == "incomplete")


class _Anthropic(_Hosted):
    """The Messages API."""

    def __init__(self, model: str, *, key: str, base_url: str | None, timeout: float) -> None:
        import anthropic

        super().__init__(model, key=key)
        self._errors = anthropic.APIError
        url = base_url and base_url.rstrip("/").removesuffix("/v1")  # the SDK adds it
        self._client = anthropic.Anthropic(api_key=key, base_url=url, timeout=timeout, max_retries=RETRIES)

    def _by_schema(self, schema: Mapping[str, Any]) -> bool:
        return is_strict(schema)  # it refuses every other

    def _body(self, request: Request, parts: set[str]) -> dict[str, Any]:
        told = [message for message in _messages(request, parts) if message.text.strip()]  # it takes no empty text
        body: dict[str, Any] = {
            "model": self._name,
            "max_tokens": request.max_tokens or MOST_TOKENS,
            "messages": _turns([message for message in told if message.role != "system"]),
        }
        if system := "\n\n".join(message.text for message in told if message.role == "system"):
            body["system"] = system
        if "schema" in parts:
            body["output_config"] = {"format": {"type": "json_schema", "schema": request.schema}}
        if "temperature" in parts:  # newer models have none, so neither has the SDK
            body["extra_body"] = {"temperature": request.temperature}
        return body

    def _send(self, body: dict[str, Any]) -> Any:
        return self._client.messages.create(**body)

    def _read(self, reply: AnthropicMessage) -> Reply:
        if reply.stop_reason == "refusal":
            raise self._declined(reply.stop_details.explanation if reply.stop_details else None)
        text = "".join(block.text for block in reply.content if block.type == "text")
        truncated = reply.stop_reason in ("max_tokens", "model_context_window_exceeded")
        counts = reply.usage
        cached, written = counts.cache_read_input_tokens or 0, counts.cache_creation_input_tokens or 0
        # Anthropic's input_tokens are only those that were neither read from the cache nor written to it.
        usage = Usage(counts.input_tokens + cached + written, cached, written, counts.output_tokens)
        return Reply(text, usage, None, truncated=truncated)


def _messages(request: Request, parts: set[str]) -> Sequence[Message]:
    """Return the messages, with the schema in words where it is no part of the call."""
    if request.schema is None or "schema" in parts:
        return request.messages
    return with_schema(request.messages, request.schema)


def _turns(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.text} for message in messages]
