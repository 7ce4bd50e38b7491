"""What both SDKs have in common: keys, errors into faults, parts of a call that a model refuses."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

from evolve.config import ModelTable
from evolve.errors import PrerequisiteError, RequestRefused
from evolve.models.base import Call, Denied, Note, ProviderFault, RateLimited, Unavailable, Usage
from evolve.types import JSON

CONNECT_SECONDS = 10.0
"""Most wall clock for a connection, where a call may take longer."""

_PASSING = (408, 409)
_BUSY = (429, 503, 529)
_NO_CREDIT = re.compile(r"insufficient_quota|billing_not_active|credit balance|billing_error", re.IGNORECASE)
_NO_MODEL = re.compile(r"model_not_found|invalid model id", re.IGNORECASE)
_TOO_LONG = re.compile(r"context.(length|window|size)|too long", re.IGNORECASE)
_OF_SCHEMA = re.compile(r"invalid.{0,6}schema|format\.schema|too complex|schema conversion|compil", re.IGNORECASE)
_MOST_TOKENS = re.compile(r"max_(output_|completion_)?tokens", re.IGNORECASE)
_CEILING = re.compile(r"too large|at most|maximum|range|less than|exceed", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One model at one address, and what its errors mean."""

    model: str
    """As configured, "openai:NAME"."""
    url: str
    key: str = field(repr=False)
    key_env: str
    """The environment variable that holds the key, or would."""

    @classmethod
    def of(cls, table: ModelTable, *, url: str) -> Endpoint:
        """Return the endpoint of a table; `url` is the provider's own, where the table names none.

        Raises PrerequisiteError where there is no usable key and one is needed.
        """
        name = table.key_name
        key = os.environ.get(name, "").strip()
        if not key and (table.key_env or not table.base_url):
            raise PrerequisiteError(
                f"{name} is not set, and {table.model} needs a key: export {name}, or set base_url to a server of "
                "your own that needs none."
            )
        if not key.isascii() or any(letter.isspace() for letter in key):
            raise PrerequisiteError(f"{name} holds a space or a letter that no key has; export the key alone.")
        return cls(table.model, table.base_url or url, key or "none", name)

    @property
    def name(self) -> str:
        """The model's name at the provider."""
        return self.model.partition(":")[2]

    def clean(self, text: str) -> str:
        """Return what a server said as one short line without the key, whole or as the server abridged it."""
        line = " ".join(text.split())
        if len(self.key) > len("none"):
            line = line.replace(self.key, "***")
        line = re.sub(r"\bsk-[\w*.-]+", "***", line).rstrip(".")
        return line if len(line) <= 300 else line[:300] + "…"

    def said(self, error: Exception) -> str:
        """Return an error's own words, clean."""
        body = getattr(error, "body", None)
        for key in ("error", "message", "detail"):
            body = body.get(key) or body if isinstance(body, Mapping) else body
        if body:
            return self.clean(str(body))
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        return self.clean(f"{str(error) or type(error).__name__}{cause}")

    def fault(self, error: Exception) -> ProviderFault | RequestRefused:
        """Return what an error of an SDK, or one in reading a reply, means for the call."""
        status = status_of(error)
        if status is None:
            return Unavailable(f"{self.model} at {self.url}: {self.said(error)}")
        words = f"HTTP {status}: {self.said(error)}"
        if (denial := self._denial(status, words, whole(error))) is not None:
            return Denied(f"{self.model}: {denial}")
        if status in _BUSY:
            response = getattr(error, "response", None)
            return RateLimited(f"{self.model}: {words}", retry_after(response.headers if response else {}))
        if status in _PASSING or status >= 500:
            return Unavailable(f"{self.model} at {self.url}: {words}")
        return RequestRefused(f"{self.model} refuses the request ({words}).")

    def _denial(self, status: int, words: str, whole: str) -> str | None:
        if status == 402 or (status < 500 and _NO_CREDIT.search(whole)):
            return f"the account cannot pay ({words}); add credit, or use another key."
        if status == 401 and self.key == "none":
            return f"{self.url} wants a key ({words}); export {self.key_env}, or name another variable in key_env."
        if status == 401:
            return f"the key in {self.key_env} is refused ({words}); export a valid one."
        if status == 403:
            return f"the key in {self.key_env} has no permission ({words}); use another key or another model."
        if status == 404 or (status == 400 and _NO_MODEL.search(whole)):
            return f"not found at {self.url} ({words}); name another model, or correct base_url."
        return None


def status_of(error: Exception) -> int | None:
    """Return the HTTP status that an SDK's error tells of; None where there was no reply, or one that is no error."""
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) and status >= 400 else None


def whole(error: Exception) -> str:
    """Return all that a server said: the SDKs leave codes and parameters out of an error's text."""
    return f"{error} {getattr(error, 'body', '')}"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a reply asks to wait; None where it does not say, or not in a way that can be read.

    `retry-after-ms` is milliseconds; `retry-after` is seconds or an HTTP date (RFC 9110, section 10.2.3).
    """
    given = headers.get("retry-after", "")
    for text, scale in ((headers.get("retry-after-ms", ""), 1e-3), (given, 1.0)):
        try:
            seconds = float(text) * scale
        except ValueError:
            continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    try:
        return max(0.0, parsedate_to_datetime(given).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a call that not every model takes."""

    name: str
    words: re.Pattern[str]
    """Found in a refusal that is about this part."""
    instead: str
    """What is done from now on, for the user."""


class Lessons:
    """What a model was found to refuse, so that it is asked only once. Called from many threads."""

    def __init__(self, at: Endpoint, note: Note) -> None:
        self._at = at
        self._note = note
        self._lock = threading.Lock()
        self._refused: set[str] = set()
        self._most: int | None = None

    def takes(self, part: str) -> bool:
        """Whether the model is not known to refuse a part."""
        with self._lock:
            return part not in self._refused

    def takes_schema(self, schema: Mapping[str, JSON]) -> bool:
        """Whether the model is not known to refuse JSON by schema, or by this very schema."""
        with self._lock:
            refused = frozenset(self._refused)
        # Few models refuse anything, and a digest for every call would cost more than all else that is done here.
        return not refused or refused.isdisjoint(("json_schema", _digest(schema)))

    def most(self, tokens: int) -> int:
        """Return how many tokens of an answer to ask for, where `tokens` are wanted."""
        with self._lock:
            return tokens if self._most is None else min(tokens, self._most)

    def learn(
        self, error: Exception, sent: Iterable[Part], *, tokens: int, schema: Mapping[str, JSON] | None = None
    ) -> bool:
        """Take a refused call's lesson; False where it has none and the same call would be refused again.

        `sent` are the optional parts that the call had, `tokens` the length of answer that it asked for.
        """
        if status_of(error) not in (400, 422):
            return False
        text = whole(error)
        # A server that counts the prompt too speaks of its context: then this very request is too long.
        if _TOO_LONG.search(text):
            return False
        if self._learn_most(self._at.said(error), tokens=tokens):
            return True
        about = getattr(error, "param", None) or ""
        parts = list(sent)
        part = next((part for place in (about, text) for part in parts if part.words.search(place)), None)
        if part is None:
            return False
        name = part.name
        if name == "json_schema" and schema is not None and _OF_SCHEMA.search(f"{about} {text}"):
            name = _digest(schema)
        first = self._add(name)
        if first:
            self._note(f"{self._at.model} refuses {part.name} ({self._at.said(error)}): {part.instead}.")
        return True

    def _add(self, name: str) -> bool:
        with self._lock:
            known = name in self._refused
            self._refused.add(name)
        return not known

    def _learn_most(self, said: str, *, tokens: int) -> bool:
        # "max_tokens: 32768 > 8192, which is the maximum ...": the largest number below what was asked for.
        if not _MOST_TOKENS.search(said) or not _CEILING.search(said):
            return False
        numbers = map(int, re.findall(r"\b\d{3,9}\b", said))
        fitting = [number for number in numbers if 256 <= number < tokens]
        if not fitting:
            return False
        with self._lock:
            first = self._most is None or max(fitting) < self._most
            self._most = max(fitting) if first else self._most
        if first:
            self._note(f"{self._at.model} answers with {max(fitting)} tokens at most ({said}).")
        return True


def _digest(schema: Mapping[str, JSON]) -> str:
    return hashlib.sha256(json.dumps(schema, sort_keys=True).encode()).hexdigest()


def counted(
    call: Call, text: str, *, prompt: int | None, output: int | None, cached: int | None = 0, written: int | None = 0
) -> Usage:
    """Return the usage of an answer; what a server does not count is taken as 4 characters a token."""
    return Usage(
        input_tokens=tokens_in(*(message.text for message in call.messages)) if prompt is None else prompt,
        cached_tokens=cached or 0,
        written_tokens=written or 0,
        output_tokens=tokens_in(text) if output is None else output,
    )


def tokens_in(*texts: str) -> int:
    """Return about how many tokens texts have, at 4 characters a token."""
    return sum(-(-len(text) // 4) for text in texts)
