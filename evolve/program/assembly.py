"""Puts statements of two sources into one, comments included. Imported late, because libcst is slow to import."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import libcst as cst

from evolve.program.contract import INSTRUCTIONS
from evolve.program.layout import Import, Layout, Plan, Unit, read_unit
from evolve.program.syntax import bindings, literal_text, syntax_tree

Statement: TypeAlias = cst.SimpleStatementLine | cst.BaseCompoundStatement
_LINE_CHARS = 120
_FUTURE = "__future__"
_PACKAGES = ("chromadb", "numpy")


@dataclass(frozen=True, slots=True)
class _Piece:
    """A statement as text to write and as a unit to reason about."""

    unit: Unit
    node: Statement


def replace_values(base: str, donor: str, names: Collection[str]) -> str:
    """Return the base with the donor's expressions for some constants, each written as the donor wrote it."""
    module = _flat_module(base)
    values = {name: node.value for name, node in _assignments(_flat_module(donor).body) if name in names}
    body: list[Statement] = []
    for statement in module.body:
        for name, node in _assignments([statement]):
            if name in names:
                statement = statement.with_changes(body=[node.with_changes(value=values[name])])
        body.append(statement)
    return module.with_changes(body=body).code


def _assignments(body: Iterable[Statement]) -> list[tuple[str, cst.Assign | cst.AnnAssign]]:
    found: list[tuple[str, cst.Assign | cst.AnnAssign]] = []
    for statement in body:
        node = statement.body[0] if isinstance(statement, cst.SimpleStatementLine) else None
        if isinstance(node, cst.Assign):
            found += [(target.target.value, node) for target in node.targets if isinstance(target.target, cst.Name)]
        elif isinstance(node, cst.AnnAssign) and isinstance(node.target, cst.Name):
            found.append((node.target.value, node))
    return found


def assemble_read(base: tuple[str, Layout], donor: tuple[str, Layout], plan: Plan) -> str:
    """Return the base with the donor's read path in the place of its own, as the plan says."""
    module, other = _flat_module(base[0]), _flat_module(donor[0]).visit(_Reindented())
    ours, theirs = _pieces(base[1].units, module.body), _pieces(donor[1].units, other.body)
    ours = [other for piece in ours for other in _without_imports(piece, plan.gone.names)]
    moving = [piece for piece in theirs if piece.unit.binds & plan.moved.names]
    pieces, rest = _replaced(ours, plan.gone.names, moving)
    at = next(i for i, piece in enumerate(pieces) if "KnowledgeBase" in piece.unit.binds)
    donor_class = next(piece.node for piece in theirs if "KnowledgeBase" in piece.unit.binds)
    node = _knowledge_base((pieces[at].node, base[1].members), (donor_class, donor[1].members), plan)
    pieces[at] = _Piece(pieces[at].unit, node)
    pieces = _with_definitions(pieces, rest)
    pieces = _with_tunables(pieces, base[0], donor[0], plan)
    specs = {spec for name in plan.moved.names for spec in donor[1].imports.get(name, ())}
    specs |= {spec for specs in donor[1].imports.values() for spec in specs if spec.module == _FUTURE}
    present = {spec for piece in pieces for spec in piece.unit.imports}
    body = [piece.node for piece in pieces]
    for spec in sorted(specs - present, key=lambda spec: (spec.module or "", spec.original)):
        body = _with_import(body, spec)
    return module.with_changes(body=body).code


class _Reindented(cst.CSTTransformer):
    """Lets every block take the indentation of the module that it comes to."""

    def leave_IndentedBlock(  # noqa: N802 (libcst calls it by this name)
        self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock
    ) -> cst.BaseSuite:
        return updated_node.with_changes(indent=None)


def _flat_module(source: str) -> cst.Module:
    """Parse a source with every statement on a line of its own, so that statements match the syntax tree's by index."""
    module = cst.parse_module(source)
    return module.with_changes(body=_flat(module.body))


def _flat(body: Iterable[cst.BaseStatement]) -> list[Statement]:
    statements: list[Statement] = []
    for statement in body:
        if isinstance(statement, cst.SimpleStatementLine) and len(statement.body) > 1:
            *first, last = (node.with_changes(semicolon=cst.MaybeSentinel.DEFAULT) for node in statement.body)
            lines = [cst.SimpleStatementLine([node]) for node in first]
            lines[0] = lines[0].with_changes(leading_lines=statement.leading_lines)
            statements += [*lines, statement.with_changes(body=[last], leading_lines=[])]
        else:
            assert isinstance(statement, cst.SimpleStatementLine | cst.BaseCompoundStatement)
            statements.append(statement)
    return statements


def _pieces(units: Sequence[Unit], body: Sequence[cst.BaseStatement]) -> list[_Piece]:
    return [_Piece(unit, node) for unit, node in zip(units, _flat(body), strict=True)]


def _replaced(pieces: list[_Piece], gone: frozenset[str], moving: list[_Piece]) -> tuple[list[_Piece], list[_Piece]]:
    """Take out what is gone, a new definition of the name in its place; return the unplaced definitions too."""
    result: list[_Piece] = []
    rest = list(moving)
    blank = 0
    for piece in pieces:
        own = _blank_lines(piece.node)
        if piece.unit.binds & gone:
            new = [other for other in rest if other.unit.binds & piece.unit.binds]
            rest = [other for other in rest if other not in new]
        else:
            new = [piece]
        if not new:  # the blank line above it stays, for what comes next
            blank = max(blank, own)
            continue
        result += [_Piece(other.unit, _spaced(other.node, own or blank)) for other in new]
        blank = 0
    return result, rest


def _blank_lines(node: Statement) -> int:
    lines = [line.comment is None for line in node.leading_lines]
    return lines.index(False) if False in lines else len(lines)


def _spaced(node: Statement, blank: int) -> Statement:
    """Return a statement with so many blank lines above it, and above its comment if it has one."""
    lines = list(node.leading_lines)
    while lines and lines[0].comment is None:
        del lines[0]
    spaced: Statement = node.with_changes(leading_lines=[*[cst.EmptyLine(indent=False)] * blank, *lines])
    return spaced


def _with_definitions(pieces: list[_Piece], moving: list[_Piece]) -> list[_Piece]:
    """Put constants after the base's own, and functions and classes where they are first needed."""
    definitions = [piece for piece in moving if not isinstance(piece.unit.statement, ast.Assign | ast.AnnAssign)]
    names = frozenset().union(*(piece.unit.binds for piece in definitions))
    late = [piece for piece in moving if piece in definitions or piece.unit.at_once & names]
    constants = [piece for piece in moving if piece not in late]
    names = names.union(*(piece.unit.binds for piece in late))
    needed = (i for i, p in enumerate(pieces) if p.unit.at_once & names or "KnowledgeBase" in p.unit.binds)
    first = next(needed)
    late = [_Piece(piece.unit, _spaced(piece.node, 2)) for piece in late]
    pieces = [*pieces[:first], *late, *pieces[first:]]
    top = next(i for i, p in enumerate(pieces) if _ends_constants(p.unit))
    above = pieces[top - 1].unit.statement if top else None
    lone = not isinstance(above, ast.Assign | ast.AnnAssign)
    constants = [_Piece(p.unit, _spaced(p.node, 1 if lone and not i else 0)) for i, p in enumerate(constants)]
    return [*pieces[:top], *constants, *pieces[top:]]


def _ends_constants(unit: Unit) -> bool:
    definition = isinstance(unit.statement, ast.ClassDef | ast.FunctionDef)
    return definition or bool(unit.binds & {"TUNABLES", *INSTRUCTIONS})


def _knowledge_base(
    base: tuple[Statement, Sequence[Unit]], donor: tuple[Statement, Sequence[Unit]], plan: Plan
) -> Statement:
    """Return the base's class with the donor's `read`, the methods that it calls below it, attributes on top."""
    block = base[0].body
    assert isinstance(block, cst.IndentedBlock)
    assert isinstance(donor[0].body, cst.IndentedBlock)
    moving = [piece for piece in _pieces(donor[1], donor[0].body.body) if piece.unit.binds & plan.moved.members]
    pieces, rest = _replaced(_pieces(base[1], block.body), plan.gone.members, moving)
    attributes = [piece for piece in rest if isinstance(piece.unit.statement, ast.Assign | ast.AnnAssign)]
    methods = [_spaced(piece.node, 1) for piece in rest if piece not in attributes]
    body = [piece.node for piece in pieces]
    read = next(i for i, piece in enumerate(pieces) if "read" in piece.unit.binds)
    body[read + 1 : read + 1] = methods
    top = next(i for i, node in enumerate(body) if isinstance(node, cst.FunctionDef | cst.ClassDef))
    lone = top == 0 or not isinstance(pieces[top - 1].unit.statement, ast.Assign | ast.AnnAssign)
    body[top:top] = [_spaced(piece.node, 1 if lone and top and not i else 0) for i, piece in enumerate(attributes)]
    if attributes:
        body[top + len(attributes)] = _spaced(body[top + len(attributes)], 1)
    changed: Statement = base[0].with_changes(body=block.with_changes(body=body))
    return changed


def _without_imports(piece: _Piece, names: Collection[str]) -> list[_Piece]:
    """Return an import without some of its names, nothing where no name is left; other statements as they are."""
    if not piece.unit.imports:
        return [piece]
    assert isinstance(piece.node, cst.SimpleStatementLine)
    node = piece.node.body[0]
    assert isinstance(node, cst.Import | cst.ImportFrom)
    assert not isinstance(node.names, cst.ImportStar)
    specs = piece.unit.imports
    kept = [i for i, spec in enumerate(specs) if spec.name not in names]
    if len(kept) == len(specs):
        return [piece]
    if not kept:
        return []
    aliases = [node.names[i] for i in kept]
    if kept[-1] != len(specs) - 1:
        aliases[-1] = aliases[-1].with_changes(comma=node.names[-1].comma)
    line = piece.node.with_changes(body=[node.with_changes(names=aliases)])
    return [_Piece(piece.unit.with_imports(tuple(specs[i] for i in kept)), line)]


def _with_import(body: list[Statement], spec: Import) -> list[Statement]:
    """Add one imported name: to the line that imports from its module, or on a line of its own."""
    origin = "" if spec.module is None else f"from {spec.module} "
    line = cst.parse_statement(f"{origin}import {spec.original}{f' as {spec.alias}' if spec.alias else ''}")
    assert isinstance(line, cst.SimpleStatementLine)
    index = 0
    for i, node in _imports(body):
        if isinstance(node, cst.ImportFrom) and _module(node) == spec.module:
            body[i] = body[i].with_changes(body=[_joined(node, line.body[0])])
            return body
        if _order(node) <= _order(line.body[0]):
            index = i + 1
    if index == 0 and isinstance(body[0], cst.SimpleStatementLine) and isinstance(body[0].body[0], cst.Expr):
        index = 1  # below the docstring
    return _inserted(body, line, index)


def _joined(node: cst.ImportFrom, other: cst.BaseSmallStatement) -> cst.ImportFrom:
    """Add the names of one `from` import to those of another, separated as those are."""
    assert isinstance(other, cst.ImportFrom)
    assert not isinstance(node.names, cst.ImportStar)
    assert not isinstance(other.names, cst.ImportStar)
    *first, last = node.names
    between = first[-1].comma if first else cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    names = [*first, last.with_changes(comma=between), other.names[0].with_changes(comma=last.comma)]
    return node.with_changes(names=names)


def _order(node: cst.BaseSmallStatement) -> tuple[int, str]:
    """Return a key by which imports are sorted: future, plain, `from`, and those of other people's packages last."""
    module = _module(node)
    if module.partition(".")[0] in _PACKAGES:
        return 3, module
    return (0 if module == _FUTURE else 1 if isinstance(node, cst.Import) else 2), module


def _inserted(body: list[Statement], line: cst.SimpleStatementLine, index: int) -> list[Statement]:
    """Insert an import, with a blank line where it starts a group of imports."""
    group = _order(line.body[0])[0] // 3, _module(line.body[0]) == _FUTURE
    above, below = _imports(body[:index])[-1:], _imports(body[index : index + 1])
    joins = [(_order(node)[0] // 3, _module(node) == _FUTURE) == group for _, node in (*above, *below)]
    pushed = body[index]
    if above and joins[0]:
        return [*body[:index], line, *body[index:]]
    if below:
        line = line.with_changes(leading_lines=pushed.leading_lines)
        pushed = _spaced(pushed, 0 if joins[-1] else 1)
    elif index:
        line = line.with_changes(leading_lines=[cst.EmptyLine(indent=False)])
    return [*body[:index], line, pushed, *body[index + 1 :]]


def _imports(body: Sequence[Statement]) -> list[tuple[int, cst.Import | cst.ImportFrom]]:
    found: list[tuple[int, cst.Import | cst.ImportFrom]] = []
    for i, statement in enumerate(body):
        node = statement.body[0] if isinstance(statement, cst.SimpleStatementLine) else None
        if isinstance(node, cst.Import | cst.ImportFrom):
            found.append((i, node))
    return found


def _module(node: cst.BaseSmallStatement) -> str:
    """Return the module that an import names first."""
    assert isinstance(node, cst.Import | cst.ImportFrom)
    name = node.names[0].name if isinstance(node, cst.Import) else node.module
    return cst.Module([]).code_for_node(name) if name else ""


def _with_tunables(pieces: list[_Piece], base: str, donor: str, plan: Plan) -> list[_Piece]:
    """Keep the base's entries for its own constants that are still there, and take the donor's for those that came."""
    present = frozenset().union(*(piece.unit.binds for piece in pieces))
    ours, theirs = _entries(base), _entries(donor)
    stay = present - plan.moved.names
    entries = {name: ours[name] if name in stay else theirs.get(name, "") for name in ours if name in present}
    entries |= {name: text for name, text in theirs.items() if name in plan.came.names and name not in entries}
    entries = {name: text for name, text in entries.items() if text}
    if entries == ours:
        return pieces
    index = next((i for i, piece in enumerate(pieces) if "TUNABLES" in piece.unit.binds), None)
    line = _tunables_line(entries)
    if index is not None:
        old = pieces[index]
        new = [_Piece(old.unit, line.with_changes(leading_lines=old.node.leading_lines))] if entries else []
        return [*pieces[:index], *new, *pieces[index + 1 :]]
    index = next(i for i, piece in enumerate(pieces) if _ends_constants(piece.unit))
    return [*pieces[:index], _Piece(read_unit(cst.Module([line]).code), line), *pieces[index:]]


def _entries(source: str) -> dict[str, str]:
    """Return the entries of `TUNABLES` as written."""
    places = bindings(syntax_tree(source)).get("TUNABLES", ())
    table = places[0].value if places else None
    if not isinstance(table, ast.Dict):
        return {}
    pairs = zip(table.keys, table.values, strict=True)
    return {literal_text(key) or "": ast.get_source_segment(source, value) or "" for key, value in pairs}


def _tunables_line(entries: dict[str, str]) -> cst.SimpleStatementLine:
    texts = [f'"{name}": {text}' for name, text in entries.items()]
    source = f"TUNABLES = {{{', '.join(texts)}}}"
    if len(source) > _LINE_CHARS:
        source = "TUNABLES = {\n" + "".join(f"    {text},\n" for text in texts) + "}"
    line = cst.parse_statement(source)
    assert isinstance(line, cst.SimpleStatementLine)
    return line
