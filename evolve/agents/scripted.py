"""The player without a model: a fixed policy for household games, whose order of search comes from the memory.

It reads the goal from its sentence, and does what the goal asks for step by step. Only where to look for an object is
open: receptacles are searched in the order of how often what `read` returned tells that such an object is, or was
taken, there; where the memory says nothing, in the order in which the room lists them. So within few steps the games
that it wins measure whether a memory knows where things are kept, and nothing else: not how well it explains how to
clean or heat, which this agent knows. It is deterministic and free, and fills items as the extractive agent does.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

from evolve.agents.extractive import ExtractiveAgent
from evolve.environments.base import Situation
from evolve.types import JSON, Program

_GOALS = (
    re.compile(r"(?P<treat>clean|cool|heat) some (?P<thing>\w+) and put it in (?P<target>\w+)"),
    re.compile(r"(?:find|put) (?P<two>two) (?P<thing>\w+) (?:and put them )?in (?P<target>\w+)"),
    re.compile(r"put (?:a|some) (?:(?P<treat>clean|cool|hot) )?(?P<thing>\w+) (?:in|on) (?P<target>\w+)"),
    re.compile(r"(?:look at|examine the) (?P<thing>\w+) (?:under|with) the (?P<lamp>\w+)"),
)
_APPLIANCES = {"clean": "sinkbasin", "heat": "microwave", "cool": "fridge"}
_NAMED = re.compile(r"\ba (\w+ \d+)")
_MORE_OF_IT = re.compile(r"\. In it,")
_CLAUSE = re.compile(r"[\n.;|!?]+|(?:^|\s)>\s")
_WORD = re.compile(r"[a-z]+|\d+")
_BROUGHT = "task goal put puts move moves moved place places placed clean heat cool use using"
_ELSEWHERE = frozenset(_BROUGHT.split())
"""A clause with one of these words tells where an object was brought, not where it was found."""


class ScriptedAgent(ExtractiveAgent):
    """A task agent that plays household games without a model; an `Actor`."""

    name = "scripted"

    def formulate(self, program: Program, question: str) -> dict[str, JSON]:
        """Fill the `Query` schema from the goal's sentence and the object sought; the room's list would drown both."""
        sentence = question.partition("\n")[0].removeprefix("Task:").strip()
        thing = _goal(sentence).thing
        return super().formulate(program, f"{sentence} Where is the {thing}? take {thing} from" if thing else question)

    def act(self, program: Program, situation: Situation) -> str:
        """Return the command that brings the goal nearer; "look" where nothing does."""
        sentence, _, room = situation.goal.partition("\n")
        goal = _goal(sentence.removeprefix("Task:"))
        known = _known(tuple(_NAMED.findall(room)), situation.steps)
        for command in _plan(goal, known, situation.read):
            if command in situation.commands:
                return command
        return "look" if "look" in situation.commands else situation.commands[0]


@dataclass(frozen=True, slots=True)
class _Goal:
    thing: str = ""
    """Its kind, such as "mug"; empty where the sentence is not understood."""
    target: str = ""
    treat: str = ""
    two: bool = False
    lamp: str = ""


@lru_cache(maxsize=4_096)
def _goal(sentence: str) -> _Goal:
    for pattern in _GOALS:
        if match := pattern.search(sentence):
            told = {name: value or "" for name, value in match.groupdict().items()}
            treat = {"hot": "heat"}.get(told.get("treat", ""), told.get("treat", ""))
            return _Goal(told["thing"], told.get("target", ""), treat, "two" in told, told.get("lamp", ""))
    return _Goal()


@dataclass(slots=True)
class _Known:
    """What the steps so far have shown."""

    receptacles: Sequence[str]
    """As the room lists them."""
    inside: dict[str, list[str]] = field(default_factory=dict)
    """What was last seen in each receptacle that was looked into."""
    shut: set[str] = field(default_factory=set)
    held: str = ""
    treated: set[str] = field(default_factory=set)

    def holding(self, kind: str) -> list[str]:
        """Return the receptacles in which such an object was seen, in the order in which they were looked into."""
        return [place for place, things in self.inside.items() if any(_kind(thing) == kind for thing in things)]


def _known(receptacles: Sequence[str], steps: Sequence[tuple[str, str]]) -> _Known:
    known = _Known(receptacles)
    for command, observation in steps:
        verb, *rest = command.split(" ")
        place = " ".join(rest[-2:])
        if verb in ("go", "open", "examine") and "you see" in observation and place in receptacles:
            known.inside[place] = _NAMED.findall(observation.partition("you see")[2])
            known.shut.discard(place)
        elif verb == "go" and "is closed" in observation:
            known.shut.add(place)
        elif observation.startswith("You pick up"):
            known.held = " ".join(rest[:2])
            known.inside[place] = [thing for thing in known.inside.get(place, []) if thing != known.held]
        elif observation.startswith("You move"):
            known.inside.setdefault(place, []).append(known.held)
            known.held = ""
        elif verb in _APPLIANCES and observation.startswith("You "):
            known.treated.add(known.held)
    return known


def _plan(goal: _Goal, known: _Known, read: str) -> list[str]:
    """Return commands, the first of which that can be done is the next; each supposes that those before cannot."""
    if _kind(known.held) != goal.thing or not goal.thing:
        return _fetch(goal, known, read)
    if goal.lamp:
        lamps = known.holding(goal.lamp)
        names = [thing for place in lamps for thing in known.inside[place] if _kind(thing) == goal.lamp]
        use = [f"use {name}" for name in names]
        return [*use, *(_visit(place, known) for place in lamps), *_search(goal.lamp, known, read)]
    if goal.treat and known.held not in known.treated:
        places = [place for place in known.receptacles if _kind(place) == _APPLIANCES[goal.treat]]
        return [*(f"{goal.treat} {known.held} with {place}" for place in places), *(f"go to {each}" for each in places)]
    place = _target(goal, known)
    return [f"move {known.held} to {place}", f"open {place}", f"go to {place}"]


def _fetch(goal: _Goal, known: _Known, read: str) -> list[str]:
    """Return what leads to an object of the goal's kind in hand, those that are where they belong aside."""
    settled = _target(goal, known) if goal.two else ""
    for place in known.holding(goal.thing):
        if place != settled:
            thing = next(each for each in known.inside[place] if _kind(each) == goal.thing)
            return [f"take {thing} from {place}", f"open {place}", f"go to {place}"]
    return _search(goal.thing, known, read)


def _target(goal: _Goal, known: _Known) -> str:
    """Return the receptacle to bring the object to: one that has such an object already, where two are wanted."""
    places = [place for place in known.receptacles if _kind(place) == goal.target]
    begun = [place for place in known.holding(goal.thing) if place in places] if goal.two else []
    return next(iter([*begun, *places]), "")


def _search(kind: str, known: _Known, read: str) -> list[str]:
    """Return how to go on where no object of the kind is known: look into the likeliest place not looked into yet."""
    left = [place for place in known.receptacles if place not in known.inside]
    places = likely(kind, tuple(known.receptacles), read)
    return [f"open {place}" for place in left if place in known.shut] + [
        _visit(place, known) for place in places if place in left
    ]


def _visit(place: str, known: _Known) -> str:
    return f"open {place}" if place in known.shut else f"go to {place}"


def _kind(name: str) -> str:
    return name.partition(" ")[0]


@lru_cache(maxsize=4_096)
def likely(thing: str, receptacles: tuple[str, ...], read: str) -> tuple[str, ...]:
    """Return the receptacles, such as "desk 2", in the order in which the memory's words tell to look for a thing.

    Every clause that names the thing counts for the kinds of receptacles that it names, the first one of them most; of
    one kind, a receptacle named with its number comes first. The rest stay in the order given.
    """
    kinds = {_kind(place) for place in receptacles} - {thing}
    by_kind, by_name = defaultdict[str, float](float), Counter[str]()
    for clause in _CLAUSE.split(_MORE_OF_IT.sub(", in it,", read)):
        words = _WORD.findall(clause.lower())
        if _ELSEWHERE.isdisjoint(words) and _mentioned(words, {thing}):
            for rank, kind in enumerate(_mentioned(words, kinds), start=1):
                by_kind[kind] += 1 / rank
            by_name.update({f"{one} {other}" for one, other in pairwise(words)} & set(receptacles))
    return tuple(sorted(receptacles, key=lambda place: (-by_kind[_kind(place)], -by_name[place])))


def _mentioned(words: Sequence[str], kinds: Collection[str]) -> list[str]:
    """Return the kinds that the words name, also in the plural or in two words, in the order of their first mention."""
    forms = {form: kind for kind in kinds for form in (kind, f"{kind}s", f"{kind}es")}
    joined = [*map("".join, pairwise(words)), ""]
    found = (forms.get(word) or forms.get(two) for word, two in zip(words, joined, strict=False))
    return list(dict.fromkeys(kind for kind in found if kind))
