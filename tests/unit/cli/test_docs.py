"""What the README and the guides tell people to type is understood."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest

from evolve.cli.main import COMMANDS, main
from evolve.config import Config, load_config
from evolve.models.prices import load_prices
from evolve.summary.losses import STAGES
from evolve.tasks import built_in, open_family, resolve
from evolve.types import FailureStage

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "tasks").glob("*.md"))]
TABLES = r"(?:search|models|evaluation|budget|sandbox|task_options)"
SETTING = re.compile(rf"(?:--set |`)(?:'({TABLES}\.[^']+)'|({TABLES}\.[\w.]+=(?:'[^']*'|[^\s`]+)))")


def _blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def _task(page: Path) -> str:
    """The task that a page is about; locomo where it is about none."""
    return page.stem if page.stem in built_in() else "locomo"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_configuration_is_one(page: Path) -> None:
    for block in _blocks(page, "toml"):
        table: dict[str, Any] = {"task": _task(page), **tomllib.loads(block)}
        resolve(Config.checked(table))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_is_one(page: Path) -> None:
    for quoted, bare in SETTING.findall(page.read_text()):
        setting = quoted or bare.replace("'", "")
        needs = ["models.agent=openai:m"] if not setting.startswith("models.agent") else []
        resolve(load_config(_task(page), [*needs, setting]))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_has_the_flags_that_it_is_given(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for line in re.findall(r"evolve (\w+ [^`\n#]*)", "\n".join(_blocks(page, ""))):
        command, *words = line.split()
        if command in COMMANDS:
            assert main([command, "--help"]) == 0
            shown = capsys.readouterr().out
            assert all(word in shown for word in words if word.startswith("--")), line


def test_the_models_of_the_readme_have_a_price() -> None:
    named = set(re.findall(r'"((?:openai|anthropic):[\w.-]+)"', PAGES[0].read_text()))
    assert len(named) >= 3
    own = {"openai:qwen3"}
    assert {model for model in named if load_prices({})(model) is None} == own, "the one that the README gives a price"


def test_every_failure_stage_is_explained() -> None:
    explained = (ROOT / "docs" / "models.md").read_text()
    stages = set(get_args(FailureStage)) - {""}
    assert set(STAGES) == stages
    assert all(f"| `{stage}` |" in explained for stage in stages)


def test_every_built_in_task_has_its_page_and_every_configuration_of_the_paper_fits() -> None:
    assert {path.stem for path in (ROOT / "docs" / "tasks").glob("*.md")} >= set(built_in())
    for path in sorted((ROOT / "docs" / "reproduce").glob("*.toml")):
        config = resolve(load_config(str(path)))
        open_family(config.task, config.task_options)
        assert config.models.answering, path
