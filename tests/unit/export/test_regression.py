"""The tests of an exported package pass for every candidate, and fail for whatever reads otherwise."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import evolve
from evolve.errors import EvolveError, RunFolderError
from evolve.evaluation.splits import Work
from evolve.export.regression import sampled, write_tests
from evolve.folder import Run
from evolve.harness.program import Harness
from evolve.paths import RunPaths
from evolve.population import Candidate
from evolve.types import Case, Episode, Query

Taken = Callable[[Run, Candidate], Harness]
Packaged = Callable[[Harness, Path, str], None]
CHECKOUT = str(Path(evolve.__file__).parents[1])


def run_tests(*folders: Path, only: str = "read_in_the_run") -> subprocess.CompletedProcess[str]:
    """Run the tests of these projects, whose packages lie beside them."""
    path = os.pathsep.join([CHECKOUT, *map(str, folders)])
    flags = ("-p", "no:cacheprovider", "--import-mode=importlib", "-q", "-k", only, f"--rootdir={folders[0]}")
    command = [sys.executable, "-m", "pytest", *flags, *(str(folder / "tests") for folder in folders)]
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("which", ["plain_run", "model_run"])
def test_every_candidate_reads_what_it_read_in_the_run(
    which: str, tmp_path: Path, taken: Taken, packaged: Packaged, request: pytest.FixtureRequest
) -> None:
    run: Run = request.getfixturevalue(which)
    folders, cases = [], 0
    for candidate in run.population.scored:
        folder, package = tmp_path / candidate.id, f"taken_{candidate.id}"
        packaged(taken(run, candidate), folder, package)
        count = write_tests(run, candidate, taken(run, candidate), folder, package)
        assert count >= 4
        cases += count
        folders.append(folder)
    done = run_tests(*folders)
    assert done.returncode == 0, done.stdout
    assert f"{3 * cases} passed" in done.stdout


def test_a_sample_shows_two_scopes_and_the_replies_that_programs_got(
    model_run: Run, tmp_path: Path, taken: Taken
) -> None:
    for candidate in model_run.population.seeds:
        write_tests(model_run, candidate, taken(model_run, candidate), tmp_path / candidate.id, "taken")
    read = {path.parts[-3]: json.loads(path.read_text()) for path in tmp_path.glob("*/tests/cases.json")}
    assert [len(held["scopes"]) for held in read.values()] == [2] * 4
    asks = {each.id for each in model_run.population.seeds if "llm_completion" in (each.source or "")}
    assert {name for name, held in read.items() if held["completions"]} == asks
    assert all(held["embeddings"] for held in read.values()), "all four embed"


def test_one_other_character_fails_that_case_alone(
    plain_run: Run, tmp_path: Path, taken: Taken, packaged: Packaged
) -> None:
    assert plain_run.best is not None
    harness = taken(plain_run, plain_run.best)
    packaged(harness, tmp_path, "taken")
    count = write_tests(plain_run, plain_run.best, harness, tmp_path, "taken")
    held: dict[str, Any] = json.loads((tmp_path / "tests" / "cases.json").read_text())
    changed = held["scopes"][0]["reads"][0]
    changed["expected"] = changed["expected"][:-1] + "\u00e9"
    (tmp_path / "tests" / "cases.json").write_text(json.dumps(held))
    done = run_tests(tmp_path)
    assert f"3 failed, {3 * count - 3} passed" in done.stdout
    assert changed["id"] in done.stdout


def test_a_package_that_needs_evolve_fails(plain_run: Run, tmp_path: Path, taken: Taken, packaged: Packaged) -> None:
    assert plain_run.best is not None
    harness = taken(plain_run, plain_run.best)
    packaged(harness, tmp_path / "needy", "needy")
    write_tests(plain_run, plain_run.best, harness, tmp_path / "needy", "needy")
    assert "1 failed" in run_tests(tmp_path / "needy", only="need_evolve").stdout
    alone = tmp_path / "alone"
    (alone / "alone").mkdir(parents=True)
    (alone / "alone" / "__init__.py").write_text("class Memory: ...\nclass Limits: ...\n")
    write_tests(plain_run, plain_run.best, harness, alone, "alone")
    assert "1 passed" in run_tests(alone, only="need_evolve").stdout


def test_a_harness_that_reads_otherwise_gets_no_tests(plain_run: Run, tmp_path: Path, taken: Taken) -> None:
    assert plain_run.best is not None
    harness = taken(plain_run, plain_run.best)
    other = (
        "\n\nclass KnowledgeBase(KnowledgeBase):\n    def read(self, query):\n        return super().read(query)[:9]\n"
    )
    with pytest.raises(EvolveError, match=r"does not read what it read in run 'plain': .* from character 9 on"):
        write_tests(plain_run, plain_run.best, replace(harness, source=harness.source + other), tmp_path, "taken")
    assert not (tmp_path / "tests").exists()


def test_a_reply_that_is_not_on_record_is_noticed_where_the_program_hides_it(
    model_run: Run, tmp_path: Path, taken: Taken
) -> None:
    shutil.copytree(model_run.paths.root, tmp_path / "modelled")
    with sqlite3.connect(tmp_path / "modelled" / "llm.sqlite") as db:
        db.execute("DELETE FROM answers WHERE role = 'toolkit'")
    db.close()
    poor = replace(model_run, paths=RunPaths(tmp_path / "modelled"))
    asking = next(each for each in poor.population.seeds if "llm_completion" in (each.source or ""))
    with pytest.raises(RunFolderError, match="no answer of its toolkit on record"):
        write_tests(poor, asking, taken(poor, asking), tmp_path / "project", "taken")


def made(scope: str, chars: int, *cases: tuple[str, float]) -> tuple[Work, dict[str, Case]]:
    queries = [Query(f"{scope}{number}", scope, "?", "") for number in range(len(cases))]
    work = Work(scope, (Episode(scope, scope, "x" * chars),), tuple(queries))
    held = {
        query.id: Case(query.id, scope, category, "scored", score, "?")
        for query, (category, score) in zip(queries, cases, strict=True)
    }
    return work, held


def test_a_sample_prefers_what_is_different_and_short() -> None:
    parts = [
        made("a", 90, ("one", 1.0), ("one", 1.0), ("one", 1.0), ("two", 0.0), ("two", 0.2), ("one", 0.9)),
        made("b", 50, ("one", 1.0), ("two", 0.0)),
        made("c", 70, ("one", 1.0), ("three", 1.0)),
        made("d", 10, ("one", 1.0)),
    ]
    cases = {query: case for _, held in parts for query, case in held.items()}
    sample = sampled([work for work, _ in parts], cases)
    assert [work.scope for work, _ in sample] == ["b", "c"], "two kinds in less text, then the one with a new kind"
    assert [case.category for case in sample[1][1]] == ["three", "one"], "what was not seen yet comes first"
    ((_, chosen),) = sampled([parts[0][0]], cases)
    assert [case.query for case in chosen] == ["a0", "a3", "a1", "a4", "a2", "a5"], "in turn, right and wrong"
    assert sampled([], {}) == []
