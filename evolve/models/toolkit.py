"""Answers a memory program's own `toolkit.llm_completion`: what it asks is checked, because a program wrote it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, cast

from evolve.errors import ProgramFault, RequestRefused
from evolve.models.base import Ask, Message, Purpose, Reply, Request
from evolve.types import JSON

ROLES = ("system", "user", "assistant")
LEAST_TOKENS = 16
"""OpenAI's Responses API refuses to answer with fewer."""
FORMATS: Mapping[str, Mapping[str, JSON] | None] = {"text": None, "json_object": {"type": "object"}}


def completions(ask: Ask) -> Callable[[list[JSON], dict[str, JSON], Purpose], Reply]:
    """Return what answers `llm_completion(messages, **kwargs)` of a write or a read through `ask`.

    It raises ProgramFault for what cannot be asked and for what the provider refuses; whatever else `ask` raises passes
    through.
    """

    def answer(messages: list[JSON], kwargs: dict[str, JSON], purpose: Purpose) -> Reply:
        request = _request(messages, kwargs, purpose)
        try:
            return ask(request)
        except RequestRefused as refusal:
            raise ProgramFault("raised", f"llm_completion: {refusal}") from None

    return answer


def _request(messages: list[JSON], kwargs: dict[str, JSON], purpose: Purpose) -> Request:
    if not messages:
        raise _fault("messages is empty; expected a list of {'role': ..., 'content': ...}")
    known = ("model", "temperature", "max_tokens", "response_format")
    unknown = [name for name in kwargs if name not in known]
    if unknown:
        raise _fault(f"it has no argument {unknown[0]!r}; expected messages, temperature, max_tokens, response_format")
    return Request(
        "toolkit",
        tuple(_message(number, message) for number, message in enumerate(messages)),
        schema=_schema(kwargs.get("response_format")),
        temperature=_temperature(kwargs.get("temperature")),
        max_tokens=_max_tokens(kwargs.get("max_tokens")),
        purpose=purpose,
    )


def _message(number: int, message: JSON) -> Message:
    if not isinstance(message, dict) or set(message) != {"role", "content"}:
        raise _fault(f"messages[{number}] is {_short(message)}; expected {{'role': ..., 'content': ...}}")
    role, content = message["role"], message["content"]
    if role not in ROLES:
        raise _fault(f"messages[{number}] has role {_short(role)}; expected {', '.join(ROLES)}")
    if not isinstance(content, str):
        raise _fault(f"messages[{number}] has content {_short(content)}; expected a string")
    return Message(cast(Literal["system", "user", "assistant"], role), content)


def _temperature(value: JSON) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 2:
        raise _fault(f"temperature is {_short(value)}; expected a number from 0 to 2")
    return float(value)


def _max_tokens(value: JSON) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _fault(f"max_tokens is {_short(value)}; expected a whole number above 0")
    return max(value, LEAST_TOKENS)


def _schema(value: JSON) -> Mapping[str, JSON] | None:
    if value is None:
        return None
    kind = value.get("type") if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(kind, str) or kind not in FORMATS:
        raise _fault(f"response_format is {_short(value)}; expected {{'type': 'json_object'}}")
    return FORMATS[kind]


def _fault(what: str) -> ProgramFault:
    return ProgramFault("raised", f"llm_completion: {what}")


def _short(value: JSON) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
