"""The commands of a run with models, whole: a provider on the loopback, the real SDK, a run that its budget ends."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from evolve.cli.main import main
from evolve.folder import open_run
from evolve.testing.model_server import ModelServer
from evolve.testing.weak_models import speak

SMALL = (
    "task_options.lives=2",
    "task_options.sessions=16",
    "task_options.queries=24",
    "evaluation.static=8",
    "evaluation.test=4",
    'search.seeds=["bm25", "hybrid"]',
    'search.operators=["reflect"]',
    "budget.candidates=1",
    "sandbox.kind=process",
    'models.agent.model="openai:weak"',
    'models.prices={"openai:weak" = {input = 1, output = 4}}',
)


@dataclass(frozen=True, slots=True)
class Provider:
    """The server, and the settings of a run that asks it."""

    server: ModelServer
    settings: tuple[str, ...]

    def words(self, *more: str) -> list[str]:
        """The settings as they are typed."""
        return [word for setting in (*self.settings, *more) for word in ("--set", setting)]


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """A provider that needs no key, and runs below the test's own folder."""
    monkeypatch.setenv("EVOLVE_RUNS", str(tmp_path / "runs"))
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with ModelServer(speak) as server:
        yield Provider(server, (*SMALL, f'models.agent.base_url="{server.openai}"'))


def test_a_run_that_its_budget_ends_shows_its_result_and_goes_on_with_more(
    provider: Provider, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", "chronicle", "--name", "paid", "--workers", "1"]
    assert main([*command, *provider.words("budget.calls=60")]) == 0
    shown = capsys.readouterr()
    assert len(provider.server.arrivals) <= 60
    assert "Run paid is stopped before its end.\nbudget.calls = 60: " in shown.out
    assert "the rest of the run would have cost" in " ".join(shown.out.split())
    assert re.search(r"Models: \$0\.\d+; \d+ calls of 60", shown.out)
    assert "--set budget.calls=120" in shown.out.split("To go on with more:\n")[1]
    assert "budget.calls=60" not in shown.out.split("To go on with more:\n")[1]
    assert " calls of 60" in shown.err, "the caps are in sight while the run works"

    assert main([*command, *provider.words("budget.calls=4000")]) == 0
    shown = capsys.readouterr()
    assert "going on with run paid" in shown.err
    assert "Run paid is finished" in shown.out
    run = open_run(tmp_path / "runs" / "paid")
    assert run.population.children == 1


def test_a_finished_run_is_replayed_without_asking_anybody(
    provider: Provider, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", "chronicle", "--name", "paid", "--workers", "1", *provider.words('search.seeds=["bm25"]')]
    assert main(command) == 0
    asked = len(provider.server.arrivals)
    assert asked
    capsys.readouterr()
    assert main([*command, "--set", "models.replay=true"]) == 0
    shown = capsys.readouterr()
    assert "replaying run paid from its own store" in shown.err
    assert shown.out.startswith("The replay of paid is identical to the run, event by event. It is in ")
    assert str(tmp_path / "runs" / "paid" / "replay") in "".join(shown.out.split())
    assert len(provider.server.arrivals) == asked


def test_money_that_brought_no_candidate_is_shown_too(provider: Provider, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "chronicle", "--name", "poor", "--workers", "1", *provider.words("budget.calls=9")]) == 0
    out = capsys.readouterr().out
    assert "No candidate has been measured yet.\nModels: $0." in out
    assert "; 9 calls of 9.\n" in out


def test_score_shows_what_the_models_cost(provider: Provider, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", "bm25", "chronicle", *provider.words(), "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)["programs"]
    assert row["cost"]["calls"] == len(provider.server.arrivals)
    assert row["cost"]["usd"] == pytest.approx(provider.server.usd(input=1, output=4))
    assert row["cost"]["by_role"].keys() == {"agent"}
    assert main(["score", "bm25", "chronicle", *provider.words()]) == 0
    out = capsys.readouterr().out
    assert out.startswith("chronicle: f1 on 8 queries that a search sees")
    assert f"{row['cost']['calls']:,}  $" in out
    assert "F1 compares the words" in out


def test_check_asks_each_model_one_tiny_thing(
    provider: Provider, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "run.toml"
    config.write_text(f"""
        task = "chronicle"
        [models]
        agent = {{model = "openai:weak", base_url = "{provider.server.openai}"}}
        reflector = {{model = "anthropic:weak", base_url = "{provider.server.address}"}}
        prices = {{"openai:weak" = {{input = 1, output = 4}}}}
    """)
    assert main(["check", str(config)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "ok        model openai:weak (agent, toolkit, judge): $1 in and $4 out for a million tokens" in lines
    assert any(line.startswith("optional  model anthropic:weak (reflector): no price is known") for line in lines)
    assert "ok        models: all of them answer" in lines
    assert len(provider.server.arrivals) == 2


def test_check_asks_nobody_where_a_key_or_a_price_is_missing(
    provider: Provider, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "run.toml"
    models = f'agent = {{model = "openai:weak", base_url = "{provider.server.openai}"}}\nreflector = "anthropic:other"'
    config.write_text(f'task = "chronicle"\n[models]\n{models}\n[budget]\nusd = 1\n')
    assert main(["check", str(config)]) == 3
    out = capsys.readouterr().out
    assert "missing   model anthropic:other (reflector): export ANTHROPIC_API_KEY" in out
    assert "wrong     model openai:weak (agent, toolkit, judge): no price is known, and budget.usd needs one" in out
    assert "all of them answer" not in out
    assert provider.server.arrivals == ()


def test_check_says_which_model_is_not_there(
    provider: Provider, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    provider.server.models = ("openai-other",)
    config = tmp_path / "run.toml"
    agent = f'{{model = "openai:weak", base_url = "{provider.server.openai}"}}'
    config.write_text(f'task = "chronicle"\n[models]\nagent = {agent}\n')
    assert main(["check", str(config)]) == 3
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("missing"))
    assert line.startswith("missing   models: models.agent, ")
    assert "openai:weak" in line
    assert "does not exist" in line
