"""One tiny call to every model before anything is spent, so that a wrong key is an error in the first second."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evolve.config import Models, ModelTable
from evolve.errors import PrerequisiteError, RequestRefused
from evolve.models.base import Answer, Call, Denied, Message, Note, Provider, RateLimited, Unavailable, Usage
from evolve.types import JSON

_IN_JSON = ("agent", "judge")
_SCHEMA: Mapping[str, JSON] = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}
_TOKENS = 64
_WAITS = (0.1, 0.4)
"""Seconds before another try where the provider does not say; an address that refuses connections stays under one."""


@dataclass(frozen=True, slots=True)
class Ready:
    """One model that answered, and what the answer used."""

    roles: tuple[str, ...]
    """The roles that it plays."""
    model: str
    usage: Usage


def preflight(
    models: Models, provider_of: Callable[[str], Provider], *, note: Note, seconds: float = 20.0
) -> list[Ready]:
    """Ask every model once, all at a time: as JSON where the role needs it, one vector of the embedding model.

    `provider_of` takes a role. Roles whose tables differ in no more than their limits share a call, and the first
    one's provider.
    Returns within `seconds`. Raises PrerequisiteError, one line, where a model does not answer; a model that does not
    keep to JSON is only noted.
    """
    groups: dict[tuple[ModelTable, bool], list[str]] = {}
    for role, table in models.by_role.items():
        alike = table.model_copy(update={"timeout_seconds": seconds, "max_tokens": None})
        groups.setdefault((alike, role == "embedding"), []).append(role)
    until = time.monotonic() + seconds
    checks = [_Check(tuple(roles), table, until, note) for (table, _), roles in groups.items()]
    late = f"no answer within {seconds:g} seconds; try again once the model is loaded, or correct base_url."
    ready, faults = [], []
    for check, outcome in zip(checks, _ask_all(checks, provider_of, until), strict=True):
        if isinstance(outcome, Usage):
            ready.append(Ready(check.roles, check.table.model, outcome))
        else:
            roles = ", ".join(f"models.{role}" for role in check.roles)
            faults.append(f"{roles}: {outcome or f'{check.table.model}: {late}'}")
    if faults:
        raise PrerequisiteError(" ".join(faults))
    return ready


@dataclass(frozen=True, slots=True)
class _Check:
    """The call to one model."""

    roles: tuple[str, ...]
    table: ModelTable
    until: float
    """On the monotonic clock."""
    note: Note

    def ask(self, provider: Provider) -> Usage | str:
        """Return what the call used, or why there was no answer."""
        for wait in (*_WAITS, None):
            try:
                return self._once(provider)
            except Denied as error:
                return str(error)
            except RequestRefused as error:
                return f"even a tiny request fails: {error}"
            except Unavailable as error:
                fault, after = f"{error}; start the server, correct base_url, or try again later.", None
            except RateLimited as error:
                fault, after = f"{error.args[0]}; wait for the limit to pass, or use another key.", error.retry_after
            pause = wait if wait is None or after is None else after
            if pause is None or time.monotonic() + pause >= self.until:
                return fault
            time.sleep(pause)
        return fault

    def _once(self, provider: Provider) -> Usage:
        if "embedding" in self.roles:
            return provider.embed(["ready"])[1]
        wants_json = any(role in _IN_JSON for role in self.roles)
        text = 'Reply with this JSON object: {"ok": true}' if wants_json else "Reply with one word: ready"
        answer = provider.complete(
            Call(
                (Message("user", text),),
                max_tokens=_TOKENS,
                schema=_SCHEMA if wants_json else None,
                temperature=self.table.temperature,
                effort=self.table.effort,
            )
        )
        if wants_json and not _keeps(answer):
            self.note(f"{self.table.model} does not keep to JSON; what it breaks is repaired, or asked again once.")
        return answer.usage


def _ask_all(
    checks: Sequence[_Check], provider_of: Callable[[str], Provider], until: float
) -> list[Usage | str | None]:
    """Return each check's outcome; None where it came too late."""
    outcomes: list[Usage | str | None] = [None] * len(checks)
    done: queue.SimpleQueue[tuple[int, Usage | str]] = queue.SimpleQueue()

    def ask(at: int, provider: Provider) -> None:
        done.put((at, checks[at].ask(provider)))

    started = 0
    for at, check in enumerate(checks):
        try:
            provider = provider_of(check.roles[0])
        except PrerequisiteError as error:
            outcomes[at] = str(error)
            continue
        # A daemon: a server that holds the line must not hold up the exit.
        threading.Thread(target=ask, args=(at, provider), daemon=True).start()
        started += 1
    try:
        for _ in range(started):
            at, outcome = done.get(timeout=max(0.0, until - time.monotonic()))
            outcomes[at] = outcome
    except queue.Empty:
        pass
    return outcomes


def _keeps(answer: Answer) -> bool:
    if answer.truncated:  # a reasoning model may need all its tokens to think: that says nothing
        return True
    try:
        value = json.loads(answer.text)
    except ValueError:
        return False
    return isinstance(value, dict) and "ok" in value
