"""Every error that evolve raises on purpose, each with the exit code that the command line gives it.

A candidate's failure is data (`evolve.types.Case`), the system's failure is one of these. Messages are one line: the
bad value, the good values, the next step.
"""

from __future__ import annotations


class EvolveError(Exception):
    """Base of all; anything else that escapes is a bug."""

    exit_code = 1


class ConfigError(EvolveError, ValueError):
    """The user asked for something that does not exist or does not fit together."""

    exit_code = 2


class DataError(ConfigError):
    """A task's data is malformed: file, line, field, what is wrong."""


class ProgramError(ConfigError):
    """A memory program breaks the contract.

    `line` is 1-based, or None where the fault is something missing from the whole file.
    """

    def __init__(self, *, line: int | None, found: str, expected: str, name: str = "program") -> None:
        self.line = line
        self.found = found
        self.expected = expected
        self.name = name
        super().__init__(line, found, expected, name)

    def __str__(self) -> str:
        where = self.name if self.line is None else f"{self.name}, line {self.line}"
        return f"{where}: found {self.found}; expected {self.expected}."

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild_program_error, (self.line, self.found, self.expected, self.name)


def _rebuild_program_error(line: int | None, found: str, expected: str, name: str) -> ProgramError:
    return ProgramError(line=line, found=found, expected=expected, name=name)


class PrerequisiteError(EvolveError):
    """Something that must be there before a run is not: an engine, data, git, disk space."""

    exit_code = 3


class RunFolderError(EvolveError):
    """The run folder cannot be used: another config, another process, not writable, unreadable journal."""

    exit_code = 4


class InfrastructureError(EvolveError):
    """Something around the program failed, not the program: retried, never scored."""


class SandboxError(InfrastructureError):
    """The sandbox failed."""


class EnvironmentFault(InfrastructureError):
    """The environment of a game failed, or did not answer in time and was killed."""


class ProviderError(InfrastructureError):
    """A model provider gave no answer after every retry."""


class RequestRefused(EvolveError):
    """A provider will not take this very request (too long, malformed); asking again does not help."""


class ModelDeclined(RequestRefused):
    """The request was taken, and the model itself declined to answer it."""


class AgentFailure(EvolveError):
    """The task agent answered, but not with what it was asked for, also when it was asked again."""


class BudgetSpent(EvolveError):
    """The next call could go over a budget, so it was not made."""


class ProgramFault(EvolveError):
    """The program failed inside its sandbox: raised, died, or broke a limit.

    `kind` is decided outside the sandbox ("raised", "timeout", "memory", "died", "protocol", "read_chars"); the message
    may quote the program.
    """

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        self.message = message
        super().__init__(kind, message)

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


class WireError(EvolveError):
    """A frame is oversized, malformed or unexpected; it ends the candidate that sent it and nothing else."""
