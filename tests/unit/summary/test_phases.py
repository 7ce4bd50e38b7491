"""What is told of the phases that children took over from their parents."""

from __future__ import annotations

from pathlib import Path

from evolve.config import Config
from evolve.events import AttemptEnded, Clock, RunStarted
from evolve.folder import Run
from evolve.paths import RunPaths
from evolve.population import Candidate, fold
from evolve.summary import summary
from evolve.summary.phases import describe, describe_reuse, phases, reuse
from evolve.types import Phase


def _candidate(*parents: str, **found: Phase) -> Candidate:
    return Candidate("c001", parents, "reflect", "", "scored", "", "", "", "", {}, 0.0, 0, "", phases=found)


SEED = _candidate(extract=Phase(True, 120), formulate=Phase(True, 60), answer=Phase(True, 60))
READER = _candidate("c000", extract=Phase(False, 0, 120), formulate=Phase(False, 0, 60), answer=Phase(True, 58, 2))
SURPRISE = _candidate("c000", extract=Phase(False, 1, 119), formulate=Phase(True, 60), answer=Phase(True, 60))


def test_a_line_says_what_was_expected_and_what_came() -> None:
    assert describe(READER) == "expected answer again; made 58 calls, 182 more came from the run's own store"
    assert "expected extract, formulate and answer again; made 240 calls, 0 more" in describe(SEED)
    assert describe(SURPRISE).endswith("; not expected: 1 call to extract")
    assert describe(_candidate("c000")) == ""
    assert phases(READER)["answer"] == {"again": True, "calls": 58, "cached": 2}


def test_a_run_counts_its_children_and_the_predictions_that_held() -> None:
    found = reuse([SEED, READER, SURPRISE, _candidate("c000")])
    assert found == {"children": 2, "held": 1, "calls": 58 + 121, "cached": 182 + 119}
    assert describe_reuse(found) == (
        "Incremental evaluation saved 301 of 480 calls (63%); predictions held for 1 of 2 children."
    )


def test_nothing_is_told_where_no_child_was_asked_anything() -> None:
    assert reuse([SEED, _candidate("c000")]) is None
    idle = reuse([_candidate("c000", answer=Phase(False))])
    assert idle is not None
    assert "saved 0 of 0 calls (0%); predictions held for 1 of 1 child." in describe_reuse(idle)


def test_the_summary_of_a_run_has_the_phases_of_each_candidate_and_their_total(tmp_path: Path) -> None:
    clock = Clock("2026-01-01T00:00:00.000+00:00", 1.0)
    config = Config.checked({"task": "chronicle", "models": {"agent": "openai:gpt-5-mini"}}).resolved()
    ended = [
        AttemptEnded(0, "c000", "seed", (), "", "scored", clock, scores={"q": 1.0}, phases=SEED.phases),
        AttemptEnded(1, "c001", "reflect", ("c000",), "", "scored", clock, scores={"q": 1.0}, phases=READER.phases),
    ]
    started = RunStarted("r", "chronicle", "0" * 64, "openai:m", "process", {"static": 1}, clock, scorer="f1")
    shown = summary(Run(RunPaths(tmp_path), config, fold([started, *ended])))
    assert [each["phases"]["extract"]["calls"] for each in shown["candidates"]] == [120, 0]
    assert shown["reuse"] == {"children": 1, "held": 1, "calls": 58, "cached": 182}
