"""What each part of a program needs and gives: the basis on which parts of two programs are put together."""

from __future__ import annotations

import ast
import builtins
import copy
import symtable
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from evolve.program.digest import canonical
from evolve.program.syntax import names_bound, syntax_tree

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class Import:
    """One imported name."""

    module: str | None
    """The module of a `from` import; None for a plain `import`."""
    original: str
    alias: str | None

    @property
    def name(self) -> str:
        """The name that the program uses for it."""
        return self.alias or (self.original if self.module is not None else self.original.partition(".")[0])


@dataclass(frozen=True, slots=True)
class Unit:
    """One statement of the module, or one of class `KnowledgeBase`."""

    statement: ast.stmt
    imports: tuple[Import, ...]
    """What an import statement of the module imports; empty for every other statement."""
    binds: frozenset[str]
    """Names it defines in its scope, those of `imports` left out."""
    uses: frozenset[str]
    """Names of the module that it needs, now or when it is called."""
    at_once: frozenset[str]
    """Those of `uses` that must exist before it: defaults, decorators, base classes, values."""
    loads: frozenset[str]
    """Attributes of the knowledge base that it reads."""
    stores: frozenset[str]
    """Attributes of the knowledge base that it sets."""

    def with_imports(self, imports: tuple[Import, ...]) -> Unit:
        """Return an import with fewer names."""
        return replace(self, imports=imports)


@dataclass(frozen=True, slots=True)
class Reach:
    """Everything that some parts of a program need, themselves included."""

    members: frozenset[str]
    """Names of class `KnowledgeBase`: methods and class attributes."""
    names: frozenset[str]
    """Names of the module."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which parts leave the base, and which come from the donor."""

    gone: Reach
    """What only the base's read path needs."""
    moved: Reach
    """What the donor's read path needs and the base does not have."""
    came: Reach
    """All that the donor's read path needs, shared parts included."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A program as units; `units` and `members` follow the source, statement by statement."""

    units: tuple[Unit, ...]
    members: tuple[Unit, ...]

    @property
    def member_names(self) -> frozenset[str]:
        """Names that class `KnowledgeBase` defines."""
        return frozenset().union(*(unit.binds for unit in self.members))

    @property
    def names(self) -> frozenset[str]:
        """Names that the module defines or imports."""
        return frozenset(self.imports).union(*(unit.binds for unit in self.units))

    @property
    def imports(self) -> dict[str, frozenset[Import]]:
        """What the module's import statements bind, by name; `import a.b` and `import a.c` both bind a."""
        specs = [spec for unit in self.units for spec in unit.imports]
        return {spec.name: frozenset(other for other in specs if other.name == spec.name) for spec in specs}

    def reach(self, members: Iterable[str], names: Iterable[str]) -> Reach:
        """Return what these parts need, and what that needs, and so on."""
        waiting = [*((True, name) for name in members), *((False, name) for name in names)]
        seen: set[tuple[bool, str]] = set()
        own, known = self.member_names, self.names
        while waiting:
            key = waiting.pop()
            member, name = key
            if key in seen or name not in (own if member else known):
                continue
            seen.add(key)
            for unit in self.defining(name, member=member):
                waiting += [(member, other) for other in unit.binds]
                waiting += [(True, other) for other in (unit.loads | (unit.at_once if member else frozenset()))]
                waiting += [(False, other) for other in unit.uses if other != "KnowledgeBase"]
        return Reach(
            members=frozenset(name for member, name in seen if member),
            names=frozenset(name for member, name in seen if not member),
        )

    def unknown_names(self) -> frozenset[str]:
        """Return the names that are used but defined nowhere, or only after they are needed."""
        known = frozenset(vars(builtins)) | {"__name__", "__file__", "__doc__", "__class__"}
        unknown = frozenset().union(*(unit.uses for unit in self.units)) - self.names - known
        unknown |= frozenset().union(*(unit.uses for unit in self.members)) - self.names - self.member_names - known
        for unit in self.units:
            known |= unit.binds | {spec.name for spec in unit.imports}
            unknown |= unit.at_once - known
            if "KnowledgeBase" in unit.binds:
                unknown |= frozenset().union(*(member.at_once for member in self.members)) - known - self.member_names
        return unknown

    def defining(self, name: str, *, member: bool) -> list[Unit]:
        """Return the units that define a name."""
        return [unit for unit in (self.members if member else self.units) if name in unit.binds]

    def meaning(self, name: str, *, member: bool) -> str:
        """Return a text that is equal where two programs define a name alike; "" where the name is not defined."""
        definitions = [canonical(unit.statement) for unit in self.defining(name, member=member)]
        if not member:
            definitions += sorted(repr(spec) for spec in self.imports.get(name, ()))
        return "\n".join(definitions)


def read_layout(source: str) -> Layout:
    """Return the layout of a program that passed the contract check."""
    tree = syntax_tree(source)
    definition = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "KnowledgeBase")
    lazy = any(spec.module == "__future__" for node in tree.body for spec in _imports(node))
    return Layout(
        units=tuple(_unit(_header(node) if node is definition else node, lazy=lazy) for node in tree.body),
        members=tuple(_unit(node, lazy=lazy, member=True) for node in definition.body),
    )


def _imports(statement: ast.stmt) -> tuple[Import, ...]:
    if isinstance(statement, ast.Import):
        return tuple(Import(None, alias.name, alias.asname) for alias in statement.names)
    if isinstance(statement, ast.ImportFrom):
        return tuple(Import(statement.module or "", alias.name, alias.asname) for alias in statement.names)
    return ()


def _header(definition: ast.ClassDef) -> ast.ClassDef:
    """Return a class without its body: its members are units of their own."""
    header = ast.ClassDef(
        definition.name, definition.bases, definition.keywords, [ast.Pass()], definition.decorator_list
    )
    return ast.copy_location(header, definition)


def read_unit(line: str) -> Unit:
    """Return the unit of a statement that stands alone."""
    return _unit(ast.parse(line).body[0], lazy=False)


def _unit(statement: ast.stmt, *, lazy: bool, member: bool = False) -> Unit:
    """Read one statement; `lazy` says that annotations are not evaluated."""
    imports = () if member else _imports(statement)
    table = _symbols(statement)
    loads, stores = _attributes(statement, self_name(statement) if member else None)
    return Unit(
        statement=statement,
        imports=imports,
        binds=frozenset() if imports else frozenset(name for name, _ in names_bound(statement)),
        uses=frozenset(_now(table)) | frozenset(_later(table)),
        at_once=frozenset(_now(_symbols(_Unannotated().visit(copy.deepcopy(statement))) if lazy else table)),
        loads=loads,
        stores=stores,
    )


class _Unannotated(ast.NodeTransformer):
    """Takes the annotations off signatures and fields."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = None
        self.generic_visit(node)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign:
        node.annotation = ast.Constant(None)
        self.generic_visit(node)
        return node


def _symbols(statement: ast.stmt) -> symtable.SymbolTable:
    return symtable.symtable(ast.unparse(ast.Module([statement], [])), "program", "exec")


def _now(table: symtable.SymbolTable) -> Iterator[str]:
    """Yield the names that are looked up when the statement itself runs; a class body runs with it."""
    yield from (symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced())
    for child in table.get_children():
        if child.get_type() == "class":
            yield from (symbol.get_name() for symbol in child.get_symbols() if symbol.is_global())


def _later(table: symtable.SymbolTable) -> Iterator[str]:
    """Yield the module-level names that functions inside the statement look up or set."""
    for child in table.get_children():
        yield from (symbol.get_name() for symbol in child.get_symbols() if symbol.is_global())
        yield from _later(child)


def self_name(statement: ast.stmt) -> str | None:
    """Return what a method calls its object, or its class."""
    if not isinstance(statement, _FUNCTIONS):
        return None
    if "staticmethod" in map(ast.unparse, statement.decorator_list):
        return None
    arguments = [*statement.args.posonlyargs, *statement.args.args]
    return arguments[0].arg if arguments else None


def _attributes(statement: ast.stmt, own: str | None) -> tuple[frozenset[str], frozenset[str]]:
    """Return the attributes of the knowledge base that a statement loads, and those that it stores."""
    loads: set[str] = set()
    stores: set[str] = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Attribute) and is_knowledge_base(node.value, own):
            (stores if isinstance(node.ctx, ast.Store) else loads).add(node.attr)
        target = node.target if isinstance(node, ast.AugAssign) else None
        if isinstance(target, ast.Attribute) and is_knowledge_base(target.value, own):
            loads.add(target.attr)
    return frozenset(loads), frozenset(stores)


def is_knowledge_base(node: ast.expr, own: str | None) -> bool:
    """Tell whether an expression is `self`, `KnowledgeBase`, `type(self)` or `self.__class__`."""
    if isinstance(node, ast.Name):
        return node.id == "KnowledgeBase" or (own is not None and node.id == own)
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "type" and node.args:
        return is_knowledge_base(node.args[0], own)
    return isinstance(node, ast.Attribute) and node.attr == "__class__" and is_knowledge_base(node.value, own)
