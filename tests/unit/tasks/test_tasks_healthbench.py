"""HealthBench: records of our own with every trap of the published ones, the real ones, and the whole stack."""

from __future__ import annotations

import gzip
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evolve.config import Limits, load_config
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
from evolve.tasks.families.healthbench import IDEAL, PUBLISHED, THEMES
from evolve.testing.model_server import Asked, ModelServer, Unscripted
from evolve.testing.weak_agent import say as weak_agent
from evolve.types import JSON, Case, Query, Task
from evolve.wiring import broker_of, find_program

REAL = "healthbench/healthbench_subset_full.jsonl.gz"
ABSENT = not (Path(os.environ.get("EVOLVE_DATA", "-")) / REAL).is_file()
needs_file = pytest.mark.skipif(ABSENT, reason=f"needs {REAL} in the folder that EVOLVE_DATA names")


def criterion(text: str, points: JSON, axis: str = "accuracy") -> dict[str, JSON]:
    return {"criterion": text, "points": points, "tags": ["level:example", f"axis:{axis}"]}


def record(number: int, *, ideal: bool = True, theme: str = "hedging", **changes: JSON) -> dict[str, Any]:
    """Return a record of the published shape; all of its texts name its number."""
    completion = {
        "ideal_completion": f"Ideal words {number}.",
        "ideal_completions_group": "Group 1",
        "ideal_completions_ref_completions": None,
    }
    return {
        "example_tags": [f"theme:{theme}", "physician_agreed_category:clear"],
        "ideal_completions_data": completion if ideal else None,
        "prompt": [
            {"content": f"My knee {number} hurts.", "role": "user"},
            {"content": "Since when?\n\nassistant: tell me.", "role": "assistant"},
            {"content": f"For {number} days.", "role": "user"},
        ],
        "prompt_id": f"synth-{number:04}",
        "rubrics": [
            criterion(f"Asks about fall {number}.", 7, "context_awareness"),
            criterion(f"Recommends rest {number}.", 3),
            criterion(f"Recommends surgery {number}.", -8),
        ],
        "canary": "hand-written, not benchmark data",
        **changes,
    }


def records(count: int, **options: Any) -> list[dict[str, Any]]:
    return [record(number, **options) for number in range(1, count + 1)]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Sequence[Any]], str]:
    def to_file(lines: Sequence[Any]) -> str:
        path = tmp_path / "small.jsonl"
        path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n\n")
        return str(path)

    return to_file


Write = Callable[[Sequence[Any]], str]


def judged(shown: str) -> str:
    """Say as a judge that a criterion is met when the answer has its words; `shown` is the request without rules."""
    conversation, many, rest = shown.rpartition("\n\n# The ")
    if not many:
        conversation, _, rest = shown.rpartition("\n\n# Criterion\n\n")
    answer = conversation.rpartition("\n\nassistant: ")[2]
    asked = re.findall(r"^\d+\. \[\S+\] (.*)$", rest, re.MULTILINE) if many else [rest.partition("] ")[2]]
    met = [" ".join(text.split()) in " ".join(answer.split()) for text in asked]
    return json.dumps({"reason": "", "met": met if many else met[0]})


def judge(request: Request) -> Reply:
    return Reply(judged("\n\n".join(message.text for message in request.messages[1:])), Usage(), 0.0)


def bad_things(query: Query) -> str:
    return "\n".join(each.text for each in criteria_of(query) if each.points < 0)


def test_an_episode_is_a_conversation_with_a_physicians_answer(write: Write) -> None:
    task = load("healthbench", {"file": write(records(6))})
    assert len(task.episodes) == 3
    episode = task.episodes[0]
    number = int(episode.id[-4:])
    assert episode.text == (
        f"user: My knee {number} hurts.\n\nassistant: Since when?\n\nassistant: tell me.\n\nuser: For {number} days."
        f"\n\n{IDEAL}\nIdeal words {number}."
    )


def test_a_query_is_a_conversation_with_its_rubric_among_the_gold(write: Write) -> None:
    task = load("healthbench", {"file": write(records(6))})
    query = task.queries[0]
    number = int(query.id[-4:])
    assert query.text.startswith("user: My knee")
    assert query.text.endswith(f"user: For {number} days.")
    assert (query.answer, query.category, query.scope) == ("", "hedging", task.episodes[0].scope)
    assert query.details == {
        "criteria": [
            {"text": f"Asks about fall {number}.", "points": 7.0, "kind": "context_awareness"},
            {"text": f"Recommends rest {number}.", "points": 3.0, "kind": "accuracy"},
            {"text": f"Recommends surgery {number}.", "points": -8.0, "kind": "accuracy"},
        ]
    }


def check_secrets(task: Task, ideals: dict[str, str]) -> None:
    """No conversation is both remembered and asked, and nothing of a query's gold is in an episode."""
    remembered, asked = {episode.id for episode in task.episodes}, {query.id for query in task.queries}
    assert not remembered & asked
    lived = "\n".join(episode.text for episode in task.episodes)
    for query in task.queries:
        assert query.text not in lived
        assert ideals.get(query.id, "-\0") not in lived
        own = [each.text for each in criteria_of(query) if len(each.text) > 60 or "small" in task.name]
        assert not [text for text in own if text in lived]
    assert task.held_out < asked


def test_splits_are_disjoint_and_do_not_depend_on_the_order_of_the_file(write: Write) -> None:
    listed = records(20)
    task = load("healthbench", {"file": write(listed)})
    assert (len(task.episodes), len(task.queries), len(task.held_out)) == (11, 9, 4)
    check_secrets(task, {each["prompt_id"]: each["ideal_completions_data"]["ideal_completion"] for each in listed})
    assert load("healthbench", {"file": write(listed[::-1])}) == task
    other = load("healthbench", {"file": write(listed), "seed": 1, "train_share": 0.3, "test_share": 0.25})
    assert (len(other.episodes), len(other.queries), len(other.held_out)) == (6, 14, 4)
    assert {query.id for query in other.queries} - {query.id for query in task.queries}


def test_only_conversations_with_an_ideal_answer_are_remembered(write: Write) -> None:
    listed = [record(number, ideal=number % 3 == 0) for number in range(1, 13)]
    task = load("healthbench", {"file": write(listed)})
    assert {int(episode.id[-4:]) % 3 for episode in task.episodes} == {0}
    assert len(task.queries) == 8
    with pytest.raises(ConfigError, match="0 are to be remembered and 6 to be asked"):
        load("healthbench", {"file": write(records(6, ideal=False))})


def test_records_without_positive_points_have_no_score_and_are_left_out(write: Write) -> None:
    listed = [*records(6), record(7, rubrics=[criterion("Is rude.", -5)]), record(8, rubrics=[])]
    task = load("healthbench", {"file": write(listed)})
    assert not {"synth-0007", "synth-0008"} & {each.id for each in (*task.episodes, *task.queries)}
    assert len(task.episodes) + len(task.queries) == 6


def test_a_conversation_that_is_remembered_is_not_asked_under_another_id(write: Write) -> None:
    listed = records(10)
    again = [{**each, "prompt_id": f"again-{n}"} for n, each in enumerate(listed)]
    task = load("healthbench", {"file": write([*listed, *again]), "train_share": 0.25})
    assert len(task.episodes) == 5
    assert 0 < len(task.queries) < 15
    check_secrets(task, {})


def test_themes_are_categories_and_an_option(write: Write) -> None:
    listed = [record(number, theme=THEMES[number % 3]) for number in range(1, 19)]
    task = load("healthbench", {"file": write(listed), "themes": [THEMES[2], THEMES[0]]})
    assert {query.category for query in task.queries} == {THEMES[0], THEMES[2]}
    assert task.options["themes"] == [THEMES[0], THEMES[2]]
    assert len(task.episodes) + len(task.queries) == 12
    with pytest.raises(ConfigError, match=r"'themes'.*found \['cardiology'\].*health_data_tasks"):
        load("healthbench", {"file": write(listed), "themes": ["cardiology"]})
    with pytest.raises(ConfigError, match=r"0 of the 18 records .* themes: context_seeking, global_health, hedging;"):
        load("healthbench", {"file": write(listed), "themes": ["communication"]})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prompt_id": ""}, "line 2, field 'prompt_id': found ''"),
        ({"prompt_id": "synth-0001"}, "line 2, field 'prompt_id': found 'synth-0001', .*line 1 has it already"),
        ({"prompt": "Hello"}, "line 2, field 'prompt': found 'Hello', expected a list"),
        ({"prompt": []}, "line 2, field 'prompt'.*at least one message"),
        ({"prompt": ["Hello"]}, "line 2, message 1, field 'prompt'.*role and content"),
        ({"prompt": [{"role": "user", "content": None}]}, "line 2, message 1, field 'content': found nothing"),
        ({"example_tags": ["hedging"]}, "line 2, field 'example_tags'.*theme:hedging"),
        ({"rubrics": None}, "line 2, field 'rubrics': found nothing, expected a list"),
        ({"rubrics": ["Is kind."]}, "line 2, rubric 1, field 'rubrics'"),
        ({"rubrics": [criterion("Is kind.", None)]}, "line 2, rubric 1, field 'points': found nothing"),
        ({"rubrics": [criterion("Is kind.", "5")]}, "line 2, rubric 1, field 'points': found '5'"),
        ({"rubrics": [criterion("Is kind.", True)]}, "line 2, rubric 1, field 'points': found True"),
        ({"rubrics": [criterion(" ", 5)]}, "line 2, rubric 1, field 'criterion'"),
        ({"ideal_completions_data": "Rest."}, "line 2, field 'ideal_completions_data'"),
        ({"ideal_completions_data": {"ideal_completion": None}}, "line 2, field 'ideal_completions_data'"),
    ],
)
def test_what_is_wrong_with_a_record_judge_with_its_place(write: Write, changes: dict[str, JSON], words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        load("healthbench", {"file": write([record(1), record(2, **changes), record(3)])})
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("small.jsonl, ")


@pytest.mark.parametrize(
    ("line", "words"), [("{", "small.jsonl: not JSON lines"), ("[1]", "small.jsonl, line 2, field 'record'")]
)
def test_what_is_no_record_is_a_data_error(write: Write, line: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        load("healthbench", {"file": write([record(1), line])})


def test_a_compressed_file_below_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVOLVE_DATA", str(tmp_path))
    lines = "\n".join(json.dumps(each, ensure_ascii=False) for each in [*records(5), record(6, prompt_id="\u2028é")])
    (tmp_path / "mine.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    task = load("healthbench", {"file": "mine.jsonl.gz"})
    assert "\u2028é" in {each.id for each in (*task.episodes, *task.queries)}
    (tmp_path / "mine.jsonl.gz").write_bytes(gzip.compress(lines.encode())[:-20])
    with pytest.raises(DataError, match=r"mine\.jsonl\.gz: not JSON lines"):
        load("healthbench", {"file": "mine.jsonl.gz"})


@pytest.mark.parametrize("name", ["all", "hard", "consensus"])
def test_a_missing_file_is_asked_for_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("EVOLVE_DATA", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # no network, on any machine
    with pytest.raises(PrerequisiteError, match=r"task_options\.file = PATH") as caught:
        load("healthbench", {"file": name})
    assert str(tmp_path / PUBLISHED[name].path) in str(caught.value)
    assert PUBLISHED[name].url in str(caught.value)


@pytest.mark.parametrize("grading", ["item", "criterion"])
def test_the_oracle_earns_all_and_silence_and_bad_things_do_not(write: Write, grading: str) -> None:
    family = open_family("healthbench", {"file": write(records(6))})
    scorer = family.scorer(grading, judge)
    for query in family.load().queries:
        told = family.oracle(query)
        assert told is not None
        best, none = scorer.score(query, "", told), scorer.score(query, "", "")
        assert (best.value, best.measures) == (1.0, {"accuracy": 1.0, "context_awareness": 1.0})
        assert none.value == 0.0
        rest = scorer.score(query, "", f"Recommends rest {int(query.id[-4:])}.")
        assert (rest.value, rest.measures) == (0.3, {"accuracy": 1.0, "context_awareness": 0.0})
        assert scorer.score(query, "", bad_things(query)).value == -0.8
        assert scorer.score(query, "", bad_things(query)).measures["accuracy"] == -8 / 3


def test_mstars_way_clips_every_case_and_remembers_the_first_part(write: Write) -> None:
    listed = [record(number, ideal=number > 5) for number in range(1, 11)]
    family = open_family("healthbench", {"file": write(listed), "compat": "mstar", "seed": 42})
    task = family.load()
    # random.Random(42).shuffle of ten records, of which int(10 * .54) are remembered, in this order.
    assert [int(episode.id[-4:]) for episode in task.episodes] == [8, 4, 3, 9, 6]
    assert [int(query.id[-4:]) for query in task.queries] == [7, 10, 5, 1, 2]
    assert sum(IDEAL in episode.text for episode in task.episodes) == 3
    query = task.queries[0]
    assert family.scorer("item", judge).score(query, "", bad_things(query)).value == 0.0
    assert any("clipped" in note for note in family.notes())


def test_notes_say_what_is_not_official() -> None:
    assert open_family("healthbench").notes() == ()
    assert open_family("healthbench", {"file": "x/mine.jsonl.gz"}).notes() == (
        "Measured on 'mine.jsonl.gz', not on all of HealthBench.",
    )


def test_a_run_with_a_model_judges_items_and_can_judge_criteria() -> None:
    config = resolve(load_config("healthbench", ["models.agent=openai:some-model"]))
    assert config.evaluation.scorer == "item"
    assert config.models.judge == config.models.agent
    by_one = resolve(load_config("healthbench", ["models.agent=openai:m", "evaluation.scorer=criterion"]))
    assert by_one.evaluation.scorer == "criterion"
    with pytest.raises(ConfigError, match="set models"):
        resolve(load_config("healthbench", ["evaluation.scorer=item"]))


class Stack:
    """The agent of a test, which answers a question as it is told, and the judge."""

    def __init__(self, task: Task, answer: Callable[[Query], str]) -> None:
        self.queries = task.queries
        self.answer = answer

    def __call__(self, asked: Asked) -> str:
        if asked.system.startswith("You check an answer by"):
            return self.judge("\n\n".join(turn.text for turn in asked.messages))
        if "The question:\n\n" in asked.text and asked.schema is None:
            (query,) = [query for query in self.queries if query.text in asked.text]
            return self.answer(query)
        words = weak_agent(asked)
        if words is None:
            raise Unscripted("none of the prompts of agent and judge")
        return words

    def judge(self, shown: str) -> str:
        return judged(shown)


@dataclass(frozen=True)
class Bench:
    """One real sandbox, in whose box programs run."""

    sandbox: ProcessSandbox
    lease: Lease


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    sandbox = ProcessSandbox(Limits())
    with Lease(sandbox) as lease:
        yield Bench(sandbox, lease)
    sandbox.close()


@pytest.mark.parametrize(
    ("grading", "answers", "score"),
    [
        ("item", lambda query: "Asks about fall {0}.\nRecommends rest {0}.", 1.0),
        ("criterion", lambda query: "Asks about fall {0}.\nRecommends rest {0}.", 1.0),
        ("item", lambda query: "I cannot say.", 0.0),
        ("criterion", lambda query: "Recommends surgery {0}. Recommends rest {0}.", -0.5),
        ("item", lambda query: "Recommends surgery {0}.", -0.8),
    ],
)
def test_the_whole_stack(
    write: Write, bench: Bench, tmp_path: Path, grading: str, answers: Callable[[Query], str], score: float
) -> None:
    options: dict[str, JSON] = {"file": write(records(8))}
    task = load("healthbench", options)
    stack = Stack(task, lambda query: answers(query).format(int(query.id[-4:])))
    with ModelServer(stack) as server:
        cases = measured(server, bench, tmp_path, options, grading)
        calls = Counter(each.asked.system[:22] for each in server.arrivals if each.asked)
    assert [case.score for case in cases] == [pytest.approx(score)] * len(cases)
    assert len(cases) == 2
    assert calls["You check an answer by"] == len(cases) * (3 if grading == "criterion" else 1)
    assert all(case.judgement.count("met: ") == 3 and "accuracy" in case.measures for case in cases)


def test_a_judge_that_cannot_count_is_a_fault_of_the_infrastructure(write: Write, bench: Bench, tmp_path: Path) -> None:
    class Careless(Stack):
        def judge(self, shown: str) -> str:
            return '{"reason": "Fine.", "met": [true, true]}'

    options: dict[str, JSON] = {"file": write(records(8))}
    with ModelServer(Careless(load("healthbench", options), lambda query: "Rest.")) as server:
        cases = measured(server, bench, tmp_path, options, "item")
    assert [(case.outcome, case.score) for case in cases] == [("infrastructure", None)] * len(cases)
    assert all("a list of 3 values" in case.reason for case in cases)


def measured(server: ModelServer, bench: Bench, folder: Path, options: dict[str, JSON], grading: str) -> Sequence[Case]:
    """Measure a seed through splits, sandbox, SDK and scorer."""
    agent = {"model": "openai:weak", "base_url": server.openai}
    tables = {"models.agent": agent, "task_options": options}
    settings = [f"{name}.{key}={json.dumps(value)}" for name, table in tables.items() for key, value in table.items()]
    config = resolve(load_config("healthbench", [*settings, f"evaluation.scorer={grading}"]))
    splits = make_splits(load(config.task, config.task_options), config.evaluation, seed=config.seed)
    with broker_of(config, folder / "llm.sqlite", note=lambda line: None) as broker:
        assert broker is not None
        evaluator = make_evaluator(config, bench.sandbox, Account(broker))
        program = load_program(find_program("bm25"))
        evaluation = evaluator.evaluate(program, splits.work(splits.test), bench.lease, stage=lambda text: None)
    return evaluation.cases


@needs_file
def test_the_real_records() -> None:
    task = load("healthbench", {"file": REAL})
    assert (len(task.episodes), len(task.queries), len(task.held_out)) == (227, 193, 96)
    assert all(IDEAL in episode.text for episode in task.episodes)
    assert {query.category for query in task.queries} == set(THEMES)
    lines = gzip.decompress((Path(os.environ["EVOLVE_DATA"]) / REAL).read_bytes()).decode().rstrip("\n").split("\n")
    found = [json.loads(line) for line in lines]
    ideals = {each["prompt_id"]: each["ideal_completions_data"] for each in found}
    assert sum(data is not None for data in ideals.values()) == 373
    check_secrets(task, {name: data["ideal_completion"] for name, data in ideals.items() if data is not None})
    rubrics = {each["prompt_id"]: [rubric["points"] for rubric in each["rubrics"]] for each in found}
    assert sum(map(len, rubrics.values())) == 4_040
    for query in task.queries:
        assert [each.points for each in criteria_of(query)] == rubrics[query.id]
        assert {each.kind for each in criteria_of(query)} <= {
            *("accuracy", "completeness", "communication_quality", "context_awareness", "instruction_following"),
        }


@needs_file
def test_the_real_rubrics_pay_the_oracle_in_full() -> None:
    family = open_family("healthbench", {"file": REAL})
    scorer = family.scorer("criterion", judge)
    values = []
    for query in family.load().queries:
        told = family.oracle(query)
        assert told is not None
        assert scorer.score(query, "", told).value == 1.0
        values.append(scorer.score(query, "", bad_things(query) or "I cannot say.").value)
    assert min(values) < -1
    assert max(values) <= 0


def test_without_a_model_there_is_nothing_to_score() -> None:
    with pytest.raises(ConfigError, match=r"needs a model: set models\.agent, or set models\.judge"):
        resolve(load_config("healthbench"))
    for scorer in ("support", "f1", "judge"):
        with pytest.raises(ConfigError, match="does not fit this task; good values: item, criterion"):
            resolve(load_config("healthbench", ["models.agent=openai:m", f"evaluation.scorer={scorer}"]))
    judged = resolve(load_config("healthbench", ["models.judge=openai:m"]))
    assert (judged.evaluation.scorer, judged.models.agent) == ("item", "extractive")
