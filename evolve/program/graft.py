"""Typed crossover without a model: part of one program put into another, where their interfaces fit."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Collection
from typing import Literal

from evolve.errors import ConfigError, EvolveError, ProgramError
from evolve.program.contract import INSTRUCTIONS, parse
from evolve.program.interfaces import attribute_kinds, differ, sql_misfit, sql_texts, tables_created
from evolve.program.layout import Layout, Plan, Reach, Unit, read_layout
from evolve.program.rewrite import rewrite_constants, with_docstring
from evolve.program.syntax import bindings, syntax_tree
from evolve.program.tunables import fits
from evolve.types import Program

_READ_MEMBERS = frozenset({"read"})
_READ_NAMES = frozenset({"Query", "INSTRUCTION_QUERY"})
_WRITE_MEMBERS = frozenset({"__init__", "write"})
_WRITE_NAMES = frozenset({"KnowledgeItem", "TUNABLES", *INSTRUCTIONS}) - _READ_NAMES


class Misfit(EvolveError):
    """Parts of two programs that cannot be put together; the message says why, on one line."""


def graft(
    base: Program,
    donor: Program,
    part: Literal["read", "instructions", "constants"],
    *,
    names: Collection[str] | None = None,
) -> str:
    """Return the source of a child: `base` with one part of `donor`. The child passed `parse`.

    "read" takes `Query`, `INSTRUCTION_QUERY` and `read` with all that it needs; schema, `__init__` and `write` stay the
    base's. "instructions" takes the instructions that do not depend on a schema, and those of a schema that both have.
    "constants" takes the values of tunables that both have: of `names`, or of all that fit the base's ranges.

    Raises:
        Misfit: the interfaces do not fit, or the child would be one of its parents.
    """
    if part not in ("read", "instructions", "constants"):
        raise ConfigError(f"unknown part {part!r}: give read, instructions or constants.")
    if names is not None and part != "constants":
        raise ConfigError(f"names were given for the part {part!r}: they go with constants only.")
    if part == "read":
        child = _graft_read(base, donor)
    elif part == "instructions":
        child = _graft_instructions(base, donor)
    else:
        child = _graft_constants(base, donor, names)
    try:
        digest = parse(child, name="child").digest
    except ProgramError as error:
        raise Misfit(f"The child breaks the contract: {error}") from None
    for parent, role in ((base, "base"), (donor, "donor")):
        if digest == parent.digest:
            raise Misfit(f"Taking {part} from the donor gives back the {role}.")
    if part == "constants":
        return child  # the values say it all
    origin = donor.docstring.partition("\n")[0] or f"program {donor.digest[:8]}"
    return with_docstring(child, _noted(base.docstring, part, origin))


def _noted(docstring: str, part: str, origin: str) -> str:
    """Return a docstring with one line that says where the part came from; it replaces an earlier line on that part."""
    lines = [line for line in docstring.splitlines() if not line.startswith(f"Grafted {part}:")]
    note = textwrap.shorten(f"Grafted {part}: {origin}", width=110, placeholder=" ...")
    if lines and not lines[-1].startswith("Grafted "):
        lines.append("")
    return "\n".join([*lines, note])


def _graft_instructions(base: Program, donor: Program) -> str:
    from evolve.program.assembly import replace_values  # libcst is slow to import

    names = ["INSTRUCTION_RESPONSE", "ALWAYS_ON_KNOWLEDGE"]
    names += ["INSTRUCTION_KNOWLEDGE_ITEM"] if base.item == donor.item else []
    names += ["INSTRUCTION_QUERY"] if base.query == donor.query else []
    names = [name for name in names if base.instructions[name] != donor.instructions[name]]
    for name, places in bindings(syntax_tree(base.source)).items():
        statement = places[0].statement
        if name in names and isinstance(statement, ast.Assign) and len(statement.targets) > 1:
            raise Misfit(f"The base assigns {name} together with another name.")
    return replace_values(base.source, donor.source, names)


def _graft_constants(base: Program, donor: Program, names: Collection[str] | None) -> str:
    theirs = {tunable.name: tunable.value for tunable in donor.tunables}
    common = {tunable.name: theirs[tunable.name] for tunable in base.tunables if tunable.name in theirs}
    fitting = {tunable.name for tunable in base.tunables if fits(common.get(tunable.name), tunable)} & common.keys()
    for name in sorted(names or ()):
        if name not in common:
            raise Misfit(f"{name} is not a tunable of both programs; they share {', '.join(common) or 'none'}.")
        if name not in fitting:
            raise Misfit(f"The donor's {name} = {common[name]!r} is outside the base's range.")
    chosen = fitting if names is None else fitting & set(names)
    if not chosen:
        raise Misfit("The programs share no tunable whose value in the donor fits the base's range.")
    return rewrite_constants(base.source, {name: common[name] for name in common if name in chosen})


def _graft_read(base: Program, donor: Program) -> str:
    from evolve.program.assembly import assemble_read  # libcst is slow to import

    ours, theirs = read_layout(base.source), read_layout(donor.source)
    plan = _plan(ours, theirs)
    write_path = ours.reach(_WRITE_MEMBERS, {"KnowledgeItem"})
    _check_attributes(ours, theirs, plan, write_path)
    _check_tables(ours, theirs, plan, write_path)
    child = assemble_read((base.source, ours), (donor.source, theirs), plan)
    unknown = read_layout(child).unknown_names()
    if unknown:
        raise Misfit(f"The child would use {min(unknown)} where it is not defined.")
    return child


def _plan(base: Layout, donor: Layout) -> Plan:
    came = donor.reach(_READ_MEMBERS, _READ_NAMES)
    for name in sorted(came.members & _WRITE_MEMBERS):
        raise Misfit(f"The donor's read calls {name}, and that stays the base's.")
    if "TUNABLES" in came.names:
        raise Misfit("The donor's read uses TUNABLES, which the child has merged.")
    gone = _only_for_read(base)
    members = frozenset(name for name in came.members if _moves(name, base, donor, gone.members, member=True))
    names = frozenset(name for name in came.names if _moves(name, base, donor, gone.names, member=False))
    for unit in donor.units:
        if not unit.binds and not unit.imports and unit.uses & names:
            raise Misfit(f"The donor's module also runs code on {min(unit.uses & names)}, which cannot come along.")
    shared = Reach(came.members - members, came.names - names)
    gone = Reach(gone.members - shared.members, gone.names - shared.names)
    return Plan(gone=gone, moved=Reach(members, names), came=came)


def _only_for_read(base: Layout) -> Reach:
    """Return what nothing but the read path needs. What nothing needs at all stays: it is not for us to tidy up."""
    read = base.reach(_READ_MEMBERS, _READ_NAMES)
    running = [unit.uses for unit in base.units if not unit.binds and not unit.imports]
    kept = base.reach(
        (base.member_names - read.members) | _WRITE_MEMBERS,
        (base.names - read.names).union(_WRITE_NAMES, *running),
    )
    return Reach(read.members - kept.members, read.names - kept.names)


def _moves(name: str, base: Layout, donor: Layout, gone: Collection[str], *, member: bool) -> bool:
    """Tell whether the donor's definition comes along, rather than the base's equal one being used."""
    ours = base.meaning(name, member=member)
    if ours == donor.meaning(name, member=member):
        return False
    if ours and name not in gone:
        label = f"KnowledgeBase.{name}" if member else name
        raise Misfit(f"Both programs define {label}, differently, and the base's write path needs its own.")
    return True


def _units(layout: Layout, reach: Reach) -> list[Unit]:
    return [
        *(unit for unit in layout.units if unit.binds & reach.names),
        *(unit for unit in layout.members if unit.binds & reach.members),
    ]


def _check_attributes(base: Layout, donor: Layout, plan: Plan, write_path: Reach) -> None:
    reading = _units(donor, plan.came)
    writing = _units(base, write_path)
    kept = base.member_names - plan.gone.members
    needed = {name for unit in reading for name in unit.loads if not name.startswith("__")} - plan.came.members
    given = kept.union(*(unit.stores for unit in writing))
    for name in sorted(needed - given):
        raise Misfit(f"The donor's read needs self.{name}, which the base's write path never sets.")
    ours, theirs = attribute_kinds(writing), attribute_kinds(donor.members)
    for name in sorted(needed & ours.keys() & theirs.keys()):
        if differ(ours[name], theirs[name]):
            kinds = [" ".join(filter(None, kind)) for kind in (ours[name], theirs[name])]
            raise Misfit(f"self.{name} is {kinds[0]} in the base and {kinds[1]} in the donor.")
    staying = [unit for unit in base.members if unit.binds - plan.gone.members]
    set_by_staying = frozenset().union(*(unit.stores for unit in [*staying, *reading]))
    lost = frozenset().union(*(unit.stores for unit in _units(base, plan.gone))) - set_by_staying
    for name in sorted(lost.intersection(*[frozenset().union(*(unit.loads for unit in staying))])):
        raise Misfit(f"The base's write path needs self.{name}, which only its read sets.")


def _check_tables(base: Layout, donor: Layout, plan: Plan, write_path: Reach) -> None:
    reading = sql_texts(unit.statement for unit in _units(donor, plan.came))
    writing = sql_texts(unit.statement for unit in _units(base, write_path))
    lacking = sql_misfit(reading, tables_created([*writing, *reading]))
    if lacking:
        raise Misfit(f"The donor's read needs {lacking}, which the base does not create.")
