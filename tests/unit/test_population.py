"""The population is a fold of events: nothing is in it that is not in them."""

from __future__ import annotations

from dataclasses import replace
from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolve.events import (
    AttemptEnded,
    AttemptStarted,
    CandidateOutcome,
    Clock,
    Dropped,
    Event,
    Measured,
    RunStarted,
    RunStopped,
    Trial,
    WinnerChosen,
)
from evolve.population import Population, fold
from evolve.types import Cost, Phase


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


def dropped(number: int, at: Dropped, *scores: float) -> AttemptEnded:
    """A child that was measured in part and given up."""
    event = ended(number, *scores, operator="reflect", outcome="rejected")
    return replace(event, dropped=at, reason="loses", phases={"read": Phase(again=True, calls=3)})


def test_a_dropped_child_is_measured_but_no_parent() -> None:
    population = fold([ended(0, 0.5), dropped(1, "gate", 1.0), dropped(2, "race", 0.25, 0.75)])
    assert [candidate.id for candidate in population.scored] == ["c000"]
    assert population.children == 2, "they count against the budget"
    held = population.candidates["c002"]
    assert (held.dropped, held.outcome, held.is_measured, held.mean) == ("race", "rejected", True, 0.5)
    assert held.phases == {"read": Phase(again=True, calls=3)}
    assert population.best is not None
    assert population.best.id == "c000", "a mean over a part is not compared"


def test_a_child_that_never_ran_does_not_count() -> None:
    population = fold([ended(0, 0.5), ended(1, operator="reflect", outcome="rejected")])
    assert population.children == 0
    assert not population.candidates["c001"].is_measured
    assert isnan(population.candidates["c001"].mean)


def test_a_dropped_child_that_is_measured_on_is_scored() -> None:
    rest = Measured("c001", "static", {"q1": 0.9, "q2": None}, clock(), cost={"agent": Cost(calls=7)})
    before = fold([ended(0, 0.5, 0.5, 0.5), dropped(1, "race", 0.8), ended(2, 0.6, operator="tune")])
    population = before.apply(rest)
    held = population.candidates["c001"]
    assert dict(held.scores) == {"q0": 0.8, "q1": 0.9}
    assert held.mean == pytest.approx(0.85)
    assert (held.outcome, held.reason, held.dropped) == ("scored", "", "race")
    assert held.later_cost == {"agent": Cost(calls=7)}
    assert population.best == held
    assert [candidate.id for candidate in population.scored] == ["c000", "c001", "c002"], (
        "in the order in which they ended"
    )
    assert population.children == before.children == 2


def test_the_time_to_propose_is_part_of_the_seconds() -> None:
    event = replace(ended(1, 0.5), clock=Clock("2026-01-01T00:00:00.000+00:00", 9.0, 6.0, 2.5))
    candidate = fold([event]).candidates["c001"]
    assert (candidate.seconds, candidate.proposing) == (6.0, 2.5)


def test_an_event_changes_no_population_before_it() -> None:
    begun = AttemptStarted(2, "tune", ("c000",), clock())
    trial = replace(ended(2, 0.9, operator="tune"), parents=("c000",), trials=(Trial({"k": 1}, 0.9),), study="s")
    later = Measured("c000", "static", {"q0": 1.0}, clock())
    states = [fold([ended(0, 0.5), ended(1, 0.4)])]
    for event in (begun, trial, later):
        states.append(states[-1].apply(event))
    assert states[0] == fold([ended(0, 0.5), ended(1, 0.4)])
    assert [len(state.scored) for state in states] == [2, 2, 3, 3]
    assert [set(state.begun) for state in states] == [set(), {2}, set(), set()]
    assert [state.best.id for state in states if state.best] == ["c000", "c000", "c002", "c000"]
    assert [dict(state.studies) for state in states] == [{}, {}, {"s": "c000"}, {"s": "c000"}]


@given(
    st.lists(st.tuples(st.sampled_from(["scored", "rejected", "void"]), st.integers(0, 5), st.booleans()), max_size=12)
)
def test_what_is_kept_up_to_date_is_what_a_search_would_find(made: list[tuple[CandidateOutcome, int, bool]]) -> None:
    population = Population()
    for number, (outcome, mark, measured_on) in enumerate(made):
        parents = () if number < 2 else tuple(dict.fromkeys((f"c{mark % number:03d}", f"c{number // 2:03d}")))
        event = ended(number, mark / 5, operator="reflect" if parents else "seed", outcome=outcome)
        population = population.apply(replace(event, parents=parents, digest=f"d{mark}", behaviour=f"b{mark}"))
        assert len(population.scored) <= number + 1
        if measured_on:
            population = population.apply(Measured(f"c{number:03d}", "static", {"q1": 0.5}, clock()))
    held = list(population.candidates.values())
    scored = [each for each in held if each.outcome == "scored"]
    assert population.scored == scored
    assert population.seeds == [each for each in held if each.operator == "seed"]
    assert population.children == sum(each.operator != "seed" and each.is_measured for each in held)
    assert population.best == max(scored, key=lambda each: each.mean, default=None)
    assert population.digests == {each.digest: each.id for each in held}
    assert population.behaviours == {each.behaviour: each.id for each in scored}
    for parent in held:
        assert population.made_from(parent.id) == [each for each in held if parent.id in each.parents]


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
