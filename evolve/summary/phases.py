"""What children took over from their parents' evaluations: expected, and found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypedDict

from evolve import types
from evolve.population import Candidate
from evolve.program.phases import in_words


class Phase(TypedDict):
    """One phase of a candidate's evaluation: whether its requests were expected to be new, and how many were.

    `calls` went to the provider, `cached` were answered from the run's own store.
    """

    again: bool
    calls: int
    cached: int


class Reuse(TypedDict):
    """What the evaluations of a run's children asked, and did not have to ask."""

    children: int
    held: int
    """Children of which no phase asked anything new that was not expected to."""
    calls: int
    cached: int


def phases(candidate: Candidate) -> dict[str, Phase]:
    """Return the candidate's phases as plain JSON values; empty in a run without models."""
    found = candidate.phases.items()
    return {name: Phase(again=each.again, calls=each.calls, cached=each.cached) for name, each in found}


def reuse(candidates: Iterable[Candidate]) -> Reuse | None:
    """Return the total over all children whose evaluation was begun, None where there are none."""
    told = [candidate.phases for candidate in candidates if candidate.parents and candidate.phases]
    if not told:
        return None
    parts = [phase for found in told for phase in found.values()]
    return Reuse(
        children=len(told),
        held=sum(not _surprises(found) for found in told),
        calls=sum(part.calls for part in parts),
        cached=sum(part.cached for part in parts),
    )


def describe(candidate: Candidate) -> str:
    """Return what was expected and what came in one line, "" in a run without models."""
    found = candidate.phases
    if not found:
        return ""
    expected = in_words([name for name, phase in found.items() if phase.again])
    made, kept = (sum(part) for part in zip(*((each.calls, each.cached) for each in found.values()), strict=True))
    line = f"expected {expected} again; made {_calls(made)}, {kept:,} more came from the run's own store"
    surprises = ", ".join(f"{_calls(calls)} to {name}" for name, calls in _surprises(found).items())
    return f"{line}; not expected: {surprises}" if surprises else line


def describe_reuse(found: Reuse) -> str:
    """Return the total of a run in one line."""
    whole = found["calls"] + found["cached"]
    share = found["cached"] / whole if whole else 0.0
    children = "child" if found["children"] == 1 else "children"
    return (
        f"Incremental evaluation saved {found['cached']:,} of {_calls(whole)} ({share:.0%}); "
        f"predictions held for {found['held']:,} of {found['children']:,} {children}."
    )


def _surprises(found: Mapping[str, types.Phase]) -> dict[str, int]:
    return {name: phase.calls for name, phase in found.items() if phase.calls and not phase.again}


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count:,} calls"
