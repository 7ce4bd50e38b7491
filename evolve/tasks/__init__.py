"""Tasks by name: the built-in families, and folders made by `evolve init`."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from evolve.config import Config
from evolve.errors import ConfigError
from evolve.paths import ZOO, shipped_programs
from evolve.tasks import families
from evolve.tasks.base import read_options
from evolve.tasks.family import Family
from evolve.traits import PLAIN, Traits
from evolve.types import JSON, Task


@cache
def built_in() -> tuple[str, ...]:
    """Return the names of the built-in tasks: one module of `evolve.tasks.families` each."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(families.__path__)))


def family(name: str) -> type[Family[Any]]:
    """Return the class of a built-in task. Raises ConfigError for a name that is none."""
    if name not in built_in():
        raise ConfigError(_unknown(name))
    module = importlib.import_module(f"{families.__name__}.{name}")
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Family) and value.__dict__.get("name") == name:
            return value
    raise TypeError(f"{module.__name__} defines no Family with name = {name!r}")


def open_family(name: str, options: Mapping[str, JSON] | None = None) -> Family[Any]:
    """Return a task whose options are checked and whose data is not loaded yet; `name` as in `load`.

    Raises `ConfigError` for an unknown task, option or value, and `DataError` for a folder's `task.toml`.
    """
    given = dict(options or {})
    if name not in built_in() and Path(name).expanduser().is_dir():
        from evolve.tasks.jsonl import open_folder

        return open_folder(Path(name).expanduser(), given)
    kind = family(name)
    return kind(read_options(kind.options_model, given, task=name))


def load(name: str, options: Mapping[str, JSON] | None = None) -> Task:
    """Load a built-in task, or the folder at the path `name`, and check all of it.

    Raises `ConfigError` for an unknown task, option or value, `DataError` for malformed data, and `PrerequisiteError`
    where a built-in task's data is missing and cannot be downloaded.
    """
    return open_family(name, options).load()


def traits(name: str) -> Traits:
    """Return what a configuration needs to know of a task; a folder has nothing of its own."""
    return family(name).traits if name in built_in() else PLAIN


def resolve(config: Config) -> Config:
    """Return the configuration with everything filled in, as its task wants it. Raises ConfigError."""
    resolved = config.resolved(traits(config.task))
    named = [each for name in config.search.seeds for each in (shipped_programs(ZOO) if name == ZOO else [name])]
    search = resolved.search.model_copy(update={"seeds": tuple(dict.fromkeys(named))})
    return resolved.model_copy(update={"search": search})


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name, built_in(), n=2)
    hint = f" Did you mean {' or '.join(repr(match) for match in close)}?" if close else ""
    return (
        f"Unknown task {name!r}: neither a built-in task nor a folder.{hint} "
        f"Built-in tasks: {', '.join(built_in())}; make a folder of your own with `evolve init FOLDER`."
    )
