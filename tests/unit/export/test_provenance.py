"""Where a harness comes from: the run's own figures, back to the seeds, and null for what it did not measure."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import git
import pytest

from evolve.config import ModelTable
from evolve.export.provenance import Provenance, provenance
from evolve.export.readiness import Readiness, Row
from evolve.folder import Run
from evolve.harness.program import Harness
from evolve.population import Candidate
from evolve.summary import Summary, summary

Taken = Callable[[Run, Candidate], Harness]


def known(run: Run, candidate: Candidate, taken: Taken, readiness: Readiness | None = None) -> Provenance:
    return provenance(run, candidate, taken(run, candidate), readiness)


def best(run: Run) -> Candidate:
    assert run.best is not None
    return run.best


@pytest.fixture(params=["plain_run", "model_run"])
def told(request: pytest.FixtureRequest, taken: Taken) -> tuple[Run, Provenance, Summary]:
    """A run, its winner's provenance, and what `evolve inspect` says of the run."""
    run: Run = request.getfixturevalue(request.param)
    return run, known(run, best(run), taken), summary(run)


def test_figures_are_those_of_inspect(told: tuple[Run, Provenance, Summary]) -> None:
    run, found, shown = told
    (winner,) = [each for each in shown["candidates"] if each["id"] == shown["best"]]
    scores = {split: held["score"] if held else None for split, held in found["scores"].items()}
    assert scores == {"static": winner["score"], "fresh": winner["fresh"], "test": winner["test"]}
    assert scores["test"] is not None
    assert [{**each, "name": ""} for each in found["compared"]] == [
        {**each, "name": ""} for each in shown["comparisons"]
    ]
    assert found["lost"] == shown["lost"]
    assert found["cost"] == winner["cost"]
    assert found["run"]["cost"]["calls"] == shown["budget"]["calls"]
    assert found["run"]["cost"]["usd"] == shown["budget"]["usd"]
    assert (found["run"]["name"], found["run"]["status"]) == (run.name, "finished")
    assert found["harness"]["won"]


def test_categories_add_up_to_the_whole(told: tuple[Run, Provenance, Summary]) -> None:
    _, found, _ = told
    for held in found["scores"].values():
        assert held is not None
        parts = held["categories"].values()
        assert sum(part["n"] for part in parts) == held["score"]["n"]
        assert sum(part["n"] * part["mean"] for part in parts) == pytest.approx(
            held["score"]["n"] * held["score"]["mean"]
        )
        assert held["faults"] == 0


def test_it_is_json_and_the_same_every_time(told: tuple[Run, Provenance, Summary], taken: Taken) -> None:
    run, found, _ = told
    text = json.dumps(found, allow_nan=False)
    assert json.loads(text) == found
    assert json.dumps(known(run, best(run), taken)) == text


def test_the_lineage_goes_back_to_the_seeds_by_commits_that_are_there(told: tuple[Run, Provenance, Summary]) -> None:
    run, found, _ = told
    line = {each["id"]: each for each in found["lineage"]}
    assert next(iter(line)) == found["harness"]["candidate"]
    assert len(line) == len(found["lineage"])
    assert all(parent in line for each in line.values() for parent in each["parents"])
    seeds = [each for each in line.values() if not each["parents"]]
    assert seeds
    assert all(each["operator"] == "seed" and each["name"] for each in seeds)
    repository = git.Repo(run.paths.lineage)
    for each in line.values():
        held = run.candidate(each["id"])
        assert repository.git.show(f"{each['commit']}:program.py").strip() == (held.source or "").strip()
        assert each["score"] is None or each["score"]["mean"] == pytest.approx(held.mean)


def test_operations_are_those_on_record(told: tuple[Run, Provenance, Summary]) -> None:
    run, found, _ = told
    name = found["harness"]["candidate"]
    held = json.loads(git.Repo(run.paths.lineage).git.show(f"refs/candidates/{name}:evaluation.json"))
    for split, operations in found["operations"].items():
        on_record = {kind: each for kind, each in held[split]["operations"].items() if each["count"]}
        assert (operations or {}).keys() == on_record.keys()
        for kind, each in (operations or {}).items():
            assert each["count"] == on_record[kind]["count"]
            assert each["p95_ms"] == pytest.approx(1000 * on_record[kind]["p95"], abs=0.006)
            assert each["calls"] == on_record[kind]["calls"] / each["count"]
    assert found["operations"]["test"]


def test_what_the_run_did_not_measure_is_null(plain_run: Run, taken: Taken) -> None:
    found = known(plain_run, best(plain_run), taken)
    assert found["answering"] is None
    assert found["readiness"] is None
    assert [found["models"][role] for role in ("toolkit", "embedding", "judge", "reflector")] == [None] * 4
    assert found["models"]["agent"] == "extractive"
    unheld = [each for each in plain_run.population.scored if not each.fresh]
    assert unheld, "only finalists are asked fresh queries"
    less = known(plain_run, unheld[0], taken)
    assert less["scores"]["fresh"] is None
    assert less["operations"]["fresh"] is None
    assert not less["harness"]["won"]


def test_a_dropped_candidate_has_no_score_on_a_part_of_the_queries(plain_run: Run, taken: Taken) -> None:
    dropped = replace(best(plain_run), outcome="rejected", dropped="race")
    assert known(plain_run, dropped, taken)["scores"]["static"] is None


def test_what_the_agent_took_is_what_was_billed(model_run: Run, taken: Taken) -> None:
    found = known(model_run, best(model_run), taken)
    answering = found["answering"]
    assert answering is not None
    assert answering["formulate"] is not None
    for each in (answering["extract"], answering["formulate"], answering["answer"]):
        assert each is not None
        assert each["calls"] >= 1
        assert each["usd"] == pytest.approx((5 * each["input_tokens"] + 20 * each["output_tokens"]) / 1e6)
    static = found["scores"]["static"]
    assert static is not None
    assert answering["formulate"]["count"] == static["score"]["n"]
    assert found["models"]["judge"] is None, "F1 asks none, though the agent's model stands ready"


def test_a_critique_tells_the_diagnosis_and_not_the_prompts(model_run: Run, taken: Taken) -> None:
    made = [each for each in model_run.candidates if each.operator == "reflect" and each.source]
    assert made
    for each in made:
        whole = model_run.critique(each.id)
        (critique,) = [held for held in known(model_run, each, taken)["critiques"] if held["candidate"] == each.id]
        assert critique["text"]
        assert critique["text"].splitlines()[0] in whole
        assert len(critique["text"]) < len(whole) / 4
        assert "## Prompt" not in critique["text"]


def test_nothing_of_the_machine_is_told(model_run: Run, taken: Taken) -> None:
    signed = ModelTable(model="openai:weak", base_url="http://somebody:s3cret@server.test/v1?token=t0ken")
    models = model_run.config.models.model_copy(update={"reflector": signed})
    run = replace(model_run, config=model_run.config.model_copy(update={"models": models}))
    text = json.dumps(known(run, best(run), taken))
    assert str(model_run.paths.root.parent.parent) not in text
    assert "s3cret" not in text
    assert "t0ken" not in text
    assert "http://server.test/v1" in text


def test_readiness_is_told_row_by_row(plain_run: Run, taken: Taken) -> None:
    rows = (Row("restart", True, "equal", {"reads": 40}), Row("growth", None, "not measured: no room."))
    found = known(plain_run, best(plain_run), taken, Readiness(rows))
    assert found["readiness"] == [
        {"check": "restart", "result": "passed", "said": "equal", "figures": {"reads": 40}},
        {"check": "growth", "result": "not measured", "said": "not measured: no room.", "figures": {}},
    ]
