"""Games like those of ALFWorld, made from a seed: rooms of four sorts in which each kind of object has its places.

What can be learnt from them is what can be learnt from the published games, where things are usually kept; the words
and the rules are the same. Every game comes with the walkthrough of an expert who knows where everything is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from evolve.environments.household import names
from evolve.tasks.alfworld_games import KINDS, Game

LAMP, APPLIANCES = "DeskLamp", {"clean": "SinkBasin", "heat": "Microwave", "cool": "Fridge"}
SHUT = frozenset(("Cabinet", "Drawer", "Fridge", "Microwave", "Safe"))
ROOMS: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "kitchen": {
        **{"Cabinet": (4, 9), "CoffeeMachine": (1, 1), "CounterTop": (1, 3), "DiningTable": (0, 1), "Drawer": (3, 7)},
        **{"Fridge": (1, 1), "GarbageCan": (1, 1), "Microwave": (1, 1), "Shelf": (0, 3), "SinkBasin": (1, 1)},
        **{"StoveBurner": (2, 4), "Toaster": (1, 1)},
    },
    "bedroom": {
        **{"Bed": (1, 2), "Desk": (1, 2), "Drawer": (3, 9), "Dresser": (1, 1), "GarbageCan": (1, 1)},
        **{"LaundryHamper": (0, 1), "Safe": (0, 1), "Shelf": (2, 6), "SideTable": (1, 2)},
    },
    "bathroom": {
        **{"BathtubBasin": (1, 1), "Cabinet": (2, 6), "CounterTop": (1, 1), "Drawer": (0, 4), "GarbageCan": (1, 1)},
        **{"HandTowelHolder": (1, 2), "SinkBasin": (1, 2), "Toilet": (1, 1), "ToiletPaperHanger": (1, 1)},
    },
    "livingroom": {
        **{"ArmChair": (1, 2), "CoffeeTable": (1, 1), "DiningTable": (0, 1), "Drawer": (2, 6), "Dresser": (0, 1)},
        **{"GarbageCan": (1, 1), "Safe": (0, 1), "Shelf": (1, 4), "SideTable": (1, 3), "Sofa": (1, 1)},
    },
}
"""The receptacles of each sort of room, with the least and the most of them."""
THINGS: Mapping[str, str] = {
    "kitchen": "Apple Bread Cup DishSponge Egg Knife Lettuce Mug Pan Plate Potato SaltShaker SoapBottle Spoon Tomato",
    "bedroom": "AlarmClock Book CD CellPhone CreditCard DeskLamp KeyChain Laptop Mug Pen Pencil Pillow Statue Watch",
    "bathroom": "Candle Cloth DishSponge HandTowel SoapBar SoapBottle ToiletPaper",
    "livingroom": "Book CreditCard KeyChain Laptop Newspaper Pillow RemoteControl Statue Vase Watch DeskLamp",
}
"""What is found in each sort of room."""
PLACES: Mapping[str, str] = {
    "AlarmClock": "SideTable 5 Desk 3 Dresser 2 Shelf 1",
    "Apple": "Fridge 4 CounterTop 3 DiningTable 2 SinkBasin 1 GarbageCan 1 Microwave 0",
    "Book": "Bed 4 Desk 3 SideTable 1 Sofa 1 Shelf 0 Drawer 0",
    "Bread": "CounterTop 6 DiningTable 2 Fridge 1 Microwave 0",
    "CD": "Drawer 4 Desk 3 Safe 2 Shelf 1 GarbageCan 1",
    "Candle": "Toilet 4 CounterTop 3 BathtubBasin 1 Cabinet 1 Drawer 0",
    "CellPhone": "Bed 4 Desk 3 Dresser 2 SideTable 1 Drawer 1",
    "Cloth": "BathtubBasin 4 Cabinet 3 Drawer 1 CounterTop 1 Toilet 0",
    "CreditCard": "Drawer 3 Dresser 2 CoffeeTable 2 Desk 2 ArmChair 1 Sofa 1 SideTable 1",
    "Cup": "Cabinet 4 SinkBasin 2 CounterTop 2 Fridge 1 Microwave 1 Shelf 0",
    "DishSponge": "SinkBasin 5 Drawer 2 CounterTop 2 Cabinet 1",
    "Egg": "Fridge 5 SinkBasin 2 CounterTop 1 GarbageCan 1 Microwave 0",
    "HandTowel": "HandTowelHolder 1 CounterTop 0 GarbageCan 0 BathtubBasin 0 SinkBasin 0",
    "KeyChain": "SideTable 3 Safe 3 CoffeeTable 2 Drawer 2 Desk 1 Sofa 1",
    "Knife": "Drawer 4 CounterTop 4 SinkBasin 2",
    "Laptop": "Bed 3 Desk 3 Sofa 3 CoffeeTable 2 DiningTable 1",
    "Lettuce": "Fridge 5 CounterTop 3 SinkBasin 1 GarbageCan 1",
    "Mug": "CoffeeMachine 4 Cabinet 3 SinkBasin 2 CounterTop 1 Desk 2 Shelf 1 Microwave 0",
    "Newspaper": "Sofa 4 CoffeeTable 3 ArmChair 2 GarbageCan 1 Drawer 0",
    "Pan": "StoveBurner 6 Cabinet 2 CounterTop 1 SinkBasin 1 Fridge 0 DiningTable 0",
    "Pen": "Desk 5 Drawer 3 SideTable 2 GarbageCan 1 Shelf 1",
    "Pencil": "Desk 4 Drawer 4 Shelf 2 GarbageCan 1 SideTable 1",
    "Pillow": "Bed 5 Sofa 3 ArmChair 3",
    "Plate": "Cabinet 5 CounterTop 2 DiningTable 2 Shelf 1 SinkBasin 1 Fridge 0 Microwave 0",
    "Potato": "Fridge 3 CounterTop 3 SinkBasin 2 GarbageCan 2 Microwave 0",
    "RemoteControl": "Sofa 4 CoffeeTable 3 ArmChair 2 SideTable 2 Drawer 0",
    "SaltShaker": "Cabinet 4 Drawer 3 CounterTop 2 Shelf 1",
    "SoapBar": "BathtubBasin 3 SinkBasin 3 Toilet 2 CounterTop 1 GarbageCan 0 Cabinet 0",
    "SoapBottle": "Toilet 3 Cabinet 3 CounterTop 2 SinkBasin 1 GarbageCan 1",
    "Spoon": "Drawer 5 SinkBasin 3 CounterTop 2 DiningTable 1",
    "Statue": "Shelf 4 CoffeeTable 2 Dresser 2 SideTable 2 Safe 0",
    "ToiletPaper": "Toilet 4 Cabinet 3 CounterTop 1 Drawer 1 ToiletPaperHanger 0",
    "Tomato": "Fridge 4 CounterTop 3 DiningTable 1 SinkBasin 1 GarbageCan 1 Microwave 0",
    "Vase": "Shelf 5 Dresser 2 CoffeeTable 2 Safe 2 SideTable 0",
    "Watch": "Safe 3 SideTable 2 Drawer 2 CoffeeTable 2 Dresser 1 Shelf 1",
    LAMP: "Desk 3 SideTable 3 Dresser 1",
}
"""Where each kind of object may be put, and how often it is found there."""
TREATED: Mapping[str, str] = {
    "clean": "Apple Cloth Cup DishSponge Egg Knife Lettuce Mug Pan Plate Potato SoapBar Spoon Tomato",
    "heat": "Apple Bread Cup Egg Mug Plate Potato Tomato",
    "cool": "Apple Bread Cup Egg Lettuce Mug Pan Plate Potato Tomato",
}
SENTENCES: Mapping[str, tuple[str, str]] = {
    "look_at_obj_in_light": ("look at {thing} under the {target}", "examine the {thing} with the {target}"),
    "pick_and_place_simple": ("put a {thing} in {target}", "put some {thing} on {target}"),
    "pick_clean_then_place": ("put a clean {thing} in {target}", "clean some {thing} and put it in {target}"),
    "pick_cool_then_place": ("put a cool {thing} in {target}", "cool some {thing} and put it in {target}"),
    "pick_heat_then_place": ("put a hot {thing} in {target}", "heat some {thing} and put it in {target}"),
    "pick_two_obj_and_place": ("put two {thing} in {target}", "find two {thing} and put them in {target}"),
}
OBJECTS = (10, 22)
"""The least and the most objects in a room."""


def make(count: int, *, seed: int, name: str) -> list[Game]:
    """Make games whose names begin with `name`; the same arguments give the same games, whatever `count` is."""
    return [_make(f"{name}/{{task}}/game_{number:05}", Random(f"{seed} {name} {number}")) for number in range(count)]


def _make(name: str, random: Random) -> Game:
    kind = random.choice(KINDS)
    while True:  # some rooms have no place for such a task
        room = _Room.furnished(random)
        if aim := room.aim(kind, random):
            break
    thing, target = aim
    words = {"thing": thing.lower(), "target": target.lower()}
    return Game(
        name=name.format(task=f"{kind}-{thing}-None-{target}-{room.sort}"),
        task=random.choice(SENTENCES[kind]).format_map(words),
        problem=room.problem(kind, thing, target),
        walkthrough=tuple(room.walkthrough(kind, thing, target)),
    )


@dataclass(frozen=True, slots=True)
class _Room:
    sort: str
    receptacles: Mapping[str, str]
    """Ids with their kinds."""
    objects: Mapping[str, str]
    inside: Mapping[str, str]
    """The receptacle of every object."""

    @classmethod
    def furnished(cls, random: Random) -> _Room:
        """Draw a room with what is in it."""
        sort = random.choice(sorted(ROOMS))
        counts = {kind: random.randint(*span) for kind, span in ROOMS[sort].items()}
        receptacles = {_id(kind, n): kind for kind, count in counts.items() for n in range(1, count + 1)}
        here = {thing: _weights(thing, receptacles.values()) for thing in THINGS[sort].split()}
        kinds = [thing for thing, weights in here.items() if sum(weights.values()) and thing != LAMP]
        drawn = random.choices(kinds, k=random.randint(*OBJECTS)) + [LAMP] * (LAMP in here)
        objects = {_id(kind, n): kind for n, kind in enumerate(drawn, start=1)}
        inside: dict[str, str] = {}
        for each, thing in objects.items():
            (place,) = random.choices(list(here[thing]), weights=list(here[thing].values()))
            inside[each] = random.choice([name for name, kind in receptacles.items() if kind == place])
        return cls(sort, receptacles, objects, inside)

    def aim(self, kind: str, random: Random) -> tuple[str, str] | None:
        """Draw an object and a target (kinds) that make a game of this kind; none of the objects is there already."""
        treat = kind.removeprefix("pick_").removesuffix("_then_place")
        wanted = 2 if kind == "pick_two_obj_and_place" else 1
        found: list[tuple[str, str]] = []
        for thing in sorted({*self.objects.values()} - {LAMP}):
            places = {self.receptacles[self.inside[each]] for each in self._all(thing)}
            if len(self._all(thing)) < wanted or thing not in TREATED.get(treat, thing).split():
                continue
            if treat in APPLIANCES and APPLIANCES[treat] not in self.receptacles.values():
                continue
            if kind == "look_at_obj_in_light":
                found += [(thing, LAMP)] if self._all(LAMP) else []
            else:
                found += [
                    (thing, target) for target in _weights(thing, self.receptacles.values()) if target not in places
                ]
        return random.choice(found) if found else None

    def problem(self, kind: str, thing: str, target: str) -> str:
        """Return the game in PDDL."""
        facts = ["atLocation agent1 loc_bar_start"]
        for place, sort in self.receptacles.items():
            facts += [f"receptacleType {place} {sort}Type", f"receptacleAtLocation {place} loc_bar_{place}"]
            facts += [f"openable {place}"] if sort in SHUT else []
        for each, what in self.objects.items():
            place = self.inside[each]
            facts += [f"objectType {each} {what}Type", f"inReceptacle {each} {place}"]
            facts += [f"objectAtLocation {each} loc_bar_{place}"]
            facts += [f"toggleable {each}"] if what == LAMP else [f"pickupable {each}"]
            facts += [f"{verb}able {each}" for verb, kinds in TREATED.items() if what in kinds.split()]
        for what in sorted(set(self.objects.values())):
            facts += [f"canContain {place}Type {what}Type" for place in _weights(what, self.receptacles.values())]
        lines = [f"({fact})" for fact in facts]
        return "\n".join(["(:init", *lines, ")", f"(:goal (and {_goal(kind, thing, target)}))"])

    def walkthrough(self, kind: str, thing: str, target: str) -> list[str]:
        """Return the shortest way for one who knows where everything is, but for the choice among equal things."""
        name = names([*self.receptacles, *self.objects])
        path: list[str] = []

        def visit(place: str) -> None:
            if not path or _place_of(path) != name[place]:
                path.append(f"go to {name[place]}")
            if self.receptacles[place] in SHUT and f"open {name[place]}" not in path:
                path.append(f"open {name[place]}")

        treat = kind.removeprefix("pick_").removesuffix("_then_place")
        goal = next((place for place, sort in self.receptacles.items() if sort == target), "")
        for each in self._all(thing)[: 2 if kind == "pick_two_obj_and_place" else 1]:
            visit(self.inside[each])
            path.append(f"take {name[each]} from {name[self.inside[each]]}")
            if treat in APPLIANCES:
                tool = next(place for place, sort in self.receptacles.items() if sort == APPLIANCES[treat])
                visit(tool)
                path.append(f"{treat} {name[each]} with {name[tool]}")
            if target == LAMP:
                (lamp,) = self._all(LAMP)
                visit(self.inside[lamp])
                path.append(f"use {name[lamp]}")
            else:
                visit(goal)
                path.append(f"move {name[each]} to {name[goal]}")
        return path

    def _all(self, thing: str) -> list[str]:
        return [each for each, kind in self.objects.items() if kind == thing]


def _place_of(path: Sequence[str]) -> str:
    return next(command for command in reversed(path) if command.startswith("go to ")).removeprefix("go to ")


def _weights(thing: str, kinds: Collection[str]) -> dict[str, int]:
    """Return how often such a thing is found in each of these kinds of receptacles that it may be in."""
    listed = PLACES[thing].split()
    return {place: int(weight) for place, weight in zip(listed[::2], listed[1::2], strict=True) if place in kinds}


def _id(kind: str, number: int) -> str:
    """Return an id in the published games' manner: a basin is part of its sink or bathtub."""
    whole = kind.removesuffix("Basin")
    return (f"{whole}_bar_{number:02}" + ("" if whole == kind else f"_bar_{kind}")).lower()


def _goal(kind: str, thing: str, target: str) -> str:
    if kind == "look_at_obj_in_light":
        return (
            f"(exists (?ot - object ?r - receptacle ?a - agent ?l - location) (and (objectType ?ot {LAMP}Type) "
            "(toggleable ?ot) (isToggled ?ot) (receptacleAtLocation ?r ?l) (atLocation ?a ?l) (inReceptacle ?ot ?r))) "
            f"(exists (?o - object ?a - agent) (and (objectType ?o {thing}Type) (holds ?a ?o)))"
        )
    there = f"(objectType ?{{o}} {thing}Type) (receptacleType ?r {target}Type) (inReceptacle ?{{o}} ?r)"
    if kind == "pick_two_obj_and_place":
        second = f"(exists (?o2 - object) (and (not (= ?o1 ?o2)) {there.format(o='o2')}))"
        return f"(exists (?r - receptacle) (exists (?o1 - object) (and {there.format(o='o1')} {second})))"
    states = {"pick_clean_then_place": "isClean", "pick_heat_then_place": "isHot", "pick_cool_then_place": "isCool"}
    state = f" ({states[kind]} ?o)" if kind in states else ""
    return f"(exists (?r - receptacle) (exists (?o - object) (and {there.format(o='o')}{state})))"
