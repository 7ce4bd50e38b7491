"""What an export is called: a project name and a version that pip takes, and the name that it is imported by."""

from __future__ import annotations

import keyword
import re
import sys
from dataclasses import dataclass

from evolve.errors import ConfigError

_PROJECT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
"""PEP 508."""
_VERSION = re.compile(r"N(\.N)*((a|b|rc)N)?(\.postN)?(\.devN)?".replace("N", r"(0|[1-9]\d*)"))
"""PEP 440, as it is normalised: so that the wheel bears it as it was given."""
_MOST = 80
"""Characters: names of files are made of it."""
_TAKEN = frozenset(
    [
        "anthropic",
        "anyio",
        "chromadb",
        "evolve",
        "json_repair",
        "langchain_core",
        "langgraph",
        "mcp",
        "numpy",
        "openai",
        "pytest",
        "tests",
        "wordllama",
    ]
)
"""What an export imports, or may: under one of these names it would import itself."""


@dataclass(frozen=True, slots=True)
class Names:
    """The two names of an export."""

    project: str
    """As in `pip install`, normalised (PEP 503): lower case, parted by hyphens."""
    package: str
    """As in `import`."""


def names(project: str) -> Names:
    """Return both names of a project. Raises ConfigError where one of them cannot be."""
    if not _PROJECT.fullmatch(project) or len(project) > _MOST:
        raise _refused(project, f"has to be letters, digits, '.', '_' and '-', at most {_MOST} of them")
    normal = re.sub(r"[-_.]+", "-", project).lower()
    package = normal.replace("-", "_")
    if not package.isidentifier() or keyword.iskeyword(package):
        raise _refused(project, f"would be imported as {package!r}, which Python cannot")
    if package in sys.stdlib_module_names:
        raise _refused(project, f"is a module of Python's own, {package!r}")
    if package in _TAKEN:
        raise _refused(project, f"is the name of a package that is there already, {package!r}")
    return Names(normal, package)


def version_of(text: str) -> str:
    """Return a project's version. Raises ConfigError."""
    if not _VERSION.fullmatch(text):
        raise ConfigError(f"version {text!r} is none that pip takes; give one such as 0.2.0 or 1.0rc1.")
    return text


def _refused(project: str, why: str) -> ConfigError:
    return ConfigError(f"name {project!r} {why}; give another one with --name, such as locomo-memory.")
