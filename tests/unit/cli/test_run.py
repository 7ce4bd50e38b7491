"""`evolve run` on a real, small run: what it prints, and how Ctrl-C and a second start treat it."""

from __future__ import annotations

import io
import os
import signal
import subprocess
from typing import Any

import pytest
from rich.console import Console

from evolve.cli.live import FINISHING, Screen
from evolve.cli.main import main
from evolve.cli.run import Interrupt, with_more
from evolve.config import Budget
from evolve.folder import open_run
from evolve.journal import Journal
from evolve.paths import RunPaths
from evolve.population import Population


def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(tiny_run: Any) -> None:
    ended = tiny_run.interrupted
    assert ended.code == 130
    assert ended.out == ""
    assert FINISHING in ended.err
    assert "To go on:\n  evolve run chronicle --name tiny --workers 1 --set task_options.lives=2" in ended.err
    assert "Traceback" not in ended.err


def test_the_same_command_goes_on_and_finishes(tiny_run: Any) -> None:
    ended = tiny_run.finished
    assert ended.code == 0, ended.err
    assert "going on with run tiny" in ended.err
    before = [line for line in tiny_run.interrupted.err.splitlines() if line.startswith("c0")]
    after = [line for line in ended.err.splitlines() if line.startswith("c0") and " seed " in line]
    assert before
    assert not {line[:4] for line in before} & {line[:4] for line in after}, "a finished candidate was measured again"


def test_the_first_line_names_the_sandbox_and_each_attempt_has_a_line(tiny_run: Any) -> None:
    assert tiny_run.interrupted.err.startswith("sandbox: process")
    attempts = [line for line in (tiny_run.interrupted.err + tiny_run.finished.err).splitlines() if "best 0." in line]
    run = open_run(tiny_run.runs / "tiny")
    assert [line[:4] for line in attempts] == [candidate.id for candidate in run.candidates]
    assert all(max(map(len, attempts)) <= 160 for _ in attempts)


def test_stdout_is_the_result_with_the_next_commands(tiny_run: Any) -> None:
    out, run = tiny_run.finished.out, open_run(tiny_run.runs / "tiny")
    assert out.startswith("Run tiny is finished: 2 candidates are measured.\n")
    assert run.best is not None
    assert f"Best: {run.best.id}" in out
    assert "Held-out test, 10 queries" in out
    assert "It measures retrieval" in out
    commands = out.split("Next:\n")[1].splitlines()
    assert [command.split()[0] for command in commands] == ["evolve", "evolve", "git"]
    story = subprocess.run(commands[2].split(), capture_output=True, text=True, check=True).stdout
    assert all(candidate.id in story for candidate in run.candidates if candidate.commit)


def test_a_finished_run_prints_its_result_again(at_runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    journal = at_runs.runs / "tiny" / "journal.jsonl"
    before = journal.read_bytes()
    assert main(["run", "chronicle", "--name", "tiny", *at_runs.settings]) == 0
    shown = capsys.readouterr()
    assert shown.out == at_runs.finished.out
    assert "finished already" in shown.err
    assert journal.read_bytes() == before


def test_quiet_prints_nothing_but_the_result(at_runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "chronicle", "--name", "tiny", "--quiet", *at_runs.settings]) == 0
    assert capsys.readouterr().err == ""


def test_the_live_view_keeps_its_height_and_shows_what_is_at_work(tiny_run: Any) -> None:
    run = open_run(tiny_run.runs / "tiny")
    file = io.StringIO()
    out = Console(file=file, width=80, force_terminal=True, color_system=None, highlight=False, markup=False)
    screen, population, heights = Screen(run.config, "tiny", out), Population(), set()
    for event in Journal(run.paths.journal).read():
        population = population.apply(event)
        screen.event(event, population)
        if event.type == "attempt_started":
            screen.stage(event.attempt, "ingesting")
        file.seek(file.truncate(0))
        out.print(screen)
        lines = file.getvalue().splitlines()
        heights.add(len(lines))
        assert max(map(len, lines)) <= 80
        if event.type == "attempt_started":
            assert any(line.split()[:2] == [f"c{event.attempt:03d}", event.operator] for line in lines)
            assert "ingesting" in file.getvalue()
    assert len(heights) == 1
    assert "2 of 2 candidates" in file.getvalue()


def test_the_second_ctrl_c_is_a_keyboard_interrupt() -> None:
    heard = []
    before = signal.getsignal(signal.SIGINT)
    with Interrupt(lambda: heard.append(True)) as interrupt:
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.asked
        assert heard == [True]
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_run_with_another_configuration_is_refused_in_one_line(
    at_runs: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "chronicle", "--name", "tiny", *at_runs.settings, "--set", "seed=4"]) == 4
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.splitlines()
    assert line.startswith("Error: run 'tiny' was started with another configuration (seed: 0, now 4)")


def test_the_live_view_shows_what_is_spent_of_the_caps(paid_run: RunPaths) -> None:
    run = open_run(paid_run.root)
    file = io.StringIO()
    out = Console(file=file, width=120, force_terminal=True, color_system=None, highlight=False, markup=False)
    screen, population = Screen(run.config, "paid", out), Population()
    screen.say("openai:gpt-5-mini: 8 failures in a row, waiting 4 s")
    assert file.getvalue() == "openai:gpt-5-mini: 8 failures in a row, waiting 4 s\n"
    for event in Journal(run.paths.journal).read():
        population = population.apply(event)
        screen.event(event, population)
    file.seek(file.truncate(0))
    out.print(screen)
    assert "judge on 3 queries; $0.2600 of $0.5000, 28 calls" in file.getvalue()


@pytest.mark.parametrize(
    ("settings", "why", "more"),
    [
        (("seed=1", "budget.usd=0.5"), "budget.usd = $0.50: $0.49 is spent", ["seed=1", "budget.usd=1"]),
        (("budget.calls=60",), "budget.calls = 60: 60 calls are made", ["budget.calls=120"]),
        ((), "budget.usd = $0.50: from a file", ["budget.usd=1"]),
    ],
)
def test_the_command_that_goes_on_has_twice_the_budget_that_was_used_up(
    settings: tuple[str, ...], why: str, more: list[str]
) -> None:
    assert with_more(settings, Budget(usd=0.5, calls=60), why) == more
