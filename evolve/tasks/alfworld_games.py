"""The games of ALFWorld as they are published: which there are, and what is needed to play them."""

from __future__ import annotations

import hashlib
import heapq
import json
import re
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evolve.environments.base import Turn
from evolve.environments.household import World
from evolve.errors import ConfigError, DataError
from evolve.tasks.data import Source, data_file, data_folder
from evolve.types import JSON

PACKED = "alfworld/game_tw-pddl_{split}.tar.xz"
"""The same games, packed anew by split, are read where the data folder has them."""
RELEASE = Source(
    path="alfworld/json_2.1.3_tw-pddl.zip",
    url="https://github.com/alfworld/alfworld/releases/download/0.4.2/json_2.1.3_tw-pddl.zip",
    sha256="5df77ea759f2211a4106082839ddbbb790f1ba4e7d097ed732cf453f72aa36cf",
    licence="MIT",
    instead=(PACKED.format(split="train"),),
)
KINDS = (
    "look_at_obj_in_light",
    "pick_and_place_simple",
    "pick_clean_then_place",
    "pick_cool_then_place",
    "pick_heat_then_place",
    "pick_two_obj_and_place",
)
DOMAIN = "0af55e7f92d12b09d28515aa730e4d03fddd17228ef1fd7b18a3ee8ba49b27b9"
"""sha256 of the domain in PDDL that all games share; `evolve.environments.household` knows its rules."""
GRAMMAR = "d21f36f3be06eb69e772e656fc053d5c37904561c6fa1935a0c5df335da161c3"
"""sha256 of the grammar that all games share, without the sentence that says what to do."""

_MEMBER = re.compile(r"(?:.*/)?(?P<split>train|valid_seen|valid_unseen)/(?P<task>[^/]+)/(?P<trial>[^/]+)/game\.tw-pddl")
_TASK = re.compile(r'Your task is to: ([^"]*?)\.?"')
_FACT = re.compile(r"\(([A-Za-z]+) ([^()]+)\)")


@dataclass(frozen=True, slots=True)
class Game:
    """One game, and how an expert who knows where everything is wins it."""

    name: str
    """Such as "valid_unseen/pick_heat_then_place_in_recep-Apple-None-GarbageCan-10/trial_T20190908_145050_918567"."""
    task: str
    """Such as "heat some apple and put it in garbagecan"."""
    problem: str
    """In PDDL: what is needed of the initial facts, and the goal."""
    walkthrough: tuple[str, ...]

    @property
    def kind(self) -> str:
        """One of the six kinds of tasks."""
        return kind_of(self.name)

    @property
    def details(self) -> dict[str, JSON]:
        """What the environment needs, and the name and the walkthrough."""
        return {"game": self.name, "task": self.task, "problem": self.problem, "walkthrough": list(self.walkthrough)}

    def replay(self) -> Iterator[tuple[str, Turn]]:
        """Yield "" with what is seen first, and every command of the walkthrough with what follows it.

        Raises DataError for a command that cannot be done, and for an end that does not win.
        """
        world = World(self.details)
        turn = world.start()
        yield "", turn
        for command in self.walkthrough:
            if command not in turn.commands:
                raise DataError(f"Game {self.name}, field 'walkthrough': {command!r} cannot be done where it stands.")
            turn = world.step(command)
            yield command, turn
        if not turn.won:
            raise DataError(f"Game {self.name}, field 'walkthrough': it does not reach the goal.")


def kind_of(name: str) -> str:
    """Return the kind of task that a game's name tells."""
    return name.split("/")[-2].partition("-")[0].removesuffix("_in_recep")


def room_of(turn: Turn) -> str:
    """Return the paragraph of the first observation that tells what is in the room, without greeting and task."""
    return turn.observation.split("\n\n")[1]


def draw(split: str, *, count: int, seed: int) -> list[Game]:
    """Draw so many games of a split, in the drawn order; 0 draws all. A larger count only adds games at the end.

    Raises PrerequisiteError where the games are not there and cannot be downloaded, ConfigError where there are not so
    many, and DataError for a file that is no game of ALFWorld 0.4.
    """

    packed = data_folder() / PACKED.format(split=split)
    found = contents(packed if packed.is_file() else data_file(RELEASE), split)
    ranked = ((hashlib.sha256(f"{seed} {name}".encode()).digest(), name, file) for name, file in found)
    drawn = heapq.nsmallest(count, ranked) if count else sorted(ranked)
    if not drawn or len(drawn) < count:
        raise ConfigError(f"Task 'alfworld': {count} games of {split} are wanted, and there are {len(drawn)}.")
    return [_game(name, content) for _, name, content in drawn]


def contents(archive: Path, split: str) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the file of every game of a split, out of the published zip or a tar of the same files."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            for path in packed.namelist():
                if (match := _MEMBER.fullmatch(path)) and match["split"] == split:
                    yield "/".join(match.groups()), packed.read(path)
        return
    with tarfile.open(archive, "r|*") as stream:
        for member in stream:
            match = _MEMBER.fullmatch(member.name)
            if match and match["split"] == split and (file := stream.extractfile(member)) is not None:
                yield "/".join(match.groups()), file.read()


def _game(name: str, content: bytes) -> Game:
    """Check a game's file. Raises DataError."""
    where = f"Game {name}"
    try:
        record = json.loads(content)
        domain, grammar, problem = (str(record[field]) for field in ("pddl_domain", "grammar", "pddl_problem"))
        walkthrough = tuple(str(command) for command in record["walkthrough"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{where}: found {type(error).__name__}: {error}, expected JSON with pddl_domain, grammar, pddl_problem "
            "and walkthrough."
        ) from None
    sentence = _TASK.search(grammar)
    for field, text, expected in (("pddl_domain", domain, DOMAIN), ("grammar", _TASK.sub("", grammar), GRAMMAR)):
        if hashlib.sha256(text.encode()).hexdigest() != expected:
            raise DataError(
                f"{where}, field {field!r}: it is not that of ALFWorld 0.4; expected release 0.4.2's games."
            )
    if sentence is None:
        raise DataError(f"{where}, field 'grammar': found no sentence 'Your task is to: ...'.")
    return Game(name, sentence[1], condensed(problem), walkthrough)


def condensed(problem: str) -> str:
    """Return the initial facts and the goal, without what an object can never be put into and without declarations."""
    initial, _, goal = problem.partition("(:goal")
    facts = _FACT.findall(initial.partition("(:init")[2])
    kinds = {arguments.split()[-1] for name, arguments in facts if name in ("receptacleType", "objectType")}
    kept = [(name, *arguments.split()) for name, arguments in facts]
    kept = [fact for fact in kept if fact[0] != "canContain" or kinds.issuperset(fact[1:])]
    lines = [f"({' '.join(fact)})" for fact in kept]
    return "\n".join(["(:init", *lines, ")", "(:goal" + " ".join(goal.split())])
