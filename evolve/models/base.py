"""The seams to the models: what evolve asks for, what a provider answers, and what either may raise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from evolve.types import JSON

Role: TypeAlias = Literal["agent", "reflector", "toolkit", "judge", "embedding"]
"""Which part a model plays; the configuration names a model for each."""
Purpose: TypeAlias = Literal["", "extract", "write", "formulate", "read", "answer", "judge", "reflect"]
"""What a call is for: a phase of an evaluation, or the work of a judge or a reflector; "" where it is none of these."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat."""

    role: Literal["system", "user", "assistant"]
    text: str
    constant: bool = False
    """Many requests begin with the same messages up to and including this one: a provider may cache that prefix."""


@dataclass(frozen=True, slots=True)
class Request:
    """One completion that evolve asks a role for. Equal requests have equal answers: the broker keeps them."""

    role: Role
    messages: tuple[Message, ...]
    schema: Mapping[str, JSON] | None = None
    """JSON Schema of the object that the answer must be; None for plain text."""
    temperature: float | None = None
    """None: as the role is configured."""
    max_tokens: int | None = None
    """Of the answer, reasoning included; None: as the role is configured."""
    sample: int = 0
    """Tells requests apart that are otherwise equal, where variance is to be measured."""
    purpose: Purpose = ""
    """Who asks, for the books; no part of what decides the answer."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer, as the provider counted them."""

    input_tokens: int = 0
    """All of the prompt, whether cached or not."""
    cached_tokens: int = 0
    """Of these, read from the provider's prompt cache."""
    written_tokens: int = 0
    """Of these, written to the provider's prompt cache (Anthropic charges more for them)."""
    output_tokens: int = 0
    """Reasoning included."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The broker's answer to a request."""

    text: str
    usage: Usage
    usd: float | None
    """What it cost, every try counted; 0.0 where it was cached, None where the price is not known."""
    cached: bool = False
    """True where the run had asked the same before."""
    truncated: bool = False
    """The model came to the end of its tokens before it came to the end of its answer."""


@dataclass(frozen=True, slots=True)
class Vectors:
    """The broker's answer to texts to embed."""

    rows: tuple[tuple[float, ...], ...]
    usage: Usage
    usd: float | None
    cached: bool = False


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run has spent on models so far, over all its sessions."""

    calls: int
    usd: float | None
    """None where a model has no known price."""
    committed: float
    """Dollars that calls in flight may still cost."""


class Broker(Protocol):
    """The only thing that talks to model providers. Called from many threads."""

    def complete(self, request: Request) -> Reply:
        """Return the answer, from the run's own store where it is there.

        Raises ProviderError where no retry helped, RequestRefused where none can, BudgetSpent where the call could go
        over a cap, PrerequisiteError where the provider refuses the key or the model, RunFolderError where a replay
        meets a call that its store does not have.
        """
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one vector a text, by the `embedding` role. Raises as `complete` does."""
        ...

    def spent(self) -> Spent:
        """Return what is spent, and what calls in flight may still cost."""
        ...


Ask = Callable[[Request], Reply]
"""`Broker.complete`, billed to somebody."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request with everything that its role's configuration adds; what a provider is handed."""

    messages: tuple[Message, ...]
    max_tokens: int
    schema: Mapping[str, JSON] | None = None
    temperature: float | None = None
    """None: the model's own."""
    effort: str | None = None
    """How long a reasoning model may think: "minimal", "low", "medium", "high"; None: the model's own."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a provider, paid for."""

    text: str
    usage: Usage
    truncated: bool = False


class Provider(Protocol):
    """One model at one address, through the official SDK, without retries of its own. Called from many threads."""

    def complete(self, call: Call) -> Answer:
        """Return the model's answer. Raises RateLimited, Unavailable, Denied or RequestRefused."""
        ...

    def embed(self, texts: Sequence[str]) -> tuple[tuple[tuple[float, ...], ...], Usage]:
        """Return a row a text, and the usage. Raises as `complete` does."""
        ...

    def close(self) -> None:
        """Close connections."""
        ...


class ProviderFault(Exception):
    """Base of what a provider raises besides RequestRefused; the broker lets none of these out."""


class RateLimited(ProviderFault):
    """Too many calls (429), or the provider is overloaded (529, 503): later, and fewer at a time."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        """Seconds that the provider asks to wait; None where it does not say."""
        super().__init__(message, retry_after)

    def __str__(self) -> str:
        return str(self.args[0])


class Unavailable(ProviderFault):
    """A passing failure: no connection, a time-out, a 5xx, a reply that broke off. The same call may work."""


class Denied(ProviderFault):
    """A wrong key, no permission, or no such model: no call to this model will work."""


Note = Callable[[str], None]
"""Takes one line for the user, such as a parameter that a model refuses and that is left out from now on."""


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens."""

    input: float
    output: float
    cached: float | None = None
    """Of input read from the provider's cache; None: as input."""
    written: float | None = None
    """Of input written to the provider's cache; None: as input."""

    def of(self, usage: Usage) -> float:
        """Return the price of an answer in dollars."""
        cached = self.input if self.cached is None else self.cached
        written = self.input if self.written is None else self.written
        plain = usage.input_tokens - usage.cached_tokens - usage.written_tokens
        return (
            plain * self.input
            + usage.cached_tokens * cached
            + usage.written_tokens * written
            + usage.output_tokens * self.output
        ) / 1e6
