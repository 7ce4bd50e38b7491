"""The player without a model: it knows what to do, and searches where the memory tells."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from evolve.agents.base import Actor, Agent
from evolve.agents.scripted import ScriptedAgent, likely
from evolve.environments.base import Situation
from evolve.environments.household import World
from evolve.program import parse
from evolve.tasks.alfworld_games import KINDS, Game, room_of
from evolve.tasks.alfworld_rooms import make
from evolve.wiring import find_program

PROGRAM = parse(find_program("vector_search").read_text(encoding="utf-8"))
ROOM = ("cabinet 2", "cabinet 1", "desk 2", "desk 1", "fridge 1", "sidetable 1")
GAMES = make(60, seed=3, name="scripted")


def played(game: Game, read: str, *, steps: int = 60) -> tuple[bool, list[str]]:
    """Return whether the agent wins, and what it did."""
    world, agent, done = World(game.details), ScriptedAgent(), list[tuple[str, str]]()
    turn = world.start()
    goal = f"Task: {game.task}.\n{room_of(turn)}"
    while not turn.won and len(done) < steps:
        command = agent.act(PROGRAM, Situation(goal, tuple(done), turn.commands, read))
        assert command in turn.commands
        turn = world.step(command)
        done.append((command, turn.observation))
    return turn.won, [command for command, _ in done]


def places(read: str, thing: str = "mug", room: Sequence[str] = ROOM) -> list[str]:
    return list(likely(thing, tuple(room), read))


def test_is_an_agent_and_an_actor_without_a_model():
    agent: Agent = ScriptedAgent()
    actor: Actor = ScriptedAgent()
    assert (agent.name, agent.follows_instructions, agent.asks_model) == ("scripted", False, False)
    assert agent.respond(PROGRAM, "?", "what was read") == "what was read"
    assert actor is not agent


def test_asks_the_memory_for_the_object_and_not_for_what_stands_in_the_room():
    question = "Task: put a clean mug in coffeemachine.\nYou are in a room, you see a bed 1, and a toaster 1."
    fields = ScriptedAgent().formulate(PROGRAM, question)
    asked = " ".join(str(value) for value in fields.values())
    assert "mug" in asked
    assert "toaster" not in asked
    assert ScriptedAgent().formulate(PROGRAM, "What is this?") != {}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_game_is_won_without_a_memory(kind: str):
    games = [game for game in GAMES if game.kind == kind]
    assert len(games) > 3
    for game in games:
        won, done = played(game, "", steps=100)
        assert won, (game.task, done)


@pytest.mark.parametrize("kind", KINDS)
def test_a_memory_that_tells_every_place_saves_the_search(kind: str):
    for game in (game for game in GAMES if game.kind == kind):
        seen, place = [], ""
        for command in game.walkthrough:
            verb, *words = command.split(" ")
            place = " ".join(words[1:]) if verb == "go" else place
            seen += [f"The {' '.join(words[:2])} is in {place}."] if verb in ("take", "use") else []
        won, done = played(game, "\n".join(seen))
        assert won
        # Opening what holds the target, or another object of the kind that is seen on the way, may differ.
        assert len(done) <= len(game.walkthrough) + 2, (game.task, done, game.walkthrough)


def test_without_a_memory_receptacles_are_searched_as_listed():
    assert places("") == list(ROOM)
    assert places("apples are in the fridge") == list(ROOM)


@pytest.mark.parametrize(
    "told",
    [
        "> take mug 1 from desk 2\nYou pick up the mug 1 from the desk 2.",
        "On the desk 1, you see a bowl 2, a mug 1, and a pen 2.",
        "mug: desk",
        "Mugs are found on desks.",
        '{"mug": {"desk": 3}}',
    ],
)
def test_the_kind_of_place_that_the_memory_names_with_the_object_comes_first(told: str):
    assert {place.split(" ")[0] for place in places(told)[:2]} == {"desk"}


def test_more_lines_weigh_more_and_the_first_place_of_a_line_most():
    assert places("mug 1 in fridge 1\nmug 1 in cabinet 3\nmug 2 in fridge 1")[:3] == [
        "fridge 1",
        "cabinet 2",
        "cabinet 1",
    ]
    assert places("mug: sidetable, fridge, desk")[:4] == ["sidetable 1", "fridge 1", "desk 2", "desk 1"]


def test_of_one_kind_the_place_with_its_number_comes_first():
    assert places("a mug 3 is in cabinet 1")[:2] == ["cabinet 1", "cabinet 2"]


def test_where_an_object_was_brought_is_not_where_it_is_found():
    brought = "Task: put a mug in fridge.\n> move mug 1 to fridge 1\nYou move the mug 1 to the fridge 1."
    assert places(brought) == list(ROOM)
    assert places("You cool the mug 1 using the fridge 1.") == list(ROOM)


def test_an_open_receptacle_counts_with_what_is_told_to_be_in_it():
    assert places("You open the cabinet 1. The cabinet 1 is open. In it, you see a mug 2.")[0] == "cabinet 1"
    assert places("The fridge 1 is closed. You pick up the mug 1.") == list(ROOM)


def test_names_in_two_words_are_understood():
    room = ("shelf 1", "coffeemachine 1")
    assert likely("alarmclock", room, "The alarm clock stands by the coffee machine.")[0] == "coffeemachine 1"


def test_a_goal_that_is_not_understood_is_no_reason_to_stop():
    situation = Situation("Sing a song.\nYou see a desk 1.", (), ("go to desk 1", "look"), "")
    assert ScriptedAgent().act(PROGRAM, situation) in situation.commands
    only = Situation("Sing.", (), ("hum",), "")
    assert ScriptedAgent().act(PROGRAM, only) == "hum"
