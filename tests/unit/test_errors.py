"""Errors: exit codes, one line each, and they come out of another process as what they were."""

from __future__ import annotations

import pickle

import pytest

from evolve import errors
from evolve.errors import EvolveError, ProgramError, ProgramFault

CODES = {
    "EvolveError": 1,
    "ConfigError": 2,
    "DataError": 2,
    "ProgramError": 2,
    "PrerequisiteError": 3,
    "RunFolderError": 4,
    "InfrastructureError": 1,
    "SandboxError": 1,
    "EnvironmentFault": 1,
    "ProviderError": 1,
    "RequestRefused": 1,
    "ModelDeclined": 1,
    "AgentFailure": 1,
    "BudgetSpent": 1,
    "ProgramFault": 1,
    "WireError": 1,
}
EXAMPLES: list[EvolveError] = [
    ProgramError(line=3, found="x", expected="y", name="mine"),
    ProgramError(line=None, found="no read", expected="read"),
    ProgramFault("raised", "ValueError: no"),
    *(getattr(errors, name)("why") for name in CODES if name not in ("ProgramError", "ProgramFault")),
]


def test_every_error_has_its_exit_code() -> None:
    found = {
        name: kind.exit_code
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, EvolveError)
    }
    assert found == CODES


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_errors_survive_pickling(error: EvolveError) -> None:
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert vars(back) == vars(error)


def test_what_a_user_got_wrong_is_a_value_error() -> None:
    assert issubclass(errors.ConfigError, ValueError)


def test_messages_read_as_sentences() -> None:
    assert str(EXAMPLES[0]) == "mine, line 3: found x; expected y."
    assert str(EXAMPLES[1]) == "program: found no read; expected read."
    assert str(EXAMPLES[2]) == "raised: ValueError: no"
