"""`evolve.tasks.load`: names, folders and options."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from evolve.errors import ConfigError
from evolve.tasks import built_in, load
from evolve.tasks.jsonl import init_folder
from evolve.types import JSON


def test_a_misspelt_task_names_the_close_one_and_all_good_ones() -> None:
    with pytest.raises(ConfigError) as caught:
        load("locmo")
    message = str(caught.value)
    assert "'locmo'" in message
    assert "Did you mean 'locomo'?" in message
    assert all(name in message for name in built_in())
    assert "evolve init" in message
    assert "\n" not in message


def test_a_name_that_is_like_nothing_gets_no_guess() -> None:
    with pytest.raises(ConfigError) as caught:
        load("zzzzzz")
    assert "Did you mean" not in str(caught.value)


def test_a_file_is_not_a_task(tmp_path: Path) -> None:
    file = tmp_path / "queries.jsonl"
    file.write_text("{}")
    with pytest.raises(ConfigError, match="nor a folder"):
        load(str(file))


def test_a_folder_loads_by_its_path(tmp_path: Path) -> None:
    init_folder(tmp_path / "mine")
    assert load(str(tmp_path / "mine")).name == "workshop"


@pytest.mark.parametrize("name", built_in())
def test_an_unknown_option_names_the_good_ones(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(name, {"nonsense": 1})
    assert f"Task {name!r} has no option 'nonsense'" in str(caught.value)
    assert f"Options of {name}: " in str(caught.value)


@pytest.mark.parametrize(
    ("name", "options", "parts"),
    [
        ("chronicle", {"live": 2}, ["'live'", "Did you mean 'lives'?"]),
        ("chronicle", {"lives": 0}, ["'lives'", "found 0", "1 to 200"]),
        ("chronicle", {"lives": "6"}, ["'lives'", "found '6'", "1 to 200"]),
        ("chronicle", {"lives": True}, ["'lives'", "found True", "1 to 200"]),
        ("chronicle", {"lives": 1.5}, ["'lives'", "found 1.5"]),
        ("chronicle", {"seed": None}, ["'seed'", "found None", "any whole number"]),
        ("chronicle", {"subtasks": []}, ["'subtasks'", "two_hop"]),
        ("chronicle", {"subtasks": ["recal"]}, ["'subtasks'", "['recal']", "recall, latest"]),
        ("chronicle", {"sessions": 5}, ["'sessions'", "16 to 48"]),
        ("locomo", {"categories": [5]}, ["'categories'", "[5]", "4 single_hop"]),
        ("locomo", {"categories": "temporal"}, ["'categories'", "'temporal'", "Expected: A list"]),
        ("locomo", {"conversations": [True]}, ["'conversations'", "[True]", '"1-5"']),
    ],
)
def test_a_bad_value_names_the_option_the_value_and_the_good_values(
    name: str, options: dict[str, JSON], parts: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(name, options)
    for part in parts:
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_importing_the_package_imports_no_task() -> None:
    code = (
        "import sys, evolve.tasks; print([m for m in sys.modules if m.startswith(('evolve.tasks.families.', 'nltk'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
