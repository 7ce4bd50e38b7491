"""Reads `TUNABLES`: which module constants the `tune` operator may rewrite, and within what."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from types import EllipsisType
from typing import TypeGuard

from evolve.errors import ProgramError
from evolve.program.syntax import Binding, constant, literal_text, literal_value, quoted
from evolve.types import Scalar, Tunable

_FORM = 'a dict literal like {"K": (1, 10), "MODE": ["a", "b"]}'
_RANGE_OR_CHOICES = "(low, high) with two numbers, or a list of two or more numbers, strings, bools or None"


def read_tunables(bound: Mapping[str, tuple[Binding, ...]]) -> tuple[Tunable, ...]:
    """Return the tunables in the order in which `TUNABLES` lists them; none where the program has no `TUNABLES`.

    Raises:
        ProgramError: `TUNABLES` is malformed, or names something that is not a constant inside its range.
    """
    if "TUNABLES" not in bound:
        return ()
    table = constant("TUNABLES", bound).value
    if not isinstance(table, ast.Dict):
        assert table is not None
        raise ProgramError(line=table.lineno, found=f"TUNABLES = {quoted(table)}", expected=_FORM)
    found: dict[str, Tunable] = {}
    for key, value in zip(table.keys, table.values, strict=True):
        name = literal_text(key)
        if name is None:
            shown = f"**{quoted(value)}" if key is None else quoted(key)
            raise ProgramError(line=value.lineno, found=f"the key {shown} in TUNABLES", expected=_FORM)
        if name in found:
            expected = "every name once"
            raise ProgramError(line=value.lineno, found=f"{name} twice in TUNABLES", expected=expected)
        found[name] = _read_tunable(name, value, bound)
    return tuple(found.values())


def _read_tunable(name: str, allowed: ast.expr, bound: Mapping[str, tuple[Binding, ...]]) -> Tunable:
    line = allowed.lineno
    if name not in bound:
        expected = f"a module-level constant {name}, or no such entry"
        raise ProgramError(line=line, found=f"{name} in TUNABLES", expected=expected)
    value = _value(name, constant(name, bound))
    limits = _range(allowed)
    if limits is not None:
        low, high = limits
        tunable = Tunable(name=name, value=value, low=low, high=high)
        expected = f"a number with {low} <= {name} <= {high}"
        if isinstance(low, int) and isinstance(high, int):
            expected = f"a whole number with {low} <= {name} <= {high}"
    else:
        choices = _choices(name, allowed)
        tunable = Tunable(name=name, value=value, choices=choices)
        expected = f"one of {', '.join(map(repr, choices))}"
    if not fits(value, tunable):
        raise ProgramError(line=bound[name][0].line, found=f"{name} = {value!r}", expected=expected)
    return tunable


def _value(name: str, place: Binding) -> Scalar:
    assert place.value is not None
    alone = not isinstance(place.statement, ast.Assign) or len(place.statement.targets) == 1
    value = _scalar(place.value) if alone else ...
    if value is ...:
        expected = f"a number, a string, a bool or None, assigned to {name} alone"
        raise ProgramError(line=place.line, found=quoted(place.statement), expected=expected)
    return value


def _scalar(node: ast.expr) -> Scalar | EllipsisType:
    """Return the value of a literal; `...` where it is no scalar, because None is one."""
    try:
        value = literal_value(node)
    except ValueError:
        return ...
    return ... if isinstance(value, list | dict) else value


def _range(node: ast.expr) -> tuple[float | int, float | int] | None:
    """Return the two ends of a tuple; None where the node is not a tuple."""
    if not isinstance(node, ast.Tuple):
        return None
    ends = [value for value in map(_scalar, node.elts) if _is_number(value)]
    if len(node.elts) != 2 or len(ends) != 2:
        raise ProgramError(line=node.lineno, found=quoted(node), expected=_RANGE_OR_CHOICES)
    low, high = ends
    if not low < high:
        raise ProgramError(line=node.lineno, found=f"the range {quoted(node)}", expected="low < high")
    return low, high


def _choices(name: str, node: ast.expr) -> tuple[Scalar, ...]:
    values = [_scalar(part) for part in node.elts] if isinstance(node, ast.List) else []
    choices = tuple(value for value in values if value is not ...)
    if len(choices) != len(values) or len({repr(choice) for choice in choices}) < 2:
        found = f"{quoted(node)} for {name} in TUNABLES"
        raise ProgramError(line=node.lineno, found=found, expected=_RANGE_OR_CHOICES)
    return choices


def fits(value: Scalar, tunable: Tunable) -> bool:
    """Tell whether a value is inside the tunable's range or among its choices. True and 1 are two values here."""
    if tunable.choices:
        return any(repr(value) == repr(choice) for choice in tunable.choices)
    low, high = tunable.low, tunable.high
    if low is None or high is None or not _is_number(value):
        return False
    whole = isinstance(low, int) and isinstance(high, int)
    return low <= value <= high and (isinstance(value, int) or not whole)


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
