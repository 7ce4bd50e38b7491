"""Is a harness fit to be taken home? Programs that are, and programs that each have one fault."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from evolve.evaluation.splits import Work
from evolve.export.checks import growth as growing
from evolve.export.checks.forgetting import forgetting
from evolve.export.checks.growth import copies, exponent, growth
from evolve.export.checks.material import Material, material_of
from evolve.export.checks.restart import percentile, restart_and_latency
from evolve.export.checks.rows import Row, Unmeasured
from evolve.export.checks.source import leak_scan, secrets_scan
from evolve.export.checks.together import reads_during_writes
from evolve.export.checks.updates import updates
from evolve.export.readiness import Readiness, check
from evolve.folder import Run
from evolve.harness.program import Harness
from evolve.population import Candidate
from evolve.program import load, parse
from evolve.types import Program
from evolve.wiring import find_program

Taken = Callable[[Run, Candidate], Harness]
HEAD = '''
"""A small program."""

import random
import re
import time
from dataclasses import dataclass, field

INSTRUCTION_KNOWLEDGE_ITEM = "Repeat the text."
INSTRUCTION_QUERY = "Repeat the question."
INSTRUCTION_RESPONSE = "Answer."
ALWAYS_ON_KNOWLEDGE = ""


@dataclass
class KnowledgeItem:
    text: str = field(metadata={"description": "The full text"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question"})


def words(text):
    return {word for word in re.findall(r"[a-z]{4,}", text.lower())}

'''
SEARCH = """
class KnowledgeBase:
    def __init__(self, toolkit):
        self.lines = []

    def write(self, item, raw_text):
        self.lines.extend(line for line in raw_text.splitlines() if line)

    def read(self, query):
        asked = words(query.text)
        ranked = sorted(self.lines[-400:], key=lambda line: -len(asked & words(line)))
        return "\\n".join(ranked[:8])
"""
"""Good as it is: what it does is bounded, and depends on what was written alone."""
BY_CHANCE = SEARCH.replace("ranked[:8]", "ranked[: random.randint(1, 8)]")
BY_SET = SEARCH.replace("ranked[:8]", "list({*ranked[:8]})")
KEEPING = SEARCH.replace("class KnowledgeBase:", "EVERYTHING = {}\n\n\nclass KnowledgeBase:").replace(
    "self.lines = []", "self.lines = EVERYTHING.setdefault(id(EVERYTHING), [])"
)
CHANGING = SEARCH.replace(
    "        ranked",
    "        held, self.lines = self.lines, []\n        time.sleep(0.002)\n        self.lines = held\n        ranked",
)
STALE = SEARCH.replace(
    "self.lines.extend(line for line in raw_text.splitlines() if line)",
    """for line in raw_text.splitlines():
            key = line[: line.rfind(" ")]
            if key not in {kept[: kept.rfind(" ")] for kept in self.lines}:
                self.lines.append(line)""",
)
NEWEST = SEARCH.replace(
    "self.lines.extend(line for line in raw_text.splitlines() if line)",
    """for line in raw_text.splitlines():
            self.lines = [kept for kept in self.lines[-400:] if kept[: kept.rfind(" ")] != line[: line.rfind(" ")]]
            self.lines.append(line)""",
)
SLOWER = SEARCH.replace("self.lines.extend(", "[words(line) for line in self.lines[::6]]\n        self.lines.extend(")


def small(source: str) -> Program:
    return parse(HEAD + textwrap.dedent(source))


@pytest.fixture
def material(plain_run: Run, taken: Taken) -> Callable[[str], Material]:
    """What the checks of a small program work with, on the run's own episodes."""

    def made(source: str) -> Material:
        program = small(source)
        candidate = replace(plain_run.candidates[0], source=program.source, digest=program.digest)
        return material_of(plain_run, candidate, taken(plain_run, candidate))

    return made


def brief(material: Material, episodes: int = 6) -> Material:
    """The same with fewer episodes."""
    works = [Work(work.scope, work.episodes[:episodes], work.queries) for work in material.works[:1]]
    return replace(material, works=tuple(works))


def test_the_winner_of_a_run_passes_or_says_why(plain_run: Run, taken: Taken) -> None:
    program = small(SEARCH)
    candidate = replace(plain_run.candidates[0], source=program.source, digest=program.digest)
    said: list[str] = []
    found = check(plain_run, candidate, taken(plain_run, candidate), say=said.append)

    assert [row.check for row in found.rows] == [
        *("restart", "latency", "growth", "reads during writes", "deletion", "updates", "leaks", "secrets")
    ]
    results = {row.check: row.result for row in found.rows}
    assert results == {**dict.fromkeys(results, "passed"), "updates": "warning"}, found.rows
    assert found.passed
    assert len(said) == 7
    growth_row = next(row for row in found.rows if row.check == "growth")
    assert growth_row.figures["times"] == 100
    assert json.loads(json.dumps(found.to_json()))["rows"][0]["result"] == "passed"


def test_what_failed_stands_against_an_export_and_what_was_not_measured_does_not_pass() -> None:
    rows = Row("a", True, "good."), Row("b", None, "not measured: no reply."), Row("c", False, "bad: mend it.")
    assert not Readiness(rows).passed
    assert [row.check for row in Readiness(rows).failed] == ["c"]
    assert [row.result for row in rows] == ["passed", "not measured", "failed"]
    out = Console(width=80, record=True)
    out.print(Readiness(rows).table())
    text = out.export_text()
    assert all(word in text for word in ("not measured", "failed", "bad: mend it."))


@pytest.mark.parametrize("source", [BY_CHANCE, BY_SET], ids=["by chance", "by a set's order"])
def test_reads_that_a_restart_changes_are_found(
    material: Callable[[str], Material], source: str, tmp_path: Path
) -> None:
    restart, latency = restart_and_latency(brief(material(source)), tmp_path)
    assert restart.passed is False
    assert "after a restart from its snapshots" in restart.said
    assert latency.passed is True
    assert set(latency.figures) >= {"write_p50", "write_p95", "read_p50", "read_p95"}


def test_what_is_kept_outside_of_the_knowledge_base_is_not_snapshotted_and_survives(
    material: Callable[[str], Material], tmp_path: Path
) -> None:
    restart, _ = restart_and_latency(brief(material(KEEPING)), tmp_path)
    assert restart.result == "warning"
    assert restart.figures["snapshots"] == 0


def test_reads_that_change_what_is_held_are_found(material: Callable[[str], Material], tmp_path: Path) -> None:
    assert reads_during_writes(brief(material(SEARCH)), tmp_path / "good").passed is True
    row = reads_during_writes(brief(material(CHANGING), 12), tmp_path / "bad")
    assert row.passed is False
    assert "in write alone" in row.said


def test_a_forgotten_episode_is_looked_for_in_files_and_reads(
    material: Callable[[str], Material], tmp_path: Path
) -> None:
    row = forgetting(material(SEARCH), tmp_path)
    assert row.passed is True, row.said
    assert row.figures["reads_before"], "it was read before: else nothing is shown"


def test_a_program_that_depends_on_what_it_no_longer_holds_fails(
    material: Callable[[str], Material], tmp_path: Path
) -> None:
    # How many lines it reads depends on chance: no two memories agree.
    row = forgetting(material(BY_CHANCE), tmp_path)
    assert row.passed is False
    assert "never had the episode" in row.said


@pytest.mark.parametrize(("source", "result"), [(SEARCH, "warning"), (NEWEST, "passed"), (STALE, "failed")])
def test_a_later_statement_has_to_be_read(
    material: Callable[[str], Material], tmp_path: Path, source: str, result: str
) -> None:
    row = updates(material(source), tmp_path)
    assert row.result == result, row.said
    assert row.figures["told"] == 5


def test_a_program_that_holds_no_statements_is_not_measured(
    material: Callable[[str], Material], tmp_path: Path
) -> None:
    nothing = SEARCH.replace('"\\n".join(ranked[:8])', '""')
    with pytest.raises(Unmeasured, match="brings back none"):
        updates(material(nothing), tmp_path)


def test_work_that_grows_with_what_is_held_is_worse_than_linear(
    material: Callable[[str], Material], tmp_path: Path
) -> None:
    row = growth(brief(material(SLOWER), 8), tmp_path)
    assert row.passed is False, row.said
    assert "write time" in row.said


def test_an_exponent_is_that_of_the_last_tenfold() -> None:
    assert exponent([(n, 5 * n) for n in (1, 10, 100)]) == pytest.approx(1)
    assert exponent([(n, 3 * n**2) for n in (10, 20, 40, 100)]) == pytest.approx(2)
    assert exponent([(1, 50), (100, 100), (500, 500), (1000, 1000)]) == pytest.approx(1), "a start's cost is left out"
    assert percentile(list(range(100)), 0.95) == 95


def test_copies_of_the_corpus_are_all_different(material: Callable[[str], Material]) -> None:
    made = brief(material(SEARCH))
    count, times = len(made.largest.episodes), growing.TIMES[-1]
    stream = copies(made, made.largest.episodes)
    listed = [next(stream) for _ in range(count * times)]
    assert [episode for episode, _ in listed[:count]] == list(made.largest.episodes)
    assert len({episode.text for episode, _ in listed}) == len({episode.id for episode, _ in listed}) == count * times
    assert all(item["text"] == episode.text.strip() for episode, item in listed)


def test_gold_answers_and_keys_in_the_source_block(plain_run: Run) -> None:
    source = load(find_program("bm25")).source
    assert leak_scan(plain_run, source).passed is True
    assert secrets_scan(source).passed is True
    case = next(case for candidate in plain_run.candidates for case in plain_run.cases(candidate.id))
    task_text = material_text(plain_run, case.scope)
    leaked = leak_scan(plain_run, f"{source}\nSEEN = {task_text!r}\n")
    assert leaked.passed is False
    assert "take it out" in leaked.said
    key = "sk-" + "ant-api03-abcdefghij0123456789"
    assert secrets_scan(f"{source}\nKEY = {key!r}\n").passed is False


def material_text(run: Run, scope: str) -> str:
    from evolve.tasks import load as load_task

    task = load_task(run.config.task, run.config.task_options)
    return next(episode.text for episode in task.episodes if episode.scope == scope)[40:160]


def test_a_run_with_models_is_checked_from_its_record(model_run: Run, taken: Taken, tmp_path: Path) -> None:
    asking = [each for each in model_run.candidates if each.outcome == "scored" and "llm_completion" in each.source]
    assert asking
    made = brief(material_of(model_run, asking[0], taken(model_run, asking[0])), 40)
    assert made.completions
    assert not made.extractive
    restart, _ = restart_and_latency(made, tmp_path / "restart")
    assert restart.passed is True, restart.said
    with pytest.raises(Unmeasured, match="never saw"):
        updates(made, tmp_path / "updates")


@pytest.mark.parametrize(("grows", "result"), [(1.1, "passed"), (1.3, "warning"), (1.8, "failed")])
def test_what_grows_a_little_faster_than_linear_is_said_and_what_is_steep_fails(grows: float, result: str) -> None:
    points = [growing.Point(n, n**grows / 1e3, n * 1e-4, n * 100) for n in (10, 20, 40, 70, 100)]
    row = growing._row(points, "100 writes", 10)
    assert row.result == result
    assert f"write time {grows:.2f}" in row.said
