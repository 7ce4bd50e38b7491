"""The APIs of the providers as bytes: a request's body becomes an `Asked`, and words become the reply that SDKs parse.

Shapes: platform.openai.com/docs/api-reference (chat, responses, embeddings) and docs.anthropic.com/en/api/messages.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from evolve.types import JSON

Api: TypeAlias = Literal["chat", "responses", "messages", "embeddings"]
PATHS: Mapping[str, Api] = {
    "/v1/chat/completions": "chat",
    "/v1/responses": "responses",
    "/v1/messages": "messages",
    "/v1/embeddings": "embeddings",
}
DIMENSIONS = 64
"""Of the vectors that the server embeds texts as."""
PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "schema": ("response_format", "text.format", "output_config.format", "tool_choice"),
    "temperature": ("temperature",),
    "effort": ("reasoning_effort", "reasoning.effort", "output_config.effort"),
    "max_tokens": ("max_tokens",),
}
"""What a model may refuse, and where the APIs have it; `max_completion_tokens` is never refused."""


class BadRequest(Exception):
    """A body that the provider would refuse: the message, and the parameter that is wrong."""

    def __init__(self, message: str, parameter: str | None = None) -> None:
        self.message = message
        self.parameter = parameter
        super().__init__(message, parameter)


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the chat that a model is shown."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, whatever API it came by."""

    api: Api
    model: str
    system: str
    """System and developer messages, joined by a blank line; "" where there are none."""
    messages: tuple[Turn, ...]
    """The other messages in order; for embeddings the texts."""
    schema: Mapping[str, JSON] | None
    """JSON Schema of the answer, {"type": "object"} in plain JSON mode, None for text."""
    max_tokens: int | None
    temperature: float | None
    effort: str | None
    body: Mapping[str, JSON]
    """All of it, as it was sent."""

    @property
    def text(self) -> str:
        """The last user message."""
        return next((turn.text for turn in reversed(self.messages) if turn.role == "user"), "")


@dataclass(frozen=True, slots=True)
class Said:
    """What a scripted model answers."""

    text: str
    reasoning: int = 0
    """Tokens of thought before it, counted as output."""
    refused: bool = False
    """The model declines: the text is its reason."""


@dataclass(frozen=True, slots=True)
class Billed:
    """Tokens of one answer, four characters each, as the server would put them on a bill."""

    input: int
    """All of the prompt."""
    cached: int
    """Of these, read from the prompt cache."""
    written: int
    """Of these, written to it; only the Anthropic API counts them."""
    output: int


def tokens(text: str) -> int:
    """Return how many tokens a text has here: one for every four characters begun."""
    return math.ceil(len(text) / 4)


def read_body(api: Api, body: Mapping[str, Any]) -> Asked:
    """Return what is asked; raises BadRequest where the provider would refuse the body."""
    if body.get("stream"):
        raise BadRequest("This server does not stream.", "stream")
    if not isinstance(body.get("model"), str):
        raise BadRequest("you must provide a model parameter", "model")
    if api == "embeddings":
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        turns = tuple(Turn("user", text) for text in texts)
        return Asked(api, body["model"], "", turns, None, None, None, None, body)
    turns = tuple(Turn(turn["role"], _text(turn["content"])) for turn in _turns(api, body))
    system = [turn.text for turn in turns if turn.role in ("system", "developer")]
    schema = _schema(api, body)
    effort, output = body.get("reasoning_effort"), body.get("max_completion_tokens", body.get("max_tokens"))
    if api == "responses":
        effort, output = (body.get("reasoning") or {}).get("effort"), body.get("max_output_tokens")
    if api == "messages":
        effort = (body.get("output_config") or {}).get("effort")
        if output is None:
            raise BadRequest("max_tokens: Field required", "max_tokens")
    return Asked(
        api=api,
        model=body["model"],
        system="\n\n".join(system),
        messages=tuple(turn for turn in turns if turn.role in ("user", "assistant")),
        schema=schema,
        max_tokens=output,
        temperature=body.get("temperature"),
        effort=effort,
        body=body,
    )


def _turns(api: Api, body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if api == "chat":
        return list(body["messages"])
    if api == "messages":
        first = [{"role": "system", "content": body["system"]}] if body.get("system") else []
        if any(turn["role"] == "system" for turn in body["messages"]):
            raise BadRequest('messages: Unexpected role "system". Use the top-level `system` parameter.', "messages")
        return [*first, *body["messages"]]
    first = [{"role": "system", "content": body["instructions"]}] if body.get("instructions") else []
    asked = body["input"]
    return [*first, *([{"role": "user", "content": asked}] if isinstance(asked, str) else asked)]


def _text(content: str | Sequence[Mapping[str, Any]]) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def _schema(api: Api, body: Mapping[str, Any]) -> Mapping[str, JSON] | None:
    """Return the schema of the answer; raises BadRequest for one that the provider would not compile."""
    form: dict[str, Any] | None
    if api == "messages":
        form = (body.get("output_config") or {}).get("format")
        if form is None and (body.get("tool_choice") or {}).get("type") == "tool":
            return _tool(body)["input_schema"]  # type: ignore[no-any-return]
        strict, parameter = True, "output_config.format.schema"
    elif api == "responses":
        form = (body.get("text") or {}).get("format")
        strict, parameter = bool(form and form.get("strict")), "text.format.schema"
    else:
        form = body.get("response_format")
        form = {"type": "json_schema", **form["json_schema"]} if form and form["type"] == "json_schema" else form
        strict, parameter = bool(form and form.get("strict")), "response_format"
    if form is None or form["type"] == "text":
        return None
    if form["type"] == "json_object":
        return {"type": "object"}
    if api != "messages" and not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", form.get("name", "")):
        raise BadRequest(f"Invalid '{parameter}.name': expected letters, digits, '_' and '-'.", parameter)
    schema: Mapping[str, JSON] = form["schema"]
    if strict:
        _refuse_loose(schema, parameter, every=api != "messages")
    return schema


def _refuse_loose(schema: object, parameter: str, *, every: bool) -> None:
    """Refuse what strict schemas may not have: objects that are open, and with OpenAI properties that may be absent."""
    if isinstance(schema, list):
        for inner in schema:
            _refuse_loose(inner, parameter, every=every)
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object" or "properties" in schema:
        properties = set(schema.get("properties", {}))
        if schema.get("additionalProperties") is not False:
            raise BadRequest(
                "Invalid schema: 'additionalProperties' is required to be supplied and to be false.", parameter
            )
        if every and properties != set(schema.get("required", ())):
            raise BadRequest(
                "Invalid schema: 'required' is required to be supplied and to be an array including every key in "
                "properties.",
                parameter,
            )
    for inner in schema.values():
        _refuse_loose(inner, parameter, every=every)


def _tool(body: Mapping[str, Any]) -> Mapping[str, Any]:
    name = body["tool_choice"]["name"]
    for tool in body.get("tools", ()):
        if tool["name"] == name:
            return tool  # type: ignore[no-any-return]
    raise BadRequest(f"Tool '{name}' not found in provided tools", "tool_choice")


def parameter(body: Mapping[str, Any], name: str) -> str | None:
    """Return where the body has a parameter of this name in `PARAMETERS`; None where it has none."""
    for path in PARAMETERS[name]:
        value: Any = body
        for part in path.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is not None:
            return path
    return None


def shorten(said: Said, most: int | None) -> tuple[str, int, bool]:
    """Return the text that fits into so many tokens, the tokens that text and thought took, and whether it was cut."""
    wanted = said.reasoning + tokens(said.text)
    if most is None or wanted <= most:
        return said.text, wanted, False
    return said.text[: 4 * max(0, most - said.reasoning)], most, True


def reply(asked: Asked, said: Said, *, billed: Billed, number: int) -> dict[str, JSON]:
    """Return the body of the answer; `number` makes its id."""
    text, _, cut = shorten(said, asked.max_tokens)
    makers = {"chat": _chat, "responses": _responses, "messages": _messages}
    return makers[asked.api](asked, Said(text, said.reasoning, said.refused), billed, cut=cut, id=f"{number:08d}")


def _chat(asked: Asked, said: Said, billed: Billed, *, cut: bool, id: str) -> dict[str, JSON]:
    content: dict[str, JSON] = {"content": said.text, "refusal": None}
    if said.refused:
        content = {"content": None, "refusal": said.text}
    return {
        "id": f"chatcmpl-{id}",
        "object": "chat.completion",
        "created": 0,
        "model": asked.model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", **content},
                "logprobs": None,
                "finish_reason": "length" if cut else "stop",
            }
        ],
        "usage": {
            "prompt_tokens": billed.input,
            "completion_tokens": billed.output,
            "total_tokens": billed.input + billed.output,
            "prompt_tokens_details": {"cached_tokens": billed.cached},
            "completion_tokens_details": {"reasoning_tokens": said.reasoning},
        },
    }


def _responses(asked: Asked, said: Said, billed: Billed, *, cut: bool, id: str) -> dict[str, JSON]:
    status = "incomplete" if cut else "completed"
    content: dict[str, JSON] = {"type": "output_text", "text": said.text, "annotations": []}
    if said.refused:
        content = {"type": "refusal", "refusal": said.text}
    message: dict[str, JSON] = {
        "id": f"msg_{id}",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": [content],
    }
    thought: dict[str, JSON] = {"id": f"rs_{id}", "type": "reasoning", "summary": []}
    return {
        "id": f"resp_{id}",
        "object": "response",
        "created_at": 0,
        "model": asked.model,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "instructions": None,
        "output": [thought, message] if said.reasoning else [message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": billed.input,
            "input_tokens_details": {"cached_tokens": billed.cached, "cache_write_tokens": 0},
            "output_tokens": billed.output,
            "output_tokens_details": {"reasoning_tokens": said.reasoning},
            "total_tokens": billed.input + billed.output,
        },
    }


def _messages(asked: Asked, said: Said, billed: Billed, *, cut: bool, id: str) -> dict[str, JSON]:
    content: dict[str, JSON] = {"type": "text", "text": said.text}
    reason = "refusal" if said.refused else "max_tokens" if cut else "end_turn"
    chosen = asked.body.get("tool_choice")
    if isinstance(chosen, dict) and chosen.get("type") == "tool" and not said.refused:
        content = {"type": "tool_use", "id": f"toolu_{id}", "name": chosen["name"], "input": _object(said.text)}
        reason = "max_tokens" if cut else "tool_use"
    return {
        "id": f"msg_{id}",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": [content],
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": {
            "input_tokens": billed.input - billed.cached - billed.written,
            "cache_creation_input_tokens": billed.written,
            "cache_read_input_tokens": billed.cached,
            "output_tokens": billed.output,
        },
    }


def _object(text: str) -> JSON:
    """Return the JSON object in the text; what is cut or broken arrives as an empty one."""
    try:
        value: JSON = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def embed_reply(asked: Asked, billed: Billed) -> dict[str, JSON]:
    """Return the embeddings of the texts, as base64 of float32 where that is asked for, as the SDK does."""
    rows = [embedding(turn.text) for turn in asked.messages]
    data: list[JSON] = []
    for number, row in enumerate(rows):
        packed = base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *row)).decode()
        vector: JSON = packed if asked.body.get("encoding_format") == "base64" else list(row)
        data.append({"object": "embedding", "index": number, "embedding": vector})
    usage: dict[str, JSON] = {"prompt_tokens": billed.input, "total_tokens": billed.input}
    return {"object": "list", "data": data, "model": asked.model, "usage": usage}


def embedding(text: str) -> tuple[float, ...]:
    """Return a unit vector in which every word has a place drawn by its hash: texts that share words are close."""
    row = [0.0] * DIMENSIONS
    for word in re.findall(r"\w+", text.lower()):
        drawn = hashlib.sha256(word.encode()).digest()
        row[drawn[0] % DIMENSIONS] += 1.0 if drawn[1] % 2 else -1.0
    length = math.sqrt(sum(value * value for value in row))
    return tuple(value / length for value in row) if length else (1.0, *[0.0] * (DIMENSIONS - 1))


def error(api: Api, status: int, message: str, parameter: str | None = None) -> dict[str, JSON]:
    """Return the body of an error with this status, as the API words it."""
    kinds = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}
    if api == "messages":
        return {"type": "error", "error": {"type": kinds.get(status, "api_error"), "message": message}}
    codes = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}
    code = codes.get(status, "unsupported_parameter" if parameter else None)
    kind = "server_error" if status >= 500 else "tokens" if status == 429 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": parameter, "code": code}}
