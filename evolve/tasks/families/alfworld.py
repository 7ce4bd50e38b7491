"""ALFWorld: household tasks in text, and how an agent's memory of other rooms shortens its search in a new one.

Source: Shridhar et al., "ALFWorld: Aligning Text and Embodied Environments for Interactive Learning" (arXiv
2010.03768), the games of release 0.4.2. An episode is the transcript of an expert in a game of `train`; a query is a
goal in another game, which its environment says is reached or not. All of it is one scope: an agent's life.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from evolve.environments.processes import ProcessEnvironments, household_command
from evolve.tasks import alfworld_games, alfworld_rooms
from evolve.tasks.alfworld_games import RELEASE, Game, room_of
from evolve.tasks.base import Options, make_task
from evolve.tasks.family import Family
from evolve.traits import ScorerTraits, Traits
from evolve.types import Episode, Query, Task

if TYPE_CHECKING:
    from evolve.environments.base import Environments
    from evolve.models.base import Ask
    from evolve.scoring.base import Scorer, Verdict

SCOPE = "household"
STEPS, SCRIPTED_STEPS = 50, 15
"""Most commands where a model plays, as in published results, and where the scripted agent does: given 50, that one
wins without a memory as well."""
GENERATED_TEST = 134


class AlfworldOptions(Options):
    """Options of the task `alfworld`."""

    games: Literal["real", "generated"] = "real"
    """"real" for the published games, "generated" for games made here from the seed, which need no data."""
    episodes: int = Field(default=480, ge=1)
    """How many expert transcripts of training games are remembered: a whole number of at least 1."""
    queries: int = Field(default=150, ge=1)
    """How many other training games are played for the search: a whole number of at least 1."""
    test: Literal["unseen", "seen"] = "unseen"
    """The held-out games: "unseen" for the 134 in rooms that training games lack, "seen" for the 140 in known rooms."""
    held_out: int = Field(default=0, ge=0)
    """How many held-out games there are: a whole number, 0 for all (134 of the generated ones)."""
    seed: int = Field(default=0, ge=0)
    """Draws the training games, or makes the generated ones: a whole number of at least 0."""
    steps: int = Field(default=0, ge=0)
    """Most commands in one game: a whole number, 0 for 50 where a model plays and 15 for the scripted agent."""
    reads: Literal["episode", "step"] = "episode"
    """"episode" to read the memory once at a game's start, "step" to read it before every command."""


class Alfworld(Family[AlfworldOptions]):
    """Household tasks in a text world, won or not within a number of steps."""

    name = "alfworld"
    options_model = AlfworldOptions
    sources = (RELEASE,)
    traits = Traits(
        scorers={
            "success": ScorerTraits(
                "A case scores 1 where the agent reaches its goal in the household within the steps allowed, else 0. "
                "Where a model plays these are 50, unless the task's options say otherwise. The scripted agent has 15; "
                "it searches those receptacles first in which, by what was read, such an object is found.",
                "Success is the share of the games that were won within the steps allowed.",
                free=True,
            )
        },
        interactive=True,
        steps=STEPS,
    )

    def load(self) -> Task:
        """Draw or make the games; held out are those of the test split, all others are training games."""
        lived, asked, tested = self._games()
        queries = [_query(game) for game in (*asked, *tested)]
        return make_task(
            self.name,
            options=self.options.model_dump(mode="json"),
            episodes=[_episode(game) for game in lived],
            queries=queries,
            held_out=frozenset(game.name for game in tested),
        )

    def scorer(self, name: str, ask: Ask | None) -> Scorer:
        """Return the scorer "success": the environment's verdict."""
        return Success()

    def environments(self, *, answering: bool) -> Environments:
        """Return the environments of one worker, each game in a process of its own."""
        steps = self.options.steps or (STEPS if answering else SCRIPTED_STEPS)
        return ProcessEnvironments(household_command(), steps=steps, reads=self.options.reads)

    def oracle(self, query: Query) -> str | None:
        """Return where everything is that the goal needs, and an expert's way to it."""
        walkthrough = query.details["walkthrough"]
        assert isinstance(walkthrough, list)
        place, lines = "", [f"> {command}" for command in walkthrough]
        for command in map(str, walkthrough):
            verb, *words = command.split(" ")
            if verb == "go":
                place = " ".join(words[1:])
            elif verb == "take":
                lines.append(f"There is a {' '.join(words[:2])} in {' '.join(words[3:])}.")
            elif verb == "use":
                lines.append(f"There is a {' '.join(words)} in {place}.")
        return "\n".join(lines)

    def notes(self) -> tuple[str, ...]:
        """Return how this differs from published results."""
        told = []
        if self.options.games == "generated":
            told.append("The games are generated: not comparable with results on ALFWorld.")
        if self.options.steps != STEPS:
            told.append(
                f"Published results allow {STEPS} steps (some 30); the scripted agent has {SCRIPTED_STEPS} unless "
                "`steps` says otherwise."
            )
        return tuple(told)

    def _games(self) -> tuple[list[Game], list[Game], list[Game]]:
        """Return the games that are remembered, searched with, and held out."""
        options, both = self.options, self.options.queries + self.options.episodes
        if options.games == "generated":
            train = alfworld_rooms.make(both, seed=options.seed, name="generated/train")
            test = alfworld_rooms.make(
                options.held_out or GENERATED_TEST, seed=options.seed, name=f"generated/{options.test}"
            )
        else:
            train = alfworld_games.draw("train", count=both, seed=options.seed)
            test = alfworld_games.draw(f"valid_{options.test}", count=options.held_out, seed=options.seed)
        return train[options.queries :], train[: options.queries], test


class Success:
    """What the environment says; there is nothing to score in words."""

    name = "success"

    def score(self, query: Query, read: str, answer: str) -> Verdict:
        """Never called: a game is played, not answered."""
        raise TypeError("a game of alfworld is scored by its environment")


def _episode(game: Game) -> Episode:
    """Return the expert's transcript, with the task before it and the outcome after it."""
    lines = [f"Task: {game.task}.", f"Kind: {game.kind}"]
    for command, turn in game.replay():
        lines += [f"> {command}", turn.observation] if command else [room_of(turn)]
    lines.append(f"Outcome: success in {len(game.walkthrough)} steps")
    return Episode(id=game.name, scope=SCOPE, text="\n".join(lines))


def _query(game: Game) -> Query:
    _, turn = next(game.replay())
    return Query(
        id=game.name,
        scope=SCOPE,
        text=f"Task: {game.task}.\n{room_of(turn)}",
        answer="",
        category=game.kind,
        details=game.details,
    )
