"""Tasks by name: the built-in ones, and folders made by `evolve init`."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from evolve.errors import ConfigError
from evolve.types import JSON, Task

Loader: TypeAlias = Callable[[Mapping[str, JSON]], Task]

BUILT_IN: Mapping[str, str] = MappingProxyType(
    {
        "chronicle": "evolve.tasks.chronicle:load",
        "locomo": "evolve.tasks.locomo:load",
    }
)
"""Name of each built-in task to the `module:function` that loads it; a module is imported when its task is."""


def load(name: str, options: Mapping[str, JSON] | None = None) -> Task:
    """Load a built-in task, or the folder at the path `name`, and check all of it.

    Raises `ConfigError` for an unknown task, option or value, `DataError` for malformed data, and `PrerequisiteError`
    where a built-in task's data is missing and cannot be downloaded.
    """
    given = dict(options or {})
    if name in BUILT_IN:
        module, function = BUILT_IN[name].split(":")
        loader: Loader = getattr(importlib.import_module(module), function)
        return loader(given)
    folder = Path(name).expanduser()
    if folder.is_dir():
        from evolve.tasks.jsonl import load_folder

        return load_folder(folder, given)
    raise ConfigError(_unknown(name))


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name, BUILT_IN, n=2)
    hint = f" Did you mean {' or '.join(repr(match) for match in close)}?" if close else ""
    return (
        f"Unknown task {name!r}: neither a built-in task nor a folder.{hint} "
        f"Built-in tasks: {', '.join(sorted(BUILT_IN))}; make a folder of your own with `evolve init FOLDER`."
    )
