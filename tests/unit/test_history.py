"""What a reflector is told of earlier attempts."""

from __future__ import annotations

from typing import Any

import pytest

from evolve.history import CHILDREN, COMPARED, ancestry, children, tried
from evolve.population import Candidate, Population
from evolve.program import load, rewrite_constants
from evolve.session import find_program

BM25 = load(find_program("bm25")).source
FEWER = rewrite_constants(BM25, {"HITS": 3})


def candidate(name: str, mean: float, *parents: str, source: str | None = BM25, **others: Any) -> Candidate:
    held = {"operator": "reflect" if parents else "seed", "note": f"note of {name}", "outcome": "scored", "reason": ""}
    held |= others
    return Candidate(
        id=name, parents=parents, source=source, digest=name, behaviour=name, scores={"q": mean}, seconds=0.0, stale=0,
        commit="", **held,
    )  # fmt: skip


def population(*candidates: Candidate) -> Population:
    return Population(candidates={each.id: each for each in candidates})


SEED, OTHER = candidate("c000", 0.5), candidate("c001", 0.6)
WORSE = candidate("c002", 0.4, "c000", source=FEWER)
MERGED = candidate("c003", 0.7, "c002", "c001", operator="merge")
REJECTED = candidate("c004", 0.9, "c000", source=None, outcome="rejected", reason="does not apply")
ALL = population(SEED, OTHER, WORSE, MERGED, REJECTED)


def test_the_ancestry_is_the_line_of_first_parents_from_the_seed_on() -> None:
    line = ancestry(ALL, MERGED)
    assert [each.candidate for each in line] == ["c000", "c002", "c003"]
    assert line[0].change is None, "a seed has nothing to differ from"
    assert line[1].change == pytest.approx(-0.1)
    assert line[2].change == pytest.approx(0.1), "from the better of both parents"
    assert "HITS" in line[1].diff


def test_of_a_long_line_only_the_newest_say_what_they_changed() -> None:
    made = [SEED]
    for number in range(1, COMPARED + 4):
        source = rewrite_constants(BM25, {"HITS": 3 + number})
        made.append(candidate(f"c{number:03d}", 0.5 + number / 100, made[-1].id, source=source))
    told = ancestry(population(*made), made[-1])
    assert [each.candidate for each in told] == [each.id for each in made]
    assert [bool(each.diff) for each in told] == [False] * (len(made) - COMPARED) + [True] * COMPARED
    assert [each.change for each in told[1:]] == [pytest.approx(0.01)] * (len(made) - 1)


def test_children_are_told_with_how_they_ended() -> None:
    assert [each.candidate for each in children(ALL, SEED)] == ["c002", "c004"]
    rejected = tried(ALL, REJECTED)
    assert (rejected.mean, rejected.change, rejected.reason, rejected.diff) == (None, None, "does not apply", "")


def test_only_the_newest_children_are_told() -> None:
    many = [candidate(f"c{number:03d}", 0.1, "c000") for number in range(1, CHILDREN + 4)]
    assert [each.candidate for each in children(population(SEED, *many), SEED)] == [
        each.id for each in many[-CHILDREN:]
    ]
