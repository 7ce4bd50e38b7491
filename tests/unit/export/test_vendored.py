"""An export carries what it needs of evolve, and asks evolve for nothing."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from evolve.export.vendored import modules, renamed, vendored
from evolve.paths import PACKAGE, sandboxes_dir

HEAVY = (
    "pydantic",
    "numpy",
    "chromadb",
    "wordllama",
    "openai",
    "anthropic",
    "mcp",
    "anyio",
    "langchain_core",
    "json_repair",
)


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return vendored("some_memory")


def test_nothing_of_evolve_is_imported(files: dict[str, bytes]) -> None:
    for path, content in files.items():
        if path.endswith(".py"):
            for node in ast.walk(ast.parse(content, path)):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                assert not [name for name in names if name.partition(".")[0] == "evolve"], path
    text = b"".join(files.values()).decode()
    assert not re.search(r"^\s*(from|import) evolve\b", text, re.MULTILINE)


def test_every_module_that_is_imported_is_there(files: dict[str, bytes]) -> None:
    for path, content in files.items():
        for node in ast.walk(ast.parse(content)) if path.endswith(".py") else ():
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("some_memory"):
                below = "/".join((node.module or "").split(".")[1:])
                alone = [f"{below}/{alias.name}.py".removeprefix("/") for alias in node.names]
                held = {f"{below}.py", f"{below}/__init__.py"} & files.keys() or set(alone) <= files.keys()
                assert held, f"{path}, line {node.lineno}"


def test_the_toolkit_is_the_sandboxs_byte_for_byte(files: dict[str, bytes]) -> None:
    assert files["_toolkit.py"] == (sandboxes_dir() / "toolkit.py").read_bytes()
    assert b"sandboxes_dir" not in files["kit.py"]


def test_the_prompts_are_there(files: dict[str, bytes]) -> None:
    prompts = sorted((PACKAGE / "agents" / "prompts").glob("*.md"))
    assert len(prompts) >= 4
    for prompt in prompts:
        assert files[f"_evolve/agents/prompts/{prompt.name}"] == prompt.read_bytes()


def test_all_of_the_harness_is_there_and_no_more_of_evolve_than_it_needs(files: dict[str, bytes]) -> None:
    own = {path.name for path in (PACKAGE / "harness").glob("*.py")} - {"__init__.py"}
    assert own <= files.keys()
    assert {"evolve.types", "evolve.agents.llm", "evolve.models.replies"} <= modules().keys()
    assert not {"evolve.config", "evolve.models.sdk", "evolve.models.broker", "evolve.paths"} & modules().keys()


def test_modules_are_renamed_wherever_they_are_named() -> None:
    source = '"""See `evolve.harness.tools`, `evolve.types` and `evolve.program.parse`; `evolve export` made it."""\n'
    source += "from evolve.harness import rows\nfrom evolve.agents.llm import LLMAgent\nimport evolve_other\n"
    assert renamed(source, "mine") == (
        '"""See `mine.tools`, `mine._evolve.types` and `evolve.program.parse`; `evolve export` made it."""\n'
        "from mine import rows\nfrom mine._evolve.agents.llm import LLMAgent\nimport evolve_other\n"
    )


def test_every_module_can_be_imported_where_there_is_no_evolve(files: dict[str, bytes], tmp_path: Path) -> None:
    for path, content in files.items():
        (tmp_path / "some_memory" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "some_memory" / path).write_bytes(content)
    (tmp_path / "some_memory" / "__init__.py").touch()
    late = {"mcp.py", "langgraph.py"}
    names = [path[:-3].replace("/", ".").removesuffix(".__init__") for path in files if path.endswith(".py")]
    light = [f"some_memory.{name}" for name in names if f"{name}.py" not in late]
    code = f"""
import importlib, sys
sys.modules["evolve"] = None
sys.path.insert(0, {str(tmp_path)!r})
for name in {light!r}: importlib.import_module(name)
print([name for name in {HEAVY!r} if name in sys.modules])
for name in ("mcp", "langgraph"): importlib.import_module(f"some_memory.{{name}}")
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]", "nothing heavy is loaded before it is needed"
