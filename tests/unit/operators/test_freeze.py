"""What is frozen stays as the parent has it, in the child of every operator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from evolve.errors import ProgramError
from evolve.operators.base import Parent
from evolve.operators.freeze import frozen
from evolve.operators.recombine import Recombine
from evolve.operators.reflect import Reflect
from evolve.program import parse, structural_diff

RESPONSE = 'INSTRUCTION_RESPONSE = "'


@pytest.fixture
def both(kit: Any) -> str:
    """A reply that changes an instruction and the code."""
    line = next(line for line in kit.bm25.source.split("\n") if line.startswith(RESPONSE))
    change = kit.patch(
        "-READ_CHARS = 3000", "+READ_CHARS = 2000", "@@", f"-{line}", f"+{line.replace(RESPONSE, f'{RESPONSE}Think. ')}"
    )
    return str(kit.reply(change))


def test_frozen_instructions_are_put_back(kit: Any, both: str) -> None:
    child = Reflect().propose(kit.ground(kit.script(both), settings={"search": {"freeze": "instructions"}})).program
    assert child is not None
    assert child.instructions == kit.bm25.instructions
    assert structural_diff(kit.bm25.source, child.source).changed == ("READ_CHARS",)


def test_frozen_code_is_put_back(kit: Any, both: str) -> None:
    child = Reflect().propose(kit.ground(kit.script(both), settings={"search": {"freeze": "code"}})).program
    assert child is not None
    assert child.instructions["INSTRUCTION_RESPONSE"].startswith("Think. ")
    assert structural_diff(kit.bm25.source, child.source).changed == ("INSTRUCTION_RESPONSE",)


def test_nothing_frozen_leaves_both_changes(kit: Any, both: str) -> None:
    child = Reflect().propose(kit.ground(kit.script(both))).program
    assert child is not None
    assert set(structural_diff(kit.bm25.source, child.source).changed) == {"READ_CHARS", "INSTRUCTION_RESPONSE"}


def test_a_change_of_frozen_parts_alone_goes_back(kit: Any, both: str) -> None:
    script = kit.script(kit.good, both)
    assert Reflect().propose(kit.ground(script, settings={"search": {"freeze": "code"}})).program is not None
    assert "In this run only the four instruction constants may change" in script.prompt
    assert "changes only code, which is frozen" in script.requests[1].messages[-1].text


def test_an_instruction_that_nobody_reads_is_no_change(kit: Any) -> None:
    line = next(line for line in kit.bm25.source.split("\n") if line.startswith(RESPONSE))
    alone = kit.reply(kit.patch(f"-{line}", f"+{line.replace(RESPONSE, f'{RESPONSE}Think. ')}"))
    script = kit.script(alone, kit.good)
    assert Reflect().propose(kit.ground(script, follows=False)).program is not None
    assert "which the task agent of this run does not read" in script.requests[1].messages[-1].text
    assert Reflect().propose(kit.ground(kit.script(alone))).program is not None


def test_instructions_that_share_a_statement_cannot_be_told_apart(kit: Any) -> None:
    lines = [line for line in kit.bm25.source.split("\n") if not line.startswith(("INSTRUCTION_QUERY", RESPONSE))]
    shared = parse("\n".join([*lines, 'INSTRUCTION_QUERY = INSTRUCTION_RESPONSE = "both"', ""]))
    with pytest.raises(ProgramError, match="a statement of its own"):
        frozen(kit.bm25, shared, "instructions")


def test_recombine_keeps_what_is_frozen(kit: Any) -> None:
    one = kit.bm25
    source = one.source.replace(RESPONSE, f"{RESPONSE}Think. ").replace('QUERY = "', 'QUERY = "Briefly: ')
    other = parse(source.replace("hits.sort()", "hits.sort(reverse=True)"))
    parents = (Parent("c000", one, 0.5), Parent("c001", other, 0.4))
    by_id = {"c000": one, "c001": other}
    parts: set[str] = set()
    for freeze in ("instructions", "code"):
        for seed in range(6):
            ground = kit.ground(parents=parents, draw=f"0:{seed}", settings={"search": {"freeze": freeze}})
            proposal = Recombine().propose(replace(ground, known=frozenset({one.digest, other.digest})))
            assert proposal.program is not None
            part, _, rest = proposal.note.partition(" of ")
            base = by_id[rest.rpartition(" on ")[2]]
            parts.add(part)
            if freeze == "instructions":
                assert part == "read"
                assert proposal.program.instructions == base.instructions
            else:
                assert part == "instructions"
                changed = structural_diff(base.source, proposal.program.source)
                assert set(changed.changed) <= set(base.instructions)
                assert not changed.added + changed.removed
    assert parts == {"read", "instructions"}
