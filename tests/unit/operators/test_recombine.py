"""`recombine` joins what fits, says why the rest does not, and never gives back what the run has."""

from __future__ import annotations

import itertools
from random import Random
from typing import NoReturn

import pytest

from evolve.config import Config
from evolve.operators import OPERATORS
from evolve.operators.base import Ground, Parent, Proposal
from evolve.operators.recombine import Recombine
from evolve.program import load, parse, rewrite_constants
from evolve.session import find_program
from evolve.types import Program, Scalar

BM25, HYBRID, NOTHING = (load(find_program(name)) for name in ("bm25", "hybrid", "no_memory"))


def never(*measured: object) -> NoReturn:
    raise AssertionError("recombine measures nothing")


def propose(
    one: Program, other: Program, draw: str = "0:1", *, known: frozenset[str] = frozenset(), follows: bool = False
) -> Proposal:
    parents = (Parent("c000", one, 0.5), Parent("c001", other, 0.4))
    known |= {one.digest, other.digest}
    config = Config(task="chronicle").resolved()
    return Recombine().propose(Ground(parents, known, (), Random(draw), config, follows, never, never, never))


def settings(program: Program) -> dict[str, Scalar]:
    return {tunable.name: tunable.value for tunable in program.tunables}


def varied(program: Program, *, count: int) -> Program:
    """The program with that many of its tunables at another value."""
    others: dict[str, Scalar] = {}
    for tunable in program.tunables[:count]:
        if tunable.choices:
            others[tunable.name] = next(choice for choice in tunable.choices if choice != tunable.value)
        else:
            others[tunable.name] = tunable.high if tunable.value != tunable.high else tunable.low
    return parse(rewrite_constants(program.source, others))


def test_settings_of_one_design_are_mixed() -> None:
    other = varied(BM25, count=3)
    for number in range(8):
        proposal = propose(BM25, other, f"0:{number}")
        child = proposal.program
        assert child is not None
        mixed = settings(child)
        assert mixed not in (settings(BM25), settings(other))
        assert all(mixed[name] in (settings(BM25)[name], settings(other)[name]) for name in mixed)
        assert child.digest not in (BM25.digest, other.digest)


def test_the_note_names_part_donor_and_base() -> None:
    other = varied(BM25, count=3)
    proposal = propose(BM25, other)
    child = proposal.program
    assert child is not None
    names, _, rest = proposal.note.partition(" of ")
    donor, _, base = rest.partition(" on ")
    by_id = {"c000": BM25, "c001": other}
    expected = {**settings(by_id[base]), **{name: settings(by_id[donor])[name] for name in names.split(", ")}}
    assert settings(child) == expected


def test_what_is_known_is_not_proposed_again() -> None:
    """Two settings that differ: the only mixes are two programs; with both known there is nothing left."""
    other = varied(BM25, count=2)
    first = propose(BM25, other)
    assert first.program is not None
    second = propose(BM25, other, known=frozenset({first.program.digest}))
    assert second.program is not None
    assert second.program.digest != first.program.digest
    none_left = propose(BM25, other, known=frozenset({first.program.digest, second.program.digest}))
    assert none_left.program is None
    assert none_left.note.startswith("c000 and c001 do not recombine: ")


def test_equal_chance_proposes_equally() -> None:
    other = varied(BM25, count=3)
    assert propose(BM25, other, "7:7") == propose(BM25, other, "7:7")
    assert len({propose(BM25, other, f"0:{number}").note for number in range(10)}) > 1


def test_all_pairs_of_seeds_give_a_program_or_a_reason() -> None:
    seeds = [load(path) for path in sorted(find_program("bm25").parent.glob("*.py"))]
    children = 0
    for one, other in itertools.combinations(seeds, 2):
        proposal = propose(one, other, follows=True)
        assert proposal.note
        assert "\n" not in proposal.note
        if proposal.program is None:
            assert proposal.note.startswith("c000 and c001 do not recombine: ")
        else:
            children += 1
            assert parse(proposal.program.source).digest == proposal.program.digest
            assert proposal.program.digest not in (one.digest, other.digest)
    assert children > 0


def test_a_misfit_says_what_is_missing() -> None:
    """The read of bm25 needs what no_memory never sets; the read of no_memory fits anywhere."""
    proposal = propose(BM25, NOTHING)
    child = proposal.program
    assert child is not None
    assert proposal.note == "read of c001 on c000"
    nothing_left = propose(BM25, NOTHING, known=frozenset({child.digest}))
    assert nothing_left.program is None
    assert "do not recombine" in nothing_left.note


def test_instructions_are_left_alone_for_an_agent_that_ignores_them() -> None:
    reworded = parse(BM25.source.replace('INSTRUCTION_RESPONSE = "', 'INSTRUCTION_RESPONSE = "Be brief. ', 1))
    if reworded.instructions == BM25.instructions:
        pytest.fail("the seed bm25 no longer holds INSTRUCTION_RESPONSE as a plain string")
    assert propose(BM25, reworded, follows=False).program is None


def test_a_program_does_not_recombine_with_itself() -> None:
    assert propose(BM25, BM25).program is None


def test_it_needs_two_parents_of_any_kind() -> None:
    assert OPERATORS["recombine"].arity == 2
    assert all(OPERATORS["recombine"].applies(program, Config(task="chronicle")) for program in (BM25, HYBRID, NOTHING))
