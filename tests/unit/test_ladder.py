"""One attempt, from proposal to judgement, in a real sandbox: what is measured, what is not, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from evolve.attempt import Attempt, Report, Rival
from evolve.config import Config, load_config
from evolve.errors import SandboxError
from evolve.evaluation.splits import Splits, make_splits
from evolve.operators.base import Parent
from evolve.program import load, parse, rewrite_constants
from evolve.sandbox.box import Box
from evolve.sandbox.process import ProcessSandbox
from evolve.session import find_program
from evolve.tasks import load as load_task
from evolve.worker import Worker

CONFIG = load_config("chronicle", ["evaluation.static=24", "evaluation.rotating=3"]).resolved()
BM25 = load(find_program("bm25"))
RAISES = parse(BM25.source.replace("        hits = []\n", '        raise LookupError("lost my notes")\n', 1))


@pytest.fixture(scope="module")
def splits() -> Splits:
    task = load_task("chronicle", {"lives": 6, "sessions": 16, "queries": 10})
    return make_splits(task, CONFIG.evaluation, seed=0)


@pytest.fixture(scope="module")
def worker(splits: Splits) -> Iterator[Worker]:
    worker = Worker(CONFIG, splits, ProcessSandbox(CONFIG.sandbox.limits))
    yield worker
    worker.close()


def attempt(worker: Worker, job: Attempt, config: Config = CONFIG) -> Report:
    """Run an attempt."""
    report = Worker(config, worker.splits, worker.sandbox).run(job, lambda stage: None)
    assert isinstance(report, Report)
    return report


@pytest.fixture(scope="module")
def seed(worker: Worker) -> Report:
    return attempt(worker, Attempt(0, "seed", "0:0", program=BM25))


def test_a_seed_is_asked_every_static_query_once(seed: Report, splits: Splits) -> None:
    assert seed.outcome == "scored"
    assert seed.evaluation is not None
    asked = [case.query for case in seed.evaluation.cases]
    assert sorted(asked) == sorted(query.id for query in splits.static)
    assert seed.note.startswith("Full-text search")


def test_stages_are_said(worker: Worker) -> None:
    stages: list[str] = []
    worker.run(Attempt(0, "seed", "0:0", program=BM25), stages.append)
    assert stages[0] == "smoke test"
    assert {"measuring: ingesting", "measuring: asking"} <= set(stages)


def test_what_behaves_like_a_candidate_is_not_measured_again(worker: Worker, seed: Report, splits: Splits) -> None:
    copy = parse(BM25.source + "\nUNUSED = 1\n")
    parents, known = (Parent("c000", BM25, None),), {seed.behaviour: "c000"}
    report = attempt(worker, Attempt(1, "recombine", "0:1", program=copy, parents=parents, behaviours=known))
    assert (report.outcome, report.dropped) == ("rejected", "")
    assert "behaves like c000" in report.reason
    assert report.evaluation is not None
    assert len(report.evaluation.cases) == len(splits.rung) < len(splits.static)


def with_race(**keys: object) -> Config:
    race = CONFIG.evaluation.race.model_copy(update=keys)
    return CONFIG.model_copy(update={"evaluation": CONFIG.evaluation.model_copy(update={"race": race})})


def without_ladder() -> Config:
    return CONFIG.model_copy(update={"evaluation": CONFIG.evaluation.model_copy(update={"ladder": "none"})})


def test_without_the_ladder_it_is_measured_all_the_same(worker: Worker, seed: Report) -> None:
    config = without_ladder()
    parents, known = (Parent("c000", BM25, None),), {seed.behaviour: "c000"}
    job = Attempt(1, "recombine", "0:1", program=BM25, parents=parents, behaviours=known)
    assert attempt(worker, job, config).outcome == "scored"


def test_no_setting_that_is_worse_than_the_parent_is_measured(worker: Worker) -> None:
    """`tune` on few hits: the parent's mean is made 1.0, which no setting reaches."""
    parent = Parent("c000", parse(rewrite_constants(BM25.source, {"HITS": 15})), 1.0)
    job = Attempt(2, "tune", "0:2", parents=(parent,), known={parent.program.digest: "c000"})
    report = attempt(worker, job)
    assert (report.outcome, report.dropped, report.program) == ("rejected", "", None)
    assert report.reason.startswith("no setting of c000 did better on the cheap rung")
    assert len(report.trials) == 4


@pytest.mark.parametrize("rung", [0.0, None])
def test_a_parent_without_a_score_on_the_rung_stops_nobody(worker: Worker, rung: float | None) -> None:
    parent = Parent("c000", BM25, rung)
    report = attempt(worker, Attempt(2, "tune", "0:2", parents=(parent,), known={BM25.digest: "c000"}))
    assert report.outcome == "scored"
    assert report.note.startswith("changed ")
    assert report.proposing > 0


def test_a_child_that_loses_to_the_best_candidate_is_dropped_with_what_it_was_asked(
    worker: Worker, splits: Splits
) -> None:
    everything = Rival("c009", {query.id: 1.0 for query in splits.static})
    job = Attempt(2, "tune", "0:2", parents=(Parent("c000", BM25, 0.0),), known={BM25.digest: "c000"}, rival=everything)
    config = with_race(risk=0.99)
    report = attempt(worker, job, config)
    assert (report.outcome, report.dropped) == ("rejected", "race")
    assert report.evaluation is not None
    assert len(report.evaluation.cases) == len(splits.rung) < len(splits.static)
    assert report.reason.endswith(f"of {len(splits.static)} static queries, c009 has 1.000 on them")
    assert attempt(worker, job, with_race(risk=1e-9)).outcome == "scored", "no difference is sure enough"
    assert attempt(worker, job, without_ladder()).outcome == "scored"


def test_a_seed_races_against_nobody(worker: Worker, splits: Splits) -> None:
    everything = Rival("c009", {query.id: 1.0 for query in splits.static})
    report = attempt(worker, Attempt(0, "seed", "0:0", program=BM25, rival=everything), with_race(risk=0.99))
    assert report.outcome == "scored"


def test_the_gate_compares_with_the_parent_on_rotating_queries(worker: Worker, splits: Splits) -> None:
    parents = (Parent("c000", BM25, 0.0),)
    job = Attempt(2, "tune", "0:2", parents=parents, known={BM25.digest: "c000"})
    report = attempt(worker, job, with_race(gate=3, margin=-1.0))
    assert (report.outcome, report.dropped) == ("rejected", "gate")
    assert "on 3 rotating queries, c000 has" in report.reason
    assert report.evaluation is None, "rotating queries are never scored"
    assert attempt(worker, job, with_race(gate=3, margin=1.0)).outcome == "scored"


def test_a_program_that_fails_its_smoke_test_is_not_measured(worker: Worker) -> None:
    report = attempt(worker, Attempt(3, "seed", "0:3", program=RAISES))
    assert report.outcome == "rejected"
    assert report.reason.startswith("fails its smoke test: raised:")
    assert "LookupError: lost my notes" in report.reason
    assert report.evaluation is None


def test_parents_that_do_not_recombine_leave_no_program(worker: Worker) -> None:
    vectors, nothing = load(find_program("vector_search")), load(find_program("bm25"))
    parents = (Parent("c000", vectors, 0.3), Parent("c001", nothing, 0.3))
    report = attempt(worker, Attempt(4, "recombine", "0:4", parents=parents))
    assert (report.outcome, report.program) == ("rejected", None)
    assert report.reason.startswith("c000 and c001 do not recombine: ")


class Absent:
    """A sandbox that never comes up."""

    name = "absent"

    def start(self) -> Box:
        raise SandboxError("the engine is on holiday")

    def describe(self) -> str:
        return "absent"

    def close(self) -> None:
        """Nothing to close."""


def test_what_could_not_be_measured_is_void_and_has_no_score(splits: Splits) -> None:
    nowhere = Worker(CONFIG, splits, Absent())
    report = attempt(nowhere, Attempt(5, "seed", "0:5", program=BM25))
    assert report.outcome == "void"
    assert "only 0% of the queries could be measured (the engine is on holiday)" in report.reason
    assert report.evaluation is not None
    assert report.evaluation.mean is None


def test_an_attempt_done_again_ends_the_same(worker: Worker) -> None:
    """What a resume relies on."""
    job = Attempt(2, "tune", "0:2", parents=(Parent("c000", BM25, 0.0),), known={BM25.digest: "c000"})
    one, again = attempt(worker, job), attempt(worker, job)
    assert one.evaluation is not None
    assert again.evaluation is not None
    assert one.evaluation.cases == again.evaluation.cases
    assert replace(one, evaluation=None, proposing=0.0) == replace(again, evaluation=None, proposing=0.0)
