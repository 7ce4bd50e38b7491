"""The search loop with real operators, journal and lineage, and an executor whose measurements are made up.

A score depends on program and query alone, so that hundreds of attempts take seconds; whole runs are in test_session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from evolve.archive import Archive
from evolve.attempt import Attempt, Done, Job, Measurement, Report, Result
from evolve.config import Config, load_config
from evolve.errors import ConfigError
from evolve.evaluation.evaluate import behaviour
from evolve.evaluation.splits import Splits, make_splits
from evolve.events import AttemptEnded, AttemptStarted, Event, Measured
from evolve.executors.base import Key
from evolve.journal import Journal, canonical
from evolve.ladder import MEASURING
from evolve.operators import OPERATORS
from evolve.operators.base import Ground
from evolve.population import Population, fold
from evolve.program import load
from evolve.record import Recorder
from evolve.search import FRUITLESS, Search
from evolve.session import find_program
from evolve.studies import Studies
from evolve.tasks import load as load_task
from evolve.types import Case, Evaluation, Program, Query

SEEDS = ("bm25", "hybrid", "no_memory")
Answer = Callable[[Attempt, Report], Report]


@pytest.fixture(scope="module")
def splits() -> Splits:
    task = load_task("chronicle", {"lives": 2, "sessions": 16, "queries": 10})
    sizes = load_config("chronicle", ["evaluation.static=6"]).resolved().evaluation
    return make_splits(task, sizes, seed=0)


def measured(program: Program, queries: Sequence[Query]) -> Evaluation:
    def case(query: Query) -> Case:
        score = sha256(f"{program.digest}{query.id}".encode()).digest()[0] / 255
        return Case(query.id, query.scope, "", "scored", score, query.text, read=program.digest)

    cases = tuple(case(query) for query in queries)
    return Evaluation(program.digest, cases, behaviour(cases), 0.0)


@dataclass
class Bench:
    """An executor: `slots` at work at a time, the last that came done first."""

    splits: Splits
    slots: int = 1
    answer: Answer = lambda attempt, report: report
    at_work: list[tuple[Key, Job]] = field(default_factory=list)
    most: int = 0

    def submit(self, key: Key, job: Job) -> None:
        assert isinstance(job, Attempt)
        self.at_work.append((key, job))
        self.most = max(self.most, len(self.at_work))
        assert len(self.at_work) <= self.slots

    def next(self) -> tuple[Key, Done] | None:
        key, attempt = self.at_work.pop()
        assert isinstance(attempt, Attempt)
        return key, self.answer(attempt, self._report(attempt))

    def close(self) -> None:
        """Nothing is open."""

    def _report(self, attempt: Attempt) -> Report:
        program, note, trials = attempt.program, "a seed", ()
        if program is None:
            ground = Ground(
                attempt.parents,
                frozenset(attempt.known),
                attempt.trials,
                Random(attempt.draw),
                config=config_of(),
                follows_instructions=False,
                measure=lambda child: measured(child, self.splits.rung),
                trace=measured,
                smoke=lambda child: "",
            )
            proposal = OPERATORS[attempt.operator].propose(ground)
            program, note, trials = proposal.program, proposal.note, proposal.trials
            if program is None:
                return Report("rejected", "", note, trials=trials)
        whole = measured(program, self.splits.static)
        return Report("scored", note, "", program, whole.behaviour, whole, trials)


def never() -> bool:
    return False


def config_of(*overrides: str) -> Config:
    seeds = f"search.seeds={list(SEEDS)!r}"
    return load_config("chronicle", [seeds, "budget.candidates=6", *overrides]).resolved()


def search(
    root: Path, config: Config, bench: Bench, *, interrupted: Callable[[], bool] = never, seeds: Sequence[str] = SEEDS
) -> tuple[str, Population, list[Event]]:
    """Search in a folder, going on with what is there; return why it stopped, the population, the new events."""
    root.mkdir(exist_ok=True)
    journal = Journal(root / "journal.jsonl")
    heard: list[Event] = []
    archive, studies = Archive(root / "lineage.git"), Studies(root / "optuna.journal")
    population = fold(journal.read())
    recorder = Recorder(journal, archive, studies, population, lambda event, after: heard.append(event))
    programs = [load(find_program(name)) for name in seeds]
    try:
        why = Search(config, bench.splits, programs, recorder, bench, interrupted).run()
    finally:
        recorder.close()
    assert fold(Journal(root / "journal.jsonl").read()) == recorder.population
    return why, recorder.population, heard


def what(events: Sequence[Event]) -> list[dict[str, object]]:
    return [{k: v for k, v in canonical(event).items() if k != "commit"} for event in events]


def ends(events: Sequence[Event]) -> list[AttemptEnded]:
    return [event for event in events if isinstance(event, AttemptEnded)]


def test_seeds_first_then_children_up_to_the_budget(tmp_path: Path, splits: Splits) -> None:
    why, population, events = search(tmp_path, config_of(), Bench(splits))
    assert why == "6 candidates are measured"
    assert population.children == 6
    assert [end.operator for end in ends(events)[:3]] == ["seed"] * 3
    assert {end.operator for end in ends(events)[3:]} <= {"tune", "recombine"}
    assert [end.attempt for end in ends(events)] == list(range(len(ends(events))))
    digests = [end.digest for end in ends(events) if end.digest]
    assert len(set(digests)) == len(digests)


def test_one_worker_repeats_itself_and_another_seed_does_not(tmp_path: Path, splits: Splits) -> None:
    *_, one = search(tmp_path / "one", config_of(), Bench(splits))
    *_, two = search(tmp_path / "two", config_of(), Bench(splits))
    *_, other = search(tmp_path / "other", config_of("seed=1"), Bench(splits))
    assert what(one) == what(two)
    assert what(one) != what(other)


@pytest.mark.parametrize("candidates", [0, 1, 5])
@pytest.mark.parametrize("slots", [1, 2, 4, 16])
def test_the_budget_is_never_overshot(tmp_path: Path, splits: Splits, slots: int, candidates: int) -> None:
    bench = Bench(splits, slots)
    _, population, events = search(tmp_path, config_of(f"budget.candidates={candidates}"), bench)
    assert population.children == candidates
    begun = [event for event in events if isinstance(event, AttemptStarted)]
    assert len(begun) == len(ends(events))
    assert sorted(event.attempt for event in begun) == list(range(len(begun)))
    assert bench.most <= 8


def test_no_more_in_flight_than_configured(tmp_path: Path, splits: Splits) -> None:
    bench = Bench(splits, 16)
    search(tmp_path, config_of("search.in_flight=3", "budget.candidates=8"), bench)
    assert bench.most == 3


def test_staleness_is_what_a_choice_did_not_know(tmp_path: Path, splits: Splits) -> None:
    _, _, alone = search(tmp_path / "alone", config_of(), Bench(splits))
    assert {end.stale for end in ends(alone)} == {0}
    _, _, crowd = search(tmp_path / "crowd", config_of("budget.candidates=8"), Bench(splits, 4))
    knew: dict[int, int] = {}
    ended = 0
    for event in crowd:
        if isinstance(event, AttemptStarted):
            knew[event.attempt] = ended
        elif isinstance(event, AttemptEnded):
            assert event.stale == ended - knew[event.attempt]
            ended += 1
    assert max(end.stale for end in ends(crowd)) > 0


def test_parents_are_scored_candidates_that_had_ended(tmp_path: Path, splits: Splits) -> None:
    def spoil(attempt: Attempt, report: Report) -> Report:
        spoiled = attempt.number % 3 == 1 and report.program is not None
        return Report("void", report.note, "lost", report.program) if spoiled else report

    _, population, events = search(tmp_path, config_of("budget.candidates=10"), Bench(splits, 3, spoil))
    scored: set[str] = set()
    for event in events:
        if isinstance(event, AttemptStarted):
            assert set(event.parents) <= scored
            assert len(set(event.parents)) == len(event.parents)
            assert len(event.parents) == (0 if event.operator == "seed" else OPERATORS[event.operator].arity)
        elif isinstance(event, AttemptEnded) and event.outcome == "scored":
            scored.add(event.candidate)
    assert population.children == 10
    assert {c.outcome for c in population.candidates.values()} >= {"scored", "void"}


@pytest.mark.parametrize("slots", [1, 3])
def test_gone_on_with_from_any_attempt(tmp_path: Path, splits: Splits, slots: int) -> None:
    """With one worker, a search stopped after every single attempt is the search that was never stopped."""
    *_, whole = search(tmp_path / "whole", config_of(), Bench(splits))
    together: list[Event] = []
    why = "interrupted"
    for _ in range(100):
        heard = 0

        def up() -> bool:
            nonlocal heard
            heard += 1
            return heard > 1

        why, population, events = search(tmp_path / "parts", config_of(), Bench(splits, slots), interrupted=up)
        together += events
        assert not population.begun
        if why != "interrupted":
            break
    assert why == "6 candidates are measured"
    assert fold(together).children == 6
    if slots == 1:
        assert what(ends(together)) == what(ends(whole))


class Killed(Exception):
    """Stands for kill -9: nothing is written after it."""


@pytest.mark.parametrize("point", range(0, 12, 2))
def test_what_was_in_flight_is_done_again_under_its_number(tmp_path: Path, splits: Splits, point: int) -> None:
    *_, whole = search(tmp_path / "whole", config_of(), Bench(splits))

    def die(attempt: Attempt, report: Report) -> Report:
        if attempt.number == point:
            raise Killed
        return report

    if point >= len(ends(whole)):
        pytest.skip("the search is shorter")
    with pytest.raises(Killed):
        search(tmp_path / "killed", config_of(), Bench(splits, answer=die))
    before = fold(Journal(tmp_path / "killed" / "journal.jsonl").read())
    assert list(before.begun) == [point]
    _, population, _ = search(tmp_path / "killed", config_of(), Bench(splits))
    journal = list(Journal(tmp_path / "killed" / "journal.jsonl").read())
    assert what(ends(journal)) == what(ends(whole))
    assert not population.begun


def test_hours_are_counted_over_sessions(tmp_path: Path, splits: Splits) -> None:
    why, population, _ = search(tmp_path, config_of("budget.hours=1e-9"), Bench(splits))
    assert why == "1e-09 hours are used"
    assert (population.children, len(population.seeds)) == (0, 3)
    why, *_ = search(tmp_path, config_of("budget.hours=1e-9"), Bench(splits))
    assert why == "1e-09 hours are used"


def test_operators_that_give_nothing_more_end_the_search(tmp_path: Path, splits: Splits) -> None:
    def reject(attempt: Attempt, report: Report) -> Report:
        return report if attempt.operator == "seed" else Report("rejected", "", "nothing")

    why, population, events = search(tmp_path, config_of(), Bench(splits, answer=reject))
    assert why == f"the last {FRUITLESS} attempts brought nothing new"
    assert len(ends(events)) == 3 + FRUITLESS
    assert population.children == 0


def test_without_an_operator_that_applies_the_search_ends(tmp_path: Path, splits: Splits) -> None:
    config = config_of('search.operators=["recombine"]', 'search.seeds=["bm25"]')
    why, population, _ = search(tmp_path, config, Bench(splits), seeds=["bm25"])
    assert why == "no operator applies to any candidate"
    assert len(population.scored) == 1


def test_seeds_that_are_all_void_end_the_search(tmp_path: Path, splits: Splits) -> None:
    def lose(attempt: Attempt, report: Report) -> Report:
        return Report("void", "", "lost", report.program)

    why, population, _ = search(tmp_path, config_of(), Bench(splits, answer=lose))
    assert why == "no operator applies to any candidate"
    assert population.best is None


def test_a_rejected_seed_is_a_config_error_on_one_line_and_is_not_recorded(tmp_path: Path, splits: Splits) -> None:
    def fail(attempt: Attempt, report: Report) -> Report:
        return (
            Report("rejected", "", "fails its smoke test: raised: a\n  b", report.program) if attempt.number else report
        )

    with pytest.raises(ConfigError, match=r"^seed 'hybrid' fails its smoke test: raised: a b\.$"):
        search(tmp_path, config_of(), Bench(splits, answer=fail))
    population = fold(Journal(tmp_path / "journal.jsonl").read())
    assert list(population.candidates) == ["c000"]
    assert list(population.begun) == [1]
    why, *_ = search(tmp_path, config_of(), Bench(splits))
    assert why == "6 candidates are measured"


def test_trials_of_a_study_reach_the_next_attempt(tmp_path: Path, splits: Splits) -> None:
    given: list[tuple[str, int]] = []
    made = [0]

    def note(attempt: Attempt, report: Report) -> Report:
        if attempt.operator == "tune":
            given.append((attempt.study, len(attempt.trials)))
            made.append(made[-1] + len(report.trials))
        return report

    config = config_of('search.operators=["tune"]', 'search.seeds=["bm25"]', "budget.candidates=4")
    _, population, _ = search(tmp_path, config, Bench(splits, answer=note), seeds=["bm25"])
    assert [count for _, count in given] == made[:-1]
    assert made[:5] == [0, 4, 8, 12, 16]
    assert len({study for study, _ in given}) == 1
    assert len(population.trials[given[0][0]]) == made[-1]


@dataclass
class Lanes(Bench):
    """An executor whose jobs end when told, by number, and are at a stage meanwhile."""

    order: list[int] = field(default_factory=list)
    """Positions in `at_work` that end one after the other."""
    stages: dict[Key, str] = field(default_factory=dict)
    lost: bool = False
    """What is measured to the end meets nothing but infrastructure faults."""
    measuring: bool = False
    """Everything is said to be measured before it ends."""
    told: bool = False
    began: list[Key] = field(default_factory=list)

    def submit(self, key: Key, job: Job) -> None:
        self.began.append(key)
        if isinstance(job, Measurement):
            self.at_work.append((key, job))
        else:
            super().submit(key, job)

    def next(self) -> tuple[Key, Done] | None:
        if self.measuring and not self.told:
            self.stages.update({key: f"{MEASURING}: asking" for key, _ in self.at_work})
            self.told = True
            return None
        self.told = False
        key, job = self.at_work.pop(self.order.pop(0) if self.order else 0)
        if isinstance(job, Measurement):
            whole = measured(job.program, self.splits.static)
            gone = tuple(replace(case, outcome="infrastructure", score=None) for case in whole.cases)
            return key, Result(replace(whole, cases=gone) if self.lost else whole, {})
        return key, self.answer(job, self._report(job))


def lanes_search(
    root: Path, config: Config, lanes: Lanes, *, ahead: Callable[[], Iterable[Measurement]] = lambda: ()
) -> tuple[Population, list[Event]]:
    heard: list[Event] = []
    root.mkdir(exist_ok=True)
    archive, studies = Archive(root / "lineage.git"), Studies(root / "optuna.journal")
    recorder = Recorder(
        Journal(root / "journal.jsonl"), archive, studies, Population(), lambda event, after: heard.append(event)
    )
    programs = [load(find_program(name)) for name in SEEDS]
    try:
        Search(config, lanes.splits, programs, recorder, lanes, never, stages=lanes.stages, ahead=ahead).run()
    finally:
        recorder.close()
    assert fold(Journal(root / "journal.jsonl").read()) == recorder.population
    return recorder.population, heard


def test_a_child_begins_for_every_seed_that_is_measured(tmp_path: Path, splits: Splits) -> None:
    """Nothing waits for the slowest seed."""
    lanes = Lanes(splits, slots=8, order=[0, 0, 0])
    _, events = lanes_search(tmp_path, config_of(), lanes)
    assert len(SEEDS) > 1
    started = [event for event in events if isinstance(event, AttemptStarted | AttemptEnded)]
    first_end = next(at for at, event in enumerate(started) if isinstance(event, AttemptEnded))
    child = next(
        at for at, event in enumerate(started) if isinstance(event, AttemptStarted) and event.operator != "seed"
    )
    seed_ends = [at for at, e in enumerate(started) if isinstance(e, AttemptEnded) and e.operator == "seed"]
    assert first_end < child < seed_ends[-1]


def test_what_is_being_measured_is_no_proposal(tmp_path: Path, splits: Splits) -> None:
    config = config_of("search.in_flight=2", "budget.candidates=12")
    only_proposals, freed = Lanes(splits, slots=6), Lanes(splits, slots=6, measuring=True)
    lanes_search(tmp_path / "a", config, only_proposals)
    lanes_search(tmp_path / "b", config, freed)
    assert only_proposals.most == 2
    assert freed.most > 2


def test_no_choice_knows_less_than_the_staleness_allows(tmp_path: Path, splits: Splits) -> None:
    """The second attempt at work always ends first: the first one would be overtaken for ever."""
    config = config_of("search.staleness=4", "search.in_flight=3", "budget.candidates=12")
    population, _ = lanes_search(tmp_path, config, Lanes(splits, slots=3, order=[0] * len(SEEDS) + [-1] * 200))
    stale = [each.stale for each in population.candidates.values() if each.operator != "seed"]
    assert max(stale) == 4


def test_a_dropped_candidate_is_measured_to_the_end_when_a_new_best_is_no_better_there(
    tmp_path: Path, splits: Splits
) -> None:
    """The first child is dropped after a query on which it has every point; whoever is best then has no more."""

    def drop_first(attempt: Attempt, report: Report) -> Report:
        if attempt.number != len(SEEDS) or report.evaluation is None:
            return report
        case = replace(report.evaluation.cases[0], score=1.0)
        part = replace(report.evaluation, cases=(case,))
        return replace(report, outcome="rejected", reason="loses", dropped="race", evaluation=part)

    config = config_of('search.operators=["recombine"]')
    population, events = lanes_search(tmp_path / "lost", config, Lanes(splits, answer=drop_first, lost=True))
    assert not [event for event in events if isinstance(event, Measured)], "faults of the infrastructure score nobody"
    assert population.candidates[f"c{len(SEEDS):03d}"].outcome == "rejected"
    population, events = lanes_search(tmp_path / "whole", config, Lanes(splits, answer=drop_first))
    measured_on = [event for event in events if isinstance(event, Measured)]
    assert [(event.split, event.candidate) for event in measured_on] == [("static", f"c{len(SEEDS):03d}")]
    candidate = population.candidates[measured_on[0].candidate]
    assert (candidate.outcome, len(candidate.scores)) == ("scored", len(splits.static))
    assert population.children == 6, "it counted when it was dropped, and not again"


def test_what_the_end_asks_is_begun_one_after_the_other_while_the_last_children_are_at_work(
    tmp_path: Path, splits: Splits
) -> None:
    known = load(find_program(SEEDS[0]))
    wanted = [Measurement("c000", known, "fresh"), Measurement("c000", known, "test")]
    config = config_of("search.in_flight=3", "budget.candidates=6")
    lanes = Lanes(splits, slots=8, order=[0] * len(SEEDS) + [-1] * 40)
    population, events = lanes_search(tmp_path, config, lanes, ahead=lambda: wanted)
    ahead = [job.key for job in wanted]
    assert [key for key in lanes.began if key in ahead] == ahead, "each once"
    assert lanes.began.index(ahead[0]) >= len(SEEDS) + 6, "children go first"
    told = [event.split if isinstance(event, Measured) else "child" for event in events if _ends(event)]
    assert told.index("fresh") < len(told) - 1 - told[::-1].index("child"), "beside the last children"
    assert population.candidates["c000"].fresh
    assert population.candidates["c000"].test


def test_one_job_at_a_time_begins_nothing_ahead(tmp_path: Path, splits: Splits) -> None:
    wanted = [Measurement("c000", load(find_program(SEEDS[0])), "fresh")]
    lanes = Lanes(splits, slots=1)
    lanes_search(tmp_path, config_of("budget.candidates=3"), lanes, ahead=lambda: wanted)
    assert all(isinstance(key, int) for key in lanes.began), "a replay would meet another order"


def _ends(event: Event) -> bool:
    return isinstance(event, Measured) or (isinstance(event, AttemptEnded) and event.operator != "seed")
