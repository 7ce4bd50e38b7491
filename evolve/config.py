"""Everything a user may set, checked before anything runs. Unknown keys are errors, in TOML and in `--set` alike."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from evolve.errors import ConfigError


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


class Models(_Table):
    """Which model plays which part."""

    agent: Literal["extractive"] = "extractive"
    """The task agent. "extractive" needs no model and scores what `read` returns by support."""


class Search(_Table):
    """How children are made."""

    operators: tuple[Literal["tune", "recombine"], ...] = Field(default=("tune", "recombine"), min_length=1)
    """Ways to make a child; each attempt draws one."""
    selection: Literal["softmax"] = "softmax"
    """How parents are drawn."""
    temperature: float = Field(default=0.15, gt=0)
    """Of the softmax over static scores; the paper's value."""
    in_flight: int = Field(default=8, ge=1)
    """Most attempts at work at a time; never more than there are workers."""
    seeds: tuple[str, ...] = Field(
        default=("vector_search", "summarizer", "experience", "bm25", "hybrid", "no_memory"), min_length=1
    )
    """Programs to start from: names in `seeds/`, or paths."""


class Evaluation(_Table):
    """What a candidate is measured on. Sizes left out depend on the agent: without a model, queries cost nothing."""

    static: int | None = Field(default=None, ge=1)
    """Queries that decide the score: 60; 240 for the extractive agent."""
    rotating: int = Field(default=5, ge=1)
    """Queries re-drawn for every attempt, never scored."""
    train_ratio: float | None = Field(default=None, ge=0)
    """Training episodes per static query, 0 for all: 2; 0 for the extractive agent."""
    test: int | None = Field(default=None, ge=0)
    """Held-out queries for the one final test, 0 for all: 100; 0 for the extractive agent."""
    ladder: Literal["default", "none"] = "default"
    """"none" measures every candidate on the whole static set, even one that behaves like another."""


class Budget(_Table):
    """When the search stops; whichever comes first."""

    candidates: int = Field(default=20, ge=0)
    """Children that are measured; seeds and rejected attempts are not counted."""
    hours: float | None = Field(default=None, gt=0)
    """Running time over all sessions of the run, the final test not counted."""


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
            raise ConfigError(_one_line(error)) from None

    def resolved(self) -> Config:
        """Return the configuration with every size that depends on the agent filled in."""
        sizes = {"static": 240, "train_ratio": 0.0, "test": 0}
        given = {key: value for key, value in self.evaluation.model_dump().items() if value is not None}
        return self.model_copy(update={"evaluation": Evaluation.model_validate({**sizes, **given})})


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


def _one_line(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = [str(part) for part in first["loc"]]
    key = ".".join(where)
    if first["type"] == "extra_forbidden":
        good = _keys_of(where[:-1])
        close = difflib.get_close_matches(where[-1], good, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        return f"unknown key {key!r}; {hint}The keys there are {', '.join(good)}."
    if first["type"] == "missing":
        return f"key {key!r} is missing; `evolve check CONFIG` shows what a configuration needs."
    return f"{key} = {first['input']!r}: {first['msg'][:1].lower()}{first['msg'][1:]}."


def _keys_of(path: list[str]) -> list[str]:
    model: type[BaseModel] = Config
    for part in path:
        inner = model.model_fields[part].annotation if part in model.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return list(model.model_fields)
