"""Everything a user may set, checked before anything runs. Unknown keys are errors, in TOML and in `--set` alike."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError

from evolve.errors import ConfigError
from evolve.keys import one_line
from evolve.traits import PLAIN, Traits, scorer_traits


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Limits(_Table):
    """What one program may use. The defaults fit conversation tasks."""

    load_seconds: float = Field(default=20.0, gt=0)
    """Wall clock to import the program and construct one KnowledgeBase."""
    write_seconds: float = Field(default=20.0, gt=0)
    """Wall clock of one write, completions that the program asks for not counted."""
    read_seconds: float = Field(default=10.0, gt=0)
    """Wall clock of one read, completions not counted."""
    scope_seconds: float = Field(default=300.0, gt=0)
    """Wall clock of everything that one scope of a candidate does, completions not counted."""
    read_chars: int = Field(default=3_000, gt=0)
    """Longest text that read may return; a longer one is the program's fault for that case."""
    memory_mb: int = Field(default=1_024, ge=64)
    """Memory of one scope's process beyond what the runner has; docker also caps the container at this plus 512 MB."""
    cpus: float = Field(default=1.0, gt=0)
    """Processor share of one container."""
    pids: int = Field(default=256, ge=16)
    """Processes and threads in one container."""
    scratch_mb: int = Field(default=64, ge=1)
    """Size of /tmp, the only place that can be written to, and of any one file."""
    frame_bytes: int = Field(default=4 << 20, ge=1 << 16)
    """Longest message between worker and sandbox, either way."""
    llm_calls: int = Field(default=1, ge=0)
    """Completions that one write or one read may ask for."""


class ModelTable(_Table):
    """One model, at one address. In a configuration "openai:MODEL" stands for a table that gives `model` alone."""

    model: str = Field(pattern=r"^(openai|anthropic):\S+$")
    """"openai:NAME" or "anthropic:NAME": whose API it speaks, and the model's name there."""
    base_url: str = ""
    """Of any server that speaks the same API, such as vLLM, Ollama, llama.cpp or a gateway; empty: the provider's."""
    key_env: str = ""
    """Environment variable that holds the key; empty: OPENAI_API_KEY or ANTHROPIC_API_KEY."""
    api: Literal["responses", "chat"] | None = None
    """Which of OpenAI's APIs: "responses" at the provider's own address, "chat" elsewhere, unless it is given."""
    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    """How long a reasoning model may think; empty: the model's own default."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """Empty: the model's own default."""
    max_tokens: int | None = Field(default=None, ge=16)
    """Of one answer, reasoning included; empty: 4096, for the reflector 32768."""
    timeout_seconds: float = Field(default=120.0, gt=0)
    """How long a provider may stay silent before the call is tried again; 600 for the reflector."""

    @property
    def key_name(self) -> str:
        """The environment variable that holds the key, or would."""
        own = "ANTHROPIC_API_KEY" if self.model.startswith("anthropic:") else "OPENAI_API_KEY"
        return self.key_env or own


class PriceTable(_Table):
    """US dollars for a million tokens."""

    input: float = Field(ge=0)
    output: float = Field(default=0.0, ge=0)
    cached: float | None = Field(default=None, ge=0)
    """Of input read from the provider's prompt cache; empty: as input."""
    written: float | None = Field(default=None, ge=0)
    """Of input written to the provider's prompt cache; empty: as input."""


REFLECTOR_SECONDS = 600.0
"""A whole program, thought about for long, comes in one piece."""


EXTRACTIVE, SCRIPTED = "extractive", "scripted"
"""The task agents without a model: for questions, and for goals in an environment."""


def _model_table(value: object) -> object:
    return {"model": value} if isinstance(value, str) else value


def _agent_table(value: object) -> object:
    return value if value in (EXTRACTIVE, SCRIPTED) else _model_table(value)


RoleModel: TypeAlias = Annotated[ModelTable, BeforeValidator(_model_table)]


class Models(_Table):
    """Which model plays which part. Reflector, toolkit and judge are the agent's model where they are not given."""

    agent: Annotated[Literal["extractive", "scripted"] | ModelTable, BeforeValidator(_agent_table)] = "extractive"
    """The task agent. "extractive" and "scripted" need no model: the one answers with what it read, the other plays."""
    reflector: RoleModel | None = None
    """Reads failures and rewrites programs: `reflect` and `merge`."""
    toolkit: RoleModel | None = None
    """Answers the programs' own `llm_completion`."""
    judge: RoleModel | None = None
    """Scores answers, where evaluation.scorer = "judge"."""
    embedding: RoleModel | None = None
    """Embeds for the programs' `toolkit.embed`; empty: the weights that ship with evolve."""
    concurrency: int = Field(default=64, ge=1)
    """Most calls to one model at a time; fewer where the provider wants fewer."""
    prices: dict[str, PriceTable] = Field(default_factory=dict)
    """Prices by model, as in {"openai:my-model" = {input = 0.25, output = 2.0}}; they come before the shipped ones."""
    replay: bool = False
    """Answer every call from the llm.sqlite of the run of that name, without network; an unseen call is an error."""

    @property
    def answering(self) -> bool:
        """True where a model is the task agent."""
        return isinstance(self.agent, ModelTable)

    @property
    def by_role(self) -> dict[str, ModelTable]:
        """The roles that a model plays."""
        roles = {role: getattr(self, role) for role in ("agent", "reflector", "toolkit", "judge", "embedding")}
        return {role: table for role, table in roles.items() if isinstance(table, ModelTable)}


OperatorName: TypeAlias = Literal["reflect", "merge", "tune", "recombine"]
WITH_MODEL: tuple[OperatorName, ...] = ("reflect", "merge", "tune", "recombine")
WITHOUT_MODEL: tuple[OperatorName, ...] = ("tune", "recombine")


class Reflect(_Table):
    """What the reflector is shown."""

    traces: Literal["full", "none"] = "full"
    """"none" leaves the traces of failed and succeeded cases out: scores and lineage only."""
    stages: bool = True
    """False hides at which stage each case failed."""
    tokens: int = Field(default=24_000, ge=4_000)
    """Most of one prompt, at 4 characters a token; traces are cut to fit."""


def _seed_names(value: object) -> object:
    return {"one": DEFAULT_SEEDS[:1], "zoo": ("zoo",)}.get(value, value) if isinstance(value, str) else value


DEFAULT_SEEDS = ("vector_search", "summarizer", "experience", "bm25", "hybrid", "no_memory")


class Search(_Table):
    """How children are made."""

    operators: tuple[OperatorName, ...] | None = Field(default=None, min_length=1)
    """Ways to make a child; empty: all that the models allow. Which comes next is decided by what each has earned."""
    selection: Literal["softmax", "pareto", "greedy", "recency"] = "softmax"
    """How parents are drawn."""
    temperature: float = Field(default=0.15, gt=0)
    """Of the softmax over static scores; the paper's value."""
    in_flight: int = Field(default=8, ge=1)
    """Most proposals at a time. Fewer where measuring takes as long as proposing: more would only know less."""
    staleness: int = Field(default=24, ge=1)
    """Most attempts that may end between the choice of an attempt's parents and its own end."""
    seeds: Annotated[tuple[str, ...], BeforeValidator(_seed_names)] = Field(default=DEFAULT_SEEDS, min_length=1)
    """Programs to start from: names in `seeds/` or `seeds/zoo/`, or paths; "zoo" for all of both, "one" for the first
    alone (the paper's linear ablation)."""
    freeze: Literal["", "instructions", "code"] = ""
    """What no operator may change: the instruction constants, or all but these."""
    reflect: Reflect = Reflect()


class Race(_Table):
    """How soon a child is given up. Every comparison is paired: the same queries, the other candidate's scores."""

    gate: int | None = Field(default=None, ge=0)
    """Rotating queries that a child and its parent are compared on first, 0 for none: `rotating`; 0 without a model."""
    margin: float = Field(default=0.2, ge=-1, le=1)
    """A child whose mean is lower than its parent's by more does not pass the gate; below 0 it must be better."""
    blocks: int = Field(default=4, ge=1)
    """Most parts of the static set: after each the child is compared with the best candidate, and goes on unless it
    loses. The first is also the cheap rung of `tune`."""
    risk: float = Field(default=0.1, gt=0, lt=1)
    """Most probability that a child is dropped in the race which is as good as the best candidate."""


class Evaluation(_Table):
    """What a candidate is measured on. Sizes left out depend on the agent: without a model, queries cost nothing."""

    static: int | None = Field(default=None, ge=1)
    """Queries that decide the score: 60; 240 for the extractive agent."""
    rotating: int = Field(default=5, ge=1)
    """Queries re-drawn for every attempt, never scored."""
    train_ratio: float | None = Field(default=None, ge=0)
    """Training episodes per static query, 0 for all: 2; 0 for the extractive agent, and for tasks that need all."""
    test: int | None = Field(default=None, ge=0)
    """Held-out queries for the one final test, 0 for all: 100; 0 for the extractive agent."""
    scorer: str | None = None
    """How an answer is scored: support, f1, exact, judge, or a scorer of the task's. Empty: its official one, else f1;
    support for the extractive agent, which answers with what it read."""
    oracle: bool = False
    """Also ask the agent with the gold evidence in place of what was read, where a case failed: one more call each."""
    ladder: Literal["default", "none"] = "default"
    """"none" measures every candidate on the whole static set, even one that behaves like another, as M* does."""
    race: Race = Race()


class Budget(_Table):
    """When the search stops; whichever comes first."""

    candidates: int = Field(default=20, ge=0)
    """Children that are measured, in full or until they are dropped; seeds, and what never ran, are not counted."""
    hours: float | None = Field(default=None, gt=0)
    """Running time over all sessions of the run, the final test not counted."""
    usd: float | None = Field(default=None, ge=0)
    """Dollars for calls to models, the final test included. Never exceeded: what is in flight counts as spent."""
    calls: int | None = Field(default=None, ge=0)
    """Calls to models, the final test included; answers from the run's own store are free."""


class SandboxTable(_Table):
    """Where programs run."""

    kind: Literal["auto", "docker", "process"] = "auto"
    """"auto": docker where an engine answers, else process."""
    limits: Limits = Limits()


class Ray(_Table):
    """The cluster, where there is one."""

    address: str = ""
    """Of a running Ray cluster; empty starts one on this machine."""


class Config(_Table):
    """One run."""

    task: str
    """A built-in task, or a folder made by `evolve init`."""
    seed: int = Field(default=0, ge=0, lt=1 << 32)
    """Of everything that is drawn; numpy takes no other seeds."""
    task_options: dict[str, JsonValue] = Field(default_factory=dict)
    """The task's own options."""
    models: Models = Models()
    search: Search = Search()
    evaluation: Evaluation = Evaluation()
    budget: Budget = Budget()
    sandbox: SandboxTable = SandboxTable()
    ray: Ray = Ray()

    @classmethod
    def checked(cls, table: Mapping[str, object]) -> Config:
        """Return the configuration in a table of plain values; raises ConfigError for the first thing that is wrong."""
        try:
            return cls.model_validate(table)
        except ValidationError as error:
            raise ConfigError(one_line(error, cls)) from None

    def resolved(self, task: Traits = PLAIN) -> Config:
        """Return the configuration with everything filled in that depends on other keys and on the task.

        Raises ConfigError for keys that do not fit together. `evolve.tasks.resolve` calls it with the task's traits.
        """
        models = self._resolved_models(task)
        searched = self.search.operators or (WITH_MODEL if models.reflector else WITHOUT_MODEL)
        sizes: dict[str, object] = {"static": 60, "train_ratio": 2.0, "test": 100}
        if task.whole:
            sizes["train_ratio"] = 0.0
        if not models.answering:
            sizes = {"static": 60 if task.interactive else 240, "train_ratio": 0.0, "test": 0}
        own, free = list(task.scorers), [name for name, scorer in task.scorers.items() if scorer.free]
        general = ["f1" if models.answering else "support"] if task.answers else []
        sizes["scorer"] = [*(own if models.answering else free), *general, *own][0]
        given = {key: value for key, value in self.evaluation.model_dump().items() if value is not None}
        race = self.evaluation.race
        if race.gate is None:
            race = race.model_copy(update={"gate": self.evaluation.rotating if models.answering else 0})
        config = self.model_copy(
            update={
                "models": models,
                "search": self.search.model_copy(update={"operators": searched}),
                "evaluation": Evaluation.model_validate({**sizes, **given, "race": race}),
            }
        )
        _check_fit(config, task)
        return config

    def _resolved_models(self, task: Traits) -> Models:
        models, agent = self.models, self.models.agent
        given: dict[str, object] = dict(models.by_role)
        if agent == EXTRACTIVE and task.interactive:
            given["agent"] = SCRIPTED
        if isinstance(agent, ModelTable):
            given = {**dict.fromkeys(("reflector", "toolkit", "judge"), agent), **given}
        reflector = given.get("reflector")
        if isinstance(reflector, ModelTable) and "timeout_seconds" not in reflector.model_fields_set:
            given["reflector"] = reflector.model_copy(update={"timeout_seconds": REFLECTOR_SECONDS})
        return models.model_copy(update=given)


def _check_fit(config: Config, task: Traits) -> None:
    models, scorer = config.models, config.evaluation.scorer
    wanting = [name for name in config.search.operators or () if name in ("reflect", "merge")]
    if wanting and models.reflector is None:
        raise ConfigError(
            f"search.operators has {wanting[0]!r}, which needs a model: set models.reflector, for example "
            '"openai:gpt-5-mini", or models.agent.'
        )
    if config.search.freeze == "code" and not models.answering:
        raise ConfigError(
            f'search.freeze = "code" leaves only instructions to change, and the {models.agent} agent reads none: '
            "set models.agent."
        )
    traits = scorer_traits(scorer, task)
    if models.agent == SCRIPTED and not task.interactive:
        raise ConfigError('models.agent = "scripted" plays games, and this task asks questions: drop it.')
    if traits.judge_calls and models.judge is None:
        raise ConfigError(
            f"evaluation.scorer = {scorer!r} needs a model: set models.agent, or set models.judge alone to have what "
            "was read judged."
        )
    if not traits.free and traits.judge_calls == 0 and not models.answering:
        raise ConfigError(
            f"evaluation.scorer = {scorer!r} scores answers, and the extractive agent gives none: set models.agent, or "
            'evaluation.scorer = "support".'
        )
    if models.embedding is not None and models.embedding.model.startswith("anthropic:"):
        raise ConfigError(f"models.embedding = {models.embedding.model!r}: Anthropic has no embedding models.")


def load_config(task: str, overrides: Sequence[str] = ()) -> Config:
    """Return the configuration for a TOML file, a built-in task, or a task folder.

    `overrides` are "key=value" with dotted keys; a value is TOML, or else a plain string. Raises ConfigError.
    """
    table: dict[str, Any] = {"task": task}
    if task.endswith(".toml"):
        table = _read_toml(Path(task))
    for override in overrides:
        _set(table, override)
    return Config.checked(table)


def differences(old: Config, new: Config) -> list[str]:
    """Return "key: old, now new" for every key whose value differs."""
    before, after = dict(_flat(old.model_dump(mode="json"))), dict(_flat(new.model_dump(mode="json")))
    keys = sorted(before.keys() | after.keys())
    return [f"{key}: {before.get(key)!r}, now {after.get(key)!r}" for key in keys if before.get(key) != after.get(key)]


def dump_config(config: Config) -> str:
    """Return the configuration as TOML; what is None is left out."""
    import tomli_w

    return tomli_w.dumps(config.model_dump(mode="json", exclude_none=True))


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"there is no file {path}; `evolve run TASK` needs none.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}.") from None


def _set(table: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {override!r}: expected key=value, for example budget.candidates=40.")
    *parents, last = key.strip().split(".")
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise ConfigError(f"--set {override!r}: {parent!r} is a value, not a table.")
    try:
        table[last] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        table[last] = text


def _flat(value: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else key)
    else:
        yield prefix, value
