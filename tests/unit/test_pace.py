"""How many proposals at a time, and who gets a second look."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evolve.pace import SecondLooks, proposals_wanted
from evolve.population import Candidate, Population


def candidate(number: int, **more: object) -> Candidate:
    held = Candidate(
        f"c{number:03d}", ("c000",), "reflect", "", "scored", "", "", "", "", {"q1": 0.5, "q2": 0.5}, 10.0, 0, ""
    )
    return replace(held, **more)


def population(*candidates: Candidate) -> Population:
    return Population(candidates={each.id: each for each in candidates})


@pytest.mark.parametrize(
    ("proposing", "measuring", "wanted"), [(20.0, 2.0, 8), (6.0, 2.0, 6), (2.0, 2.0, 2), (0.1, 5.0, 2)]
)
def test_proposals_follow_the_ratio_of_proposing_to_measuring(proposing: float, measuring: float, wanted: int) -> None:
    children = [candidate(n, proposing=proposing, seconds=proposing + measuring) for n in range(1, 6)]
    assert proposals_wanted(population(*children), 8) == wanted


def test_as_many_as_allowed_where_nothing_is_measured_yet() -> None:
    seed = candidate(0, operator="seed", parents=(), seconds=3.0)
    failed = candidate(1, outcome="rejected", proposing=0.1, seconds=0.1)
    assert proposals_wanted(population(seed, failed), 5) == 5
    assert proposals_wanted(population(candidate(1, proposing=1.0, seconds=9.0)), 1) == 1


def test_a_dropped_candidate_is_due_when_the_new_best_is_no_better_where_it_was_asked() -> None:
    first = candidate(0, operator="seed", parents=(), scores={"q1": 0.9, "q2": 0.1})
    dropped = candidate(1, outcome="rejected", dropped="race", scores={"q1": 0.4})
    at_the_gate = candidate(2, outcome="rejected", dropped="gate", scores={})
    looks = SecondLooks()
    assert list(looks.due(population(first, dropped, at_the_gate))) == []
    better = candidate(3, scores={"q1": 0.3, "q2": 1.0})
    assert list(looks.due(population(first, dropped, at_the_gate, better))) == [dropped]
    assert list(looks.due(population(first, dropped, at_the_gate, better))) == [], "one look for each best candidate"
    measured = replace(dropped, outcome="scored", scores={"q1": 0.4, "q2": 0.0})
    assert list(SecondLooks().due(population(first, measured, better))) == []
