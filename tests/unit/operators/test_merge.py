"""`merge`: both programs, where each wins, and one child."""

from __future__ import annotations

import re
from typing import Any

import pytest

from evolve.operators.base import Parent
from evolve.operators.merge import Merge, merge_prompt
from evolve.operators.prompt.budget import TOKEN_CHARS


@pytest.fixture
def parents(kit: Any) -> tuple[Parent, ...]:
    return Parent("c003", kit.bm25, 0.4, 0.45), Parent("c007", kit.vector, 0.4, 0.44)


def scores(kit: Any) -> Any:
    """The first parent wins even queries, the second odd ones; every third is a tie."""

    def score(program: Any, query: Any) -> float:
        number = int(query.id[1:])
        if number % 3 == 0:
            return 0.5
        return 1.0 if (number % 2 == 0) == (program.digest == kit.bm25.digest) else 0.25

    return score


def test_both_programs_are_traced_on_the_same_queries_and_shown(kit: Any, parents: tuple[Parent, ...]) -> None:
    script, traces = kit.script(kit.good), kit.traces(scores(kit))
    wins = ({"temporal": 4, "single_hop": 1}, {"temporal": 0, "single_hop": 3})
    proposal = Merge().propose(kit.ground(script, traces, parents=parents, wins=wins))
    assert proposal.program is not None
    (first, asked), (second, again) = traces.calls
    assert (first, second) == (kit.bm25.digest, kit.vector.digest)
    assert asked == again
    assert len(asked) == 5
    prompt = script.prompt
    assert kit.bm25.source.strip() in prompt
    assert kit.vector.source.strip() in prompt
    assert "- c003 beats the other on 5 (single_hop 1, temporal 4)." in prompt
    assert "- c007 beats the other on 3 (single_hop 3)." in prompt


def test_only_questions_that_one_of_them_wins_are_shown(kit: Any, parents: tuple[Parent, ...]) -> None:
    script, traces = kit.script(kit.good), kit.traces(scores(kit))
    ten = {"evaluation": {"rotating": 10}}
    Merge().propose(kit.ground(script, traces, parents=parents, settings=ten))
    won = re.findall(r"# Won by (c\d+).*?\n\nQuestion: QUESTION-(\d\d)", script.prompt)
    assert {name for name, _ in won} == {"c003", "c007"}
    for name, number in won:
        assert int(number) % 3
        assert (int(number) % 2 == 0) == (name == "c003")
    told = set(re.findall(r"(?:GOLD|EVIDENCE)-(\d\d)", script.prompt))
    assert told == {number for _, number in won}
    assert told <= {id[1:] for id in traces.calls[0][1]}


def test_a_patch_applies_to_the_first_parent(kit: Any, parents: tuple[Parent, ...]) -> None:
    only_first = kit.reply(kit.patch('-STEMMING = "off"  # "on": "painted" also finds "painting"', '+STEMMING = "on"'))
    proposal = Merge().propose(kit.ground(kit.script(only_first), parents=parents))
    assert proposal.program is not None
    assert proposal.program.source.startswith(kit.bm25.source[:100])


def test_a_parent_is_no_child(kit: Any, parents: tuple[Parent, ...]) -> None:
    whole = kit.reply(f"```python\n{kit.vector.source}```")
    script = kit.script(whole, kit.good)
    proposal = Merge().propose(kit.ground(script, parents=parents))
    assert proposal.program is not None
    assert proposal.critique is not None
    assert "measured or rejected before" in proposal.critique.rounds[0].problem


def test_frozen_instructions_are_those_of_the_first_parent(kit: Any, parents: tuple[Parent, ...]) -> None:
    whole = kit.reply(f"```python\n{kit.vector.source.replace('HITS = 10', 'HITS = 11')}```")
    ground = kit.ground(kit.script(whole), parents=parents, settings={"search": {"freeze": "instructions"}})
    child = Merge().propose(ground).program
    assert child is not None
    assert child.instructions == kit.bm25.instructions
    assert child.query == kit.vector.query


def test_without_traces_both_programs_and_the_counts_remain(kit: Any, parents: tuple[Parent, ...]) -> None:
    script = kit.script(kit.good)
    settings = {"search": {"reflect": {"traces": "none"}}}
    Merge().propose(kit.ground(script, parents=parents, settings=settings, wins=({"a": 1}, {"b": 2})))
    assert "QUESTION-" not in script.prompt
    assert "- c007 beats the other on 2 (b 2)." in script.prompt


def test_the_prompt_keeps_to_its_budget(kit: Any, parents: tuple[Parent, ...]) -> None:
    settings = {"search": {"reflect": {"tokens": 9_000}}}
    ground = kit.ground(traces=kit.traces(scores(kit), read="word " * 100_000), parents=parents, settings=settings)
    constant, rest = merge_prompt(ground)
    assert len(constant) + len(rest) <= 9_000 * TOKEN_CHARS
    assert "characters left out ...]" in rest
    assert kit.bm25.source.strip() in rest
    assert kit.vector.source.strip() in rest
