"""After the search: who is measured again, on what, and who wins. Measurements are made up, all else is real."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from evolve.archive import Archive
from evolve.attempt import Attempt, Done, Job, Measurement, Report, Result, Unpaid
from evolve.config import load_config
from evolve.errors import BudgetSpent
from evolve.evaluation.splits import Splits
from evolve.events import Event, Measured, WinnerChosen
from evolve.executors.base import Key
from evolve.final import Final
from evolve.journal import Journal
from evolve.population import Population
from evolve.program import load, parse
from evolve.record import Recorder
from evolve.session import find_program
from evolve.studies import Studies
from evolve.types import Case, Evaluation, Query

SOURCE = load(find_program("no_memory")).source
CONFIG = load_config("chronicle").resolved()
WITH_MODEL = load_config("chronicle", ["models.agent=openai:x"]).resolved()
QUERIES = {split: tuple(Query(f"{split}{n}", "s", "?", "!") for n in range(2)) for split in ("static", "fresh", "test")}
SPLITS = Splits(QUERIES["static"], (), QUERIES["fresh"], QUERIES["test"], (), ())


def evaluation(split: str, score: float | None) -> Evaluation:
    outcome = "infrastructure" if score is None else "scored"
    cases = tuple(Case(query.id, "s", "", outcome, score, "?") for query in QUERIES[split])
    return Evaluation("d", cases, "b", 0.0)


@dataclass
class Bench:
    """An executor with two slots whose results are looked up; the last that came is done first."""

    scores: Mapping[tuple[str, str], float | None]
    slots: int = 2
    unpaid: frozenset[tuple[str, str]] = frozenset()
    asked: list[tuple[str, str]] = field(default_factory=list)
    at_work: list[Measurement] = field(default_factory=list)

    def submit(self, key: Key, job: Job) -> None:
        assert isinstance(job, Measurement)
        assert key == job.candidate
        assert len(self.at_work) < self.slots
        self.asked.append((job.candidate, job.split))
        self.at_work.append(job)

    def next(self) -> tuple[Key, Done]:
        job = self.at_work.pop()
        if (job.candidate, job.split) in self.unpaid:
            return job.candidate, Unpaid("budget.usd = 1: all of it is spent")
        return job.candidate, Result(evaluation(job.split, self.scores.get((job.candidate, job.split), 0.5)), {})

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    def deaf(event: Event, population: Population) -> None:
        """Hear nothing."""

    journal, archive = Journal(tmp_path / "journal.jsonl"), Archive(tmp_path / "lineage.git")
    recorder = Recorder(journal, archive, Studies(tmp_path / "optuna.journal"), Population(), deaf)
    yield recorder
    recorder.close()


def populate(recorder: Recorder, *scores: float, seeds: int = 2) -> None:
    """Candidates with these static scores, seeds first."""
    program = parse(SOURCE)
    for number, score in enumerate(scores):
        attempt = Attempt(number, "seed" if number < seeds else "tune", f"0:{number}")
        recorder.attempt_started(attempt)
        recorder.attempt_ended(attempt, Report("scored", "", "", program, "b", evaluation("static", score)))


def finish(recorder: Recorder, bench: Bench, splits: Splits = SPLITS) -> None:
    final = Final(CONFIG, recorder, bench, splits, lambda: False)
    assert final.choose_winner()
    assert final.ask_held_out()


def test_the_best_three_are_measured_on_fresh_queries_and_nobody_else(recorder: Recorder) -> None:
    populate(recorder, 0.1, 0.6, 0.3, 0.5, 0.2)
    bench = Bench({})
    Final(CONFIG, recorder, bench, SPLITS, lambda: False).choose_winner()
    assert bench.asked == [("c001", "fresh"), ("c003", "fresh"), ("c002", "fresh")]


def test_static_and_fresh_together_choose(recorder: Recorder) -> None:
    """c001 leads on static queries by luck: 0.6 and 0.1 are less than 0.5 and 0.4."""
    populate(recorder, 0.1, 0.6, 0.5)
    finish(recorder, Bench({("c001", "fresh"): 0.1, ("c002", "fresh"): 0.4, ("c000", "fresh"): 0.1}))
    assert recorder.population.winner == "c002"


def test_the_earliest_of_equals_wins(recorder: Recorder) -> None:
    populate(recorder, 0.5, 0.5, 0.5, 0.5)
    finish(recorder, Bench({}))
    assert recorder.population.winner == "c000"


def test_winner_and_seeds_are_tested_once(recorder: Recorder) -> None:
    populate(recorder, 0.1, 0.2, 0.9, 0.3)
    bench = Bench({})
    finish(recorder, bench)
    assert sorted(name for name, split in bench.asked if split == "test") == ["c000", "c001", "c002"]
    asked = list(bench.asked)
    finish(recorder, bench)
    assert bench.asked == asked


def test_a_winner_that_is_a_seed_is_tested_once(recorder: Recorder) -> None:
    populate(recorder, 0.9, 0.2)
    bench = Bench({("c001", "fresh"): 0.0})
    finish(recorder, bench)
    assert sorted(name for name, split in bench.asked if split == "test") == ["c000", "c001"]


def test_the_test_chooses_nobody(recorder: Recorder) -> None:
    populate(recorder, 0.1, 0.2, 0.9)
    finish(recorder, Bench({("c002", "test"): 0.0, ("c000", "test"): 1.0, ("c001", "test"): 1.0}))
    assert recorder.population.winner == "c002"
    assert recorder.population.best is not None
    assert recorder.population.best.id == "c002"


def test_one_candidate_needs_no_fresh_queries(recorder: Recorder) -> None:
    populate(recorder, 0.4, seeds=1)
    bench = Bench({})
    finish(recorder, bench)
    assert bench.asked == [("c000", "test")]
    assert recorder.population.winner == "c000"


def test_nothing_scored_nothing_won(recorder: Recorder) -> None:
    bench = Bench({})
    finish(recorder, bench)
    assert (bench.asked, recorder.population.winner) == ([], None)


def test_without_fresh_or_test_queries_static_ones_decide(recorder: Recorder) -> None:
    populate(recorder, 0.4, 0.7)
    bench = Bench({})
    finish(recorder, bench, Splits(QUERIES["static"], (), (), (), (), ()))
    assert (bench.asked, recorder.population.winner) == ([], "c001")


def test_only_what_is_left_is_measured_after_an_interruption(recorder: Recorder) -> None:
    populate(recorder, 0.4, 0.7, 0.5)
    recorder.measured("c001", "fresh", Result(evaluation("fresh", 0.2), {}))
    bench = Bench({})
    finish(recorder, bench)
    assert [name for name, split in bench.asked if split == "fresh"] == ["c002", "c000"]
    events = list(Journal(recorder.journal.path).read())
    measured = [(event.candidate, event.split) for event in events if isinstance(event, Measured)]
    assert len(set(measured)) == len(measured)
    assert sum(isinstance(event, WinnerChosen) for event in events) == 1


def test_an_interrupt_stops_after_what_is_in_flight_and_the_rest_follows(recorder: Recorder) -> None:
    populate(recorder, 0.1, 0.6, 0.3, 0.5)
    bench = Bench({})
    interrupted = Final(CONFIG, recorder, bench, SPLITS, lambda: bool(bench.asked))
    assert not interrupted.choose_winner()
    assert recorder.population.winner is None
    first = list(bench.asked)
    assert len(first) == 1
    finish(recorder, bench)
    assert bench.asked.count(first[0]) == 1
    assert recorder.population.winner is not None


def test_where_a_model_answers_only_the_best_seed_is_tested_beside_the_winner(recorder: Recorder) -> None:
    populate(recorder, 0.1, 0.2, 0.9, 0.3)
    bench = Bench({})
    final = Final(WITH_MODEL, recorder, bench, SPLITS, lambda: False)
    assert final.choose_winner()
    assert final.ask_held_out()
    assert sorted(name for name, split in bench.asked if split == "test") == ["c001", "c002"]


def test_money_that_does_not_last_keeps_what_was_measured(recorder: Recorder) -> None:
    populate(recorder, 0.1, 0.9)
    bench = Bench({}, unpaid=frozenset({("c000", "test")}))
    final = Final(CONFIG, recorder, bench, SPLITS, lambda: False)
    assert final.choose_winner()
    with pytest.raises(BudgetSpent, match="all of it is spent"):
        final.ask_held_out()
    assert recorder.population.candidates["c001"].test
    assert not recorder.population.candidates["c000"].test
    finish(recorder, Bench({}))
    assert recorder.population.candidates["c000"].test
