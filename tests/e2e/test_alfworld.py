"""ALFWorld as a user has it: whole measurements and a run with the scripted agent, and every published game."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from evolve.environments.household import World
from evolve.environments.processes import ProcessEnvironments, household_command
from evolve.tasks.alfworld_games import Game, draw

DATA = Path(os.environ.get("EVOLVE_DATA", "-")) / "alfworld"
needs_games = pytest.mark.skipif(
    not (DATA / "game_tw-pddl_train.tar.xz").is_file(),
    reason="needs alfworld/game_tw-pddl_*.tar.xz in the folder that EVOLVE_DATA names",
)
GENERATED = ("games=generated", "episodes=120", "queries=40", "held_out=30")


def options(*more: str) -> list[str]:
    given = [f"task_options.{each}" for each in (*GENERATED, *more)]
    return [part for each in (*given, "sandbox.kind=process") for part in ("--set", each)]


def won(program: str) -> float:
    """Return the share of games that a program wins, as the command line says it."""
    command = [sys.executable, "-m", "evolve", "score", program, "alfworld", *options()]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert result.returncode == 0, result.stdout + result.stderr
    (line,) = (line for line in result.stdout.splitlines() if line.startswith(f"{program} "))
    return float(line.split()[1])


def wins(environments: ProcessEnvironments, game: Game) -> bool:
    """Play the walkthrough through a process; every command must be offered before it is given."""
    with environments.play() as environment:
        turn = environment.start(game.details)
        for command in game.walkthrough:
            assert not turn.won
            assert command in turn.commands, (game.name, command)
            turn = environment.step(command)
    return turn.won


def test_a_program_that_remembers_places_wins_more_games_than_one_without_memory_and_fewer_than_the_oracle():
    assert won("no_memory") + 0.15 < won("hybrid") < won("oracle") == 1.0


@needs_games
@pytest.mark.parametrize(("split", "count"), [("valid_unseen", 134), ("valid_seen", 140)])
def test_every_walkthrough_of_a_validation_game_wins_through_a_process(split: str, count: int):
    games = draw(split, count=0, seed=0)
    with closing(ProcessEnvironments(household_command(), steps=50)) as environments:
        assert sum(wins(environments, game) for game in games) == count


@needs_games
@pytest.mark.parametrize("split", ["valid_unseen", "valid_seen", "train"])
def test_what_is_seen_is_word_for_word_what_textworld_showed(split: str):
    """The 754 transcripts were made by ALFWorld 0.4.2 on TextWorld 1.7."""
    games = {game.name: game for game in draw(split, count=0, seed=0)}
    with gzip.open(DATA / f"expert_transcripts_{split}.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in file:
            transcript = json.loads(line)
            (_, first), *steps = games[transcript["game"].rpartition("/")[0]].replay()
            assert (first.observation, len(first.commands)) == (transcript["init_obs"], transcript["n_admissible0"])
            assert [[command, turn.observation] for command, turn in steps] == transcript["steps"]


def published(split: str, count: int) -> Iterator[tuple[Game, dict[str, str]]]:
    """Yield games together with the records that TextWorld loads."""
    games = {game.name: game for game in draw(split, count=count, seed=9)}
    with tarfile.open(DATA / f"game_tw-pddl_{split}.tar.xz", "r|*") as tar:
        for member in tar:
            name = "/".join(member.name.split("/")[1:4])
            if name in games and (file := tar.extractfile(member)) is not None:
                yield games[name], json.loads(file.read())


@needs_games
@pytest.mark.slow
def test_wandering_through_a_game_is_the_same_here_and_in_textworld(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Commands, words and verdict agree step by step, also for what no expert would do."""
    monkeypatch.setenv("ALFWORLD_DATA", str(tmp_path))
    reason = "needs TextWorld and ALFWorld themselves: pip install alfworld"
    textworld = pytest.importorskip("textworld", reason=reason)
    pytest.importorskip("fast_downward", reason=reason)
    tw_env = pytest.importorskip("alfworld.agents.environment.alfred_tw_env", reason=reason)
    infos = textworld.EnvInfos(admissible_commands=True, won=True)
    theirs = tw_env.AlfredDemangler(textworld.envs.PddlEnv(infos))
    chooser = random.Random(0)
    for game, record in published("valid_unseen", 6):
        theirs.load(record)
        state, world = theirs.reset(), World(game.details)
        turn = world.start()
        ahead = list(game.walkthrough)
        for _ in range(25):
            assert (turn.observation, list(turn.commands)) == (state.feedback, state["admissible_commands"])
            rare = [each for each in turn.commands if not each.startswith("go to")]
            follow = ahead and ahead[0] in turn.commands and chooser.random() < 0.4
            command = ahead.pop(0) if follow else chooser.choice(rare if chooser.random() < 0.6 else turn.commands)
            state, _, _ = theirs.step(command)
            turn = world.step(command)
            assert turn.won == state["won"], (game.name, command)
