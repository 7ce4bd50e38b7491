"""What every task shares: reading options, choosing the held-out queries, and the final check with its digest."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from evolve.errors import ConfigError, DataError
from evolve.types import JSON, Episode, Query, Task

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
WHOLE_SCOPES = 4
"""From this many scopes on, the held-out queries are those of whole scopes."""


class Options(BaseModel):
    """Base of every task's options: frozen, no unknown names, no silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


OptionsT = TypeVar("OptionsT", bound=Options)


def read_options(model: type[OptionsT], given: Mapping[str, JSON], *, task: str) -> OptionsT:
    """Check `given` against the options that a task declares.

    Raises `ConfigError` for the first wrong one, quoting the docstring under its field as what was expected.
    """
    names = sorted(model.model_fields)
    listed = f"Options of {task}: {', '.join(names)}."
    for name in given:
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ConfigError(f"Task {task!r} has no option {name!r}.{hint} {listed}")
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        wrong = str(error.errors()[0]["loc"][0])
        expected = " ".join((model.model_fields[wrong].description or "").split())
        raise ConfigError(f"Task {task!r}, option {wrong!r}: found {given[wrong]!r}. Expected: {expected}") from None


def hold_out(queries: Sequence[Query], *, share: float = 0.5, seed: int = 0) -> frozenset[str]:
    """Choose the ids of the held-out queries: whole scopes where there are at least 4, else single queries.

    The draw depends on the seed and on the queries' ids and texts, not on their order. At least one scope or query
    falls on either side where there are two.
    """
    scopes = {query.scope for query in queries}
    if len(scopes) >= WHOLE_SCOPES:
        chosen = set(_draw({scope: scope for scope in scopes}, share=share, seed=seed))
        return frozenset(query.id for query in queries if query.scope in chosen)
    return frozenset(_draw({query.id: query.text for query in queries}, share=share, seed=seed))


def _draw(texts: Mapping[str, str], *, share: float, seed: int) -> list[str]:
    """Draw about `share` of the keys, ordered by a hash so that one more query moves no other one far."""

    def rank(key: str) -> bytes:
        return hashlib.sha256(json.dumps([seed, key, texts[key]]).encode()).digest()

    count = round(len(texts) * share)
    return sorted(texts, key=rank)[: max(1, min(count, len(texts) - 1))]


def date_line(moment: datetime) -> str:
    """Return the first line of a dated episode, in LoCoMo's words: "Date: 1:56 pm on 8 May, 2023"."""
    hour, half = moment.hour % 12 or 12, "am" if moment.hour < 12 else "pm"
    day = f"{moment.day} {MONTHS[moment.month - 1]}, {moment.year}"
    return f"Date: {hour}:{moment.minute:02} {half} on {day}"


def make_task(
    name: str,
    *,
    options: Mapping[str, JSON],
    episodes: Iterable[Episode],
    queries: Iterable[Query],
    held_out: frozenset[str],
) -> Task:
    """Check the parts against each other and seal them with their digest.

    Raises `DataError` where ids repeat, a query's scope has no episode, evidence is not verbatim in its episode, or
    one side of the split is empty.
    """
    lived, asked = tuple(episodes), tuple(queries)
    _check(name, lived, asked, held_out)
    return Task(
        name=name,
        options=dict(options),
        episodes=lived,
        queries=asked,
        held_out=held_out,
        digest=_digest(name, options, lived, asked, held_out),
    )


def _check(name: str, episodes: Sequence[Episode], queries: Sequence[Query], held_out: frozenset[str]) -> None:
    texts = {(episode.scope, episode.id): episode.text for episode in episodes}
    scopes = {episode.scope for episode in episodes}
    for kind, ids in (("episode", [e.id for e in episodes]), ("query", [q.id for q in queries])):
        if len(set(ids)) < len(ids):
            twice = next(item for item in ids if ids.count(item) > 1)
            raise DataError(f"Task {name!r}: the {kind} id {twice!r} is used twice; ids must be unique.")
    for query in queries:
        if query.scope not in scopes:
            raise DataError(f"Task {name!r}, query {query.id!r}: its scope {query.scope!r} has no episode.")
        for evidence in query.evidence:
            if evidence.text not in texts.get((query.scope, evidence.episode), ""):
                raise DataError(
                    f"Task {name!r}, query {query.id!r}: the evidence {evidence.text[:60]!r} is not verbatim in "
                    f"episode {evidence.episode!r} of scope {query.scope!r}."
                )
    if not held_out < {query.id for query in queries} or not held_out:
        raise DataError(
            f"Task {name!r}: {len(held_out)} of {len(queries)} queries are held out for the test; "
            "expected at least 1 held out and at least 1 to search with."
        )


def _identity(query: Query) -> dict[str, JSON]:
    """Return the query's fields; what only some tasks have is left out where it is empty, so that digests last."""
    fields: dict[str, JSON] = asdict(query)
    return {name: value for name, value in fields.items() if value or name not in ("aliases", "details")}


def _digest(
    name: str,
    options: Mapping[str, JSON],
    episodes: Sequence[Episode],
    queries: Sequence[Query],
    held_out: frozenset[str],
) -> str:
    content = {
        "name": name,
        "options": dict(options),
        "episodes": [asdict(episode) for episode in episodes],
        "queries": [_identity(query) for query in queries],
        "held_out": sorted(held_out),
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
