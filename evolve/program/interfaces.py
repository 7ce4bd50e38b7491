"""What a read path expects of the knowledge base that someone else's write path fills: attributes, tables, columns.

These checks are necessary, not sufficient: what they let through still has to pass the smoke test in the sandbox.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from evolve.program.layout import Unit, is_knowledge_base, self_name

_CONTAINERS = {
    "list": "list", "deque": "list", "dict": "dict", "defaultdict": "dict", "Counter": "dict", "OrderedDict": "dict",
    "set": "set", "frozenset": "set", "tuple": "tuple",
}  # fmt: skip
_DISPLAYS: dict[type[ast.expr], str] = {
    ast.List: "list", ast.ListComp: "list", ast.Dict: "dict", ast.DictComp: "dict", ast.Set: "set",
    ast.SetComp: "set", ast.Tuple: "tuple", ast.JoinedStr: "str",
}  # fmt: skip
_STARTS_SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH|CREATE)\b")
_CREATED = re.compile(
    r"\bCREATE\s+(?P<view>(?:TEMP\s+|TEMPORARY\s+)?VIEW|(?:VIRTUAL\s+|TEMP\s+|TEMPORARY\s+)?TABLE)\s+"
    r"(?:IF\s+NOT\s+EXISTS\s+)?(?P<name>[A-Za-z_]\w*)(?![\w\0])(?:\s+USING\s+\w+)?\s*(?P<open>\()?",
    re.IGNORECASE,
)
_SOURCE = re.compile(
    r"\b(?:FROM|JOIN|INTO|UPDATE)\s+(?P<table>[A-Za-z_]\w*)(?![\w\0]|\s*\()(?=(?:\s+(?:AS\s+)?(?P<alias>[A-Za-z_]\w*))?)",
    re.IGNORECASE,
)
_COMMON_TABLE = re.compile(r"\b([A-Za-z_]\w*)(?:\s*\([^()]*\))?\s+AS\s*\(", re.IGNORECASE)
_ALIAS = re.compile(r"\bAS\s+([A-Za-z_]\w*)", re.IGNORECASE)
_IDENTIFIER = re.compile(r"(?<![\w\0:@$])[A-Za-z_]\w*(?![\w\0]|\s*\()")
_WORDS = """
abort action add after all alter always analyze and as asc attach autoincrement before begin between by cascade case
cast check collate column commit conflict constraint create cross current current_date current_time
current_timestamp database default deferrable deferred delete desc detach distinct do drop each else end escape
except exclude exclusive exists explain fail false filter first following for foreign from full generated glob group
groups having if ignore immediate in index indexed initially inner insert instead intersect into is isnull join key
last left like limit match materialized natural no not nothing notnull null nulls of offset on or order others outer
over partition plan pragma preceding primary query raise range recursive references regexp reindex release rename
replace restrict returning right rollback row rows savepoint select set table temp temporary then ties to
transaction trigger true unbounded union unique update using vacuum values view virtual when where window with
without
"""
_KEYWORDS = frozenset(_WORDS.split())
_IMPLICIT = frozenset(
    {
        "rowid",
        "oid",
        "_rowid_",
        "rank",
        "docid",
        "excluded",
        "sqlite_master",
        "sqlite_schema",
        "nocase",
        "binary",
        "rtrim",
    }
)


def attribute_kinds(members: Iterable[Unit]) -> dict[str, tuple[str, str]]:
    """Return what each attribute of the knowledge base is first set to, where that can be told from the text.

    A kind is a family ("list", "dict", "toolkit.db", "collection", a class) and the annotation, "" where there is none.
    """
    kinds: dict[str, tuple[str, str]] = {}
    for unit in members:
        own = self_name(unit.statement)
        for node in ast.walk(unit.statement):
            targets = node.targets if isinstance(node, ast.Assign) else []
            annotation = ""
            if isinstance(node, ast.AnnAssign):
                targets = [node.target]
                annotation = ast.unparse(node.annotation).lower().replace("typing.", "").strip("'\"")
            for target in targets:
                if not isinstance(target, ast.Attribute) or not is_knowledge_base(target.value, own):
                    continue
                assert isinstance(node, ast.Assign | ast.AnnAssign)
                family = _family(node.value, own, _toolkit_name(unit.statement))
                if family:
                    kinds.setdefault(target.attr, (family, annotation))
    return kinds


def uses_raw_text(source: str) -> bool:
    """Tell whether `write` looks at the episode's text; a program that does not keeps what the task agent extracted."""
    body = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == "KnowledgeBase"]
    for method in body[0].body if body else ():
        if isinstance(method, ast.FunctionDef) and method.name == "write":
            arguments = [*method.args.posonlyargs, *method.args.args]
            names = {node.id for node in ast.walk(method) if isinstance(node, ast.Name)}
            return len(arguments) < 3 or arguments[2].arg in names
    return True


def differ(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Tell whether two kinds are known to be different."""
    return one[0] != other[0] or (bool(one[1]) and bool(other[1]) and one[1] != other[1])


def _toolkit_name(statement: ast.stmt) -> str:
    """Return what `__init__` calls the toolkit."""
    if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
        arguments = [*statement.args.posonlyargs, *statement.args.args]
        return arguments[1].arg if len(arguments) > 1 else ""
    return ""


def _family(value: ast.expr | None, own: str | None, toolkit: str) -> str:
    if type(value) in _DISPLAYS:
        return _DISPLAYS[type(value)]  # type: ignore[index]
    if isinstance(value, ast.Constant) and value.value is not None:
        known = isinstance(value.value, int | float) and not isinstance(value.value, bool)
        return "number" if known else type(value.value).__name__
    if isinstance(value, ast.Call):
        head = ast.unparse(value.func)
        last = head.rpartition(".")[2]
        if last.endswith("collection"):
            return "collection"
        if head.startswith(("np.", "numpy.")):
            return "array"
        return _CONTAINERS.get(last) or (last if last[:1].isupper() else "")
    if isinstance(value, ast.Name | ast.Attribute):
        text = ast.unparse(value).removeprefix(f"{own}.")
        text = re.sub(rf"^{re.escape(toolkit)}\b", "toolkit", text) if toolkit else text
        return text if text.partition(".")[0] == "toolkit" else ""
    return ""


def sql_texts(statements: Iterable[ast.stmt]) -> list[str]:
    """Return the SQL in the string literals of some statements; a "\\0" stands for every part that is computed."""
    return [text for statement in statements for text in _sql_in(statement, executed=False)]


def _sql_in(node: ast.AST, *, executed: bool) -> Iterator[str]:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    text = _text(node)
    if text is not None:
        if executed or _STARTS_SQL.match(text):
            yield re.sub(r"'[^']*'|--[^\n]*", "''", text).translate(str.maketrans('"`[]', "    "))
        return
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.startswith("execute"):
        for argument in node.args[:1]:
            yield from _sql_in(argument, executed=True)
        for argument in node.args[1:]:
            yield from _sql_in(argument, executed=False)
        return
    for child in ast.iter_child_nodes(node):
        yield from _sql_in(child, executed=executed)


def _text(node: ast.AST) -> str | None:
    """Return a string expression with "\\0" for its computed parts; None for an expression without literal text."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "\0" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _text(node.left), _text(node.right)
        return None if left is None and right is None else (left or "\0") + (right or "\0")
    return None


def tables_created(texts: Iterable[str]) -> dict[str, frozenset[str] | None]:
    """Return tables with their columns, in lower case; None where the columns cannot be told."""
    tables: dict[str, frozenset[str] | None] = {}
    for text in texts:
        for match in _CREATED.finditer(text):
            known = match["open"] and not match["view"].lower().endswith("view")
            tables[match["name"].lower()] = _columns(text[match.end() :]) if known else None
    return tables


def _columns(text: str) -> frozenset[str] | None:
    """Return the first word of every entry of a column list; the text starts after its bracket."""
    entries, depth = [""], 1
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            break
        if character == "," and depth == 1:
            entries.append("")
        else:
            entries[-1] += character
    if any("\0" in entry.split("(")[0] for entry in entries):
        return None
    words = [entry.split()[0].lower() for entry in entries if entry.split() and "=" not in entry.split("(")[0]]
    return frozenset(words) - {"primary", "unique", "check", "foreign", "constraint"}


def sql_misfit(read: Iterable[str], tables: dict[str, frozenset[str] | None]) -> str | None:
    """Return the first table or column that the SQL of a read path needs and the tables lack; None if all are there."""
    for text in read:
        own = {match[1].lower() for match in _COMMON_TABLE.finditer(text)} | set(tables_created([text]))
        aliases = {match[1].lower() for match in _ALIAS.finditer(text)}
        used: set[str] = set()
        for match in _SOURCE.finditer(text):
            table, alias = match["table"].lower(), (match["alias"] or "").lower()
            aliases |= {alias}
            if table not in own | _IMPLICIT | _KEYWORDS:
                used.add(table)
        for table in sorted(used):
            if table not in tables:
                return f"the table {table}"
        columns: set[str] = set()
        for table in used:
            known = tables[table]
            columns |= known if known is not None else {"*"}
        if own or not used or "*" in columns:
            continue
        needed = {match[0].lower() for match in _IDENTIFIER.finditer(text)}
        lacking = needed - columns - used - (aliases - _KEYWORDS) - _KEYWORDS - _IMPLICIT
        if lacking:
            return f"the column {min(lacking)} of {', '.join(sorted(used))}"
    return None
