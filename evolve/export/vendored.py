"""What an export copies of evolve: the runtime of a memory and all that it imports, under the package's own name.

`evolve.harness.X` becomes `PACKAGE.X`, any other `evolve.Y` becomes `PACKAGE._evolve.Y`, the toolkit is the file that
runs in the sandbox, byte for byte, and nothing of evolve is imported any more.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from evolve.paths import PACKAGE, sandboxes_dir

ROOT, HARNESS, KIT = "evolve", "evolve.harness", "evolve.harness.kit"
OTHERS, TOOLKIT = "_evolve", "_toolkit"
"""Where an export has what is not the harness's own, and the toolkit."""
_KIT = '''"""The toolkit that programs are given: the file that ran in the sandbox, so that reads are those measured."""

from __future__ import annotations

from typing import Any

from {package} import {toolkit}

Toolkit: Any = {toolkit}.Toolkit
'''
_OTHERS = (
    '"""What the memory uses of evolve, the search that found its program: copies, which import nothing of evolve."""\n'
)


def vendored(package: str) -> dict[str, bytes]:
    """Return the files of an export's package that do not depend on the program, by their path below the package."""
    files = {f"{OTHERS}/__init__.py": _OTHERS.encode()}
    files["kit.py"] = _KIT.format(package=package, toolkit=TOOLKIT).encode()
    files[f"{TOOLKIT}.py"] = (sandboxes_dir() / "toolkit.py").read_bytes()
    for path in modules().values():
        files[_place(path)] = renamed(path.read_text(encoding="utf-8"), package).encode()
        if path.name == "__init__.py":
            files |= {_place(beside): beside.read_bytes() for beside in sorted(path.parent.glob("*.md"))}
    return dict(sorted(files.items()))


def renamed(source: str, package: str) -> str:
    """Return a module's text, docstrings included, with every module that is copied called by its new name."""
    source = re.sub(rf"\b{re.escape(HARNESS)}\b", package, source)
    return re.sub(rf"\b{ROOT}\.(?=({'|'.join(sorted(_tops()))})\b)", f"{package}.{OTHERS}.", source)


@cache
def modules() -> dict[str, Path]:
    """Return every module of evolve that is copied, by name: the harness's but one, and what these import."""
    found: dict[str, Path] = {}
    left = [f"{HARNESS}.{path.stem}" for path in sorted((PACKAGE / "harness").glob("*.py")) if path.stem != "__init__"]
    while left:
        name = left.pop()
        path = _path(name)
        if name in (ROOT, HARNESS, KIT) or name in found or path is None:
            continue
        found[name] = path
        left.append(name.rpartition(".")[0])
        left.extend(_imported(ast.parse(path.read_text(encoding="utf-8"))))
    return dict(sorted(found.items()))


def _tops() -> set[str]:
    return {name.split(".")[1] for name in modules()} - {"harness"}


def _imported(tree: ast.Module) -> Iterator[str]:
    """Yield the names that may be modules of evolve, wherever they are imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _path(name: str) -> Path | None:
    """Return a module's file; None for what is no module of evolve."""
    top, *rest = name.split(".")
    if top != ROOT:
        return None
    folder = PACKAGE.joinpath(*rest)
    places = (folder.with_suffix(".py"), folder / "__init__.py") if rest else (folder / "__init__.py",)
    return next((place for place in places if place.is_file()), None)


def _place(path: Path) -> str:
    inside = path.relative_to(PACKAGE)
    return (inside.relative_to("harness") if inside.parts[0] == "harness" else Path(OTHERS) / inside).as_posix()
