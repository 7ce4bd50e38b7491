"""Where points are lost: every point that is missing from the mean is at one stage and in one category."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolve.summary.losses import STAGES, lost
from evolve.types import Case, FailureStage


def _case(number: int, score: float | None, stage: FailureStage, category: str = "") -> Case:
    outcome = "infrastructure" if score is None else "scored"
    return Case(f"q{number}", "s", category, outcome, score, "What?", stage=stage)


def test_points_are_added_up_by_stage_and_category() -> None:
    held = lost(
        "c001",
        [
            _case(1, 0.0, "read", "latest"),
            _case(2, 0.25, "read", "count"),
            _case(3, 0.5, "extraction", "latest"),
            _case(4, 1.0, "", "latest"),
            _case(5, None, "", "latest"),
        ],
    )
    assert held is not None
    assert (held["candidate"], held["queries"], held["points"]) == ("c001", 4, 2.25)
    first, second = held["stages"]
    assert (first["stage"], first["points"], first["queries"]) == ("extraction", 0.5, 1)
    assert (second["stage"], second["share"], second["queries"]) == ("read", 1.75 / 4, 2)
    assert second["categories"] == {"count": 0.75, "latest": 1.0}


def test_a_case_of_an_older_run_has_an_unknown_stage() -> None:
    held = lost("c000", [_case(1, 0.5, "")])
    assert held is not None
    assert [stage["stage"] for stage in held["stages"]] == ["unknown"]


def test_without_a_score_nothing_can_be_said() -> None:
    assert lost("c000", []) is None
    assert lost("c000", [_case(1, None, "")]) is None


@given(
    st.lists(
        st.tuples(st.one_of(st.none(), st.floats(0, 1)), st.sampled_from([*STAGES, ""]), st.sampled_from("abc")),
        min_size=1,
    )
)
def test_the_shares_add_up_to_one_minus_the_mean(made: list[tuple[float | None, FailureStage, str]]) -> None:
    cases = [_case(number, score, stage, category) for number, (score, stage, category) in enumerate(made)]
    scores = [case.score for case in cases if case.score is not None]
    held = lost("c000", cases)
    if not scores:
        assert held is None
        return
    assert held is not None
    mean = sum(scores) / len(scores)
    assert sum(stage["share"] for stage in held["stages"]) == pytest.approx(1 - mean)
    by_category = sum(points for stage in held["stages"] for points in stage["categories"].values())
    assert by_category == pytest.approx(held["points"])
