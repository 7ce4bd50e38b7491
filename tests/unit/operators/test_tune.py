"""`tune` rewrites declared constants, learns from earlier trials, and repeats itself for equal chance."""

from __future__ import annotations

import ast
from collections.abc import Callable
from random import Random
from typing import NoReturn

import pytest

from evolve.config import Config
from evolve.events import Trial
from evolve.operators import OPERATORS
from evolve.operators.base import Ground, Parent, Proposal
from evolve.operators.tune import SETTINGS, Tune, distribution, past_trial, study_name
from evolve.program import load, parse, rewrite_constants
from evolve.session import find_program
from evolve.types import Case, Evaluation, Program, Scalar, Tunable

SOURCE = '''"""Bets on nothing."""
from dataclasses import dataclass

WEIGHT = 0.5
COUNT = 10
MODE = "a"
STRICT = None
FIXED = 7
TUNABLES = {"WEIGHT": (0.0, 1.0), "COUNT": (1, 40), "MODE": ["a", "b", "c"], "STRICT": [None, True, 3]}
INSTRUCTION_KNOWLEDGE_ITEM = ""
INSTRUCTION_QUERY = ""
INSTRUCTION_RESPONSE = ""
ALWAYS_ON_KNOWLEDGE = ""


@dataclass
class KnowledgeItem:
    text: str


@dataclass
class Query:
    text: str


class KnowledgeBase:
    def __init__(self, toolkit):
        pass

    def write(self, item, raw_text):
        pass

    def read(self, query):
        return f"{WEIGHT} {COUNT} {MODE} {STRICT} {FIXED}"  # a comment that stays
'''
PARENT = parse(SOURCE)
CONFIG = Config(task="chronicle").resolved()
Measure = Callable[[Program], Evaluation]


def values(program: Program) -> dict[str, Scalar]:
    return {tunable.name: tunable.value for tunable in program.tunables}


def scored(program: Program, score: float | None) -> Evaluation:
    outcome = "infrastructure" if score is None else "scored"
    return Evaluation(program.digest, (Case("q", "s", "", outcome, score, ""),), "b", 0.0)


def never(*measured: object) -> NoReturn:
    raise AssertionError("tune measures on the cheap rung alone")


def by_weight(program: Program) -> Evaluation:
    """Best at a weight of 0.9."""
    weight = values(program)["WEIGHT"]
    assert isinstance(weight, float)
    return scored(program, 1 - abs(weight - 0.9))


def ground(
    draw: str,
    *,
    program: Program = PARENT,
    measure: Measure = by_weight,
    trials: tuple[Trial, ...] = (),
    known: frozenset[str] = frozenset(),
) -> Ground:
    parent = Parent("c000", program, 0.6)
    return Ground((parent,), known | {program.digest}, trials, Random(draw), CONFIG, False, measure, never, never)


def blank(source: str) -> str:
    """Return the source with the value of every tunable at the same place holder, as syntax."""
    tree = ast.parse(source)
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in values(PARENT):
            node.value = ast.Constant("?")
    return ast.dump(tree)


@pytest.fixture(scope="module")
def proposals() -> list[Proposal]:
    return [Tune().propose(ground(f"0:{number}")) for number in range(6)]


def test_only_tunables_change(proposals: list[Proposal]) -> None:
    for proposal in proposals:
        assert proposal.program is not None
        assert blank(proposal.program.source) == blank(SOURCE)
        assert proposal.program.source.count("a comment that stays") == 1
        assert values(proposal.program) != values(PARENT)


def test_values_stay_in_their_range_and_of_their_type(proposals: list[Proposal]) -> None:
    for trial in (trial for proposal in proposals for trial in proposal.trials):
        weight, count = trial.params["WEIGHT"], trial.params["COUNT"]
        assert isinstance(weight, float)
        assert 0.0 <= weight <= 1.0
        assert weight == float(f"{weight:.3g}")
        assert type(count) is int
        assert 1 <= count <= 40
        assert trial.params["MODE"] in ("a", "b", "c")
        assert any(trial.params["STRICT"] is choice for choice in (None, True, 3))


def test_the_child_is_the_best_of_what_was_tried(proposals: list[Proposal]) -> None:
    for proposal in proposals:
        assert len(proposal.trials) == SETTINGS
        assert proposal.rung is not None
        assert proposal.program is not None
        assert proposal.rung.program == proposal.program.digest
        assert proposal.rung.mean == max(trial.value or 0.0 for trial in proposal.trials)
        tried = [parse(rewrite_constants(SOURCE, trial.params)).digest for trial in proposal.trials]
        assert len({*tried, PARENT.digest}) == SETTINGS + 1


def test_the_note_says_what_changed(proposals: list[Proposal]) -> None:
    for proposal in proposals:
        assert proposal.program is not None
        before, after = values(PARENT), values(proposal.program)
        changed = [name for name in before if repr(before[name]) != repr(after[name])]
        assert all(name in proposal.note for name in changed)
        assert "FIXED" not in proposal.note
        assert "\n" not in proposal.note


def test_equal_chance_proposes_equally(proposals: list[Proposal]) -> None:
    again = Tune().propose(ground("0:0"))
    assert again == proposals[0]
    assert len({proposal.note for proposal in proposals}) > 1


def test_what_the_run_has_already_is_neither_measured_nor_proposed() -> None:
    small = parse(
        SOURCE.replace('{"WEIGHT": (0.0, 1.0), "COUNT": (1, 40), ', "{").replace(', "STRICT": [None, True, 3]', "")
    )
    all_three = {mode: parse(small.source.replace('MODE = "a"', f'MODE = "{mode}"')) for mode in "abc"}
    assert len({program.digest for program in all_three.values()}) == 3
    measured: list[str] = []

    def measure(program: Program) -> Evaluation:
        measured.append(program.digest)
        return scored(program, 0.6)

    known = frozenset({all_three["b"].digest})
    proposal = Tune().propose(ground("1", program=small, measure=measure, known=known))
    assert measured == [all_three["c"].digest]
    assert proposal.program is not None
    assert proposal.program.digest == all_three["c"].digest
    nothing = Tune().propose(ground("1", program=small, known=known | {all_three["c"].digest}))
    assert nothing.program is None
    assert "c000" in nothing.note


def test_settings_that_cannot_be_measured_are_no_child() -> None:
    proposal = Tune().propose(ground("2", measure=lambda program: scored(program, None)))
    assert proposal.program is None
    assert proposal.note == "no new setting of c000 could be measured"
    assert [trial.value for trial in proposal.trials] == [None] * SETTINGS


def test_earlier_trials_are_learned_from() -> None:
    """With 40 trials that point to 0.9, the weights asked for are nearer to it than without any."""
    chance = Random(0)
    past = []
    for _ in range(40):
        weight = round(chance.random(), 3)
        params: dict[str, Scalar] = {"WEIGHT": weight, "COUNT": chance.randint(1, 40), "MODE": "a", "STRICT": None}
        past.append(Trial(params, 1 - abs(weight - 0.9)))

    def distance(trials: tuple[Trial, ...]) -> float:
        asked = [t for n in range(5) for t in Tune().propose(ground(f"3:{n}", trials=trials)).trials]
        return sum(1 - (trial.value or 0.0) for trial in asked) / len(asked)

    assert distance(tuple(past)) < 0.6 * distance(())


def test_lost_trials_are_taken_along() -> None:
    lost = Trial({"WEIGHT": 0.1, "COUNT": 5, "MODE": "b", "STRICT": 3}, None)
    assert Tune().propose(ground("4", trials=(lost,))).program is not None


def test_every_seed_with_tunables_can_be_tuned() -> None:
    seen = 0
    for path in sorted(find_program("bm25").parent.glob("*.py")):
        program = load(path)
        if Tune().applies(program, CONFIG):
            seen += 1
            proposal = Tune().propose(ground("5", program=program, measure=lambda child: scored(child, 0.6)))
            assert proposal.program is not None
            assert proposal.program.tunables != program.tunables
    assert seen >= 2


def test_it_applies_where_there_is_something_to_tune() -> None:
    assert OPERATORS["tune"].applies(PARENT, CONFIG)
    assert not OPERATORS["tune"].applies(load(find_program("no_memory")), CONFIG)
    frozen = CONFIG.model_copy(update={"search": CONFIG.search.model_copy(update={"freeze": "code"})})
    assert not OPERATORS["tune"].applies(PARENT, frozen)


def test_programs_that_differ_in_tunables_only_share_a_study() -> None:
    other = parse(rewrite_constants(SOURCE, {"WEIGHT": 0.25, "COUNT": 3, "MODE": "c", "STRICT": True}))
    assert other.digest != PARENT.digest
    assert study_name(other) == study_name(PARENT)
    assert study_name(parse(SOURCE.replace("FIXED = 7", "FIXED = 8"))) != study_name(PARENT)
    assert study_name(parse(SOURCE.replace("(1, 40)", "(1, 41)"))) != study_name(PARENT)


@pytest.mark.parametrize(
    ("tunable", "inside", "outside"),
    [
        (Tunable("K", 1, low=1, high=4), 4, 5),
        (Tunable("K", 1.0, low=0.5, high=4), 0.5, 0.4),
        (Tunable("K", "a", choices=("a", None)), None, "b"),
    ],
)
def test_distributions_include_their_bounds(tunable: Tunable, inside: Scalar, outside: Scalar) -> None:
    wanted = distribution(tunable)
    assert wanted._contains(wanted.to_internal_repr(inside))
    if tunable.choices:
        with pytest.raises(ValueError, match="not in"):
            wanted.to_internal_repr(outside)
    else:
        assert not wanted._contains(wanted.to_internal_repr(outside))


def test_a_trial_becomes_optunas() -> None:
    params: dict[str, Scalar] = {"WEIGHT": 0.5, "COUNT": 10, "MODE": "a", "STRICT": None}
    done, lost = past_trial(PARENT, Trial(params, 0.25)), past_trial(PARENT, Trial(params, None))
    assert (done.params, done.value, done.state.name) == (params, 0.25, "COMPLETE")
    assert (lost.params, lost.value, lost.state.name) == (params, None, "FAIL")
