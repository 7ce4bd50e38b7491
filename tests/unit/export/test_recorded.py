"""What a run has on record answers as the run's models did, and the run's folder stays as it is."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import git
import pytest

from evolve.agents.llm import LLMAgent
from evolve.errors import ConfigError, RunFolderError
from evolve.export.recorded import item_of, recorded_agent, recorded_ask, recorded_embed, splits_of, works_of
from evolve.folder import Run
from evolve.models.base import Message, Reply, Request
from evolve.paths import RunPaths
from evolve.plan import program_of
from evolve.testing.dialects import embedding
from evolve.types import Episode


def files(run: Run) -> dict[str, str]:
    found = (path for path in run.paths.root.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def test_the_agent_says_what_it_said_in_the_run(model_run: Run) -> None:
    before = files(model_run)
    agent, asked = recorded_agent(model_run), 0
    for candidate in model_run.population.scored:
        program = program_of(candidate)
        for case in model_run.cases(candidate.id):
            asked += 1
            assert agent.formulate(program, case.question) == case.formulated
            assert agent.respond(program, case.question, case.read) == case.answer
    assert asked >= 4 * 12, "four seeds were asked twelve queries each"
    assert files(model_run) == before


def test_items_are_those_that_were_written_in_the_run(model_run: Run) -> None:
    agent, compared = recorded_agent(model_run), 0
    for candidate in model_run.population.scored:
        shown = git.Repo(model_run.paths.lineage).git.show(f"refs/candidates/{candidate.id}:evaluation.json")
        for write in json.loads(shown)["static"]["writes"]:
            episode = Episode(write["episode"], write["scope"], write["text"])
            assert item_of(agent, program_of(candidate), episode) == write["item"]
            compared += 1
    assert compared >= 4


def test_the_reply_has_the_bill_that_the_run_paid(model_run: Run) -> None:
    best = model_run.population.scored[0]
    seen: list[Reply] = []
    ask = recorded_ask(model_run)

    def heard(request: Request) -> Reply:
        seen.append(ask(request))
        return seen[-1]

    case = model_run.cases(best.id)[0]
    LLMAgent(heard).formulate(program_of(best), case.question)
    (reply,) = seen
    assert reply.usage.input_tokens > 0
    assert reply.usd == pytest.approx((5 * reply.usage.input_tokens + 20 * reply.usage.output_tokens) / 1e6)


def test_vectors_are_the_provider_s(model_run: Run) -> None:
    question = str(next(iter(model_run.cases("c000")[0].formulated.values())))
    (row,) = recorded_embed(model_run)([question])
    assert row == pytest.approx(embedding(question), abs=1e-7)


def test_what_was_never_asked_is_an_error_that_says_so(model_run: Run) -> None:
    request = Request("toolkit", (Message("user", "Who are you?"),))
    with pytest.raises(RunFolderError, match=r"run 'modelled' has no answer of its toolkit .* to 'Who are you\?'"):
        recorded_ask(model_run)(request)
    with pytest.raises(RunFolderError, match=r"no answer of its embedding .* to 'never said'"):
        recorded_embed(model_run)(["never said"])


def test_a_run_without_models_answers_nothing_and_extracts_as_ever(plain_run: Run) -> None:
    before = files(plain_run)
    with pytest.raises(ConfigError, match=r"no model for models\.toolkit"):
        recorded_ask(plain_run)(Request("toolkit", (Message("user", "x"),)))
    assert plain_run.best is not None
    cases, splits = plain_run.cases(plain_run.best.id), splits_of(plain_run)
    works = works_of(splits, cases)
    assert {query.id for work in works for query in work.queries} == {case.query for case in cases}
    assert all(work.episodes for work in works)
    agent, program = recorded_agent(plain_run), program_of(plain_run.best)
    assert all(agent.formulate(program, case.question) == case.formulated for case in cases)
    assert files(plain_run) == before


def test_data_that_changed_is_not_taken_for_the_run_s(model_run: Run, tmp_path: Path) -> None:
    data = tmp_path / "diary"
    shutil.copytree(model_run.config.task, data)
    moved = model_run.config.model_copy(update={"task": str(data)})
    queries = data / "queries.jsonl"
    queries.write_text(queries.read_text().replace("What", "Whatever", 1))
    with pytest.raises(RunFolderError, match="changed since run 'modelled' began"):
        splits_of(replace(model_run, config=moved, paths=RunPaths(model_run.paths.root)))
