"""The household of ALFWorld: rooms with receptacles and objects, what may be done in them, and what is then seen.

The rules and every word are those of the games of ALFWorld 0.4 (Shridhar et al., arXiv 2010.03768), all of which share
one domain in PDDL and one grammar of texts; they were written anew, because a game of TextWorld takes seconds to load
and a tenth of a second a step, where a search plays thousands. `docs/tasks/alfworld.md` says how the two were compared.

Runs in a process of its own and needs the standard library alone.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from evolve.environments.base import Turn
from evolve.types import JSON

_FACT = re.compile(r"\(([a-z]+) ([^()]+)\)")
_DIFFERENT = re.compile(r"\(not \(= (\?\w+) (\?\w+)\)\)")
_KNIVES = ("knifetype", "butterknifetype")
_APPLIANCES = {"clean": "sinkbasintype", "heat": "microwavetype", "cool": "fridgetype"}
_HELP = """\
Available commands:
  look:                             look around your current location
  inventory:                        check your current inventory
  go to (receptacle):               move to a receptacle
  open (receptacle):                open a receptacle
  close (receptacle):               close a receptacle
  take (object) from (receptacle):  take an object from a receptacle
  move (object) to (receptacle):  place an object in or on a receptacle
  examine (something):              examine a receptacle or an object
  use (object):                     use an object
  heat (object) with (receptacle):  heat an object using a receptacle
  clean (object) with (receptacle): clean an object using a receptacle
  cool (object) with (receptacle):  cool an object using a receptacle
  slice (object) with (object):     slice an object using a sharp object
"""

Fact = tuple[str, ...]
Condition = tuple[str, tuple[str, ...]]
"""A relation, and what it holds between: ids, and variables such as "?o"."""
Done = tuple[str, ...]
"""An action and what it is done to, such as ("take", object, receptacle)."""


class World:
    """One game. A game is a problem in PDDL, of which the initial facts and the goal count, and a sentence."""

    def __init__(self, game: Mapping[str, JSON]) -> None:
        """Set up the game with the keys `problem` and `task`, as "put a clean mug in coffeemachine".

        Raises ValueError for a problem that is not of this domain.
        """
        problem, self._task = str(game["problem"]).lower(), str(game["task"])
        initial, _, goal = problem.partition("(:goal")
        self._facts: defaultdict[str, set[Fact]] = defaultdict(set)
        for name, arguments in _FACT.findall(initial.partition("(:init")[2]):
            self._facts[name].add(tuple(arguments.split()))
        self._goal = [(name, tuple(arguments.split())) for name, arguments in _FACT.findall(_DIFFERENT.sub("", goal))]
        self._different = _DIFFERENT.findall(goal)
        if not self._goal or len(self._facts["atlocation"]) != 1:
            raise ValueError("the problem has no goal, or not exactly one agent")
        self._name = names(argument for facts in self._facts.values() for fact in facts for argument in fact)
        self._kind = dict(self._pairs("objecttype")) | dict(self._pairs("receptacletype"))
        self._places = sorted(self._pairs("receptacleatlocation"))
        self._now: dict[str, Done] = {}

    def start(self) -> Turn:
        """Return what is seen first."""
        seen = self._list(sorted(receptacle for receptacle, _ in self._places))
        room = f"You are in the middle of a room. Looking quickly around you, you see {seen}."
        return self._turn(f"-= Welcome to TextWorld, ALFRED! =-\n\n{room}\n\nYour task is to: {self._task}.")

    def step(self, command: str) -> Turn:
        """Do a command; one that is not among the commands changes nothing."""
        done = self._now.get(command.strip())
        return self._turn("Nothing happens." if done is None else self._do(done))

    def _turn(self, observation: str) -> Turn:
        self._now = self._possible()
        won = self._reached(sorted(self._goal, key=lambda condition: len(self._facts[condition[0]])), {})
        return Turn(observation, tuple(sorted(self._now)), won=won, over=won)

    def _possible(self) -> dict[str, Done]:
        """Return every command that can be done now, with what it does."""
        name, held = self._name, self._held()
        found: dict[str, Done] = {"look": ("look",), "inventory": ("inventory",), "help": ("help",)}
        for receptacle, place in self._places:
            if place != self._place:
                found[f"go to {name[receptacle]}"] = ("go", receptacle, place)
        for receptacle in self._here():
            found[f"examine {name[receptacle]}"] = ("look into", receptacle)
            if self._is("openable", receptacle):
                verb = "close" if self._is("opened", receptacle) else "open"
                found[f"{verb} {name[receptacle]}"] = (verb, receptacle)
            for thing in self._inside(receptacle):
                if self._is("toggleable", thing):
                    found[f"use {name[thing]}"] = ("use", thing)
                if held is None and self._is_open(receptacle) and self._is("pickupable", thing):
                    found[f"take {name[thing]} from {name[receptacle]}"] = ("take", thing, receptacle)
            if held is not None:
                found |= self._with(held, receptacle)
        if held is not None:
            found[f"examine {name[held]}"] = ("look at", held)
            if self._kind.get(held) in _KNIVES:
                for (thing,) in self._facts["sliceable"]:
                    if (thing, self._place) in self._facts["objectatlocation"]:
                        found[f"slice {name[thing]} with {name[held]}"] = ("slice", thing, held)
        return found

    def _with(self, held: str, receptacle: str) -> dict[str, Done]:
        """Return what can be done with the object in hand at a receptacle."""
        found: dict[str, Done] = {}
        thing, where, kind = self._name[held], self._name[receptacle], self._kind[receptacle]
        if self._is_open(receptacle) and (kind, self._kind.get(held)) in self._facts["cancontain"]:
            found[f"move {thing} to {where}"] = ("move", held, receptacle)
        for verb, appliance in _APPLIANCES.items():
            if kind == appliance and self._is(f"{verb}able", held):
                found[f"{verb} {thing} with {where}"] = (verb, held, receptacle)
        return found

    def _do(self, done: Done) -> str:
        """Change the facts and return what is told."""
        facts, name = self._facts, [self._name.get(each, each) for each in done]
        match done:
            case ("go", receptacle, place):
                facts["atlocation"] = {(agent, place) for agent, _ in facts["atlocation"]}
                return f"You arrive at {name[1]}. {self._look_into(receptacle)}"
            case ("open", receptacle):
                facts["opened"].add((receptacle,))
                return f"You open the {name[1]}. {self._look_into(receptacle)}"
            case ("close", receptacle):
                facts["opened"].discard((receptacle,))
                return f"You close the {name[1]}."
            case ("take", thing, receptacle):
                facts["inreceptacle"].discard((thing, receptacle))
                facts["taken"].add((thing, receptacle))
                facts["objectatlocation"].discard((thing, self._place))
                facts["holds"] = {(agent, thing) for agent, _ in facts["atlocation"]}
                return f"You pick up the {name[1]} from the {name[2]}."
            case ("move", thing, receptacle):
                facts["inreceptacle"].add((thing, receptacle))
                facts["taken"].discard((thing, receptacle))
                facts["objectatlocation"].add((thing, self._place))
                facts["holds"].clear()
                return f"You move the {name[1]} to the {name[2]}."
            case ("use", thing):
                facts["istoggled"].add((thing,))
                return f"You turn on the {name[1]}."
            case ("slice", thing, _):
                facts["issliced"].add((thing,))
                return f"You sliced the {name[1]} with the {name[2]}."
            case ("clean" | "heat" | "cool" as verb, thing, receptacle):
                return self._treat(verb, thing, receptacle)
        return self._see(done)

    def _see(self, done: Done) -> str:
        """Return what is told where nothing changes."""
        match done:
            case ("inventory",):
                held = self._held()
                return "You are not carrying anything." if held is None else f"You are carrying: {self._list([held])}."
            case ("help",):
                return _HELP
            case ("look into", receptacle):
                return self._look_into(receptacle)
            case ("look at", thing):
                return self._look_at(thing)
        return self._look()

    def _treat(self, verb: str, thing: str, receptacle: str) -> str:
        """Clean, heat or cool."""
        if verb == "clean":
            self._facts["isclean"].add((thing,))
        else:
            becomes, was = ("ishot", "iscool") if verb == "heat" else ("iscool", "ishot")
            self._facts[becomes].add((thing,))
            self._facts[was].discard((thing,))
        return f"You {verb} the {self._name[thing]} using the {self._name[receptacle]}."

    def _look(self) -> str:
        here = self._here()
        if not here:  # the room is listed at the start alone, and so it is in ALFWorld
            return "You are in the middle of a room. Looking quickly around you, you see nothing."
        # Only what was taken out of a receptacle of this place, and put down elsewhere in it, counts as next to it.
        taken, facts = self._facts["taken"], sorted(self._facts["objectatlocation"])
        floor = [thing for thing, at in facts if at == self._place for place in here if (thing, place) in taken]
        facing = _listed([self._name[receptacle] for receptacle in here])
        return f"You are facing the {facing}. Next to it, you see {self._list(floor)}."

    def _look_into(self, receptacle: str) -> str:
        name, inside = self._name[receptacle], self._list(self._inside(receptacle))
        if not self._is("openable", receptacle):
            return f"On the {name}, you see {inside}."
        return (
            f"The {name} is open. In it, you see {inside}." if self._is_open(receptacle) else f"The {name} is closed."
        )

    def _look_at(self, thing: str) -> str:
        name = self._name[thing]
        if self._is("isreceptacleobject", thing):
            inner = sorted(inner for inner, outer in self._facts["inreceptacleobject"] if outer == thing)
            return f"This is a normal {name}. In it, you see {self._list(inner)}."
        clean, sliced = self._is("isclean", thing), "sliced " if self._is("issliced", thing) else ""
        warmth = "hot" if self._is("ishot", thing) else "cool" if self._is("iscool", thing) else ""
        if warmth == "cool" and not clean and not sliced:
            return f"This is a cold {name}."
        if warmth or clean:
            return f"This is a {' and '.join(filter(None, (warmth, 'clean' * clean)))} {sliced}{name}."
        if self._is("toggleable", thing) and self._is("istoggled", thing):
            return f"This {name} is on."
        return f"This is a sliced {name}." if sliced else f"There's nothing special about {name}."

    @property
    def _place(self) -> str:
        ((_, place),) = self._facts["atlocation"]
        return place

    def _here(self) -> list[str]:
        return [receptacle for receptacle, place in self._places if place == self._place]

    def _inside(self, receptacle: str) -> list[str]:
        return sorted(thing for thing, where in self._facts["inreceptacle"] if where == receptacle)

    def _held(self) -> str | None:
        return next((thing for _, thing in self._facts["holds"]), None)

    def _is(self, what: str, thing: str) -> bool:
        return (thing,) in self._facts[what]

    def _is_open(self, receptacle: str) -> bool:
        return not self._is("openable", receptacle) or self._is("opened", receptacle)

    def _list(self, things: Iterable[str]) -> str:
        return _listed([f"a {self._name[thing]}" for thing in things])

    def _pairs(self, relation: str) -> Iterable[tuple[str, str]]:
        return ((fact[0], fact[1]) for fact in self._facts[relation])

    def _reached(self, left: list[Condition], bound: dict[str, str]) -> bool:
        """Return whether these conditions of the goal hold for some choice of what is not bound yet."""
        if not left:
            return all(bound[one] != bound[other] for one, other in self._different)
        (relation, arguments), *rest = left
        wanted = [bound.get(each, each) for each in arguments]
        unbound = [at for at, each in enumerate(wanted) if each.startswith("?")]
        facts = self._facts[relation]
        if not unbound:
            return tuple(wanted) in facts and self._reached(rest, bound)
        return any(
            self._reached(rest, bound | {wanted[at]: fact[at] for at in unbound})
            for fact in facts
            if all(at in unbound or each == fact[at] for at, each in enumerate(wanted))
        )


def names(ids: Iterable[str]) -> dict[str, str]:
    """Return what each thing is called: its kind with a number, the last id of a kind being number 1."""
    kinds = {each: each.split("_bar_")[0] + ("basin" if "basin" in each else "") for each in ids if "_bar_" in each}
    left = Counter(kinds.values())
    named: dict[str, str] = {}
    for each in sorted(kinds):
        named[each] = f"{kinds[each]} {left[kinds[each]]}"
        left[kinds[each]] -= 1
    return named


def _listed(names: list[str]) -> str:
    if len(names) < 2:
        return "".join(names) or "nothing"
    return f"{', '.join(names[:-1])}, and {names[-1]}"
