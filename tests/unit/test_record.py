"""The recorder: git first, then the journal, then whoever listens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from evolve.archive import Archive
from evolve.attempt import Attempt, Report, Result
from evolve.errors import RunFolderError
from evolve.events import AttemptEnded, Clock, Event, Measured, RunStarted, Trial
from evolve.journal import Journal
from evolve.operators.base import Critique, Parent, Round
from evolve.operators.tune import study_name
from evolve.population import Population, fold
from evolve.program import load
from evolve.record import Recorder, candidate_id
from evolve.session import find_program
from evolve.studies import Studies
from evolve.types import Case, Cost, Evaluation

BM25 = load(find_program("bm25"))
SEED = Attempt(0, "seed", "0:0", program=BM25)
TUNE = Attempt(1, "tune", "0:1", parents=(Parent("c000", BM25, 0.5),), study=study_name(BM25))


def evaluation(*scores: float | None) -> Evaluation:
    cases = tuple(
        Case(f"q{n}", "s", "", "infrastructure" if score is None else "scored", score, "Why?")
        for n, score in enumerate(scores)
    )
    return Evaluation(BM25.digest, cases, "b", 1.25)


@dataclass
class Held:
    """A recorder in a folder, with what its observer heard, and what was on disk at that moment."""

    root: Path
    recorder: Recorder
    heard: list[Event] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)


def open_held(root: Path) -> Held:
    journal, archive = Journal(root / "journal.jsonl"), Archive(root / "lineage.git")

    def observe(event: Event, population: Population) -> None:
        held.heard.append(event)
        held.lines.append((root / "journal.jsonl").read_bytes().count(b"\n"))
        if isinstance(event, AttemptEnded) and event.commit:
            assert archive.cases(event.commit) is not None  # raises where the commit is missing
        assert population == held.recorder.population

    population = fold(journal.read())
    held = Held(root, Recorder(journal, archive, Studies(root / "optuna.journal"), population, observe))
    return held


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Held]:
    held = open_held(tmp_path)
    yield held
    held.recorder.close()


def seeded(held: Held) -> None:
    held.recorder.run_started(
        run="r", task="t", digest="d", agent="a", scorer="f1", sandbox="process", queries={"static": 2}
    )
    held.recorder.attempt_started(SEED)
    report = Report("scored", "bets", program=BM25, behaviour="b", evaluation=evaluation(0.25, 0.75))
    held.recorder.attempt_ended(SEED, report)


@pytest.mark.parametrize(("number", "id"), [(0, "c000"), (42, "c042"), (1234, "c1234")])
def test_the_number_decides_the_id(number: int, id: str) -> None:
    assert candidate_id(number) == id


def test_every_event_is_on_disk_when_it_is_heard(held: Held) -> None:
    seeded(held)
    held.recorder.winner_chosen("c000")
    held.recorder.stopped("finished", "why")
    assert held.lines == [1, 2, 3, 4, 5]
    assert list(Journal(held.root / "journal.jsonl").read()) == held.heard
    assert isinstance(held.heard[0], RunStarted)


def test_a_candidate_is_in_git_under_its_commit(held: Held) -> None:
    seeded(held)
    end = held.heard[-1]
    assert isinstance(end, AttemptEnded)
    assert (end.candidate, end.parents, end.operator) == ("c000", (), "seed")
    assert dict(end.scores) == {"q0": 0.25, "q1": 0.75}
    assert [case.score for case in held.recorder.archive.cases(end.commit)] == [0.25, 0.75]


def test_what_never_became_a_program_has_no_commit(held: Held) -> None:
    seeded(held)
    held.recorder.attempt_started(TUNE)
    tried = Trial({tunable.name: tunable.value for tunable in BM25.tunables}, None)
    held.recorder.attempt_ended(TUNE, Report("rejected", "", "nothing new", trials=(tried,)))
    end = held.heard[-1]
    assert isinstance(end, AttemptEnded)
    assert (end.commit, end.source, end.digest) == ("", None, "")
    assert end.trials == (tried,)
    assert end.study == study_name(BM25)


def test_a_critique_is_in_git_also_where_nothing_came_of_it(held: Held) -> None:
    seeded(held)
    reflect = Attempt(1, "reflect", "0:1", parents=TUNE.parents)
    held.recorder.attempt_started(reflect)
    critique = Critique("It reads too little.", (Round("the prompt", "the reply", "it does not apply"),))
    cost = {"reflector": Cost(calls=1, input_tokens=900, output_tokens=100, usd=0.25)}
    held.recorder.attempt_ended(reflect, Report("rejected", "", "no usable change", critique=critique, cost=cost))
    end = held.heard[-1]
    assert isinstance(end, AttemptEnded)
    assert end.cost == cost
    kept = held.recorder.archive.critique(end.commit)
    assert all(
        words in kept for words in ("It reads too little.", "the prompt", "the reply", "it does not apply", "0.25")
    )


def test_later_measurements_are_one_more_commit(held: Held) -> None:
    seeded(held)
    held.recorder.measured("c000", "test", Result(evaluation(1.0, None), {"agent": Cost(calls=3, usd=0.5)}))
    later = held.heard[-1]
    assert isinstance(later, Measured)
    assert dict(later.scores) == {"q0": 1.0, "q1": None}
    assert later.clock.seconds == 1.25
    assert held.recorder.population.candidates["c000"].later_cost == {"agent": Cost(calls=3, usd=0.5)}
    assert [case.score for case in held.recorder.archive.cases(later.commit, "test")] == [1.0, None]
    assert [case.score for case in held.recorder.archive.cases(later.commit)] == [0.25, 0.75]


def test_a_measurement_without_any_score_is_written_down(held: Held) -> None:
    seeded(held)
    held.recorder.measured("c000", "fresh", Result(evaluation(None), {}))
    assert dict(held.recorder.population.candidates["c000"].fresh) == {}


def test_elapsed_goes_on_from_the_earlier_sessions(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append(RunStarted("r", "t", "d", "a", "process", {}, Clock("then", 1_000.0)))
    journal.close()
    held = open_held(tmp_path)
    assert held.recorder.elapsed >= 1_000.0
    held.recorder.attempt_started(SEED)
    assert 1_000.0 <= held.heard[-1].clock.elapsed < 1_100.0
    held.recorder.close()


def test_what_a_program_said_cannot_stop_the_recorder(held: Held) -> None:
    """Neither NUL, which git refuses, nor half of a surrogate pair, which no file holds."""
    seeded(held)
    held.recorder.attempt_started(TUNE)
    reason = "fails its smoke test: raised: ValueError: \x00 \ud800 \u2028"
    held.recorder.attempt_ended(TUNE, Report("rejected", "a\nb", reason, BM25))
    held.recorder.close()
    assert fold(Journal(held.root / "journal.jsonl").read()).candidates["c001"].reason.endswith("\x00 ? \u2028")


def test_an_event_that_cannot_be_written_is_not_heard(held: Held) -> None:
    seeded(held)
    count = len(held.heard)
    held.recorder.close()
    (held.root / "journal.jsonl").unlink()
    (held.root / "journal.jsonl").mkdir()
    with pytest.raises(RunFolderError, match="cannot be written"):
        held.recorder.winner_chosen("c000")
    assert len(held.heard) == count
    assert held.recorder.population.winner is None
