"""The population is a fold of events: nothing is in it that is not in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolve.events import (
    AttemptEnded,
    AttemptStarted,
    CandidateOutcome,
    Clock,
    Event,
    Measured,
    RunStarted,
    RunStopped,
    Trial,
    WinnerChosen,
)
from evolve.population import Population, fold


def clock(elapsed: float = 0.0) -> Clock:
    return Clock("2026-01-01T00:00:00.000+00:00", elapsed)


def ended(
    number: int, *scores: float | None, operator: str = "seed", outcome: CandidateOutcome = "scored"
) -> AttemptEnded:
    by_query = {f"q{place}": score for place, score in enumerate(scores)}
    return AttemptEnded(number, f"c{number:03d}", operator, (), "", outcome, clock(), source="x", scores=by_query)


def test_an_empty_journal_is_an_empty_population() -> None:
    assert fold([]) == Population()
    assert fold([]).best is None
    assert fold([]).best_seed is None
    assert fold([]).children == 0


def test_begun_attempts_are_those_without_an_end() -> None:
    begun = [AttemptStarted(0, "seed", (), clock()), AttemptStarted(1, "seed", (), clock())]
    population = fold([*begun, ended(1, 0.5)])
    assert dict(population.begun) == {0: begun[0]}
    assert population.ended == {1}


def test_best_is_the_best_scored_and_the_earliest_of_equals() -> None:
    population = fold([ended(0, 0.5), ended(1, 0.7), ended(2, 0.7), ended(3, 1.0, outcome="rejected")])
    assert population.best is not None
    assert population.best.id == "c001"


def test_the_winner_is_best_though_another_has_a_higher_static_score() -> None:
    population = fold([ended(0, 0.5), ended(1, 0.7), WinnerChosen("c000", clock())])
    assert population.best is not None
    assert population.best.id == "c000"


def test_best_seed_is_a_scored_seed() -> None:
    population = fold([ended(0, 0.2), ended(1, 0.9, outcome="void"), ended(2, 0.8, operator="tune"), ended(3, 0.3)])
    assert population.best_seed is not None
    assert population.best_seed.id == "c003"
    assert [seed.id for seed in population.seeds] == ["c000", "c001", "c003"]


def test_children_are_what_the_budget_counts() -> None:
    outcomes: list[CandidateOutcome] = ["scored", "rejected", "void"]
    events = [ended(n, 0.5, operator="tune", outcome=outcome) for n, outcome in enumerate(outcomes)]
    assert fold([*events, ended(7, 0.5)]).children == 2


def test_faults_of_the_infrastructure_are_in_no_mean() -> None:
    candidate = fold([ended(0, 1.0, None, 0.0, None)]).candidates["c000"]
    assert candidate.mean == 0.5
    assert set(candidate.scores) == {"q0", "q2"}


def test_later_measurements_join_the_candidate() -> None:
    events = [ended(0, 0.5), Measured("c000", "fresh", {"f": 1.0, "g": None}, clock())]
    candidate = fold([*events, Measured("c000", "test", {"t": 0.25}, clock())]).candidates["c000"]
    assert dict(candidate.fresh) == {"f": 1.0}
    assert dict(candidate.test) == {"t": 0.25}
    assert dict(candidate.confirmed) == {"q0": 0.5, "f": 1.0}


def test_an_id_is_never_used_twice() -> None:
    with pytest.raises(ValueError, match="c001 ended twice"):
        fold([ended(1, 0.5), ended(1, 0.9)])


def test_trials_are_kept_by_study_in_order() -> None:
    first, second, third = Trial({"k": 1}, 0.1), Trial({"k": 2}, None), Trial({"k": 3}, 0.3)

    def tuned(number: int, study: str, *trials: Trial) -> AttemptEnded:
        name = f"c{number}"
        return AttemptEnded(number, name, "tune", (), "", "rejected", clock(), trials=trials, study=study)

    population = fold([tuned(0, "a", first), tuned(1, "b", second), tuned(2, "a", third), tuned(3, "c")])
    assert dict(population.trials) == {"a": (first, third), "b": (second,)}


def test_stopped_only_as_long_as_nothing_follows() -> None:
    stop = RunStopped("interrupted", "interrupted", clock(5.0))
    assert fold([ended(0, 0.5), stop]).stopped == stop
    assert fold([ended(0, 0.5), stop, AttemptStarted(1, "tune", (), clock(5.5))]).stopped is None


def test_elapsed_is_the_latest() -> None:
    assert fold([AttemptStarted(0, "seed", (), clock(3.0)), AttemptStarted(1, "seed", (), clock(2.0))]).elapsed == 3.0


@given(st.permutations(range(6)), st.integers(0, 6))
def test_a_resume_sees_what_the_first_driver_saw(order: list[int], cut: int) -> None:
    """Folding what was written so far and then the rest is folding all of it."""
    started = RunStarted("r", "t", "d", "extractive", "process", {}, clock())
    events: list[Event] = [started, *(ended(number, number / 10) for number in order)]
    population = fold(events[: cut + 1])
    for event in events[cut + 1 :]:
        population = population.apply(event)
    assert population == fold(events)
    assert [candidate.id for candidate in population.candidates.values()] == [f"c{number:03d}" for number in order]
