"""Facts that contradict each other, without a model: the newest has to come first, and a search finds its way there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from evolve.session import run
from evolve.summary import versus_best_seed

ABSENT = not any(
    (Path(os.environ.get("EVOLVE_DATA", "-")) / "memoryagentbench" / f"Conflict_Resolution.json{end}").is_file()
    for end in ("", ".gz")
)
pytestmark = pytest.mark.skipif(
    ABSENT, reason="needs memoryagentbench/Conflict_Resolution.json in the folder that EVOLVE_DATA names"
)
POINTS = 0.2
"""What the newest value is worth, at least; measured: 0.9 above vector search, and 0.48 by this search."""


def scored(program: str) -> float:
    """Measure a program as a user would."""
    command = [sys.executable, "-m", "evolve", "score", program, "memoryagentbench", "--json"]
    settings = ('task_options.sources=["sh_6k", "sh_32k"]', "sandbox.kind=process", "evaluation.static=40")
    command += [part for setting in settings for part in ("--set", setting)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return float(json.loads(done.stdout)["programs"][0]["score"]["mean"])


def test_the_latest_value_beats_vector_search() -> None:
    latest = scored("latest_value")
    assert latest >= 0.9
    assert latest - scored("vector_search") >= POINTS


def test_a_search_from_programs_that_know_no_time_comes_to_put_the_newest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVOLVE_RUNS", str(tmp_path))
    ended = run(
        "memoryagentbench",
        name="conflicts",
        workers=1,
        task_options={"sources": ["sh_6k"]},
        search__seeds=["vector_search", "rank_fusion"],
        search__operators=["tune", "recombine"],
        budget__candidates=6,
        sandbox__kind="process",
    )
    assert len(ended.population.seeds) == 2
    gained = versus_best_seed(ended)
    assert gained is not None
    assert gained["difference"] >= POINTS
    assert gained["low"] > 0
