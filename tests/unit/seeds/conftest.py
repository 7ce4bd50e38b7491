"""The seeds as the runner makes them: executed source, a real toolkit, one knowledge base."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from evolve.paths import sandboxes_dir, seeds_dir


def _import(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up while the class is made.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _no_model(messages: list[dict[str, Any]], options: dict[str, Any]) -> str:
    raise RuntimeError("this toolkit has no model")


@pytest.fixture(scope="session")
def toolkit_module() -> ModuleType:
    """The module that runs inside the sandbox."""
    return _import(sandboxes_dir() / "toolkit.py", "sandbox_toolkit")


@pytest.fixture
def new_toolkit(toolkit_module: ModuleType) -> Callable[[], Any]:
    """Make a toolkit without a model."""
    return lambda: toolkit_module.Toolkit(call_llm=_no_model, log=lambda message: None)


@pytest.fixture
def import_file() -> Callable[[Path, str], ModuleType]:
    """Execute a program file under a module name."""
    return _import


@pytest.fixture
def seed() -> Callable[..., ModuleType]:
    """Execute a seed anew, with some of its constants replaced as the `tune` operator does."""

    def execute(name: str, **constants: object) -> ModuleType:
        module = _import(seeds_dir() / f"{name}.py", f"seed_{name}")
        for constant in constants:
            assert hasattr(module, constant)
        vars(module).update(constants)
        return module

    return execute
