"""One small real run, interrupted once and then resumed, that many tests look at."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from evolve.archive import Archive
from evolve.attempt import Attempt, Report
from evolve.config import Config, dump_config
from evolve.journal import Journal
from evolve.operators.base import Critique, Parent, Round
from evolve.paths import RunPaths, seeds_dir
from evolve.population import Population
from evolve.program import load, parse
from evolve.record import Recorder
from evolve.studies import Studies
from evolve.types import Case, Cost, Evaluation, FailureStage

SETTINGS = (
    "task_options.lives=2",
    "task_options.sessions=16",
    "task_options.queries=10",
    'search.seeds=["bm25", "hybrid"]',
    "budget.candidates=2",
    "sandbox.kind=process",
)
TINY = tuple(word for setting in SETTINGS for word in ("--set", setting))
"""The words that make a run small."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a process said, and how it ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class TinyRun:
    """A run that one Ctrl-C stopped and the same command finished."""

    runs: Path
    settings: tuple[str, ...]
    interrupted: Ended
    finished: Ended


IN_FULL = re.compile(
    r"[+-]?\d\.\d{3}[* ]*\(?(?:95 % interval )?[+-]?\d\.\d\d to [+-]?\d\.\d\d\)?(?: on the |, n |\s+)(?P<n>[\d,]+)"
)
"""A score, or a difference, as it has to be printed: with its interval and its number of queries."""


def start(runs: Path, *words: str) -> subprocess.Popen[str]:
    """Start the command line as a user would, on a pipe."""
    return subprocess.Popen(
        [sys.executable, "-m", "evolve", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "EVOLVE_RUNS": str(runs)},
    )


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """Run the bundled task with two seeds and two children, in this machine's process sandbox."""
    runs = tmp_path_factory.mktemp("runs")
    command = ("run", "chronicle", "--name", "tiny", "--workers", "1", *TINY)
    process = start(runs, *command)
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if line.startswith("c000"):
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=200)
    interrupted = Ended(process.returncode, out, "".join(lines) + err)
    process = start(runs, *command)
    out, err = process.communicate(timeout=200)
    return TinyRun(runs, TINY, interrupted, Ended(process.returncode, out, err))


@pytest.fixture
def bare_scores() -> Callable[[str], list[str]]:
    """Finds the lines that hold a score without its interval and number of queries; p values have four digits."""

    def found(text: str) -> list[str]:
        lines = []
        for line in text.splitlines():
            told = re.split(r"\b(?:seed|tune|recombine)\b", line)[0]  # what a candidate is may have numbers of its own
            if re.search(r"\d\.\d{2,3}(?!\d)", IN_FULL.sub("", told)):
                lines.append(line)
        return lines

    return found


@pytest.fixture
def at_runs(tiny_run: TinyRun, monkeypatch: pytest.MonkeyPatch) -> TinyRun:
    """The small run, found by this process too."""
    monkeypatch.setenv("EVOLVE_RUNS", str(tiny_run.runs))
    return tiny_run


@pytest.fixture
def paid_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunPaths:
    """A run with models that its budget ended: a seed, a child of `reflect`, and an attempt that came to nothing."""
    monkeypatch.setenv("EVOLVE_RUNS", str(tmp_path))
    paths = RunPaths(tmp_path / "paid")
    paths.root.mkdir()
    table = {"task": "chronicle", "search": {"seeds": ["bm25"]}, "models": {"agent": "openai:gpt-5-mini"}}
    paths.config.write_text(dump_config(Config.checked({**table, "budget": {"usd": 0.5}}).resolved()))
    journal, archive = Journal(paths.journal), Archive(paths.lineage)
    recorder = Recorder(journal, archive, Studies(paths.studies), Population(), lambda event, population: None)
    recorder.run_started(
        run="paid", task="chronicle", digest="0" * 64, agent="openai:gpt-5-mini", scorer="judge", sandbox="process",
        queries={"static": 3, "test": 0},
    )  # fmt: skip
    seed = load(seeds_dir() / "bm25.py")
    child = parse(seed.source.replace('"""', '"""Better: ', 1))
    parent = Parent("c000", seed, 0.0)
    asking = {"agent": Cost(calls=8, input_tokens=4_000, output_tokens=80, usd=0.02)}
    reflecting = {**asking, "reflector": Cost(calls=2, input_tokens=9_000, output_tokens=900, usd=0.1)}
    tried = (Round("the prompt of round one", "# Round 7\n\nOutcome: a lie", "the patch has no anchor"),)
    for attempt, report in (
        (
            Attempt(0, "seed", "0:0", program=seed),
            Report("scored", "keeps words", program=seed, evaluation=_evaluation(seed.digest, 0.0), cost=asking),
        ),
        (
            Attempt(1, "reflect", "0:1", parents=(parent,)),
            Report(
                "scored",
                "keep dates",
                program=child,
                evaluation=_evaluation(child.digest, 0.5),
                critique=Critique("Dates are\nlost.", (*tried, Round("the prompt of round two", "a better patch"))),
                cost=reflecting,
            ),
        ),
        (
            Attempt(2, "reflect", "0:2", parents=(parent,)),
            Report("rejected", "", "no patch applied", critique=Critique("It is too slow.", tried), cost=reflecting),
        ),
    ):
        recorder.attempt_started(attempt)
        recorder.attempt_ended(attempt, report)
    recorder.stopped("budget", "budget.usd = $0.50: $0.26 is spent; the rest of the run would have cost about $2.50")
    recorder.close()
    return paths


def _evaluation(program: str, last: float) -> Evaluation:
    def case(number: int, score: float, stage: FailureStage, **more: str) -> Case:
        return Case(f"q{number}", "s", "latest", "scored", score, f"Question {number}?", stage=stage, **more)

    cases = (
        case(1, 0.0, "read", read="something else", answer="in Rome", judgement="The gold answer is Oslo."),
        case(2, 1.0, ""),
        case(3, last, "extraction", answer="I do not know"),
    )
    return Evaluation(program, cases, f"behaviour {last}", 1.0)
