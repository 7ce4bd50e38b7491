"""Whole runs through the real SDKs: seeds, reflect, merge, final test; and what a reflector may not see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import git
import pytest

from evolve.evaluation.splits import make_splits
from evolve.session import Run, find_program
from evolve.tasks import load as load_task
from evolve.testing.model_server import ModelServer
from evolve.testing.weak_models import speak
from evolve.testing.weak_runs import Spoken, weak_run
from evolve.types import Query


def generations(run: Run) -> int:
    """How many candidates the longest line of parents holds, seed and youngest child included."""
    depth: dict[str, int] = {}
    for candidate in run.candidates:
        if candidate.outcome == "scored":
            depth[candidate.id] = 1 + max((depth.get(parent, 0) for parent in candidate.parents), default=0)
    return max(depth.values())


def mark(query: Query) -> str:
    """The part of a gold answer that stands in no episode."""
    return query.answer.split()[-1]


@pytest.fixture(autouse=True)
def _runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVOLVE_RUNS", str(tmp_path / "runs"))


def half_blind(folder: Path) -> list[str]:
    """Two seeds that must win on different queries: one sees the first half of each episode, the other the second."""
    source = find_program("bm25").read_text()
    for name, half in (("early", "raw_text[: len(raw_text) // 2]"), ("late", "raw_text[len(raw_text) // 2 :]")):
        start = "    def write(self, item, raw_text):\n"
        assert start in source
        (folder / f"{name}.py").write_text(source.replace(start, f"{start}        raw_text = {half}\n"))
    return [str(folder / "early.py"), str(folder / "late.py"), "experience"]


@pytest.mark.slow
@pytest.mark.parametrize(("api", "workers"), [("chat", 1), ("responses", 1), ("messages", 2)])
def test_a_whole_run(tmp_path: Path, api: Spoken, workers: int) -> None:
    with ModelServer(speak) as server:
        seeds: Any = half_blind(tmp_path)
        run = weak_run(tmp_path, server, api=api, workers=workers, search__seeds=seeds, search__in_flight=2)
        assert {arrival.asked.api for arrival in server.arrivals if arrival.asked} == {api}
        assert set(server.ends) == {"answered"}
        reflected = [
            "\n".join([asked.system, *(turn.text for turn in asked.messages)])
            for asked in (arrival.asked for arrival in server.arrivals)
            if asked is not None and "memory program" in asked.system
        ]
    assert run.status == "finished"
    check_lineage(run)
    check_rejections(run)
    check_critiques(run)
    check_measurements(run)
    check_secrets(run, reflected)


def check_lineage(run: Run) -> None:
    """At least 3 generations, children of both operators, and git parents that are the candidates' parents."""
    scored = [candidate for candidate in run.candidates if candidate.outcome == "scored"]
    assert generations(run) >= 3
    assert {"seed", "reflect", "merge"} <= {candidate.operator for candidate in scored}
    commits = {candidate.id: candidate.commit for candidate in run.candidates}
    with git.Repo(run.paths.lineage) as repository:
        for candidate in run.candidates:
            assert len(candidate.parents) == {"seed": 0, "reflect": 1, "merge": 2}[candidate.operator]
            parents = [parent.hexsha for parent in repository.commit(candidate.commit).parents]
            assert len(parents) == len(candidate.parents)
            assert [commits[parent] for parent in candidate.parents if parents] == parents


def check_rejections(run: Run) -> None:
    """Whatever was rejected says why, and nothing is void: the server had no faults."""
    rejected = [candidate for candidate in run.candidates if candidate.outcome != "scored"]
    assert rejected, "the weak reflector breaks some programs: a run without a rejection shows nothing"
    assert all(candidate.outcome == "rejected" and candidate.reason.strip() for candidate in rejected)


def check_critiques(run: Run) -> None:
    """Diagnosis, prompt, reply and cost of every child are in the archive."""
    children = [candidate for candidate in run.candidates if candidate.operator in ("reflect", "merge")]
    for child in children:
        critique = run.critique(child.id)
        for heading in ("# Diagnosis", "# Cost", "# Round 1", "## Prompt", "## Reply"):
            assert heading in critique, child.id
        assert "You improve memory programs" in critique
        assert "- reflector: $0." in critique
        cost = child.cost["reflector"]
        assert cost.calls or cost.cached, "two workers may ask the same at one time, and pay once"
        assert bool(cost.usd) == bool(cost.calls)


def check_measurements(run: Run) -> None:
    """Every case is scored, the winner is better than every seed, and the final test has a score for every query."""
    best = run.best
    assert best is not None
    assert best.operator != "seed"
    assert best.mean > max(candidate.mean for candidate in run.candidates if candidate.operator == "seed")
    assert len(best.test) == 10
    for candidate in run.candidates:
        if candidate.outcome == "scored":
            assert {case.outcome for case in run.cases(candidate.id)} == {"scored"}


def check_secrets(run: Run, reflected: list[str]) -> None:
    """No prompt of a reflector holds a gold answer of the queries that are scored; of the rotating ones some do."""
    splits = make_splits(
        load_task(run.config.task, run.config.task_options), run.config.evaluation, seed=run.config.seed
    )
    kept = {mark(query) for query in (*splits.static, *splits.fresh, *splits.test)}
    assert len(kept) >= 22
    assert len(reflected) >= 8
    seen = "\n".join(reflected)
    assert not {secret for secret in kept if secret in seen}
    assert any(mark(query) in seen for query in splits.rotating)
