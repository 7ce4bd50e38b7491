"""Checks a source against the memory program contract (version 1) and reads what the rest of evolve needs from it.

The check exists for good errors, early and for free. It is not the security boundary: the sandbox is.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from evolve.errors import ConfigError, ProgramError
from evolve.program.digest import tree_digest
from evolve.program.schema import read_schema
from evolve.program.syntax import Binding, bindings, constant, literal_text, quoted, syntax_tree
from evolve.program.tunables import read_tunables
from evolve.types import Program, Schema

INSTRUCTIONS = ("INSTRUCTION_KNOWLEDGE_ITEM", "INSTRUCTION_QUERY", "INSTRUCTION_RESPONSE", "ALWAYS_ON_KNOWLEDGE")
"""The string constants that every program has."""
METHODS: Mapping[str, tuple[str, ...]] = {
    "__init__": ("self", "toolkit"),
    "write": ("self", "item", "raw_text"),
    "read": ("self", "query"),
}
"""The methods of `KnowledgeBase` with the arguments they are called with, all by position."""
_IMPORTS = """
__future__ abc array ast base64 bisect calendar chromadb cmath collections contextlib copy csv dataclasses datetime
decimal difflib enum fractions functools graphlib hashlib heapq html io itertools json math numbers numpy operator
pprint random re sqlite3 statistics string struct textwrap time types typing unicodedata uuid zlib zoneinfo
"""
IMPORTS = frozenset(_IMPORTS.split())
"""Modules for text, data and mathematics; nothing that reaches files, processes, threads, the network or the
interpreter."""
_CLASSES = ("KnowledgeItem", "Query", "KnowledgeBase")


def load(path: Path) -> Program:
    """Read and check a program file; errors carry the file's name.

    Raises:
        ConfigError: the file cannot be read, or is not UTF-8.
        ProgramError: the program breaks the contract.
    """
    try:
        source = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 at byte {error.start}: save it as UTF-8 text.") from None
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise ConfigError(f"cannot read the program {path} ({reason}): give the path of a readable .py file.") from None
    return parse(source, name=path.name)


def parse(source: str, *, name: str = "program") -> Program:
    """Check a source and return the program; `name` is what errors call it.

    Raises:
        ProgramError: the program breaks the contract.
    """
    try:
        return _checked(source)
    except ProgramError as error:
        raise ProgramError(line=error.line, found=error.found, expected=error.expected, name=name) from None


def _checked(source: str) -> Program:
    tree = syntax_tree(source)
    _check_imports(tree)
    bound = bindings(tree)
    classes = {name: _class(name, bound) for name in _CLASSES}
    _check_knowledge_base(classes["KnowledgeBase"])
    return Program(
        source=source,
        digest=tree_digest(tree),
        item=_schema("KnowledgeItem", classes, bound),
        query=_schema("Query", classes, bound),
        instructions={name: _instruction(name, bound) for name in INSTRUCTIONS},
        tunables=read_tunables(bound),
        docstring=ast.get_docstring(tree) or "",
    )


def _schema(
    name: Literal["KnowledgeItem", "Query"],
    classes: Mapping[str, ast.ClassDef],
    bound: Mapping[str, tuple[Binding, ...]],
) -> Schema:
    return read_schema(classes[name], name, bound=bound)


def _check_imports(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = ["." * node.level + (node.module or "")]
            if node.names[0].name == "*":
                raise ProgramError(line=node.lineno, found=quoted(node), expected="the imported names one by one")
        else:
            continue
        for module in modules:
            if module.partition(".")[0] not in IMPORTS:
                expected = f"only {', '.join(sorted(IMPORTS))}"
                raise ProgramError(line=node.lineno, found=f"import of {module}", expected=expected)


def _class(name: str, bound: Mapping[str, tuple[Binding, ...]]) -> ast.ClassDef:
    expected = f"one class {name} at module level"
    places = bound.get(name, ())
    if not places:
        raise ProgramError(line=None, found=f"no class {name}", expected=expected)
    if len(places) > 1:
        raise ProgramError(line=places[1].line, found=f"a second definition of {name}", expected=expected)
    definition = places[0].statement
    if not isinstance(definition, ast.ClassDef) or definition.name != name:
        raise ProgramError(line=places[0].line, found=f"{name} that is not a class", expected=expected)
    return definition


def _instruction(name: str, bound: Mapping[str, tuple[Binding, ...]]) -> str:
    place = constant(name, bound)
    text = literal_text(place.value)
    if text is None:
        assert place.value is not None
        expected = f"{name} as a plain string literal, so that it can be read without running the program"
        raise ProgramError(line=place.line, found=quoted(place.value), expected=expected)
    return text


def _check_knowledge_base(definition: ast.ClassDef) -> None:
    methods: dict[str, ast.FunctionDef] = {}
    for statement in definition.body:
        if isinstance(statement, ast.AsyncFunctionDef):
            found = f"async def {statement.name} in KnowledgeBase"
            raise ProgramError(line=statement.lineno, found=found, expected=f"def {statement.name}")
        if isinstance(statement, ast.FunctionDef) and statement.name in METHODS:
            if statement.name in methods:
                found = f"a second KnowledgeBase.{statement.name}"
                raise ProgramError(line=statement.lineno, found=found, expected=f"one def {statement.name}")
            methods[statement.name] = statement
    for name, called in METHODS.items():
        form = f"def {name}({', '.join(called)}) in class KnowledgeBase"
        if name not in methods:
            raise ProgramError(line=definition.lineno, found=f"no KnowledgeBase.{name}", expected=form)
        _check_method(methods[name], len(called), form)


def _check_method(method: ast.FunctionDef, called: int, form: str) -> None:
    for decorator in method.decorator_list:
        if quoted(decorator) in ("staticmethod", "classmethod", "property"):
            raise ProgramError(line=method.lineno, found=f"@{quoted(decorator)} on {method.name}", expected=form)
    given = method.args
    positional = len(given.posonlyargs) + len(given.args)
    too_few = positional < called and given.vararg is None
    too_many = positional - len(given.defaults) > called
    if too_few or too_many or None in given.kw_defaults:
        found = f"def {method.name}({quoted(given)})"
        raise ProgramError(line=method.lineno, found=found, expected=f"{form}; further parameters need defaults")
    if _yields(method):
        found = f"yield in KnowledgeBase.{method.name}"
        raise ProgramError(line=method.lineno, found=found, expected=f"{form} that returns")


def _yields(method: ast.FunctionDef) -> bool:
    """Tell whether the method itself is a generator; functions inside it may be."""
    stack: list[ast.AST] = list(method.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            stack.extend(ast.iter_child_nodes(node))
    return False
