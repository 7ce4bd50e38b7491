"""How big a memory is, and since when it grows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ScopeStats:
    """One scope."""

    scope: str
    writes: int
    bytes: int
    """Of all its files, the snapshot's included."""
    snapshot_bytes: int
    first: str
    """When the first write was made that is still there; ISO 8601, UTC."""
    last: str
    """When the last write was made; ISO 8601, UTC."""


@dataclass(frozen=True, slots=True)
class Stats:
    """A whole memory, or one scope of it."""

    scopes: tuple[ScopeStats, ...]

    @property
    def writes(self) -> int:
        """Of all scopes."""
        return sum(scope.writes for scope in self.scopes)

    @property
    def bytes(self) -> int:
        """Of all scopes."""
        return sum(scope.bytes for scope in self.scopes)
