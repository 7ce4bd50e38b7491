"""The configuration: what is wrong is said in one line before anything runs, and what is right survives its file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolve.config import Config, ModelTable, differences, dump_config, load_config
from evolve.errors import ConfigError


def fails(*overrides: str, task: str = "chronicle") -> str:
    """Return the message of the refusal, which is one line."""
    with pytest.raises(ConfigError) as caught:
        load_config(task, overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_task_is_enough() -> None:
    config = load_config("chronicle")
    assert config == Config(task="chronicle")
    assert config.budget.candidates == 20
    assert config.search.temperature == 0.15


def test_set_reaches_every_level_and_reads_toml() -> None:
    config = load_config(
        "chronicle",
        [
            "seed=3",
            "budget.hours=0.5",
            'search.operators=["tune"]',
            "sandbox.limits.pids=32",
            "sandbox.kind=process",
            "task_options.subtasks=['recall']",
            "task_options.lives = 2",
            "ray.address=auto=1",
        ],
    )
    assert config.seed == 3
    assert config.budget.hours == 0.5
    assert config.search.operators == ("tune",)
    assert config.sandbox.limits.pids == 32
    assert config.sandbox.kind == "process"
    assert config.task_options == {"subtasks": ["recall"], "lives": 2}
    assert config.ray.address == "auto=1"


def test_set_goes_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('task = "locomo"\n[budget]\ncandidates = 3\nhours = 2.0\n')
    config = load_config(str(file), ["budget.candidates=4", "task=chronicle"])
    assert (config.task, config.budget.candidates, config.budget.hours) == ("chronicle", 4, 2.0)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("searc.seeds=1", ["'searc'", "did you mean 'search'?", "budget"]),
        ("budget.candidate=1", ["'budget.candidate'", "'candidates'", "hours"]),
        ("sandbox.limits.read_char=1", ["'sandbox.limits.read_char'", "'read_chars'"]),
        ("budget.candidates=-1", ["budget.candidates = -1", "greater than or equal to 0"]),
        ("budget.candidates=many", ["budget.candidates = 'many'", "integer"]),
        ("search.temperature=0", ["search.temperature = 0", "greater than 0"]),
        ("search.temperature=nan", ["search.temperature = nan"]),
        ("evaluation.train_ratio=inf", ["evaluation.train_ratio = inf", "finite"]),
        ("budget.hours=inf", ["budget.hours = inf", "finite"]),
        ("seed=-1", ["seed = -1", "greater than or equal to 0"]),
        ("seed=4294967296", ["seed = 4294967296", "less than 4294967296"]),
        ('search.operators=["mutate"]', ["search.operators.0 = 'mutate'", "'tune' or 'recombine'", "'reflect'"]),
        ("search.operators=[]", ["search.operators = []", "at least 1"]),
        ("search.seeds=bm25", ["search.seeds = 'bm25'"]),
        ("sandbox.kind=podman", ["sandbox.kind = 'podman'", "'docker'", "'process'"]),
        ("models.agent=gpt-5-mini", ["models.agent.model = 'gpt-5-mini'", "openai|anthropic"]),
        ("models.agent.modle=openai:x", ["models.agent.modle", "did you mean 'model'?"]),
        ('models.judge={model="openai:x", eff="low"}', ["models.judge.eff", "did you mean 'effort'?"]),
        ("models.agnt=openai:x", ["did you mean 'agent'?", "reflector"]),
        ("search.reflect.token=1", ["did you mean 'tokens'?", "traces"]),
        ("search.freeze=all", ["search.freeze = 'all'", "'instructions' or 'code'"]),
        ("budget.usd=-1", ["budget.usd = -1", "greater than or equal to 0"]),
        ("task.name=x", ["task.name=x", "'task' is a value, not a table"]),
        ("candidates", ["'candidates'", "key=value"]),
        ("=4", ["'=4'", "key=value"]),
    ],
)
def test_what_is_wrong_is_named_with_what_would_be_right(override: str, words: list[str]) -> None:
    message = fails(override)
    for word in words:
        assert word in message


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert "there is no file" in fails(task=str(tmp_path / "none.toml"))
    for content in (b"task = [", b"\xff\xfe"):
        bad = tmp_path / "bad.toml"
        bad.write_bytes(content)
        assert "bad.toml: " in fails(task=str(bad))
    empty = tmp_path / "empty.toml"
    empty.write_text("")
    assert "key 'task' is missing" in fails(task=str(empty))


@given(
    seed=st.integers(0, 2**32 - 1),
    static=st.none() | st.integers(1, 10**6),
    ratio=st.none() | st.floats(0, 1e6),
    hours=st.none() | st.floats(0, 1e6, exclude_min=True),
    options=st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6),
        st.booleans() | st.integers(-(2**31), 2**31) | st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
        max_size=3,
    ),
)
def test_every_configuration_survives_its_file(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    static: int | None,
    ratio: float | None,
    hours: float | None,
    options: dict[str, object],
) -> None:
    table = {
        "task": "chronicle",
        "seed": seed,
        "task_options": options,
        "evaluation": {"static": static, "train_ratio": ratio},
        "budget": {"hours": hours},
    }
    config = Config.checked(table)
    for kept in (config, config.resolved()):
        file = tmp_path_factory.mktemp("config") / "config.toml"
        file.write_text(dump_config(kept), encoding="utf-8")
        assert load_config(str(file)) == kept
        assert differences(load_config(str(file)), kept) == []


def test_resolved_fills_what_was_left_out_and_keeps_what_was_given() -> None:
    resolved = load_config("chronicle", ["evaluation.static=7"]).resolved()
    assert resolved.evaluation.static == 7
    assert resolved.evaluation.test == 0
    assert resolved.evaluation.train_ratio == 0.0
    assert resolved.resolved() == resolved


def test_differences_name_the_key_and_both_values() -> None:
    old = load_config("chronicle", ["task_options.lives=2"])
    new = load_config("chronicle", ["task_options.sessions=16", "budget.candidates=4", "search.seeds=['bm25']"])
    assert differences(old, old) == []
    assert differences(old, new) == [
        "budget.candidates: 20, now 4",
        f"search.seeds: {list(old.search.seeds)!r}, now ['bm25']",
        "task_options.lives: 2, now None",
        "task_options.sessions: None, now 16",
    ]


def test_a_configuration_cannot_be_changed() -> None:
    config = load_config("chronicle")
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 1  # type: ignore[misc]


def test_a_model_is_a_word_or_a_table() -> None:
    word = load_config("chronicle", ["models.agent=openai:gpt-5-mini"])
    table = load_config("chronicle", ["models.agent.model=openai:gpt-5-mini"])
    assert word == table
    assert isinstance(word.models.agent, ModelTable)
    assert word.models.agent.base_url == ""


def test_reflector_toolkit_and_judge_are_the_agent_where_they_are_not_given() -> None:
    models = load_config("chronicle", ["models.agent=openai:a", "models.judge=anthropic:j"]).resolved().models
    assert {role: table.model for role, table in models.by_role.items()} == {
        "agent": "openai:a",
        "reflector": "openai:a",
        "toolkit": "openai:a",
        "judge": "anthropic:j",
    }
    assert load_config("chronicle").resolved().models.by_role == {}


def test_operators_sizes_and_scorer_follow_the_models() -> None:
    without, reflecting, answering = (
        load_config("chronicle", overrides).resolved()
        for overrides in ([], ["models.reflector=openai:r"], ["models.agent=openai:a"])
    )
    assert without.search.operators == ("tune", "recombine")
    assert reflecting.search.operators == answering.search.operators == ("reflect", "merge", "tune", "recombine")
    assert (reflecting.evaluation.static, reflecting.evaluation.scorer) == (240, "support")
    assert (answering.evaluation.static, answering.evaluation.scorer) == (60, "f1")


def test_one_seed_is_the_first() -> None:
    assert load_config("chronicle", ["search.seeds=one"]).search.seeds == ("vector_search",)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (['search.operators=["reflect"]'], "'reflect', which needs a model: set models.reflector"),
        (["evaluation.scorer=judge"], "set models.judge"),
        (["evaluation.scorer=bleu"], "good values: support, f1, exact, judge"),
        (["models.agent=scripted"], "this task asks questions"),
        (["evaluation.scorer=f1"], "the extractive agent gives none"),
        (["models.embedding=anthropic:x"], "Anthropic has no embedding models"),
    ],
)
def test_keys_that_do_not_fit_together_are_refused(overrides: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        load_config("chronicle", overrides).resolved()
