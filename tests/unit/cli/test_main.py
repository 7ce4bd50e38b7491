"""The entry point: help that is fast and light, and one line with the right exit code for everything that is wrong."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from evolve.cli.main import COMMANDS, explain, main
from evolve.errors import RunFolderError

HEAVY = ("ray", "docker", "chromadb", "openai", "anthropic", "pydantic", "rich", "numpy", "optuna")
BROKEN_READ = '''"""A program whose read fails."""

from dataclasses import dataclass
from typing import Any

INSTRUCTION_KNOWLEDGE_ITEM = INSTRUCTION_QUERY = INSTRUCTION_RESPONSE = ALWAYS_ON_KNOWLEDGE = ""


@dataclass
class KnowledgeItem:
    text: str


@dataclass
class Query:
    text: str


class KnowledgeBase:
    def __init__(self, toolkit):
        pass

    def write(self, item, raw_text):
        pass

    def read(self, query):
        raise LookupError("nothing here")
'''


def test_help_imports_nothing_heavy_and_lists_the_commands() -> None:
    code = "import sys; from evolve.cli.main import main; main(['--help'])"
    code += f"; print([name for name in {HEAVY} if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "[]"
    assert re.findall(r"^  (\w+)  ", shown.split("Commands:")[1], re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_at_most_eight_flags(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"evolve {command}" in shown
    assert len(set(re.findall(r"--[a-z]+", shown))) <= 8


def test_without_a_command_it_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "Commands:" in capsys.readouterr().out


def _task_without_queries(folder: Path) -> list[str]:
    assert main(["init", str(folder / "mine")]) == 0
    (folder / "mine" / "queries.jsonl").unlink()
    return ["run", str(folder / "mine")]


def _program_without_knowledge_base(folder: Path) -> list[str]:
    path = folder / "empty.py"
    path.write_text(BROKEN_READ.split("class KnowledgeBase")[0])
    return ["score", str(path), "chronicle"]


def _seed_that_fails(folder: Path) -> list[str]:
    path = folder / "broken_read.py"
    path.write_text(BROKEN_READ)
    small = ("--set", "task_options.lives=2", "--set", "sandbox.kind=process", "--workers", "1")
    return ["run", "chronicle", *small, "--set", f'search.seeds=["{path}"]']


def _runs_below_a_file(folder: Path) -> list[str]:
    (folder / "file").write_text("")
    os.environ["EVOLVE_RUNS"] = str(folder / "file" / "runs")  # restored by the fixture
    return ["run", "chronicle", "--set", "task_options.lives=2", "--set", "sandbox.kind=process"]


def _wrong_data(folder: Path) -> list[str]:
    (folder / "locomo").mkdir()
    (folder / "locomo" / "locomo10.json").write_text("[]")
    os.environ["EVOLVE_DATA"] = str(folder)
    return ["run", "locomo"]


def _bad_toml(folder: Path) -> list[str]:
    (folder / "bad.toml").write_text('task = "chronicle"\nbudget = \n')
    return ["run", str(folder / "bad.toml")]


def _folder_in_use(folder: Path) -> list[str]:
    (folder / "something").write_text("")
    return ["init", str(folder)]


def _dollars_without_a_price(_: Path) -> list[str]:
    settings = ("models.agent.model=openai:mine", "models.agent.base_url=http://127.0.0.1:9/v1", "budget.usd=1")
    return ["run", "chronicle", *(word for setting in settings for word in ("--set", setting))]


Wrong = Callable[[Path], Sequence[str]]
WRONG: Mapping[str, tuple[Wrong, int, str]] = {
    "unknown command": (lambda _: ["inspct"], 2, "did you mean inspect"),
    "unknown flag": (lambda _: ["run", "chronicle", "--wrkers", "2"], 2, "--workers"),
    "missing argument": (lambda _: ["run"], 2, "evolve run --help"),
    "bad number": (lambda _: ["run", "chronicle", "--workers", "0"], 2, "--workers"),
    "unknown key": (lambda _: ["run", "chronicle", "--set", "budget.candidtes=3"], 2, "'candidates'"),
    "unknown table": (lambda _: ["run", "chronicle", "--set", "budgte.candidates=3"], 2, "'budget'"),
    "bad value": (lambda _: ["run", "chronicle", "--set", "budget.candidates=-3"], 2, "budget.candidates = -3"),
    "no value": (lambda _: ["run", "chronicle", "--set", "budget.candidates"], 2, "key=value"),
    "misspelled task": (lambda _: ["run", "chronicel"], 2, "chronicle"),
    "misspelled option": (lambda _: ["run", "chronicle", "--set", "task_options.lifes=2"], 2, "lives"),
    "no such file": (lambda _: ["run", "nowhere.toml"], 2, "nowhere.toml"),
    "bad TOML": (_bad_toml, 2, "bad.toml"),
    "missing data": (_task_without_queries, 2, "queries.jsonl"),
    "wrong data": (_wrong_data, 3, "sha256"),
    "no such program": (lambda _: ["score", "hybird", "chronicle"], 2, "hybrid"),
    "no KnowledgeBase": (_program_without_knowledge_base, 2, "KnowledgeBase"),
    "seed fails": (_seed_that_fails, 2, "nothing here"),
    "no engine": (lambda _: ["run", "chronicle", "--set", "sandbox.kind=docker"], 3, "sandbox.kind"),
    "no key": (lambda _: ["run", "chronicle", "--set", "models.agent=openai:gpt-5-mini"], 3, "OPENAI_API_KEY"),
    "no price": (_dollars_without_a_price, 2, "models.prices"),
    "no such provider": (lambda _: ["run", "chronicle", "--set", "models.agent=gpt-5-mini"], 2, "models.agent"),
    "critique of a run": (lambda _: ["inspect", "nothing", "--critique"], 4, "evolve run chronicle"),
    "bad name": (lambda _: ["run", "chronicle", "--name", "a/b"], 2, "a/b"),
    "runs folder": (_runs_below_a_file, 4, "EVOLVE_RUNS"),
    "no such run": (lambda _: ["inspect", "nothing"], 4, "evolve run chronicle"),
    "folder in use": (_folder_in_use, 2, "not empty"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_one_line_with_its_exit_code(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EVOLVE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("EVOLVE_DATA", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    words, code, told = WRONG[case]
    arguments = words(tmp_path)
    capsys.readouterr()
    assert main(arguments) == code
    shown = capsys.readouterr()
    lines = [line for line in shown.err.splitlines() if not line.startswith("sandbox: ")]
    assert len(lines) == 1, shown.err
    assert lines[0].startswith("Error: ")
    assert told in lines[0]
    assert shown.out == ""


def test_a_run_name_with_another_config_is_refused(at_runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "chronicle", "--name", "tiny", *at_runs.settings, "--set", "seed=1"]) == 4
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("Error: ")
    assert "seed: 0, now 1" in error


def test_an_unknown_candidate_is_refused(at_runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "tiny", "c999"]) == 2
    assert "c000" in capsys.readouterr().err


def test_a_full_disk_is_the_run_folders_error() -> None:
    message, code = explain(OSError(errno.ENOSPC, "No space left on device", "runs/a/journal.jsonl"))
    assert code == RunFolderError.exit_code == 4
    assert "runs/a/journal.jsonl" in message


def test_debug_shows_the_traceback_wherever_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--debug", "run", "chronicel"], ["run", "chronicel", "--debug"]):
        assert main(words) == 2
        assert "Traceback" in capsys.readouterr().err


def test_a_bug_is_called_one(capsys: pytest.CaptureFixture[str]) -> None:
    message, code = explain(ZeroDivisionError("division\nby zero"))
    assert code is None
    assert message == "ZeroDivisionError: division by zero (--debug shows the traceback)"


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m evolve --help | head -n 1"
    shown = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert shown.stdout.startswith("Usage: evolve")
    assert shown.stderr == ""
