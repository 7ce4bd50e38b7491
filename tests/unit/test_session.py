"""Whole runs on a small chronicle: repeated, resumed, refused, interrupted."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evolve.errors import ConfigError, PrerequisiteError, RunFolderError
from evolve.events import AttemptEnded, AttemptStarted, Event, Measured, RunStarted, RunStopped, WinnerChosen
from evolve.journal import Journal, canonical
from evolve.population import Population
from evolve.record import Observer
from evolve.session import Run, default_name, find_program, open_run, run
from evolve.tasks import load
from evolve.tasks.jsonl import init_folder

OPTIONS: dict[str, Any] = {"lives": 2, "sessions": 16, "queries": 10}
SETTINGS: dict[str, Any] = {
    "task_options": OPTIONS,
    "search__seeds": ["bm25", "hybrid"],
    "evaluation__static": 6,
    "evaluation__rotating": 2,
    "budget__candidates": 3,
    "sandbox__kind": "process",
}
BROKEN = """
    def write(self, item, raw_text):
        raise ValueError("nul \\0 and more")
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The runs folder of this module."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVOLVE_RUNS", str(folder))
        yield folder


def small(name: str, **changes: Any) -> Run:
    """Run the small search in this process."""
    words = {"workers": 1, **SETTINGS, **changes}
    return run(words.pop("task", "chronicle"), name=name, **words)


def events(runs: Path, name: str) -> list[Event]:
    return list(Journal(runs / name / "journal.jsonl").read())


def timeless(journal: list[Event]) -> list[dict[str, Any]]:
    """What happened, without clocks, the run's name, and git's hashes, which hold the time of the commit."""
    return [{k: v for k, v in canonical(event).items() if k not in ("commit", "run")} for event in journal]


def ends(journal: list[Event]) -> list[dict[str, Any]]:
    return timeless([event for event in journal if isinstance(event, AttemptEnded | Measured | WinnerChosen)])


@dataclass
class Heard:
    """An observer that keeps what it heard."""

    events: list[Event]
    most_committed: int = 0

    def __call__(self, event: Event, population: Population) -> None:
        self.events.append(event)
        at_work = sum(begun.operator != "seed" for begun in population.begun.values())
        self.most_committed = max(self.most_committed, population.children + at_work)


@pytest.fixture(scope="module")
def heard() -> Heard:
    return Heard([])


@pytest.fixture(scope="module")
def done(runs: Path, heard: Heard) -> Run:
    """A run that came to its end undisturbed."""
    return small("one", observer=heard)


def test_a_run_ends_with_a_winner_and_a_test(done: Run, runs: Path) -> None:
    assert done.status == "finished"
    assert done.name == "one"
    assert done.best is not None
    assert done.best.id == done.population.winner
    assert [candidate.id for candidate in done.candidates][:2] == ["c000", "c001"]
    journal = events(runs, "one")
    assert isinstance(journal[0], RunStarted)
    assert isinstance(journal[-1], RunStopped)
    assert journal[-1].why == "3 candidates are measured"
    assert sorted(path.name for path in done.paths.root.iterdir()) == [
        *("config.toml", "journal.jsonl", "lineage.git", "lock.json", "optuna.journal", "run.lock")
    ]


def test_the_observer_hears_every_event_in_order(done: Run, heard: Heard, runs: Path) -> None:
    assert heard.events == events(runs, "one")


def test_the_budget_is_used_up_and_never_overshot(done: Run, heard: Heard) -> None:
    assert done.population.children == 3
    assert heard.most_committed == 3


def test_no_split_sees_another_ones_queries(done: Run, runs: Path) -> None:
    held_out = load("chronicle", OPTIONS).held_out
    static = {query for event in events(runs, "one") if isinstance(event, AttemptEnded) for query in event.scores}
    asked: dict[str, set[str]] = {"fresh": set(), "test": set()}
    for event in events(runs, "one"):
        if isinstance(event, Measured):
            asked[event.split] |= set(event.scores)
    assert len(static) == 6
    assert asked["fresh"]
    assert asked["test"] == held_out
    assert not static & asked["fresh"]
    assert not (static | asked["fresh"]) & held_out


def test_winner_and_seeds_are_tested_once_each(done: Run, runs: Path) -> None:
    tested = [event.candidate for event in events(runs, "one") if isinstance(event, Measured) and event.split == "test"]
    assert sorted(tested) == sorted({"c000", "c001", done.population.winner})


def test_every_commit_is_there_and_git_finds_nothing_wrong(done: Run, runs: Path) -> None:
    def git(*words: str) -> str:
        command = ["git", "-C", str(done.paths.lineage), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("fsck", "--strict")
    commits = {event.commit for event in events(runs, "one") if isinstance(event, AttemptEnded | Measured)} - {""}
    assert commits <= set(git("rev-list", "--all").split())
    assert git("rev-parse", "best") in git("rev-list", f"refs/candidates/{done.population.winner}").split()
    for candidate in done.candidates:
        if candidate.commit and candidate.parents:
            first = git("rev-list", "--reverse", "--first-parent", f"refs/candidates/{candidate.id}").split()
            parents = {git("rev-list", "--max-count=1", f"refs/candidates/{parent}") for parent in candidate.parents}
            assert first
            assert parents
        if candidate.commit:
            assert git("show", f"refs/candidates/{candidate.id}:program.py") == (candidate.source or "").strip()


def test_cases_are_those_of_the_scores(done: Run) -> None:
    for candidate in done.candidates:
        if candidate.outcome == "scored":
            cases = done.cases(candidate.id)
            assert {case.query: case.score for case in cases} == dict(candidate.scores)
    best = done.candidate("best")
    assert {case.query: case.score for case in done.cases("best", "test")} == dict(best.test)
    assert done.cases("best", "nowhere") == ()


def test_one_worker_repeats_itself(done: Run, runs: Path) -> None:
    small("two")
    assert timeless(events(runs, "two")) == timeless(events(runs, "one"))


def test_going_on_with_a_finished_run_does_nothing(done: Run) -> None:
    before = {path.name: path.read_bytes() for path in done.paths.root.iterdir() if path.is_file()}
    heard = Heard([])
    again = small("one", observer=heard)
    assert heard.events == []
    assert {path.name: path.read_bytes() for path in done.paths.root.iterdir() if path.is_file()} == before
    assert again.population == done.population


def test_another_configuration_is_refused_and_named(done: Run) -> None:
    with pytest.raises(RunFolderError, match=r"'one' .*budget\.candidates: 3, now 4.*--name"):
        small("one", budget__candidates=4)
    with pytest.raises(RunFolderError, match=r"task_options\.queries: 10, now 12"):
        small("one", task_options={**OPTIONS, "queries": 12})


def stop_after(count: int) -> tuple[Observer, Callable[[], bool]]:
    """Return an observer, and a flag that is up once so many attempts have ended."""
    ended: list[str] = []

    def observe(event: Event, population: Population) -> None:
        if isinstance(event, AttemptEnded):
            ended.append(event.candidate)

    return observe, lambda: len(ended) >= count


def test_interrupted_after_what_is_in_flight_and_gone_on_with(done: Run, runs: Path) -> None:
    for count, (observe, up) in ((1, stop_after(1)), (2, stop_after(2))):
        stopped = small("paused", observer=observe, interrupted=up)
        assert stopped.status == "stopped"
        assert stopped.population.stopped is not None
        assert stopped.population.stopped.reason == "interrupted"
        assert not stopped.population.begun
        assert len(stopped.population.ended) == (1 if count == 1 else 3)
        assert stopped.population.winner is None
    small("paused")
    assert ends(events(runs, "paused")) == ends(events(runs, "one"))
    elapsed = [event.clock.elapsed for event in events(runs, "paused")]
    assert elapsed == sorted(elapsed)


def test_a_second_driver_is_refused(runs: Path) -> None:
    refusals: list[str] = []
    seen: list[str] = []

    def intrude(event: Event, population: Population) -> None:
        if not refusals:
            seen.append(open_run("busy").status)
            with pytest.raises(RunFolderError) as caught:
                small("busy", search__seeds=["no_memory"], budget__candidates=0)
            refusals.append(str(caught.value))

    small("busy", search__seeds=["no_memory"], budget__candidates=0, observer=intrude)
    assert "in use by another evolve" in refusals[0]
    assert seen == ["running"]
    assert open_run("busy").status == "finished"


def test_hours_stop_the_search(runs: Path) -> None:
    ended = small("hours", search__seeds=["no_memory"], budget__hours=1e-6)
    assert ended.population.stopped is not None
    assert ended.population.stopped.why == "1e-06 hours are used"
    assert ended.population.children == 0
    assert len(ended.population.seeds) == 1
    assert ended.population.winner == "c000"


def test_changed_data_is_refused(runs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    init_folder(folder)
    words = {"task": str(folder), "task_options": {}, "search__seeds": ["no_memory"], "budget__candidates": 0}
    small("data", **words, interrupted=lambda: True)
    queries = folder / "queries.jsonl"
    queries.write_text(queries.read_text() + '{"question": "What else?", "answer": "nothing", "scope": "new"}\n')
    episodes = folder / "episodes.jsonl"
    episodes.write_text(episodes.read_text() + '{"text": "More.", "scope": "new"}\n')
    before = events(runs, "data")
    with pytest.raises(RunFolderError, match="data of task 'workshop' changed since run 'data' began"):
        small("data", **words)
    assert events(runs, "data") == before


def test_a_seed_that_fails_its_smoke_test_can_be_mended(runs: Path, tmp_path: Path) -> None:
    seed = tmp_path / "mine.py"
    good = find_program("no_memory").read_text(encoding="utf-8")
    written = "\n    def write(self, item, raw_text):\n        pass\n"
    assert written in good
    seed.write_text(good.replace(written, BROKEN), encoding="utf-8")
    words = {"search__seeds": ["bm25", str(seed)], "budget__candidates": 0}
    with pytest.raises(ConfigError, match=r"mine\.py' fails its smoke test: raised: .*ValueError: nul") as caught:
        small("mended", **words)
    assert "\n" not in str(caught.value)
    assert open_run("mended").status == "interrupted"
    assert list(open_run("mended").population.candidates) == ["c000"]
    seed.write_text(good, encoding="utf-8")
    ended = small("mended", **words)
    assert ended.status == "finished"
    assert [candidate.outcome for candidate in ended.candidates] == ["scored", "scored"]
    attempts = [event.attempt for event in events(runs, "mended") if isinstance(event, AttemptEnded)]
    assert attempts == [0, 1]


def test_a_run_that_never_began_binds_nobody_to_its_configuration(
    runs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words = {"search__seeds": ["no_memory"], "budget__candidates": 0}
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(PrerequisiteError):
        small("unborn", **words, sandbox__kind="docker")
    assert small("unborn", **words).status == "finished"


def test_nothing_is_written_for_what_cannot_be_run(runs: Path) -> None:
    before = sorted(path.name for path in runs.iterdir())
    for changes, words in (
        ({"search__seeds": ["bm26"]}, "no program 'bm26'"),
        ({"task": "chronicles"}, "chronicle"),
        ({"task_options": {"live": 2}}, "'live'"),
        ({"budget__candidate": 2}, "candidates"),
    ):
        with pytest.raises(ConfigError, match=words):
            small("never", **changes)
    for name in ("../out", "", ".hidden", "a b", "-x"):
        with pytest.raises(ConfigError, match="run name"):
            small(name or " ")
    assert sorted(path.name for path in runs.iterdir()) == before


def test_what_is_not_there_is_said_with_what_is(done: Run) -> None:
    with pytest.raises(RunFolderError, match=r"no run 'nine'; runs there are: .*one"):
        open_run("nine")
    with pytest.raises(ConfigError, match=r"no candidate 'c999'; it has best, c000, c001"):
        done.candidate("c999")
    assert open_run(done.paths.root).population == open_run("one").population


@pytest.mark.parametrize(
    ("task", "name"), [("chronicle", "chronicle"), ("tasks/mine", "mine"), ("./mine/", "mine"), ("locomo", "locomo")]
)
def test_a_run_without_a_name_is_called_like_its_task(task: str, name: str) -> None:
    from evolve.config import load_config

    assert default_name(load_config(task)) == name


@pytest.mark.timeout(280)
def test_two_workers_never_overshoot_the_budget(runs: Path) -> None:
    heard = Heard([])
    ended = small("ray", workers=2, observer=heard)
    assert ended.status == "finished"
    assert ended.population.children == 3
    assert heard.most_committed == 3
    numbers = [event.attempt for event in heard.events if isinstance(event, AttemptStarted)]
    assert numbers == list(range(len(numbers)))
    at_once = [event for event in heard.events[1:3] if isinstance(event, AttemptStarted)]
    assert len(at_once) == 2
