"""PRBench: records of our own with every trap of the published ones, the real ones, and the whole stack."""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from evolve.config import load_config
from evolve.errors import ConfigError, DataError, PrerequisiteError
from evolve.evaluation.crew import make_evaluator
from evolve.evaluation.evaluate import Lease
from evolve.evaluation.splits import make_splits
from evolve.models.account import Account
from evolve.models.base import Reply, Request, Usage
from evolve.program import load as load_program
from evolve.sandbox.process import ProcessSandbox
from evolve.scoring.rubric import criteria_of
from evolve.tasks import load, open_family, resolve
from evolve.tasks.families.prbench import NOTES, PUBLISHED
from evolve.testing.model_server import Asked, ModelServer, Unscripted
from evolve.testing.weak_agent import say as weak_agent
from evolve.types import JSON, Case, Query, Task
from evolve.wiring import broker_of, find_program

MERGED, HARD = "prbench/prbench_merged.jsonl.gz", "prbench/finance_hard.parquet"
DATA = Path(os.environ.get("EVOLVE_DATA", "-"))
needs_merged = pytest.mark.skipif(
    not (DATA / MERGED).is_file(), reason=f"needs {MERGED} in the folder that EVOLVE_DATA names"
)
needs_parquet = pytest.mark.skipif(
    not (DATA / HARD).is_file() or importlib.util.find_spec("pyarrow") is None,
    reason=f"needs {HARD} in the folder that EVOLVE_DATA names, and pyarrow",
)
WEIGHTS = (
    *("critically_important_weight", "important_weight", "slightly_important_weight"),
    *("slightly_detrimental_weight", "detrimental_weight", "critically_detrimental_weight"),
)


def criterion(title: str, weight_class: str, **weights: JSON) -> dict[str, Any]:
    """Return a criterion in the published shape: absent weights are null, and what explains it is no criterion."""
    notes: dict[str, JSON] = {
        "criteria_category": "Financial Accuracy",
        "criteria_description": f"Because: {title}",
        "field_for_category": "finance",
        "weight_class": weight_class,
        **dict.fromkeys(WEIGHTS),
        **weights,
    }
    return {"id": "r", "title": title, "annotations": notes}


def record(number: int, **changes: Any) -> dict[str, Any]:
    """Return a record in the published columns; all of its texts name its number."""
    columns: dict[str, Any] = {}
    for turn in range(10):
        columns |= {f"prompt_{turn}": None, f"reference_texts_{turn}": []}
        columns |= {f"response_{turn}": None, f"model_{turn}": None} if turn < 9 else {}
    return {
        "task": f"synth-{number:04}",
        "turns": 1,
        "field": "Finance",
        "topic": "Fixed income",
        "canary": f"prbench:sample:finance:synth-{number:04}",
        **columns,
        "prompt_0": f"Explain convexity {number}.",
        "rubric": [
            criterion(f"Names the second order {number}.", "critically important", critically_important_weight=10),
            # The weight of another class is left over from an edit.
            criterion(f"Gives a formula {number}.", "important", important_weight=6, slightly_important_weight=2),
            criterion(f"Calls duration exact {number}.", "critically detrimental", critically_detrimental_weight=-9),
        ],
        **changes,
    }


def records(count: int, **changes: Any) -> list[dict[str, Any]]:
    return [record(number, **changes) for number in range(1, count + 1)]


Write = Callable[[Sequence[Any]], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(lines: Sequence[Any]) -> str:
        path = tmp_path / "small.jsonl"
        path.write_text("\n".join(json.dumps(line) for line in lines))
        return str(path)

    return to_file


def number_of(task_id: str) -> int:
    return int(task_id[-4:])


def judged(shown: str) -> str:
    """Say as a judge that a criterion is met when the answer has its words; `shown` is the request without rules."""
    conversation, many, rest = shown.rpartition("\n\n# The ")
    if not many:
        conversation, _, rest = shown.rpartition("\n\n# Criterion\n\n")
    answer = conversation.rpartition("\n\nassistant: ")[2]
    asked = re.findall(r"^\d+\. (.*)$", rest, re.MULTILINE) if many else [rest]
    met = [" ".join(text.split()) in " ".join(answer.split()) for text in asked]
    return json.dumps({"reason": "", "met": met if many else met[0]})


def judge(request: Request) -> Reply:
    return Reply(judged("\n\n".join(message.text for message in request.messages[1:])), Usage(), 0.0)


def bad_things(query: Query) -> str:
    return "\n".join(each.text for each in criteria_of(query) if each.points < 0)


def test_a_criterion_is_its_title_with_the_weight_of_its_class(write: Write) -> None:
    task = load("prbench", {"file": write(records(5))})
    query = task.queries[0]
    number = number_of(query.id)
    assert (query.answer, query.category) == ("", "finance")
    assert query.details == {
        "criteria": [
            {"text": f"Names the second order {number}.", "points": 10.0, "kind": "Financial Accuracy"},
            {"text": f"Gives a formula {number}.", "points": 6.0, "kind": "Financial Accuracy"},
            {"text": f"Calls duration exact {number}.", "points": -9.0, "kind": "Financial Accuracy"},
        ]
    }
    assert "Because" not in json.dumps([[episode.text for episode in task.episodes], dict(query.details)])


def test_a_query_has_all_turns_and_their_reference_texts(write: Write) -> None:
    turns = {
        "turns": 2,
        "reference_texts_0": ["Treaty, article 10.", "Treaty, article 11."],
        "response_0": "Dear client,\n\nno.",
        "prompt_1": "Shorter.",
        "reference_texts_1": ["The letter."],
        "reference_texts_2": None,
    }
    task = load("prbench", {"file": write(records(5, **turns))})
    query = task.queries[0]
    number = number_of(query.id)
    assert query.text == (
        "user: Reference Text 0:\nTreaty, article 10.\n\nReference Text 1:\nTreaty, article 11.\n\n"
        f"Explain convexity {number}.\n\nassistant: Dear client,\n\nno.\n\n"
        "user: Reference Text 0:\nThe letter.\n\nShorter."
    )
    episode = task.episodes[0]
    number = number_of(episode.id)
    assert "Treaty, article 11." in episode.text
    assert episode.text.endswith(
        f"Shorter.\n\n{NOTES}\n[+10] Names the second order {number}.\n[+6] Gives a formula {number}.\n"
        f"[-9] Calls duration exact {number}."
    )


def check_secrets(task: Task) -> None:
    """No task is both remembered and asked, and nothing of a query's rubric is in an episode."""
    remembered, asked = {episode.id for episode in task.episodes}, {query.id for query in task.queries}
    assert not remembered & asked
    assert task.held_out < asked
    lived = [episode.text for episode in task.episodes]
    lines = {line.partition("] ")[2].casefold() for text in lived for line in text.splitlines()}
    for query in task.queries:
        assert not any(query.text in text for text in lived)
        assert not [each for each in criteria_of(query) if " ".join(each.text.split()).casefold() in lines]


def test_a_task_that_shares_a_criterion_with_a_remembered_one_is_not_asked(write: Write) -> None:
    shared = criterion("Names the\nrisk.", "important", important_weight=5)
    listed = [record(n, rubric=[*record(n)["rubric"], *([shared] if n <= 2 else [])]) for n in range(1, 11)]
    listed[1]["rubric"][-1] = criterion("names the risk.", "important", important_weight=2)
    sides: set[tuple[bool, ...]] = set()
    for seed in range(12):
        task = load("prbench", {"file": write(listed), "seed": seed})
        check_secrets(task)
        kept = {number_of(query.id) for query in task.queries}
        remembered = {number_of(episode.id) for episode in task.episodes}
        assert len(remembered) == 4
        sides.add((1 in remembered, 2 in remembered, bool({1, 2} & kept)))
        assert kept == set(range(1, 11)) - remembered - ({1, 2} if {1, 2} & remembered else set())
    assert len(sides) >= 3


def test_splits_are_disjoint_and_do_not_depend_on_the_order_of_the_file(write: Write) -> None:
    listed = records(20)
    task = load("prbench", {"file": write(listed)})
    assert (len(task.episodes), len(task.queries), len(task.held_out)) == (8, 12, 6)
    check_secrets(task)
    assert load("prbench", {"file": write(listed[::-1])}).episodes == task.episodes
    other = load("prbench", {"file": write(listed), "seed": 1, "train_share": 0.25, "test_share": 0.2})
    assert (len(other.episodes), len(other.queries), len(other.held_out)) == (5, 15, 3)


def test_fields_are_categories_and_an_option(write: Write) -> None:
    listed = [record(n, field=("Finance", "Legal")[n % 2]) for n in range(1, 13)]
    assert {query.category for query in load("prbench", {"file": write(listed)}).queries} == {"finance", "legal"}
    task = load("prbench", {"file": write(listed), "fields": ["legal"]})
    assert {query.category for query in task.queries} == {"legal"}
    assert len(task.episodes) + len(task.queries) == 6
    with pytest.raises(ConfigError, match=r"'fields': found \['law'\].*finance, legal"):
        load("prbench", {"file": write(listed), "fields": ["law"]})
    with pytest.raises(ConfigError, match=r"0 of 5 tasks in small\.jsonl fit the options.*Their fields: finance;"):
        load("prbench", {"file": write(records(5)), "fields": ["legal"]})


def test_tasks_without_positive_points_have_no_score_and_are_left_out(write: Write) -> None:
    bad = [criterion("Is rude.", "detrimental", detrimental_weight=-5)]
    task = load("prbench", {"file": write([*records(5), record(6, rubric=bad), record(7, rubric=[])])})
    assert {number_of(each.id) for each in (*task.episodes, *task.queries)} == {1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"task": None}, "record 2, field 'task': found nothing"),
        ({"task": "synth-0001"}, "record 2, field 'task': found 'synth-0001'.*record 1 has it already"),
        ({"field": "Medicine"}, "record 2, field 'field': found 'Medicine', expected Finance or Legal"),
        ({"prompt_0": None}, "record 2, field 'prompt_0': found nothing"),
        ({"prompt_0": 5}, "record 2, field 'prompt_0': found 5"),
        ({"response_0": "The end."}, "record 2, field 'prompt_0'.*whose last one is the user's"),
        ({"reference_texts_0": "Treaty"}, "record 2, field 'reference_texts_0': found 'Treaty'"),
        ({"rubric": "r"}, "record 2, field 'rubric'"),
        ({"rubric": ["r"]}, "record 2, criterion 1, field 'rubric'"),
        (
            {"rubric": [criterion("A", "vital")]},
            "criterion 1, field 'weight_class': found 'vital', expected one of crit",
        ),
        ({"rubric": [criterion("A", "important")]}, "criterion 1, field 'important_weight': found nothing"),
        (
            {"rubric": [criterion("A", "important", slightly_important_weight=2)]},
            "criterion 1, field 'important_weight': found nothing",
        ),
        ({"rubric": [criterion("A", "important", important_weight="6")]}, "field 'important_weight': found '6'"),
        ({"rubric": [criterion("", "important", important_weight=6)]}, "criterion 1, field 'title': found ''"),
        ({"rubric": [{"title": "A", "annotations": None}]}, "criterion 1, field 'annotations': found nothing"),
        ({"rubric": [{"criterion": "A", "points": None}]}, "criterion 1, field 'points': found nothing"),
        ({"conversation": [{"role": "user"}]}, "message 1, field 'content': found nothing"),
    ],
)
def test_what_is_wrong_with_a_record_is_said_with_its_place(write: Write, changes: dict[str, JSON], words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        load("prbench", {"file": write([record(1), record(2, **changes), record(3)])})
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("small.jsonl, ")


def test_several_files_of_several_shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVOLVE_DATA", str(tmp_path))
    merged = {
        "task": "synth-0009",
        "field": "Legal",
        "conversation": [{"role": "user", "content": "May I sue?"}],
        "rubric": [{"id": "r", "criterion": "Says no.", "points": 5.0, "weight_class": None, "category": "Practical"}],
        "subset": "legal_hard",
    }
    (tmp_path / "list.json").write_text(json.dumps(records(4)))
    (tmp_path / "lines.jsonl.gz").write_bytes(gzip.compress(json.dumps(merged).encode()))
    again = record(1, prompt_0="Another wording.")
    (tmp_path / "again.jsonl").write_text(json.dumps(again) + "\n\n" + json.dumps(record(5)))
    task = load("prbench", {"file": ["list.json", "lines.jsonl.gz", "again.jsonl"]})
    assert {number_of(each.id) for each in (*task.episodes, *task.queries)} == {1, 2, 3, 4, 5, 9}
    assert "Another wording" not in "".join(each.text for each in (*task.episodes, *task.queries))
    (tmp_path / "broken.jsonl").write_text('{"task": ')
    with pytest.raises(DataError, match=r"broken\.jsonl: not JSON lines"):
        load("prbench", {"file": "broken.jsonl"})


def test_a_missing_file_is_asked_for_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVOLVE_DATA", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # no network, on any machine
    with pytest.raises(PrerequisiteError, match=r"task_options\.file = PATH") as caught:
        load("prbench")
    assert str(tmp_path / PUBLISHED["finance"].path) in str(caught.value)
    assert PUBLISHED["finance"].url in str(caught.value)


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is not None, reason="pyarrow is installed")
def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path) -> None:
    path = tmp_path / "small.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(PrerequisiteError, match="pip install pyarrow, or name a file of JSON lines"):
        load("prbench", {"file": str(path)})


@pytest.mark.parametrize("grading", ["item", "criterion"])
def test_both_scores_worked_out_by_hand(write: Write, grading: str) -> None:
    family = open_family("prbench", {"file": write(records(5))})
    scorer = family.scorer(grading, judge)
    for query in family.load().queries:
        number = number_of(query.id)
        told = family.oracle(query)
        assert told == f"Names the second order {number}.\nGives a formula {number}."
        verdicts = [
            scorer.score(query, "", answer)
            for answer in (told, f"Gives a formula {number}.", "", bad_things(query), f"{told}\n{bad_things(query)}")
        ]
        assert [verdict.value for verdict in verdicts] == [1.0, 6 / 16, 0.0, -9 / 16, 7 / 16]
        # From -9 at worst to 16 at best: 25 points.
        assert [verdict.measures["normalized"] for verdict in verdicts] == [25 / 25, 15 / 25, 9 / 25, 0.0, 16 / 25]


def test_the_judge_sees_title_and_conversation_and_no_points(write: Write) -> None:
    family = open_family("prbench", {"file": write(records(5))})
    query = family.load().queries[0]
    seen: list[str] = []

    def watched(request: Request) -> Reply:
        seen.append("\n".join(message.text for message in request.messages[1:]))
        return judge(request)

    family.scorer("criterion", watched).score(query, "what was read", "An answer.")
    assert len(seen) == 3
    assert seen[1].endswith(f"# Criterion\n\nGives a formula {number_of(query.id)}.")
    assert all(f"{query.text}\n\nassistant: An answer." in each for each in seen)
    assert not re.search(r"Because|\[|what was read", "".join(seen))


def test_mstars_way_with_all_its_faults(write: Write) -> None:
    rubric = [
        criterion("Names it.", "important", important_weight=7, slightly_important_weight=2),
        criterion("No weight.", "slightly important"),
        criterion("Positive by mistake.", "detrimental", detrimental_weight=5),
        criterion("No class.", "vital"),
        criterion("No rationale.", "important", important_weight=9, criteria_description=" "),
    ]
    turns = {"turns": 2, "prompt_1": "Shorter.", "reference_texts_0": ["Treaty."], "rubric": rubric}
    listed = [record(n, **turns, response_0="A model's reply." if n % 2 else None) for n in range(1, 11)]
    hard = [record(n, canary=f"prbench:sample:finance_hard:synth-{n:04}") for n in (11, 12)]
    family = open_family("prbench", {"file": write([*listed, *hard]), "compat": "mstar", "seed": 42})
    task = family.load()
    # random.Random(42).shuffle of the ten that are not hard, of which int(10 * .4) are remembered, in this order.
    assert [episode.id for episode in task.episodes] == ["synth-0008", "synth-0004", "synth-0003", "synth-0009"]
    assert task.episodes[0].text == "Task:\nExplain convexity 8.\n\nExpert response:\nNone"
    assert task.episodes[2].text == "Task:\nExplain convexity 3.\n\nExpert response:\nA model's reply."
    assert len(task.queries) == 6
    query = task.queries[0]
    assert query.text == f"Explain convexity {number_of(query.id)}."
    assert [(each.text, each.points) for each in criteria_of(query)] == [
        ("Because: Names it.", 7),
        ("Because: No weight.", 2),
        ("Because: Positive by mistake.", -5),
        ("Because: No class.", 2),
    ]
    assert family.scorer("item", judge).score(query, "", "Because: Positive by mistake.").value == 0.0
    assert any("rationale" in note and "clipped" in note for note in family.notes())
    with pytest.raises(ConfigError, match="leaves hard tasks out"):
        load("prbench", {"file": write(hard), "compat": "mstar"})


def test_notes_say_what_is_not_official() -> None:
    assert open_family("prbench").notes() == ()
    hard = open_family("prbench", {"file": ["finance_hard", "x/legal.jsonl"]}).notes()
    assert hard == ("Measured on finance_hard, legal.jsonl, not on all of PRBench.",)


class Stack:
    """The agent of a test, which answers a question as it is told, and the judge."""

    def __init__(self, task: Task, answer: Callable[[Query], str]) -> None:
        self.queries = task.queries
        self.answer = answer

    def __call__(self, asked: Asked) -> str:
        if asked.system.startswith("You check an answer by"):
            return judged("\n\n".join(turn.text for turn in asked.messages))
        if "The question:\n\n" in asked.text and asked.schema is None:
            (query,) = [query for query in self.queries if query.text in asked.text]
            return self.answer(query)
        words = weak_agent(asked)
        if words is None:
            raise Unscripted("none of the prompts of agent and judge")
        return words


def test_the_whole_stack(write: Write, tmp_path: Path) -> None:
    options: dict[str, JSON] = {"file": write(records(8))}
    family = open_family("prbench", options)
    sandbox = ProcessSandbox(load_config("prbench").sandbox.limits)
    with Lease(sandbox) as lease:
        found = {
            (grading, name): measured(
                Stack(family.load(), answer), sandbox, lease, tmp_path / f"{grading}{name}", options
            )
            for grading, name, answer in (
                ("item", "all", lambda query: str(family.oracle(query))),
                ("item", "nothing", lambda query: "I cannot say."),
                ("criterion", "bad", bad_things),
            )
        }
    sandbox.close()
    scores = {name: [case.score for case in cases] for (_, name), cases in found.items()}
    assert scores == {"all": [1.0, 1.0], "nothing": [0.0, 0.0], "bad": [-9 / 16, -9 / 16]}
    assert [case.measures for case in found["criterion", "bad"]] == [{"normalized": 0.0}] * 2


def measured(
    stack: Stack, sandbox: ProcessSandbox, lease: Lease, folder: Path, options: dict[str, JSON]
) -> Sequence[Case]:
    """Measure a seed on the held-out queries through splits, sandbox, SDK and scorer."""
    folder.mkdir()
    with ModelServer(stack) as server:
        agent = {"model": "openai:weak", "base_url": server.openai}
        tables = {"models.agent": agent, "task_options": options}
        given = [f"{name}.{key}={json.dumps(value)}" for name, table in tables.items() for key, value in table.items()]
        scorer = "criterion" if folder.name.startswith("criterion") else "item"
        config = resolve(load_config("prbench", [*given, f"evaluation.scorer={scorer}", "evaluation.test=2"]))
        splits = make_splits(load(config.task, config.task_options), config.evaluation, seed=config.seed)
        with broker_of(config, folder / "llm.sqlite", note=lambda line: None) as broker:
            assert broker is not None
            evaluator = make_evaluator(config, sandbox, Account(broker))
            program = load_program(find_program("bm25"))
            return evaluator.evaluate(program, splits.work(splits.test), lease, stage=lambda text: None).cases


@needs_merged
def test_the_real_tasks() -> None:
    family = open_family("prbench", {"file": MERGED})
    task = family.load()
    assert (len(task.episodes), len(task.queries), len(task.held_out)) == (175, 257, 128)
    check_secrets(task)
    assert all(NOTES in episode.text for episode in task.episodes)
    lines = gzip.decompress((DATA / MERGED).read_bytes()).decode().rstrip("\n").split("\n")
    found = {each["task"]: each for each in map(json.loads, lines)}
    assert len(found) == 437
    scorer = family.scorer("item", judge)
    for query in task.queries:
        weights = [each["points"] for each in found[query.id]["rubric"]]
        assert [each.points for each in criteria_of(query)] == weights
        assert scorer.score(query, "", str(family.oracle(query))).value == 1.0
        assert scorer.score(query, "", "I cannot say.").value == 0.0
        if negative := [weight for weight in weights if weight < 0]:
            worst = scorer.score(query, "", bad_things(query))
            assert worst.value == pytest.approx(sum(negative) / sum(weight for weight in weights if weight > 0))
            assert worst.measures == {"normalized": 0.0}


@needs_parquet
def test_the_published_columns_give_what_was_put_together_from_them() -> None:
    task = load("prbench", {"file": HARD, "train_share": 0.01})
    merged = load("prbench", {"file": MERGED, "train_share": 0.01})
    assert len(task.queries) == 297
    texts = {query.id: query for query in merged.queries}
    both = [query for query in task.queries if query.id in texts]
    assert len(both) > 280
    assert all((query.text, query.details) == (texts[query.id].text, texts[query.id].details) for query in both)
    assert sum("Reference Text 0:\n" in query.text for query in task.queries) > 0
    with pytest.raises(ConfigError, match="leaves hard tasks out"):
        load("prbench", {"file": HARD, "compat": "mstar"})


def test_without_a_model_there_is_nothing_to_score() -> None:
    with pytest.raises(ConfigError, match=r"needs a model: set models\.agent, or set models\.judge"):
        resolve(load_config("prbench"))
    for scorer in ("support", "f1", "judge"):
        with pytest.raises(ConfigError, match="does not fit this task; good values: item, criterion"):
            resolve(load_config("prbench", ["models.agent=openai:m", f"evaluation.scorer={scorer}"]))
    judged = resolve(load_config("prbench", ["models.judge=openai:m"]))
    assert (judged.evaluation.scorer, judged.models.agent) == ("item", "extractive")
