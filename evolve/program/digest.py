"""A program's identity: equal where two sources differ only in formatting, comments and docstrings."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable

from evolve.program.syntax import syntax_tree

_WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def digest(source: str) -> str:
    """Return the sha256 of what the program means, hexadecimal; the same on Python 3.11, 3.12 and 3.13.

    Raises:
        ProgramError: the source is not Python.
    """
    return tree_digest(syntax_tree(source))


def tree_digest(tree: ast.Module) -> str:
    """Return the digest of a tree that has already been made."""
    return hashlib.sha256(canonical(tree).encode("ascii")).hexdigest()


def canonical(value: object) -> str:
    """Return a text of a node, list or leaf that is equal exactly where the meaning is.

    `ast.dump` will not do: 3.12 added `type_params` to definitions and 3.13 leaves empty lists out, so one program
    would have three digests. Here fields are sorted by name and left out when empty, in every version. Strings are
    written in ASCII, because what `repr` escapes follows the version's Unicode tables, and integers in base 16, because
    the decimal form of a very long one is refused.
    """
    if isinstance(value, ast.Constant):
        return f"Constant({_leaf(value.value)})"
    if isinstance(value, ast.JoinedStr):
        return f"JoinedStr[{','.join(map(canonical, _merged(value.values)))}]"
    if isinstance(value, ast.AST):
        fields = sorted((name, _without_docstring(value, name, part)) for name, part in _filled(value))
        return f"{type(value).__name__}({','.join(f'{name}={text}' for name, text in fields)})"
    if isinstance(value, list):
        return f"[{','.join(map(canonical, value))}]"
    return _leaf(value)


def _filled(node: ast.AST) -> Iterable[tuple[str, object]]:
    return ((name, part) for name, part in ast.iter_fields(node) if part is not None and part != [])


def _without_docstring(node: ast.AST, name: str, part: object) -> str:
    if name == "body" and isinstance(node, _WITH_DOCSTRING) and ast.get_docstring(node, clean=False) is not None:
        return canonical(node.body[1:])
    return canonical(part)


def _merged(parts: list[ast.expr]) -> list[ast.expr]:
    """Join neighbouring constants of an f-string and drop empty ones: versions split them at different places."""
    merged: list[ast.expr] = []
    for part in parts:
        if isinstance(part, ast.Constant) and merged and isinstance(merged[-1], ast.Constant):
            merged[-1] = ast.Constant(str(merged[-1].value) + str(part.value))
        elif not isinstance(part, ast.Constant) or part.value != "":
            merged.append(part)
    return merged


def _leaf(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"int:{value:x}"
    return f"{type(value).__name__}:{value!a}"
