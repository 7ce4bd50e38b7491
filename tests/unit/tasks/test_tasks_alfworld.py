"""The ALFWorld task: games of our own in the published shape, generated games, and the published ones."""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
import zipfile
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from evolve.agents.scripted import ScriptedAgent
from evolve.config import load_config
from evolve.environments.household import World
from evolve.errors import ConfigError, DataError, EnvironmentFault, PrerequisiteError
from evolve.evaluation.play import play
from evolve.program import parse
from evolve.tasks import alfworld_games, load, open_family, resolve
from evolve.tasks.alfworld_games import KINDS, condensed, contents
from evolve.tasks.alfworld_rooms import ROOMS, make
from evolve.tasks.families.alfworld import SCOPE
from evolve.types import JSON, Query, Task
from evolve.wiring import find_program

DATA = Path(os.environ.get("EVOLVE_DATA", "-")) / "alfworld"
ABSENT = not (DATA / "game_tw-pddl_valid_unseen.tar.xz").is_file()
REASON = "needs alfworld/game_tw-pddl_*.tar.xz in the folder that EVOLVE_DATA names"
needs_games = pytest.mark.skipif(ABSENT, reason=REASON)
SMALL: dict[str, JSON] = {"games": "generated", "episodes": 40, "queries": 12, "held_out": 10}
PROGRAM = parse(find_program("no_memory").read_text(encoding="utf-8"))
PROBLEM = """(define (problem plan_1) (:domain alfred)
(:objects agent1 - agent Mug_bar_1 - object Shelf_bar_1 - receptacle Desk_bar_1 - receptacle)
(:init (atLocation agent1 loc_bar_0)
  (receptacleType Shelf_bar_1 ShelfType) (receptacleAtLocation Shelf_bar_1 loc_bar_1)
  (receptacleType Desk_bar_1 DeskType) (receptacleAtLocation Desk_bar_1 loc_bar_2)
  (objectType Mug_bar_1 MugType) (inReceptacle Mug_bar_1 Shelf_bar_1) (objectAtLocation Mug_bar_1 loc_bar_1)
  (pickupable Mug_bar_1) (canContain DeskType MugType) (canContain BedType PillowType))
(:goal (and (exists (?r - receptacle) (exists (?o - object)
  (and (inReceptacle ?o ?r) (objectType ?o MugType) (receptacleType ?r DeskType)))))))"""
WALK = ["go to shelf 1", "take mug 1 from shelf 1", "go to desk 1", "move mug 1 to desk 1"]


@cache
def published() -> dict[str, Any]:
    """A published game, whose domain and grammar those of our own have too: no other is read."""
    return json.loads(
        next(content for _, content in contents(DATA / "game_tw-pddl_valid_unseen.tar.xz", "valid_unseen"))
    )


def record(**changes: Any) -> dict[str, Any]:
    grammar = re.sub(r"(Your task is to: )[^\"]*", r"\1put a mug in desk.", published()["grammar"])
    ours = {"grammar": grammar, "pddl_problem": PROBLEM, "walkthrough": WALK}
    return {"pddl_domain": published()["pddl_domain"], **ours, **changes}


def member(split: str, number: int) -> str:
    return f"json_2.1.1/{split}/pick_and_place_simple-Mug-None-Desk-30{number % 9}/trial_{number}/game.tw-pddl"


def pack(folder: Path, split: str, records: list[dict[str, Any]]) -> None:
    (folder / "alfworld").mkdir(exist_ok=True)
    with tarfile.open(folder / "alfworld" / f"game_tw-pddl_{split}.tar.xz", "w:xz") as tar:
        for number, content in enumerate(records):
            for name, text in (
                (member(split, number), json.dumps(content)),
                (f"json_2.1.1/{split}/x/t/traj.json", "{}"),
            ):
                info = tarfile.TarInfo(name)
                info.size = len(text.encode())
                tar.addfile(info, io.BytesIO(text.encode()))


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of its own."""
    if ABSENT:
        pytest.skip(REASON)
    monkeypatch.setenv("EVOLVE_DATA", str(tmp_path))
    return tmp_path


def ours(folder: Path, **changes: Any) -> Task:
    for split, count in (("train", 6), ("valid_unseen", 3)):
        pack(folder, split, [record(**changes)] * count)
    return load("alfworld", {"episodes": 4, "queries": 2})


def of(task: Task, *, held_out: bool) -> list[Query]:
    return [query for query in task.queries if (query.id in task.held_out) == held_out]


def test_an_episode_is_a_transcript_with_task_kind_and_outcome(data: Path):
    task = ours(data)
    assert [episode.scope for episode in task.episodes] == [SCOPE] * 4
    assert task.episodes[0].text == (
        "Task: put a mug in desk.\nKind: pick_and_place_simple\n"
        "You are in the middle of a room. Looking quickly around you, you see a desk 1, and a shelf 1.\n"
        "> go to shelf 1\nYou arrive at shelf 1. On the shelf 1, you see a mug 1.\n"
        "> take mug 1 from shelf 1\nYou pick up the mug 1 from the shelf 1.\n"
        "> go to desk 1\nYou arrive at desk 1. On the desk 1, you see nothing.\n"
        "> move mug 1 to desk 1\nYou move the mug 1 to the desk 1.\n"
        "Outcome: success in 4 steps"
    )


def test_a_query_is_a_goal_with_what_is_seen_first_and_its_game_in_the_details(data: Path):
    (query, *_), held_out = of(ours(data), held_out=False), of(ours(data), held_out=True)
    assert query.text == (
        "Task: put a mug in desk.\n"
        "You are in the middle of a room. Looking quickly around you, you see a desk 1, and a shelf 1."
    )
    assert (query.answer, query.evidence, query.category) == ("", (), "pick_and_place_simple")
    assert query.details["walkthrough"] == WALK
    assert "shelf 1" in query.text
    assert "inReceptacle Mug_bar_1 Shelf_bar_1" not in query.text
    assert sorted(query.id for query in held_out) == [
        f"valid_unseen/pick_and_place_simple-Mug-None-Desk-30{n}/trial_{n}" for n in range(3)
    ]


def test_the_published_zip_is_read_as_the_archives_are_and_must_be_the_published_one(data: Path):
    ours(data)
    archives = {split: data / "alfworld" / f"game_tw-pddl_{split}.tar.xz" for split in ("train", "valid_unseen")}
    release = data / "alfworld" / "json_2.1.3_tw-pddl.zip"
    with zipfile.ZipFile(release, "w") as archive:
        for split, count in (("train", 6), ("valid_seen", 1), ("valid_unseen", 3)):
            for number in range(count):
                archive.writestr(member(split, number), json.dumps(record()))
    for split, path in archives.items():
        assert list(contents(release, split)) == list(contents(path, split))
        path.unlink()
    assert [name.split("/")[0] for name, _ in contents(release, "valid_seen")] == ["valid_seen"]
    with pytest.raises(PrerequisiteError, match="is not the expected file"):
        load("alfworld", {"episodes": 4, "queries": 2})


def test_another_generation_of_the_games_is_refused(data: Path):
    """Release 0.2.2 says "put X in/on Y", has games that cannot be won, and no walkthroughs."""
    with pytest.raises(DataError, match=r"trial_\d, field 'pddl_domain': it is not that of ALFWorld 0\.4"):
        ours(data, pddl_domain="(define (domain old))")
    with pytest.raises(DataError, match=r"field 'grammar': it is not that of ALFWorld 0\.4"):
        ours(data, grammar='"Your task is to: put a mug in desk." put {o} in/on {r}')
    with pytest.raises(DataError, match="found TypeError"):
        ours(data, walkthrough=None)
    broken = record()
    del broken["pddl_problem"]
    pack(data, "train", [broken] * 6)
    with pytest.raises(DataError, match="found KeyError: 'pddl_problem', expected JSON with pddl_domain"):
        load("alfworld", {"episodes": 4, "queries": 2})


@pytest.mark.parametrize(
    ("walkthrough", "problem"),
    [(["go to bed 1"], "'go to bed 1' cannot be done"), (WALK[:2], "does not reach the goal")],
)
def test_a_walkthrough_that_does_not_win_is_an_error_of_the_data(data: Path, walkthrough: list[str], problem: str):
    with pytest.raises(DataError, match=problem):
        ours(data, walkthrough=walkthrough)


def test_more_games_than_there_are_cannot_be_drawn(data: Path):
    ours(data)
    with pytest.raises(ConfigError, match="9 games of train are wanted, and there are 6"):
        load("alfworld", {"episodes": 7, "queries": 2})


def test_where_the_games_are_missing_the_error_says_where_to_put_them(data: Path):
    (data / "alfworld").write_text("not a folder, so that nothing is downloaded")
    with pytest.raises(PrerequisiteError, match=r"json_2\.1\.3_tw-pddl\.zip"):
        load("alfworld")


def test_a_condensed_problem_plays_like_the_whole():
    def seen(problem: str) -> list[tuple[object, ...]]:
        world = World({"problem": problem, "task": "x"})
        turns = [world.start(), *(world.step(command) for command in WALK)]
        return [(turn.observation, turn.commands, turn.won) for turn in turns]

    assert seen(condensed(PROBLEM)) == seen(PROBLEM)
    assert "PillowType" not in condensed(PROBLEM)


def test_a_larger_draw_only_adds_games(data: Path):
    ours(data)
    few, many = (alfworld_games.draw("train", count=count, seed=5) for count in (2, 6))
    assert few == many[:2]
    assert sorted(game.name for game in many) == sorted(
        game.name for game in alfworld_games.draw("train", count=0, seed=1)
    )
    assert many != alfworld_games.draw("train", count=6, seed=6)


def test_generated_games_are_won_by_their_walkthroughs_and_not_before():
    games = make(150, seed=1, name="generated/test")
    for game in games:
        turns = [turn for _, turn in game.replay()]
        assert [turn.won for turn in turns] == [False] * len(game.walkthrough) + [True], game.name
    assert {game.kind for game in games} == set(KINDS)
    assert {game.name.split("/")[-2].rsplit("-")[-1] for game in games} == set(ROOMS)
    assert Counter(game.kind for game in games).most_common()[-1][1] > 10


def test_generated_games_depend_on_seed_and_number_alone():
    assert make(3, seed=1, name="a") == make(9, seed=1, name="a")[:3]
    assert make(3, seed=1, name="a") != make(3, seed=2, name="a")
    problems = {
        game.problem for name in ("generated/train", "generated/unseen") for game in make(50, seed=0, name=name)
    }
    assert len(problems) == 100


def test_a_generated_task_is_the_same_every_time_and_its_splits_are_disjoint():
    task = load("alfworld", SMALL)
    assert task.digest == load("alfworld", SMALL).digest
    assert task.digest != load("alfworld", {**SMALL, "seed": 1}).digest
    assert (len(task.episodes), len(task.queries), len(task.held_out)) == (40, 12 + 10, 10)
    lived = {episode.id for episode in task.episodes}
    assert not lived & {query.id for query in task.queries}
    assert all(query.details["game"] == query.id for query in task.queries)
    more = load("alfworld", {**SMALL, "episodes": 60})
    assert more.queries == task.queries


def unstopped() -> None:
    """Nothing ends these games but themselves."""


def won(task: Task, options: dict[str, JSON], *, oracle: bool) -> float:
    family = open_family("alfworld", options)
    environments = family.environments(answering=False)
    try:
        reads = [family.oracle(query) or "" if oracle else "" for query in task.queries]
        games = [
            play(ScriptedAgent(), environments, PROGRAM, query, read, lambda fields: "", unstopped)
            for query, read in zip(task.queries, reads, strict=True)
        ]
    finally:
        environments.close()
    return sum(game.won for game in games) / len(games)


def test_the_oracle_wins_every_generated_game_and_nothing_does_not():
    task = load("alfworld", SMALL)
    assert won(task, SMALL, oracle=True) == 1.0
    assert won(task, SMALL, oracle=False) < 0.6


def test_reading_before_every_command_reads_as_often_and_with_what_happened():
    task = load("alfworld", SMALL)
    family = open_family("alfworld", {**SMALL, "reads": "step", "steps": 5})
    environments = family.environments(answering=False)
    asked: list[dict[str, JSON]] = []

    def read_again(fields: dict[str, JSON]) -> str:
        asked.append(fields)
        return ""

    vector = parse(find_program("vector_search").read_text(encoding="utf-8"))
    try:
        game = play(ScriptedAgent(), environments, vector, task.queries[0], "", read_again, unstopped)
    finally:
        environments.close()
    assert (game.steps, len(asked)) == (5, 4)
    assert not game.won


def test_steps_depend_on_who_plays_unless_they_are_given():
    def steps(answering: bool, **more: JSON) -> int:
        environments = open_family("alfworld", {**SMALL, **more}).environments(answering=answering)
        environments.close()
        return environments.steps

    assert (steps(True), steps(False), steps(True, steps=30), steps(False, steps=30)) == (50, 15, 30, 30)


def test_a_game_that_is_none_is_the_environments_fault():
    environments = open_family("alfworld", SMALL).environments(answering=False)
    try:
        with environments.play() as environment, pytest.raises(EnvironmentFault, match="no goal"):
            environment.start({"problem": "nothing", "task": "x"})
    finally:
        environments.close()


def test_a_configuration_without_models_plays_with_the_scripted_agent():
    config = resolve(load_config("alfworld"))
    assert config.models.agent == "scripted"
    assert config.evaluation.scorer == "success"
    assert config.evaluation.static == 60


def test_notes_say_what_cannot_be_compared():
    assert open_family("alfworld", {"steps": 50}).notes() == ()
    assert re.search("allow 50 steps", " ".join(open_family("alfworld").notes()))
    assert "not comparable" in " ".join(open_family("alfworld", SMALL).notes())


@needs_games
def test_published_games_are_drawn_without_overlap_and_the_oracle_wins_those_that_a_blind_search_does_not():
    given: dict[str, JSON] = {"episodes": 6, "queries": 6, "held_out": 24}
    task = load("alfworld", given)
    names = {episode.id for episode in task.episodes} | {query.id for query in task.queries}
    assert len(names) == 36
    assert Counter(name.split("/")[0] for name in names) == {"train": 12, "valid_unseen": 24}
    assert all(query.category in KINDS for query in task.queries)
    assert won(task, given, oracle=True) == 1.0
    assert won(task, given, oracle=False) < 0.8
