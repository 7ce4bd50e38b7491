"""What changed between two programs: line by line for reading, and by name for a note of one line."""

from __future__ import annotations

import ast
import difflib
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from evolve.program.digest import canonical
from evolve.program.syntax import quoted, shortened, syntax_tree

NOTE_CHARS = 120
"""Longest note that `StructuralDiff.describe` returns."""
_VALUE_CHARS = 24


def unified_diff(old: str, new: str, *, old_name: str, new_name: str) -> str:
    """Return the difference in the format of `diff -u` and `git apply`; "" for equal texts."""
    lines: list[str] = []
    for line in difflib.unified_diff(_lines(old), _lines(new), old_name, new_name):
        lines.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(lines)


def _lines(text: str) -> list[str]:
    """Split at line feeds only, as git does; `str.splitlines` also splits inside string literals."""
    return list(io.StringIO(text, newline="\n"))


@dataclass(frozen=True, slots=True)
class StructuralDiff:
    """The parts of a program that differ, named as a person would: "KnowledgeBase.read()", "Query.text", "K1"."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    """In the order of the new program; `removed` in that of the old one."""
    values: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Old and new value, as source, of every changed constant."""

    def __str__(self) -> str:
        return self.describe()

    def describe(self) -> str:
        """Return one line of at most `NOTE_CHARS` characters, such as "changed K1: 5 -> 8; added helper()"."""
        parts = [("changed", self._valued(name)) for name in sorted(self.changed, key=self._weight)]
        parts += [("added", name) for name in sorted(self.added, key=self._weight)]
        parts += [("removed", name) for name in sorted(self.removed, key=self._weight)]
        if not parts:
            return "only order, comments or formatting changed"
        parts = [(verb, shortened(name, limit=NOTE_CHARS - 30)) for verb, name in parts]
        count = len(parts)
        while count > 1 and len(_sentence(parts, count)) > NOTE_CHARS:
            count -= 1
        return _sentence(parts, count)

    def _weight(self, name: str) -> int:
        """Return a place in the note: values, logic, fields, texts, and last what follows from the others."""
        if name == "TUNABLES" or name.startswith(("import ", "from ")):
            return 4
        if ":" in self._valued(name):
            return 0
        if name.endswith("()"):
            return 1
        return 2 if "." in name or name.startswith("class ") else 3

    def _valued(self, name: str) -> str:
        """Return the name, with both values where they are short enough to be read."""
        old, new = self.values.get(name, ("", ""))
        readable = name in self.values and max(len(old), len(new)) <= _VALUE_CHARS
        return f"{name}: {old} -> {new}" if readable else name


def _sentence(parts: list[tuple[str, str]], count: int) -> str:
    """Join the first `count` parts, grouped by verb, and say how many are left out."""
    verbs = dict.fromkeys(verb for verb, _ in parts[:count])
    groups = [f"{verb} {', '.join(name for other, name in parts[:count] if other == verb)}" for verb in verbs]
    rest = f" and {len(parts) - count} more" if count < len(parts) else ""
    return "; ".join(groups) + rest


def structural_diff(old: str, new: str) -> StructuralDiff:
    """Compare two programs by their parts; comments, formatting and docstrings do not count.

    Raises:
        ProgramError: one of them is not Python.
    """
    before, after = _parts(syntax_tree(old)), _parts(syntax_tree(new))
    changed = [name for name in after if name in before and _meaning(before[name]) != _meaning(after[name])]
    values = {}
    for name in changed:
        pair = _value(before[name]), _value(after[name])
        if pair[0] is not None and pair[1] is not None:
            values[name] = (pair[0], pair[1])
    return StructuralDiff(
        added=_missing(after, before),
        removed=_missing(before, after),
        changed=tuple(changed),
        values=values,
    )


def _missing(parts: Iterable[str], other: Mapping[str, object]) -> tuple[str, ...]:
    """Return the parts that `other` lacks; of a class that it lacks altogether, the class alone."""
    missing = [name for name in parts if name not in other]
    return tuple(name for name in missing if f"class {name.partition('.')[0]}" not in missing or "." not in name)


def _parts(tree: ast.Module) -> dict[str, list[ast.AST]]:
    """Return the parts by name: a class is its header and, apart from that, each of its members."""
    parts: dict[str, list[ast.AST]] = {}
    for statement in _code(tree):
        for name, node in _named(statement):
            parts.setdefault(name, []).append(node)
    return parts


def _code(node: ast.Module | ast.ClassDef) -> list[ast.stmt]:
    return node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body


def _named(statement: ast.stmt) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(statement, ast.ClassDef):
        header = ast.ClassDef(statement.name, statement.bases, statement.keywords, [], statement.decorator_list)
        yield f"class {statement.name}", header
        for member in _code(statement):
            yield from ((f"{statement.name}.{name}", node) for name, node in _simple(member))
    else:
        yield from _simple(statement)


def _simple(statement: ast.stmt) -> Iterable[tuple[str, ast.AST]]:
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return [(f"{statement.name}()", statement)]
        case ast.ClassDef():
            return [(f"class {statement.name}", statement)]
        case ast.Assign():
            return [(quoted(target), statement) for target in statement.targets]
        case ast.AnnAssign():
            return [(quoted(statement.target), statement)]
        case ast.Import():
            return [(f"import {quoted(alias)}", alias) for alias in statement.names]
        case ast.ImportFrom():
            module = "." * statement.level + (statement.module or "")
            return [(f"from {module} import {quoted(alias)}", alias) for alias in statement.names]
        case ast.Pass():
            return []
    return [(quoted(statement), statement)]


def _meaning(nodes: list[ast.AST]) -> str:
    return canonical(list(nodes))


def _value(nodes: list[ast.AST]) -> str | None:
    """Return the source of a constant's value; None for everything else."""
    if len(nodes) == 1 and isinstance(nodes[0], ast.Assign | ast.AnnAssign) and nodes[0].value is not None:
        return ast.unparse(nodes[0].value)
    return None
