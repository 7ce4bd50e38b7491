"""Reads the fields of `KnowledgeItem` and `Query` off their dataclass definitions."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Literal

from evolve.errors import ProgramError
from evolve.program.syntax import Binding, literal_text, quoted
from evolve.types import Field, Schema

_SCALARS = ("str", "int", "float", "bool")
_TYPES = "one of str, int, float, bool, list[str], dict[str, str], or one of these in Optional[...]"


def read_schema(
    definition: ast.ClassDef, name: Literal["KnowledgeItem", "Query"], *, bound: Mapping[str, tuple[Binding, ...]]
) -> Schema:
    """Return the fields that the task agent fills.

    Raises:
        ProgramError: it is not a plain dataclass, or a field's type is not JSON-compatible.
    """
    keyword_only = _check_dataclass(definition)
    fields: dict[str, Field] = {}
    for statement in definition.body:
        _refuse_untyped(statement)
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        if _head(statement.annotation) == "ClassVar":
            continue
        field = _read_field(statement, statement.target.id, bound)
        line = statement.lineno
        if field.name in fields:
            found = f"a second field {field.name} in {name}"
            raise ProgramError(line=line, found=found, expected="every field once")
        if field.required and not keyword_only and not all(other.required for other in fields.values()):
            found = f"the field {field.name} without a default after fields with one"
            raise ProgramError(line=line, found=found, expected="fields without defaults first")
        fields[field.name] = field
    return Schema(name=name, fields=tuple(fields.values()))


def _check_dataclass(definition: ast.ClassDef) -> bool:
    """Refuse what is not a plain dataclass; return whether its fields are keyword-only."""
    bases = [base for base in definition.bases if quoted(base) != "object"]
    if bases or definition.keywords:
        found = f"{definition.name} that inherits from {', '.join(map(quoted, bases)) or 'a metaclass'}"
        raise ProgramError(line=definition.lineno, found=found, expected="a dataclass that shows all its fields itself")
    for decorator in definition.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        if _head(call.func if call else decorator) == "dataclass":
            keywords = call.keywords if call else []
            return any(word.arg == "kw_only" and quoted(word.value) == "True" for word in keywords)
    found = f"{definition.name} without @dataclass"
    raise ProgramError(line=definition.lineno, found=found, expected=f"@dataclass above class {definition.name}")


def _refuse_untyped(statement: ast.stmt) -> None:
    """Refuse `name = field(...)`: without an annotation a dataclass does not see the field."""
    if isinstance(statement, ast.Assign) and _is_field_call(statement.value):
        found = f"{quoted(statement.targets[0])} without a type"
        raise ProgramError(line=statement.lineno, found=found, expected=f"a type, {_TYPES}")


def _read_field(statement: ast.AnnAssign, name: str, bound: Mapping[str, tuple[Binding, ...]]) -> Field:
    kind = type_name(statement.annotation)
    if kind is None or kind == "None":
        found = f"the field {name} of type {quoted(statement.annotation)}"
        raise ProgramError(line=statement.lineno, found=found, expected=_TYPES)
    value = statement.value
    if isinstance(value, ast.List | ast.Dict | ast.Set):
        found = f"the mutable default {quoted(value)} of the field {name}"
        factory = type(value).__name__.lower()
        raise ProgramError(line=statement.lineno, found=found, expected=f"field(default_factory={factory})")
    if not _is_field_call(value):
        return Field(name=name, type=kind, description="", required=value is None)
    assert isinstance(value, ast.Call)
    given = {word.arg: word.value for word in value.keywords}
    required = not {"default", "default_factory"} & given.keys()
    return Field(name=name, type=kind, description=_description(given.get("metadata"), bound), required=required)


def _description(metadata: ast.expr | None, bound: Mapping[str, tuple[Binding, ...]]) -> str:
    """Return `metadata["description"]`; "" where there is none, since some published programs lack it."""
    if metadata is None:
        return ""
    expected = 'metadata={"description": "..."} with a string literal'
    if not isinstance(metadata, ast.Dict):
        raise ProgramError(line=metadata.lineno, found=f"metadata={quoted(metadata)}", expected=expected)
    for key, value in zip(metadata.keys, metadata.values, strict=True):
        if literal_text(key) != "description":
            continue
        places = bound.get(value.id, ()) if isinstance(value, ast.Name) else ()
        text = literal_text(places[0].value if len(places) == 1 else value)
        if text is None:
            raise ProgramError(line=value.lineno, found=f"the description {quoted(value)}", expected=expected)
        return text
    return ""


def _is_field_call(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Call) and _head(node.func) == "field"


def type_name(node: ast.expr) -> str | None:
    """Return an annotation in the spelling of `evolve.types.Field.type`; None where the contract has no such type."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return type_name(ast.parse(node.value.strip(), mode="eval").body)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    if isinstance(node, ast.Constant) and node.value is None:
        return "None"
    if isinstance(node, ast.Name) and node.id in _SCALARS:
        return node.id
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union([type_name(node.left), type_name(node.right)])
    if not isinstance(node, ast.Subscript):
        return None
    arguments = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    inner = [type_name(argument) for argument in arguments]
    match _head(node.value):
        case "list" | "List":
            return "list[str]" if inner == ["str"] else None
        case "dict" | "Dict":
            return "dict[str, str]" if inner == ["str", "str"] else None
        case "Optional":
            return _union([*inner, "None"]) if len(inner) == 1 else None
        case "Union":
            return _union(inner)
    return None


def _union(members: list[str | None]) -> str | None:
    """Return the one type in a union with None, as "Optional[...]"."""
    plain: set[str] = set()
    optional = False
    for member in members:
        if member is None:
            return None
        optional = optional or member == "None" or member.startswith("Optional[")
        if member != "None":
            plain.add(member.removeprefix("Optional[").removesuffix("]") if member.startswith("Optional[") else member)
    if len(plain) != 1:
        return None
    only = plain.pop()
    return f"Optional[{only}]" if optional else only


def _head(node: ast.expr) -> str:
    """Return the last name of a dotted name: "Optional" of `typing.Optional`; of a subscript, that of its value."""
    if isinstance(node, ast.Subscript):
        return _head(node.value)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
