"""The wheel works on its own in an empty folder, and importing evolve does nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.alone

ROOT = Path(__file__).parents[2]
HEAVY = ("ray", "docker", "chromadb", "openai", "anthropic", "optuna", "git", "numpy", "pydantic", "rich")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, timeout=280)
    return next(folder.glob("*.whl"))


def test_seeds_and_sandboxes_ship_and_nothing_else_does(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "evolve/_seeds/hybrid.py" in names
    assert "evolve/_sandboxes/Dockerfile" in names
    assert "evolve/_sandboxes/runner.py" in names
    assert {"evolve/agents/prompts/extract.v1.md", "evolve/operators/prompt/reflector.v1.md"} <= set(names)
    assert "evolve/models/prices.toml" in names
    assert not [name for name in names if "__pycache__" in name or name.startswith(("tests", "runs", "bench"))]


def test_the_installed_command_runs_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    """The wheel is unpacked beside this environment's packages; the checkout is not on the path."""
    site, empty = tmp_path / "site", tmp_path / "empty"
    zipfile.ZipFile(wheel).extractall(site)
    empty.mkdir()
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "EVOLVE_RUNS")}
    environment["PYTHONPATH"] = str(site)
    command = [sys.executable, "-P", "-m", "evolve", "score", "bm25", "chronicle", "--set", "sandbox.kind=process"]
    command += ["--set", "task_options.lives=2", "--set", "task_options.sessions=16"]
    done = subprocess.run(command, cwd=empty, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert "bm25" in done.stdout
    where = [sys.executable, "-P", "-c", "import evolve.paths as p; print(p.seeds_dir())"]
    found = subprocess.run(where, cwd=empty, env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == str(site / "evolve" / "_seeds")


def test_importing_evolve_does_nothing(tmp_path: Path) -> None:
    code = f"""
import socket, sys
def refuse(*a, **k): raise AssertionError("a socket was opened")
socket.socket.__init__ = refuse
import evolve
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-B", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""
    assert not list(tmp_path.iterdir())


def test_the_python_interface_is_on_the_package() -> None:
    code = "import evolve; print(evolve.run.__module__, evolve.open.__module__, evolve.Run.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["evolve.session", "evolve.session", "Run"]
