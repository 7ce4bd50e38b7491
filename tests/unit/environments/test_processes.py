"""Processes of games: lent, kept, killed where they hang, and gone with their host."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import psutil
import pytest

from evolve.environments.base import Environment, Environments
from evolve.environments.processes import GameProcess, ProcessEnvironments, household_command
from evolve.errors import EnvironmentFault
from evolve.paths import PACKAGE
from evolve.tasks.alfworld_rooms import make
from evolve.types import JSON

WORLD = """
import sys, time
sys.path[:0] = [{where!r}]
from evolve.environments.base import Turn
from evolve.environments.serving import serve

class Odd:
    def __init__(self, details):
        self.commands = tuple(details["commands"])

    def start(self):
        return Turn("A room.", self.commands)

    def step(self, command):
        print("worlds may print")
        if command == "hang":
            time.sleep(600)
        if command == "spin":
            while True:
                pass
        if command == "fork":
            import subprocess
            return Turn(str(subprocess.Popen(["sleep", "600"]).pid), self.commands)
        if command == "die":
            sys.exit("gone")
        if command == "long":
            return Turn("x" * 1_000_000, self.commands)
        return Turn(str({{"fail": 0}}[command]), self.commands)

serve(Odd)
"""
ODD = [sys.executable, "-I", "-c", WORLD.format(where=str(PACKAGE.parent))]
DETAILS: dict[str, JSON] = {"commands": ["hang", "spin", "die", "fail", "fork", "long"]}


@contextmanager
def playing(command: list[str] = ODD, seconds: float = 20) -> Iterator[GameProcess]:
    with closing(GameProcess(command, seconds=seconds)) as game:
        game.start(DETAILS)
        yield game


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE}


def soon(holds: Callable[[], bool], seconds: float = 20) -> bool:
    until = time.monotonic() + seconds
    while not (done := holds()) and time.monotonic() < until:
        time.sleep(0.05)
    return done


def test_a_game_is_played_in_a_process_of_its_own_which_the_next_game_uses_again():
    (one, other), before = make(2, seed=0, name="test"), children()
    with closing(ProcessEnvironments(household_command(), steps=15)) as environments:
        typed: Environments = environments
        started = set()
        for game in (one, other):
            with typed.play() as environment:
                lent: Environment = environment
                turn = lent.start(game.details)
                started |= children() - before
                for command in game.walkthrough:
                    assert not turn.won
                    turn = lent.step(command)
                assert turn.won
        assert len(started) == 1
        assert os.getpgid(started.pop()) != os.getpgid(0)
    assert children() <= before


@pytest.mark.parametrize("command", ["hang", "spin"])
def test_a_game_that_does_not_answer_is_killed_with_all_it_started_and_the_next_one_plays(command: str):
    before = children()
    with playing() as game:
        child = int(game.step("fork").observation)
        started = children() - before
        assert child in started
        game._seconds = 0.3
        began = time.monotonic()
        with pytest.raises(EnvironmentFault, match=r"did not answer within 0\.3 s and was killed"):
            game.step(command)
        assert time.monotonic() - began < 10
        assert soon(lambda: not started & children())
        game._seconds = 20
        assert game.start(DETAILS).observation == "A room."


def test_a_game_that_hangs_at_its_very_start_and_reads_nothing_is_killed():
    with closing(GameProcess([sys.executable, "-c", "import time; time.sleep(600)"], seconds=0.3)) as game:
        with pytest.raises(EnvironmentFault, match="was killed"):
            game.start({"problem": "x" * 1_000_000})
        assert game._process is None


def test_a_failing_world_and_a_dying_process_are_faults_with_their_reason():
    with playing() as game:
        with pytest.raises(EnvironmentFault, match="the game failed: KeyError: 'other'"):
            game.step("other")
        assert game.step("fail").observation == "0"
        with pytest.raises(EnvironmentFault, match="ended in the middle of a command"):
            game.step("die")
        with pytest.raises(EnvironmentFault, match="closed before"):
            game.step("fail")
    with pytest.raises(EnvironmentFault, match="could not be started"):
        GameProcess(["/nowhere/at/all"]).start({})


def test_a_long_observation_comes_whole():
    with playing() as game:
        assert len(game.step("long").observation) == 1_000_000


def test_a_game_without_commands_is_a_fault_and_never_won():
    with closing(GameProcess(ODD)) as game, pytest.raises(EnvironmentFault, match="no command at all"):
        game.start({"commands": []})


def test_more_plays_than_there_may_be_wait_for_their_turn():
    with closing(ProcessEnvironments(ODD, steps=1, most=1)) as environments:
        entered = threading.Event()

        def second() -> None:
            with environments.play():
                entered.set()

        with environments.play() as environment:
            environment.start(DETAILS)
            thread = threading.Thread(target=second)
            thread.start()
            assert not entered.wait(0.2)
        assert entered.wait(20)
        thread.join()


def test_closing_ends_games_that_are_being_played():
    before = children()
    environments = ProcessEnvironments(ODD, steps=1)
    faults: list[str] = []

    def play() -> None:
        with environments.play() as environment:
            environment.start(DETAILS)
            playing.set()
            try:
                environment.step("hang")
            except EnvironmentFault as fault:
                faults.append(str(fault))

    playing = threading.Event()
    thread = threading.Thread(target=play)
    thread.start()
    assert playing.wait(20)
    time.sleep(0.2)
    environments.close()
    thread.join(10)
    assert len(faults) == 1
    assert children() <= before
    with pytest.raises(EnvironmentFault, match="closed"), environments.play():
        pass


@pytest.mark.parametrize("command", ["", "spin"])
def test_no_process_outlives_a_host_that_is_killed(command: str):
    host = f"""
import sys, threading
sys.path[:0] = [{str(PACKAGE.parent)!r}]
from evolve.environments.processes import GameProcess
game = GameProcess({ODD!r}, seconds=600)
game.start({DETAILS!r})
print(game._process.pid, flush=True)
game.step("spin") if {bool(command)} else sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", host], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        time.sleep(0.2)
        assert psutil.pid_exists(pid)
        process.send_signal(signal.SIGKILL)
    assert soon(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
