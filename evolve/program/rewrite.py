"""Writes new values into module constants and leaves every other character of the source as it was."""

from __future__ import annotations

import ast
import io
from collections.abc import Mapping

from evolve.errors import ConfigError, ProgramError
from evolve.program.syntax import Binding, bindings, constant, is_json, literal_value, quoted, syntax_tree
from evolve.types import JSON


def rewrite_constants(source: str, values: Mapping[str, JSON]) -> str:
    """Return the source with the named module-level constants set to new values.

    Only the characters of a value that changes are replaced: comments and formatting stay, and rewriting to the
    current values gives the source back. Whether a value is inside its range in `TUNABLES` is for `parse` to say.

    Raises:
        ProgramError: a name is not a constant that is assigned exactly once, at module level, to a literal.
        ConfigError: a value is not JSON.
    """
    bound = bindings(syntax_tree(source))
    lines = _lines(source)
    spans: list[tuple[int, int, str]] = []
    for name, value in values.items():
        if not is_json(value):
            raise ConfigError(f"cannot write {name} = {value!r}: give a finite number, a string, a bool or a list.")
        place = constant(name, bound)
        if repr(_current(name, place)) != repr(value):
            assert place.value is not None
            spans.append((*_span(place.value, lines), literal_source(value)))
    for start, end, text in sorted(spans, reverse=True):
        source = source[:start] + text + source[end:]
    return source


def _current(name: str, place: Binding) -> JSON:
    assert place.value is not None
    try:
        return literal_value(place.value)
    except ValueError:
        expected = f"{name} assigned exactly once, at module level, to a literal"
        raise ProgramError(line=place.line, found=f"{name} = {quoted(place.value)}", expected=expected) from None


def _lines(source: str) -> list[tuple[int, str]]:
    """Return the offset and the text of every line, split where Python splits (not at form feeds, as `str` does)."""
    lines: list[tuple[int, str]] = []
    offset = 0
    for line in io.StringIO(source, newline=""):
        lines.append((offset, line))
        offset += len(line)
    return lines


def _span(node: ast.expr, lines: list[tuple[int, str]]) -> tuple[int, int]:
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return _offset(lines[node.lineno - 1], node.col_offset), _offset(lines[node.end_lineno - 1], node.end_col_offset)


def _offset(line: tuple[int, str], column: int) -> int:
    """Return a position in the source; the tree counts columns in bytes of UTF-8."""
    start, text = line
    return start + len(text.encode("utf-8")[:column].decode("utf-8"))


def with_docstring(source: str, docstring: str) -> str:
    """Return the source with another module docstring, put on top where it had none."""
    text = docstring.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    literal = f'"""{text}\n"""'
    tree = syntax_tree(source)
    if ast.get_docstring(tree) is None:
        return f"{literal}\n\n{source}"
    node = tree.body[0]
    assert isinstance(node, ast.Expr)
    start, end = _span(node.value, _lines(source))
    return source[:start] + literal + source[end:]


def literal_source(value: JSON) -> str:
    """Return a JSON value as Python source, strings in double quotes where that needs no escape."""
    if isinstance(value, list):
        return f"[{', '.join(map(literal_source, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal_source(key)}: {literal_source(part)}" for key, part in value.items()) + "}"
    text = repr(value)
    if isinstance(value, str) and text[0] == "'" and '"' not in value:
        return f'"{text[1:-1]}"'
    return text
