"""How a judge is asked, and its reply read: what cannot be understood is the infrastructure's fault, not a verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from evolve.errors import ProviderError, RequestRefused
from evolve.models.base import Ask, Request
from evolve.models.replies import Unusable, ask_for
from evolve.types import JSON

_TRUTHS: Mapping[str, bool] = {"true": True, "yes": True, "false": False, "no": False}
_T = TypeVar("_T")


def judged(ask: Ask, request: Request, read: Callable[[str], _T]) -> _T:
    """Return what `read` makes of the judge's reply; it is asked again where `read` raises ValueError.

    Raises ProviderError where the judge refuses or cannot be understood even then, and what `Ask` raises.
    """
    try:
        return ask_for(ask, request, read)
    except Unusable as error:
        raise ProviderError(f"the judge's reply cannot be used. {error}") from None
    except RequestRefused as error:
        raise ProviderError(f"the judge refused the request: {error}") from None


def truth(given: JSON, expected: str) -> bool:
    """Return a verdict, in words or not; raises ValueError with `expected` for what is none."""
    value = _TRUTHS.get(given.strip().lower()) if isinstance(given, str) else given
    if not isinstance(value, bool):
        raise ValueError(expected)
    return value


def reason(found: Mapping[str, JSON]) -> str:
    """Return the field "reason" on one line, "" where there is none."""
    given = found.get("reason")
    return " ".join(given.split()) if isinstance(given, str) else ""
