"""After the search: who is measured again, on what, and who wins. Measurements are made up, all else is real."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolve.archive import Archive
from evolve.attempt import Attempt, Done, Job, Measurement, Report, Result, Unpaid
from evolve.config import Config, load_config
from evolve.errors import BudgetSpent
from evolve.evaluation.splits import Splits
from evolve.events import Event, Measured, WinnerChosen
from evolve.executors.base import Key
from evolve.final import Final, choose
from evolve.forecast import Forecast
from evolve.journal import Journal
from evolve.operators.base import Parent
from evolve.population import Candidate, Population
from evolve.program import load, parse
from evolve.record import Recorder, candidate_id
from evolve.session import find_program
from evolve.studies import Studies
from evolve.types import Case, Evaluation, Query

SOURCE = load(find_program("no_memory")).source
CONFIG = load_config("chronicle").resolved()
WITH_MODEL = load_config("chronicle", ["models.agent=openai:x"]).resolved()
QUERIES = {split: tuple(Query(f"{split}{n}", "s", "?", "!") for n in range(2)) for split in ("static", "fresh", "test")}
SCORE = st.floats(0, 1)
SPLITS = Splits(QUERIES["static"], (), QUERIES["fresh"], QUERIES["test"], (), ())


def evaluation(split: str, score: float | None) -> Evaluation:
    outcome = "infrastructure" if score is None else "scored"
    cases = tuple(Case(query.id, "s", "", outcome, score, "?") for query in QUERIES[split])
    return Evaluation("d", cases, "b", 0.0)


def never() -> bool:
    return False


@dataclass
class Bench:
    """An executor with two slots whose results are looked up; the last that came is done first, after a stage of it."""

    scores: Mapping[tuple[str, str], float | None]
    slots: int = 2
    unpaid: frozenset[tuple[str, str]] = frozenset()
    asked: list[tuple[str, str]] = field(default_factory=list)
    at_work: dict[Key, Measurement] = field(default_factory=dict)
    told: set[Key] = field(default_factory=set)

    def submit(self, key: Key, job: Job) -> None:
        assert isinstance(job, Measurement)
        assert key not in self.at_work
        assert len(self.at_work) < self.slots
        self.asked.append((job.candidate, job.split))
        self.at_work[key] = job

    def next(self) -> tuple[Key, Done] | None:
        key = list(self.at_work)[-1]
        if key not in self.told:
            self.told.add(key)
            return None
        job = self.at_work.pop(key)
        if (job.candidate, job.split) in self.unpaid:
            return key, Unpaid("budget.usd = 1: all of it is spent")
        return key, Result(evaluation(job.split, self.scores.get((job.candidate, job.split), 0.5)), {})

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


def populate(recorder: Recorder, *scores: float, seeds: int = 2, parent: int = 0) -> None:
    """Candidates with these static scores, seeds first, then children of one parent."""
    program = parse(SOURCE)
    above = (Parent(candidate_id(parent), program, 0.0),)
    for number, score in enumerate(scores):
        is_seed = number < seeds
        attempt = Attempt(number, "seed" if is_seed else "tune", f"0:{number}", parents=() if is_seed else above)
        recorder.attempt_started(attempt)
        recorder.attempt_ended(attempt, Report("scored", "", "", program, "b", evaluation("static", score)))


def finish(recorder: Recorder, bench: Bench, splits: Splits = SPLITS, *, config: Config = CONFIG) -> None:
    assert Final(config, recorder, bench, splits, never).run()


def asked(bench: Bench, split: str) -> list[str]:
    return [name for name, of in bench.asked if of == split]


def test_the_best_three_are_measured_on_fresh_queries_and_nobody_else(recorder: Recorder) -> None:
    populate(recorder, 0.1, 0.6, 0.3, 0.5, 0.2)
    bench = Bench({})
    finish(recorder, bench)
    assert asked(bench, "fresh") == ["c001", "c003", "c002"]


def test_with_few_fresh_queries_there_are_two_finalists(recorder: Recorder) -> None:
    populate(recorder, 0.1, 0.6, 0.3, 0.5, 0.2)
    bench = Bench({})
    finish(recorder, bench, replace(SPLITS, fresh=QUERIES["fresh"][:1]))
    assert asked(bench, "fresh") == ["c001", "c003"]


def test_fresh_queries_alone_choose(recorder: Recorder) -> None:
    """c001 leads on static queries by luck: with them, 0.9 and 0.2 would be more than 0.5 and 0.4."""
    populate(recorder, 0.1, 0.9, 0.5)
    finish(recorder, Bench({("c001", "fresh"): 0.2, ("c002", "fresh"): 0.4, ("c000", "fresh"): 0.1}))
    assert recorder.population.winner == "c002"


def test_static_queries_decide_between_equals_and_then_the_earliest_wins(recorder: Recorder) -> None:
    populate(recorder, 0.5, 0.6, 0.6, 0.5)
    finish(recorder, Bench({}))
    assert recorder.population.winner == "c001"


def test_a_dropped_child_is_no_finalist_unless_it_was_measured_to_the_end(recorder: Recorder) -> None:
    populate(recorder, 0.1, 0.2)
    parent = Parent("c000", parse(SOURCE), 0.0)
    for number in (2, 3):
        attempt = Attempt(number, "tune", f"0:{number}", parents=(parent,))
        recorder.attempt_started(attempt)
        program, partial = parse(SOURCE), evaluation("static", 0.9)
        recorder.attempt_ended(attempt, Report("rejected", "", "0.9 here", program, "b", partial, dropped="race"))
    recorder.measured("c003", "static", Result(evaluation("static", 0.9), {}))
    bench = Bench({})
    finish(recorder, bench)
    assert asked(bench, "fresh") == ["c003", "c001", "c000"]


def test_the_best_seed_is_tested_beside_the_choice_and_the_winner_as_soon_as_it_is_known(recorder: Recorder) -> None:
    populate(recorder, 0.1, 0.6, 0.9, parent=1)
    bench = Bench({("c002", "fresh"): 0.8}, slots=8)
    finish(recorder, bench, config=WITH_MODEL)
    assert bench.asked == [
        ("c002", "fresh"), ("c001", "fresh"), ("c000", "fresh"), ("c001", "test"), ("c002", "test"),
    ]  # fmt: skip
    assert len(bench.told) == 5, "four were at work before anything had ended, two of them of one candidate"


def test_winner_seeds_and_parent_are_tested_once(recorder: Recorder) -> None:
    populate(recorder, 0.1, 0.2, 0.9, 0.3)
    bench = Bench({})
    finish(recorder, bench)
    assert sorted(asked(bench, "test")) == ["c000", "c001", "c002"]
    before = list(bench.asked)
    finish(recorder, bench)
    assert bench.asked == before


def test_where_a_model_answers_winner_parent_and_best_seed_are_tested(recorder: Recorder) -> None:
    populate(recorder, 0.1, 0.2, 0.3, 0.4, parent=0)
    bench = Bench({("c003", "fresh"): 0.9})
    finish(recorder, bench, config=WITH_MODEL)
    assert recorder.population.winner == "c003"
    assert sorted(asked(bench, "test")) == ["c000", "c001", "c003"]


@pytest.mark.parametrize("winner", range(5))
@pytest.mark.parametrize("held_out", [True, False])
def test_what_is_measured_is_what_was_forecast_at_most(recorder: Recorder, winner: int, held_out: bool) -> None:
    """2 queries of 2 calls each; the episodes are none."""
    splits = SPLITS if held_out else replace(SPLITS, test=())
    populate(recorder, 0.6, 0.5, 0.7, 0.8, 0.9, parent=1)
    forecast = Forecast(WITH_MODEL, splits)
    expected = forecast.final(recorder.population)
    bench = Bench({(candidate_id(winner), "fresh"): 1.0})
    finish(recorder, bench, splits, config=WITH_MODEL)
    assert 4 * len(bench.asked) <= expected.calls == 4 * (6 if held_out else 5)
    assert forecast.final(recorder.population).calls == 0


def test_a_winner_that_is_a_seed_is_tested_once(recorder: Recorder) -> None:
    populate(recorder, 0.9, 0.2)
    bench = Bench({("c001", "fresh"): 0.0})
    finish(recorder, bench)
    assert sorted(asked(bench, "test")) == ["c000", "c001"]


def test_the_test_chooses_nobody_be_it_known_before_the_choice(recorder: Recorder) -> None:
    """Killed after every seed was tested and before the winner was chosen: the choice is the same."""
    populate(recorder, 0.1, 0.2, 0.3)
    for name, score in (("c000", 1.0), ("c001", 1.0), ("c002", 0.0)):
        recorder.measured(name, "test", Result(evaluation("test", score), {}))
    bench = Bench({("c002", "fresh"): 0.6})
    finish(recorder, bench)
    assert recorder.population.winner == "c002"
    assert not asked(bench, "test")


@given(
    st.lists(st.tuples(SCORE, SCORE), min_size=1, max_size=4),
    st.lists(st.one_of(st.none(), SCORE), min_size=4, max_size=4),
)
def test_no_test_score_can_change_the_choice(known: list[tuple[float, float]], tests: list[float | None]) -> None:
    finalists = [
        Candidate(str(number), (), "seed", "", "scored", "", "", "", "", {"s": static}, 0.0, 0, "", fresh={"f": fresh})
        for number, (static, fresh) in enumerate(known)
    ]
    tested = [
        replace(each, test={} if score is None else {"t": score}) for each, score in zip(finalists, tests, strict=False)
    ]
    chosen = choose(finalists, queries=1)
    assert choose(tested, queries=1).id == chosen.id
    assert chosen.fresh["f"] == max(fresh for _, fresh in known)


def test_finalists_are_compared_on_the_queries_that_all_have() -> None:
    """Without q0, which the first one lost to a fault, it is the better one by little; with it, it is not."""
    queries = [f"q{number}" for number in range(10)]
    one = Candidate(
        "one", (), "seed", "", "scored", "", "", "", "", {"s": 0.1}, 0.0, 0, "", fresh=dict.fromkeys(queries[1:], 0.6)
    )
    other = replace(one, id="other", scores={"s": 0.9}, fresh={**dict.fromkeys(queries[1:], 0.5), "q0": 1.0 + 0.9})
    lost = replace(one, id="lost", fresh={"q1": 1.0})
    assert choose([other, one, lost], queries=10).id == "one"
    assert choose([lost, other], queries=10).id == "other", "one query out of ten is no measurement"
    assert choose([replace(lost, fresh={}), replace(one, fresh={})], queries=10).id == "lost", "equal on static ones"


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


def test_without_held_out_queries_fresh_ones_compare(recorder: Recorder) -> None:
    populate(recorder, 0.4, 0.7, 0.8, 0.9, 0.95)
    bench = Bench({})
    finish(recorder, bench, Splits(QUERIES["static"], (), QUERIES["fresh"], (), (), ()))
    assert sorted(bench.asked) == [(f"c00{number}", "fresh") for number in range(5)]


def test_without_fresh_or_test_queries_static_ones_decide(recorder: Recorder) -> None:
    populate(recorder, 0.4, 0.7)
    bench = Bench({})
    finish(recorder, bench, Splits(QUERIES["static"], (), (), (), (), ()))
    assert (bench.asked, recorder.population.winner) == ([], "c001")


def test_fresh_queries_that_nobody_could_be_asked_leave_it_to_the_static_ones(recorder: Recorder) -> None:
    populate(recorder, 0.4, 0.7)
    bench = Bench({("c000", "fresh"): None, ("c001", "fresh"): None})
    finish(recorder, bench)
    assert asked(bench, "fresh") == ["c001", "c000"]
    assert recorder.population.winner == "c001"


def test_only_what_is_left_is_measured_after_an_interruption(recorder: Recorder) -> None:
    populate(recorder, 0.4, 0.7, 0.5)
    recorder.measured("c001", "fresh", Result(evaluation("fresh", 0.2), {}))
    bench = Bench({})
    finish(recorder, bench)
    assert asked(bench, "fresh") == ["c002", "c000"]
    events = list(Journal(recorder.journal.path).read())
    measured = [(event.candidate, event.split) for event in events if isinstance(event, Measured)]
    assert len(set(measured)) == len(measured)
    assert sum(isinstance(event, WinnerChosen) for event in events) == 1


def test_an_interrupt_stops_after_what_is_in_flight_and_the_rest_follows(recorder: Recorder) -> None:
    populate(recorder, 0.1, 0.6, 0.3, 0.5)
    bench = Bench({})
    assert not Final(CONFIG, recorder, bench, SPLITS, lambda: bool(bench.asked)).run()
    assert recorder.population.winner is None
    first = list(bench.asked)
    assert len(first) == 1
    finish(recorder, bench)
    assert bench.asked.count(first[0]) == 1
    assert recorder.population.winner is not None


def test_money_that_does_not_last_keeps_what_was_measured(recorder: Recorder) -> None:
    populate(recorder, 0.1, 0.9)
    with pytest.raises(BudgetSpent, match="all of it is spent"):
        finish(recorder, Bench({}, slots=4, unpaid=frozenset({("c000", "test")})))
    assert recorder.population.candidates["c001"].test
    assert not recorder.population.candidates["c000"].test
    finish(recorder, Bench({}))
    assert recorder.population.candidates["c000"].test


def test_nobody_wins_as_long_as_a_finalist_could_not_be_paid(recorder: Recorder) -> None:
    populate(recorder, 0.1, 0.9)
    with pytest.raises(BudgetSpent):
        finish(recorder, Bench({}, unpaid=frozenset({("c000", "fresh")})))
    assert recorder.population.winner is None
    finish(recorder, Bench({("c000", "fresh"): 0.8}))
    assert recorder.population.winner == "c000"
