"""A program's text as a syntax tree, and what can be read off the tree without running anything."""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from evolve.errors import ProgramError
from evolve.types import JSON

MAX_BYTES = 200_000
"""Longest source that is read, in bytes of UTF-8."""
MAX_DEPTH = 100
"""Deepest nesting of syntax that is read: about four times what people write, and safe for every recursive visitor."""
_PYTHON = (3, 11)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True, slots=True)
class Binding:
    """One place where a module-level name gets a value."""

    line: int
    value: ast.expr | None
    """The assigned expression of a plain `NAME = value` in the module's body; None for every other kind of binding."""
    statement: ast.stmt


def syntax_tree(source: str, *, name: str = "program") -> ast.Module:
    """Return the tree of a source that compiles; `compile` finds what the grammar cannot, and runs nothing.

    Raises:
        ProgramError: the source is too long, too deeply nested, or not Python 3.11.
    """
    _refuse_unreadable(source, name)
    try:
        with warnings.catch_warnings():  # an escape like "\d" in a program is not a matter for our stderr
            warnings.simplefilter("ignore")
            tree = ast.parse(source, feature_version=_PYTHON)
            line = _line_too_deep(tree)
            if line is None:
                compile(tree, name, "exec", dont_inherit=True)
                return tree
    except SyntaxError as error:
        found = f"a syntax error ({error.msg})"
        raise ProgramError(line=error.lineno or None, found=found, expected="valid Python 3.11", name=name) from None
    except (RecursionError, MemoryError):
        line = None
    expected = f"at most {MAX_DEPTH} levels; break it into functions"
    raise ProgramError(line=line, found="code nested too deeply", expected=expected, name=name)


def _refuse_unreadable(source: str, name: str) -> None:
    try:
        size = len(source.encode("utf-8"))
    except UnicodeEncodeError as error:
        line = source.count("\n", 0, error.start) + 1
        found = f"the half character {source[error.start]!a}"
        raise ProgramError(line=line, found=found, expected="text that can be encoded as UTF-8", name=name) from None
    if size > MAX_BYTES:
        expected = f"at most {MAX_BYTES} bytes"
        raise ProgramError(line=None, found=f"a source of {size} bytes", expected=expected, name=name)
    if "\0" in source:
        line = source.count("\n", 0, source.index("\0")) + 1
        raise ProgramError(line=line, found="a null byte", expected="text without null bytes", name=name)


def _line_too_deep(tree: ast.Module) -> int | None:
    """Return the line of a node below `MAX_DEPTH`. Iterative, since recursion is what it guards against."""
    stack: list[tuple[ast.AST, int, int]] = [(tree, 0, 1)]
    while stack:
        node, depth, above = stack.pop()
        line = getattr(node, "lineno", above)
        if depth > MAX_DEPTH:
            return int(line)
        stack.extend((child, depth + 1, line) for child in ast.iter_child_nodes(node))
    return None


def bindings(tree: ast.Module) -> dict[str, tuple[Binding, ...]]:
    """Return every module-level name with all its bindings, in order; `global NAME` in a function counts as one."""
    found: dict[str, list[Binding]] = {}
    for statement in tree.body:
        for name, line, value in _bound(statement):
            found.setdefault(name, []).append(Binding(line, value, statement))
        for node in ast.walk(statement):
            if isinstance(node, ast.Global):
                for name in node.names:
                    found.setdefault(name, []).append(Binding(node.lineno, None, statement))
    return {name: tuple(places) for name, places in found.items()}


def _bound(statement: ast.stmt) -> Iterator[tuple[str, int, ast.expr | None]]:
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        if statement.value is not None:
            yield statement.target.id, statement.lineno, statement.value
            yield from ((name, line, None) for name, line in names_bound(statement.value))
    elif isinstance(statement, ast.Assign) and all(isinstance(target, ast.Name) for target in statement.targets):
        for target in statement.targets:
            assert isinstance(target, ast.Name)
            yield target.id, statement.lineno, statement.value
        yield from ((name, line, None) for name, line in names_bound(statement.value))
    else:
        for name, line in names_bound(statement):
            yield name, line, None


def names_bound(node: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield the names that running this node in a scope binds in that same scope."""
    line = getattr(node, "lineno", 0)
    if isinstance(node, _DEFINITIONS):
        yield node.name, line
        return
    if isinstance(node, ast.Lambda):
        return
    if isinstance(node, _COMPREHENSIONS):
        inner = (part for part in ast.walk(node) if isinstance(part, ast.NamedExpr))
        yield from ((part.target.id, part.lineno) for part in inner)
        return
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id, line
    elif isinstance(node, ast.alias):
        yield (node.asname or node.name.partition(".")[0]), line
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
        yield node.name, line
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest, line
    for child in ast.iter_child_nodes(node):
        yield from names_bound(child)


def literal_text(node: ast.AST | None) -> str | None:
    """Return the value of a string literal, also of one joined by "+" or written as an f-string without fields."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = literal_text(node.left), literal_text(node.right)
        return None if left is None or right is None else left + right
    if isinstance(node, ast.JoinedStr):
        parts = [literal_text(part) for part in node.values]
        return None if None in parts else "".join(part for part in parts if part is not None)
    return None


def literal_value(node: ast.expr) -> JSON:
    """Return the value of a JSON-compatible literal.

    Raises:
        ValueError: it is not a literal, or JSON has no such value (a tuple, a set, bytes, infinity).
    """
    text = literal_text(node)
    if text is not None:
        return text
    try:
        value: JSON = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        raise ValueError("not a literal") from None
    if not is_json(value):
        raise ValueError("not a JSON value")
    return value


def is_json(value: object) -> bool:
    """Tell whether a value survives a JSON round trip unchanged."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list):
        return all(is_json(part) for part in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_json(part) for key, part in value.items())
    return value is None or isinstance(value, bool | int | str)


def quoted(node: ast.AST, *, limit: int = 60) -> str:
    """Return a node's source on one line, cut to `limit` characters: for messages."""
    return shortened(ast.unparse(node), limit=limit)


def shortened(text: str, *, limit: int) -> str:
    """Return a text on one line, cut to `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


def constant(name: str, bound: Mapping[str, tuple[Binding, ...]]) -> Binding:
    """Return the one binding of a module-level constant.

    Raises:
        ProgramError: the name is missing, bound more than once, or bound by something other than `NAME = value`.
    """
    expected = f"{name} assigned exactly once, at module level, to a literal"
    places = bound.get(name, ())
    if not places:
        raise ProgramError(line=None, found=f"no {name}", expected=expected)
    if len(places) > 1:
        raise ProgramError(line=places[1].line, found=f"a second assignment of {name}", expected=expected)
    if places[0].value is None:
        raise ProgramError(line=places[0].line, found=f"{name} that is not a constant", expected=expected)
    return places[0]
