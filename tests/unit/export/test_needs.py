"""An export depends on what its program uses, and on nothing else."""

from __future__ import annotations

import ast
import sys
import tomllib
from pathlib import Path

import pytest

from evolve.export.needs import EXTRAS, Uses, constraints, packages, requirement, uses_of
from evolve.export.vendored import vendored
from evolve.paths import seeds_dir, shipped_programs

DATABASE = Uses(llm=False, embed=False, chroma=False, numpy=False)


def used(name: str) -> Uses:
    return uses_of((seeds_dir() / f"{name}.py").read_text(encoding="utf-8"))


def test_each_seed_needs_what_it_uses() -> None:
    assert used("bm25") == used("no_memory") == DATABASE
    assert used("hybrid") == Uses(llm=False, embed=True, chroma=False, numpy=True)
    assert used("vector_search") == Uses(llm=False, embed=True, chroma=True, numpy=True)
    assert used("zoo/a_mem") == Uses(llm=True, embed=True, chroma=False, numpy=True)


@pytest.mark.parametrize("name", shipped_programs("zoo"))
def test_no_use_of_a_shipped_program_is_overlooked(name: str) -> None:
    path = next(
        folder / f"{name}.py" for folder in (seeds_dir(), seeds_dir() / "zoo") if (folder / f"{name}.py").exists()
    )
    source = path.read_text(encoding="utf-8")
    uses = uses_of(source)
    assert uses.llm >= ("toolkit.llm_completion" in source)
    assert uses.chroma >= ("toolkit.chroma" in source)
    assert uses.embed >= ("toolkit.embed" in source)
    assert uses.numpy >= ("import numpy" in source)


@pytest.mark.parametrize(
    ("source", "uses"),
    [
        ("self.ask = toolkit.llm_completion", Uses(llm=True, embed=False, chroma=False, numpy=False)),
        ("embed = getattr(toolkit, 'embed')", Uses(llm=False, embed=True, chroma=False, numpy=True)),
        ("from chromadb.config import Settings", Uses(llm=False, embed=True, chroma=True, numpy=True)),
        ("import numpy.linalg", Uses(llm=False, embed=False, chroma=False, numpy=True)),
        ("# toolkit.embed\n'''Has no toolkit.chroma.'''\nembedded = 1", DATABASE),
    ],
)
def test_uses_are_told_from_the_code_and_not_from_what_is_said_of_it(source: str, uses: Uses) -> None:
    assert uses_of(source) == uses


def test_packages_follow_from_uses() -> None:
    assert packages(used("bm25"), embedding="") == ()
    assert packages(used("hybrid"), embedding="") == ("numpy", "wordllama")
    assert packages(used("hybrid"), embedding="openai:some") == ("numpy",)
    assert packages(used("vector_search"), embedding="") == ("chromadb", "numpy", "wordllama")


@pytest.mark.parametrize(
    ("package", "version", "expected"),
    [
        ("chromadb", "1.5.9", "chromadb>=1.5.9,<1.6"),
        ("wordllama", "0.4.0.post1", "wordllama>=0.4.0.post1,<0.5"),
        ("json-repair", "0.64.5", "json-repair>=0.64.5,<1"),
        ("numpy", "2.4.6+local", "numpy>=2.4.6,<3"),
        ("pytest", "9", "pytest>=9,<10"),
    ],
)
def test_a_range_begins_with_what_was_measured_and_ends_before_what_may_break(
    package: str, version: str, expected: str
) -> None:
    assert requirement(package, {package: version}) == expected


def test_constraints_are_exact_and_in_order() -> None:
    text = constraints(["numpy", "chromadb", "numpy"], {"numpy": "2.0.1", "chromadb": "1.5.0"})
    assert text.splitlines()[1:] == ["chromadb==1.5.0", "numpy==2.0.1"]


def test_every_package_that_the_runtime_imports_is_in_an_extra_or_comes_with_the_program() -> None:
    named = {"json_repair": "json-repair", "langchain_core": "langchain-core"}
    declared = {"chromadb", "numpy", "wordllama", *(name for names in EXTRAS.values() for name in names)}
    imported = set()
    for path, content in vendored("some_memory").items():
        if path.endswith(".py"):
            for node in ast.walk(ast.parse(content)):
                if isinstance(node, ast.Import):
                    imported.update(alias.name.partition(".")[0] for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module:
                    imported.add(node.module.partition(".")[0])
    foreign = {named.get(name, name) for name in imported - sys.stdlib_module_names - {"some_memory"}}
    assert {"chromadb", "mcp", "openai"} <= foreign
    assert foreign <= declared


def test_evolve_itself_comes_with_what_builds_a_wheel() -> None:
    about = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))
    assert any(each.startswith("hatchling") for each in about["project"]["dependencies"])
