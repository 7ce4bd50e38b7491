"""The household's rules and words, on a kitchen of our own; the published games are compared in tests/e2e."""

from __future__ import annotations

import pytest

from evolve.environments.household import World

KITCHEN = """
(:objects agent1 - agent)
(:init
  (atLocation agent1 loc_bar_0)
  (receptacleType CounterTop_bar_1 CounterTopType) (receptacleAtLocation CounterTop_bar_1 loc_bar_1)
  (receptacleType CounterTop_bar_2 CounterTopType) (receptacleAtLocation CounterTop_bar_2 loc_bar_2)
  (receptacleType Drawer_bar_1 DrawerType) (receptacleAtLocation Drawer_bar_1 loc_bar_1) (openable Drawer_bar_1)
  (receptacleType Fridge_bar_1 FridgeType) (receptacleAtLocation Fridge_bar_1 loc_bar_3) (openable Fridge_bar_1)
  (receptacleType Microwave_bar_1 MicrowaveType) (receptacleAtLocation Microwave_bar_1 loc_bar_4)
  (openable Microwave_bar_1)
  (receptacleType Sink_bar_1_bar_SinkBasin SinkBasinType)
  (receptacleAtLocation Sink_bar_1_bar_SinkBasin loc_bar_5)
  (objectType Mug_bar_1 MugType) (inReceptacle Mug_bar_1 CounterTop_bar_1) (objectAtLocation Mug_bar_1 loc_bar_1)
  (objectType Mug_bar_2 MugType) (inReceptacle Mug_bar_2 Drawer_bar_1) (objectAtLocation Mug_bar_2 loc_bar_1)
  (pickupable Mug_bar_1) (cleanable Mug_bar_1) (heatable Mug_bar_1) (coolable Mug_bar_1) (pickupable Mug_bar_2)
  (isReceptacleObject Mug_bar_2) (inReceptacleObject Spoon_bar_1 Mug_bar_2) (objectType Spoon_bar_1 SpoonType)
  (objectType Knife_bar_1 KnifeType) (inReceptacle Knife_bar_1 CounterTop_bar_2) (pickupable Knife_bar_1)
  (objectAtLocation Knife_bar_1 loc_bar_2)
  (objectType Bread_bar_1 BreadType) (inReceptacle Bread_bar_1 Drawer_bar_1) (sliceable Bread_bar_1)
  (pickupable Bread_bar_1) (objectAtLocation Bread_bar_1 loc_bar_1)
  (objectType DeskLamp_bar_1 DeskLampType) (inReceptacle DeskLamp_bar_1 CounterTop_bar_2) (toggleable DeskLamp_bar_1)
  (objectAtLocation DeskLamp_bar_1 loc_bar_2)
  (canContain CounterTopType MugType) (canContain DrawerType MugType) (canContain CounterTopType KnifeType)
)
(:goal {goal})
"""
ONE = """(and (exists (?r - receptacle) (exists (?o - object) (and {state} (objectType ?o MugType)
    (receptacleType ?r {place}Type) (inReceptacle ?o ?r)))))"""
TWO = """(and (exists (?r - receptacle) (exists (?o1 - object) (and (objectType ?o1 MugType)
    (receptacleType ?r CounterTopType) (inReceptacle ?o1 ?r) (exists (?o2 - object) (and (not (= ?o1 ?o2))
    (objectType ?o2 MugType) (receptacleType ?r CounterTopType) (inReceptacle ?o2 ?r)))))))"""
LIGHT = """(and (exists (?ot - object ?r - receptacle ?a - agent ?l - location) (and (objectType ?ot DeskLampType)
    (toggleable ?ot) (isToggled ?ot) (receptacleAtLocation ?r ?l) (atLocation ?a ?l) (inReceptacle ?ot ?r)))
    (exists (?o - object ?a - agent) (and (objectType ?o MugType) (holds ?a ?o))))"""


def world(goal: str = ONE.format(state="", place="Fridge")) -> World:
    game = World({"problem": KITCHEN.replace("{goal}", goal), "task": "do it"})
    game.start()
    return game


def after(game: World, *commands: str) -> str:
    """Do the commands, each of which must be possible, and return what the last one shows."""
    shown = ""
    for command in commands:
        assert command in game.step("nothing at all").commands, command
        shown = game.step(command).observation
    return shown


def test_the_start_lists_the_room_by_id_with_the_last_id_as_number_1_and_what_may_be_done():
    turn = World({"problem": KITCHEN.replace("{goal}", TWO), "task": "put two mug in countertop"}).start()
    assert turn.observation == (
        "-= Welcome to TextWorld, ALFRED! =-\n\nYou are in the middle of a room. Looking quickly around you, you see a "
        "countertop 2, a countertop 1, a drawer 1, a fridge 1, a microwave 1, and a sinkbasin 1.\n\n"
        "Your task is to: put two mug in countertop."
    )
    places = ["countertop 1", "countertop 2", "drawer 1", "fridge 1", "microwave 1", "sinkbasin 1"]
    assert turn.commands == (*(f"go to {place}" for place in places), "help", "inventory", "look")
    assert (turn.won, turn.over) == (False, False)


def test_the_room_is_not_listed_a_second_time():
    assert after(world(), "look").endswith("you see nothing.")


def test_a_closed_receptacle_shows_what_is_in_it_once_it_is_open():
    game = world()
    assert after(game, "go to drawer 1") == "You arrive at drawer 1. The drawer 1 is closed."
    assert "take mug 1 from drawer 1" not in game.step("look").commands
    assert (
        after(game, "open drawer 1")
        == "You open the drawer 1. The drawer 1 is open. In it, you see a bread 1, and a mug 1."
    )
    assert after(game, "close drawer 1") == "You close the drawer 1."
    assert after(game, "examine drawer 1") == "The drawer 1 is closed."


def test_receptacles_of_one_place_are_all_at_hand():
    game = world()
    assert after(game, "go to countertop 2") == "You arrive at countertop 2. On the countertop 2, you see a mug 2."
    assert after(game, "look") == "You are facing the countertop 2, and drawer 1. Next to it, you see nothing."
    assert "go to drawer 1" not in game.step("look").commands


def test_a_hand_holds_one_thing_and_puts_it_where_its_kind_may_be():
    game = world()
    assert after(game, "inventory") == "You are not carrying anything."
    assert (
        after(game, "go to countertop 2", "take mug 2 from countertop 2")
        == "You pick up the mug 2 from the countertop 2."
    )
    assert after(game, "inventory") == "You are carrying: a mug 2."
    assert "take mug 1 from drawer 1" not in game.step("open drawer 1").commands
    assert after(game, "move mug 2 to drawer 1") == "You move the mug 2 to the drawer 1."
    # What was taken from one receptacle and put into another of the same place counts as lying next to the first.
    assert after(game, "look") == "You are facing the countertop 2, and drawer 1. Next to it, you see a mug 2."
    game = world()
    after(game, "go to countertop 2", "take mug 2 from countertop 2", "go to sinkbasin 1")
    assert not any(command.startswith("move") for command in game.step("look").commands)


def test_a_command_that_is_not_offered_changes_nothing_at_all():
    game = world()
    before = game.step("inventory")
    turn = game.step("take mug 2 from countertop 2")
    assert turn.observation == "Nothing happens."
    assert turn.commands == before.commands
    assert game.step("  inventory ").observation == "You are not carrying anything."


@pytest.mark.parametrize(
    ("verb", "place", "seen"),
    [
        ("clean", "sinkbasin 1", "This is a clean mug 2."),
        ("heat", "microwave 1", "This is a hot mug 2."),
        ("cool", "fridge 1", "This is a cold mug 2."),
    ],
)
def test_cleaning_heating_and_cooling(verb: str, place: str, seen: str):
    game = world()
    after(game, "go to countertop 2", "take mug 2 from countertop 2", f"go to {place}")
    assert after(game, f"{verb} mug 2 with {place}") == f"You {verb} the mug 2 using the {place}."
    assert after(game, "examine mug 2") == seen


def test_cooling_ends_heat_and_states_are_told_together():
    game = world()
    after(
        game, "go to countertop 2", "take mug 2 from countertop 2", "go to microwave 1", "heat mug 2 with microwave 1"
    )
    after(game, "go to sinkbasin 1", "clean mug 2 with sinkbasin 1")
    assert after(game, "examine mug 2") == "This is a hot and clean mug 2."
    after(game, "go to fridge 1", "cool mug 2 with fridge 1")
    assert after(game, "examine mug 2") == "This is a cool and clean mug 2."


def test_a_knife_slices_what_is_at_the_same_place_and_a_full_mug_shows_its_inside():
    game = world()
    after(game, "go to countertop 1", "take knife 1 from countertop 1", "go to drawer 1")
    assert after(game, "slice bread 1 with knife 1") == "You sliced the bread 1 with the knife 1."
    after(game, "go to countertop 1", "move knife 1 to countertop 1", "go to drawer 1", "open drawer 1")
    after(game, "take bread 1 from drawer 1")
    assert after(game, "examine bread 1") == "This is a sliced bread 1."
    game = world()
    after(game, "go to drawer 1", "open drawer 1", "take mug 1 from drawer 1")
    assert after(game, "examine mug 1") == "This is a normal mug 1. In it, you see a spoon 1."


def test_help_lists_the_commands():
    assert after(world(), "help").startswith("Available commands:\n  look: ")


def test_a_goal_of_one_object_wants_its_state_too():
    goal = ONE.format(state="(isClean ?o)", place="CounterTop")
    game = world(goal)
    after(game, "go to countertop 2", "take mug 2 from countertop 2", "go to countertop 1")
    assert not game.step("move mug 2 to countertop 1").won
    after(
        game, "take mug 2 from countertop 1", "go to sinkbasin 1", "clean mug 2 with sinkbasin 1", "go to countertop 1"
    )
    turn = game.step("move mug 2 to countertop 1")
    assert (turn.won, turn.over) == (True, True)


def test_a_goal_of_two_objects_wants_two_different_ones_in_one_receptacle():
    game = world(TWO)
    assert not game.step("look").won
    after(game, "go to drawer 1", "open drawer 1", "take mug 1 from drawer 1", "go to countertop 1")
    assert not game.step("move mug 1 to countertop 1").won
    after(game, "take mug 1 from countertop 1", "go to countertop 2")
    assert game.step("move mug 1 to countertop 2").won


def test_a_goal_of_light_wants_the_lamp_on_and_the_object_in_hand_at_its_place():
    game = world(LIGHT)
    assert after(game, "go to countertop 1", "use desklamp 1") == "You turn on the desklamp 1."
    after(game, "go to countertop 2")
    assert not game.step("take mug 2 from countertop 2").won
    assert game.step("go to countertop 1").won


@pytest.mark.parametrize("problem", ["", "(:init (atLocation agent1 loc_bar_0))", "(:init ) (:goal (and (won x)))"])
def test_what_is_no_game_of_this_household_is_refused(problem: str):
    with pytest.raises(ValueError, match="no goal, or not exactly one agent"):
        World({"problem": problem, "task": "do it"})
