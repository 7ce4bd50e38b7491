"""What a program uses, and which packages an export of it therefore depends on: these and no others."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from evolve.folder import Run
from evolve.paths import sandboxes_dir

LLM, EMBED, CHROMA = "llm_completion", "embed", "chroma"
"""The parts of the toolkit that need more than the standard library, by the names that programs call them."""
EXTRAS: Mapping[str, tuple[str, ...]] = {
    "openai": ("openai", "json-repair"),
    "anthropic": ("anthropic", "json-repair"),
    "mcp": ("mcp", "anyio"),
    "langgraph": ("langgraph", "langchain-core"),
    "test": ("pytest",),
}
"""What may be installed with an export, by what it is for."""
_LEAST: Mapping[str, str] = {
    "anyio": "4.5",
    "anthropic": "2.12",
    "chromadb": "1.5.9",
    "json-repair": "0.64",
    "langchain-core": "1.7",
    "langgraph": "1.2",
    "mcp": "2.3",
    "numpy": "2.4",
    "openai": "3.54",
    "pytest": "8.3",
    "wordllama": "0.4.0.post1",
}
"""Versions that evolve was made with, for packages that are not installed here."""
_BY_MINOR = frozenset({"chromadb", "wordllama"})
"""Packages whose next minor version may break what works: the toolkit reaches into one, the other has the weights."""
_RELEASE = re.compile(r"(\d+)(?:\.(\d+))?")
_PIN = re.compile(r"^([\w.-]+)==(\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Uses:
    """What a program uses."""

    llm: bool
    """It asks a model itself."""
    embed: bool
    """It has texts embedded; chromadb's collections do that by default."""
    chroma: bool
    numpy: bool
    """It imports numpy, or is given arrays of it."""


def uses_of(source: str) -> Uses:
    """Return what a program uses, by the names that stand in its code: rather one too many than one too few."""
    named: set[str] = set()
    imported: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            named.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            named.add(node.value)  # as in getattr(toolkit, "embed")
        elif isinstance(node, ast.Import):
            imported.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module.partition(".")[0])
    chroma = CHROMA in named or "chromadb" in imported
    embed = chroma or EMBED in named
    return Uses(llm=LLM in named, embed=embed, chroma=chroma, numpy=embed or "numpy" in imported)


def packages(uses: Uses, *, embedding: str) -> tuple[str, ...]:
    """Return the packages that the program cannot do without; `embedding` is a provider's model, "" for none."""
    needed = {"chromadb": uses.chroma, "numpy": uses.numpy, "wordllama": uses.embed and not embedding}
    return tuple(name for name, is_needed in needed.items() if is_needed)


def measured_versions(run: Run) -> dict[str, str]:
    """Return the versions of packages that the run measured its programs with, as far as it has them on record."""
    try:
        held = json.loads(run.paths.versions.read_text(encoding="utf-8"))["versions"]
    except (OSError, ValueError, KeyError):  # of a run that was moved without it
        held = {}
    started = run.population.started
    if started is not None and started.sandbox == "docker":  # the box brings its own
        held |= dict(_PIN.findall((sandboxes_dir() / "requirements.txt").read_text(encoding="utf-8")))
    return {name: str(held[name]) for name in _LEAST if name in held}


def version_of(package: str, measured: Mapping[str, str]) -> str:
    """Return the version that the run measured with, else the one that is here, else the one evolve was made with."""
    if package in measured:
        return measured[package]
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return _LEAST[package]


def requirement(package: str, measured: Mapping[str, str]) -> str:
    """Return a range: from the version that was measured up to the next one that may break what works."""
    version = version_of(package, measured)
    release = _RELEASE.match(version)
    assert release is not None, f"{package} has the version {version}"
    major, minor = int(release[1]), int(release[2] or 0)
    above = f"{major}.{minor + 1}" if package in _BY_MINOR else str(major + 1)
    return f"{package}>={version.partition('+')[0]},<{above}"


def constraints(names: Iterable[str], measured: Mapping[str, str]) -> str:
    """Return the text of a constraints.txt: the exact versions, for who wants what was measured and nothing newer."""
    lines = [f"{name}=={version_of(name, measured)}\n" for name in sorted(set(names))]
    return "".join(["# The versions of the run and of who exported it: pip install -c constraints.txt ...\n", *lines])
