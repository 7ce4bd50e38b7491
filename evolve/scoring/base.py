"""The seam to the scorers: the only place where gold answers are looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from evolve.types import Query


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a scorer says of one answered query."""

    value: float
    """At most 1, and 0 or more but for rubrics with negative criteria."""
    words: str = ""
    """Why, where a judge says it."""
    measures: Mapping[str, float] = field(default_factory=dict)
    """What else was measured of the same answer, by name."""


class Scorer(Protocol):
    """Scores one answered query; on the host, called from many threads."""

    name: str

    def score(self, query: Query, read: str, answer: str) -> Verdict:
        """Return the verdict on what was read from the memory and what was answered.

        A scorer with a model raises what `evolve.models.base.Ask` raises but RequestRefused, and ProviderError where
        the model's verdict cannot be read: a fault of the infrastructure, never a 0.
        """
        ...
