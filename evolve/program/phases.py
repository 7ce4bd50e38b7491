"""Which phases of a child's evaluation must be expected to run again, told from its parents' text and its own.

Every call to a model is kept by its exact content, so whatever a child asks as its parent did is answered at once. What
a phase asks depends on parts of the program: an extraction on the schema and the instruction, a completion on all code
that can run before it, an answer on what was read. Where these are the same as in a parent, nothing is asked anew.

The prediction never promises too much to a program that gives the same for the same: code that might reach a path
belongs to it. It may promise too little: a changed `read` may still return for most queries what it returned before.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from evolve.program.digest import canonical
from evolve.program.layout import Import, Layout, Reach, Unit, read_layout, self_name
from evolve.types import Program

PhaseName: TypeAlias = Literal["extract", "write", "formulate", "read", "answer"]
PHASES: Final[tuple[PhaseName, ...]] = ("extract", "write", "formulate", "read", "answer")
"""In the order in which an evaluation comes to them."""
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_REFLECTIVE = frozenset({"eval", "exec", "compile", "globals", "__import__", "__builtins__"})
"""What can find a name that is not in the text."""


def again(parents: Sequence[Program], child: Program, *, stepwise: bool = False) -> frozenset[PhaseName]:
    """Return the phases whose requests, or whose code where they ask nothing, differ from those of every parent.

    A phase can be reused from any one parent, if all that it depends on is the same there. A seed has no parents and
    runs every phase. `stepwise` says that the memory is read again before every command of a game, with a query that
    tells of the commands so far.
    """
    paths = _paths(child)
    found = frozenset(PHASES)
    for parent in parents:
        found &= _against(parent, child, _paths(parent), paths, stepwise=stepwise)
    return found


def in_words(phases: Collection[str]) -> str:
    """Return phases as in "read and answer", in their order; "nothing" for none, "every phase" for all of them."""
    named: list[str] = [phase for phase in PHASES if phase in phases]
    *first, last = named or ["nothing"]
    if len(first) == len(PHASES) - 1:
        return "every phase"
    return f"{', '.join(first)} and {last}" if first else last


def _against(
    parent: Program, child: Program, old: dict[str, _Path], new: dict[str, _Path], *, stepwise: bool
) -> frozenset[PhaseName]:
    differ = {name for name, text in child.instructions.items() if text != parent.instructions[name]}
    found: set[PhaseName] = set()
    if child.item != parent.item or "INSTRUCTION_KNOWLEDGE_ITEM" in differ:
        found.add("extract")
    if "extract" in found or old["write"] != new["write"]:
        found.add("write")
    if child.query != parent.query or "INSTRUCTION_QUERY" in differ:
        found.add("formulate")
    if found & {"write", "formulate"} or old["read"] != new["read"]:
        found.add("read")
    if "read" in found or differ & {"INSTRUCTION_RESPONSE", "ALWAYS_ON_KNOWLEDGE"}:
        found.add("answer")
    if stepwise and "answer" in found:
        found |= {"formulate", "read"}
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class _Path:
    """All code that can have a part in an operation: equal where two programs cannot differ in it."""

    names: frozenset[tuple[bool, str, str]]
    """Whether it is one of `KnowledgeBase`, name and meaning of what can be reached."""
    order: tuple[str, ...]
    """What of this runs at import, in order."""
    future: frozenset[Import]


def _paths(program: Program) -> dict[str, _Path]:
    layout = read_layout(program.source)
    return {"write": _path(layout, "write", "KnowledgeItem"), "read": _path(layout, "read", "Query")}


def _path(layout: Layout, method: str, schema: str) -> _Path:
    special = {name for name in layout.member_names if name.startswith("__")}  # called by Python itself
    bodies = [unit for unit in (*layout.units, *layout.members) if _runs(unit)]
    bodies += [unit for unit in layout.members if not isinstance(unit.statement, _DEFINITIONS) and _calls(unit)]
    running = frozenset().union(*(unit.binds | unit.uses | unit.loads for unit in bodies))
    reach = layout.reach({method, *special, *running}, {"KnowledgeBase", schema, *running})
    acting = [unit for unit in layout.units if _calls(unit)]
    mutable = _mutable(layout)
    while True:
        parts = list(_parts(layout, reach))
        if any(_is_open_ended(unit, member=member) for member, unit in parts):
            return _signature(layout, Reach(layout.member_names, layout.names))
        touching = {
            name
            for unit in acting
            for name in unit.binds - reach.names
            if layout.reach((), unit.at_once).names & mutable & reach.names
        }
        if not touching:
            return _signature(layout, reach)
        reach = layout.reach(reach.members, reach.names | touching)


def _signature(layout: Layout, reach: Reach) -> _Path:
    names = {(True, name, layout.meaning(name, member=True)) for name in reach.members}
    names |= {(False, name, layout.meaning(name, member=False)) for name in reach.names}
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)  # whose order does not matter
    statements = (unit.statement for _, unit in _parts(layout, reach))
    order = [canonical(statement) for statement in statements if not isinstance(statement, functions)]
    specs = {spec for unit in layout.units for spec in unit.imports if spec.module == "__future__"}
    return _Path(frozenset(names), tuple(order), frozenset(specs))


def _parts(layout: Layout, reach: Reach) -> Iterator[tuple[bool, Unit]]:
    """Yield the units of a path in order, each with whether it is one of `KnowledgeBase`; imports are left out."""
    yield from ((False, unit) for unit in layout.units if unit.binds & reach.names or _runs(unit))
    yield from ((True, unit) for unit in layout.members if unit.binds & reach.members or _runs(unit))


def _runs(unit: Unit) -> bool:
    """Tell whether a statement does more at import than to define one thing."""
    statement = unit.statement
    if unit.imports or isinstance(statement, (*_DEFINITIONS, ast.Pass)):
        return False
    if isinstance(statement, ast.Expr):
        return not isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.Assign):
        return not all(isinstance(target, ast.Name) for target in statement.targets)
    return not (isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name))


def _calls(unit: Unit) -> bool:
    """Tell whether a definition calls something at import: it could change what it is given, or can reach."""
    waiting: list[ast.AST] = [unit.statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call):
            return True
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.decorator_list:
                return True
            waiting += [node.args]
        elif isinstance(node, ast.ClassDef) and (node.decorator_list or node.bases or node.keywords):
            return True
        elif not isinstance(node, ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return False


def _mutable(layout: Layout) -> frozenset[str]:
    """Return the names of the module whose value can change without an assignment in the module's body."""
    found: set[str] = set()
    for unit in layout.units:
        statement = unit.statement
        if isinstance(statement, ast.Assign | ast.AnnAssign) and not isinstance(statement.value, ast.Constant):
            found |= unit.binds
    for unit in (*layout.units, *layout.members):
        found |= {name for node in ast.walk(unit.statement) if isinstance(node, ast.Global) for name in node.names}
    return frozenset(found)


def _is_open_ended(unit: Unit, *, member: bool) -> bool:
    """Tell whether the text does not say which parts of the program a unit reaches.

    That is so where it hands the knowledge base on, looks names up by their text, or where the class is made from more
    than its body.
    """
    statement = unit.statement
    if isinstance(statement, ast.ClassDef) and statement.name == "KnowledgeBase":
        return bool(statement.bases or statement.keywords or statement.decorator_list)
    names = {"KnowledgeBase", self_name(statement) if member else None}
    nodes = list(ast.walk(statement))
    attributes = [node for node in nodes if isinstance(node, ast.Attribute)]
    plain = {id(name) for node in attributes for name in _owner(node)}
    return any(node.attr == "__globals__" for node in attributes) or any(
        node.id in _REFLECTIVE or (node.id in names and id(node) not in plain)
        for node in nodes
        if isinstance(node, ast.Name)
    )


def _owner(node: ast.Attribute) -> list[ast.expr]:
    """Return what an attribute is taken of: `self` in `self.name` and in `type(self).name`."""
    value = node.value
    is_type = isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "type"
    return value.args if isinstance(value, ast.Call) and is_type else [value]
