"""Queries that are goals: an agent acts in a small world, and the world says whether the goal is reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Event
from typing import TYPE_CHECKING, Any, Literal

import pytest

from evolve.environments.base import Situation, Turn
from evolve.errors import AgentFailure, BudgetSpent, EnvironmentFault, ProviderError
from evolve.evaluation.play import TRIES
from evolve.evaluation.splits import Work
from evolve.models.base import Purpose, Reply, Usage
from evolve.testing.programs import program
from evolve.types import JSON, Episode, Program, Query

if TYPE_CHECKING:
    from tests.unit.evaluation.conftest import Measure

DOORS = ("red", "green", "blue")
REMEMBERS = program(read="return '|'.join(self.seen)")
FAILS_LATER = program(read="assert 'opens nothing' not in query.text\nreturn ''")


COMPLETES = program(read="return self.toolkit.llm_completion([{'role': 'user', 'content': 'where?'}])")


@dataclass
class Corridor:
    """Three doors; the one in the query's details leads out."""

    steps: int = 3
    reads: Literal["episode", "step"] = "episode"
    faults: int = 0
    """So many plays fail before one goes well."""
    lent: int = 0
    _door: str = field(default="", init=False)

    @contextmanager
    def play(self) -> Iterator[Corridor]:
        self.lent += 1
        yield self

    def start(self, details: Mapping[str, JSON]) -> Turn:
        if self.lent <= self.faults:
            raise EnvironmentFault("the corridor fell down")
        self._door = str(details["door"])
        return Turn("You see three doors.", DOORS)

    def step(self, command: str) -> Turn:
        won = command == self._door
        return Turn("You are out." if won else f"The {command} door opens nothing.", DOORS, won=won, over=won)

    def close(self) -> None:
        pass


class Endless(Corridor):
    """Lends a corridor to each play."""

    @contextmanager
    def play(self) -> Iterator[Corridor]:
        yield Corridor(lent=1)


def acting(base: type[Any], act: Any) -> Any:
    """Return an agent whose commands a function of the situation chooses."""

    class Acting(base):
        def act(self, program: Program, situation: Situation) -> str:
            command: str = act(situation)
            return command

    return Acting()


def told_first(situation: Situation) -> str:
    """Try the doors that the memory names first, the others after them, none twice."""
    tried = [command for command, _ in situation.steps]
    named = [door for door in situation.commands if door in situation.read]
    return next(door for door in [*named, *situation.commands] if door not in tried)


def work(door: str = "blue") -> Work:
    episode = Episode("e1", "house", f"Out through the {door} door.")
    return Work("house", (episode,), (Query("q1", "house", "Get out.", "", details={"door": "blue"}),))


def test_what_was_read_decides_how_many_steps_it_takes(measure: Measure, scripted: type[Any]) -> None:
    steps = []
    for door in ("blue", "violet"):
        case = measure(REMEMBERS, [work(door)], acting(scripted, told_first), environments=Corridor()).cases[0]
        assert (case.outcome, case.score) == ("scored", 1.0)
        steps.append(case.measures["steps"])
    assert steps == [1, 3]


def test_a_goal_that_is_not_reached_in_time_scores_nothing(measure: Measure, scripted: type[Any]) -> None:
    evaluation = measure(REMEMBERS, [work("violet")], acting(scripted, told_first), environments=Corridor(steps=2))
    (case,) = evaluation.cases
    assert (case.outcome, case.score, dict(case.measures)) == ("scored", 0.0, {"steps": 2})
    assert case.answer == "> red\nThe red door opens nothing.\n> green\nThe green door opens nothing."


def test_the_memory_is_read_before_every_command_where_that_is_set(measure: Measure, scripted: type[Any]) -> None:
    for reads, count in (("episode", 1), ("step", 3)):
        corridor = Corridor(reads=reads)  # type: ignore[arg-type]
        evaluation = measure(REMEMBERS, [work("violet")], acting(scripted, told_first), environments=corridor)
        assert evaluation.operations["read"].count == count


def test_a_read_that_fails_on_the_way_is_the_programs_fault(measure: Measure, scripted: type[Any]) -> None:
    agent = acting(scripted, told_first)
    (case,) = measure(FAILS_LATER, [work("violet")], agent, environments=Corridor(reads="step")).cases
    assert (case.outcome, case.score, case.stage) == ("program", 0.0, "program")
    assert "AssertionError" in case.reason


def test_an_agent_that_says_no_command_loses_that_game(measure: Measure, scripted: type[Any]) -> None:
    def mute(situation: Situation) -> str:
        raise AgentFailure("no command")

    (case,) = measure(REMEMBERS, [work()], acting(scripted, mute), environments=Corridor()).cases
    assert (case.outcome, case.score, case.stage, case.reason) == ("scored", 0.0, "agent", "no command")


def test_a_world_that_fails_is_tried_again_and_is_nobodys_score(measure: Measure, scripted: type[Any]) -> None:
    agent = acting(scripted, told_first)
    (case,) = measure(REMEMBERS, [work()], agent, environments=Corridor(faults=TRIES - 1)).cases
    assert (case.outcome, case.score) == ("scored", 1.0)
    (lost,) = measure(REMEMBERS, [work()], agent, environments=Corridor(faults=TRIES)).cases
    assert (lost.outcome, lost.score, lost.reason) == ("infrastructure", None, "the corridor fell down")


def test_a_memory_that_is_lost_on_the_way_is_filled_again(measure: Measure, scripted: type[Any]) -> None:
    asked: list[object] = []

    def complete(messages: list[JSON], kwargs: dict[str, JSON], purpose: Purpose) -> Reply:
        asked.append(messages)
        if len(asked) == 2:
            raise ProviderError("nobody answers")
        return Reply("the violet door", Usage(), 0.0)

    agent, corridor = acting(scripted, told_first), Corridor(reads="step")
    (case,) = measure(COMPLETES, [work()], agent, environments=corridor, complete=complete).cases
    assert (case.outcome, case.score, dict(case.measures)) == ("scored", 1.0, {"steps": 3})
    assert len(asked) == 2 + 3, "both reads of the first try, and all of the second"


def test_a_memory_that_one_game_loses_is_no_fault_in_another(measure: Measure, scripted: type[Any]) -> None:
    calls: list[object] = []
    failed = Event()

    def complete(messages: list[JSON], kwargs: dict[str, JSON], purpose: Purpose) -> Reply:
        calls.append(messages)
        if len(calls) == 3:
            failed.set()
            raise ProviderError("nobody answers")
        return Reply("the violet door", Usage(), 0.0)

    def act(situation: Situation) -> str:
        if situation.goal == "Wait.":
            assert failed.wait(10)
        return told_first(situation)

    there = work()
    both = replace(there, queries=(replace(there.queries[0], id="q0", text="Wait."), *there.queries))
    evaluation = measure(
        COMPLETES, [both], acting(scripted, act), environments=Corridor(reads="step"), complete=complete
    )
    assert [(case.outcome, case.score, case.reason) for case in evaluation.cases] == [("scored", 1.0, "")] * 2


def test_a_game_ends_where_nothing_may_be_begun_any_more(measure: Measure, scripted: type[Any]) -> None:
    steps = 20_000
    begun, acts = Event(), []

    def act(situation: Situation) -> str:
        if situation.goal == "Pay.":
            begun.wait(10)
            raise BudgetSpent("no money")
        begun.set()
        acts.append(1)
        return "red"

    there = work()
    both = replace(there, queries=(replace(there.queries[0], id="q0", text="Pay."), *there.queries))
    with pytest.raises(BudgetSpent):
        measure(REMEMBERS, [both], acting(scripted, act), environments=Endless(steps=steps))
    assert 0 < len(acts) < steps
