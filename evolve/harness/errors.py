"""Every error that a memory raises on purpose. Messages are one line: what is wrong, what is right, what to do next."""

from __future__ import annotations


class HarnessError(Exception):
    """Base of all; anything else that escapes is a bug."""


class BadInput(HarnessError, ValueError):
    """An argument, or a line of a file to import, is of the wrong type or has no use."""


class UnknownScope(HarnessError, LookupError):
    """Nothing was ever written in this scope, or all of it was forgotten."""


class ProgramFailed(HarnessError):
    """The memory program raised, returned something else than a text, returned too much, or took too long."""


class TookTooLong(ProgramFailed):
    """The program was given up in the middle of its work, or died of it: its knowledge base is over."""


class ModelFailed(HarnessError):
    """A model that was needed gave no answer, or none that can be used."""


class LimitReached(HarnessError):
    """A budget of model calls is spent."""


class FolderError(HarnessError):
    """The memory's folder cannot be used: another harness's, a newer format, damaged, full or read-only."""
