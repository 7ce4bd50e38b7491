"""Joins two memory programs into one that keeps both memories: what a merge may come to, without a model."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Collection

INSTRUCTIONS = ("INSTRUCTION_KNOWLEDGE_ITEM", "INSTRUCTION_QUERY", "INSTRUCTION_RESPONSE", "ALWAYS_ON_KNOWLEDGE")
TABLE = re.compile(r"\bCREATE (?:VIRTUAL )?TABLE (\w+)")
SQL = re.compile(r"\b(?:SELECT|INSERT|CREATE|UPDATE|DELETE|FROM|WHERE|ORDER BY)\b")
READ_CHARS = 3000
MEMORY = '''
class KnowledgeBase:
    """Both memories, written side by side; of what they read, the lines with most words of the query."""

    def __init__(self, toolkit):
        self.memories = [{first}(toolkit), {second}(toolkit)]

    def write(self, item, raw_text):
        for memory in self.memories:
            memory.write(item, raw_text)

    def read(self, query):
        words = set(re.findall(r"\\w{{4,}}", str(vars(query)).lower()))
        found = dict.fromkeys(line for memory in self.memories for line in memory.read(query).splitlines() if line)
        # Of lines with equally many words of the query the shorter one has less to do with anything else.
        ranked = sorted(found, key=lambda line: (-sum(word in line.lower() for word in words), len(line)))
        chosen, room = [], {room}
        for line in ranked[:{lines}]:
            if len(line) < room:
                chosen.append(line)
                room -= len(line) + 1
        return "\\n".join(chosen)
'''


def join(first: str, second: str, *, lines: int = 30) -> str:
    """Return one program with the fields, the instructions and the memories of both; names never clash.

    Of what the two read, at most so many lines are returned.
    """
    one, other = _Parent(first), _Parent(second)
    fields = [_class(name, one.fields(name), other.fields(name)) for name in ("KnowledgeItem", "Query")]
    told = [f"{name} = {_both(one.text(name), other.text(name))!r}" for name in INSTRUCTIONS]
    imports = sorted({*one.imports, *other.imports, "from dataclasses import dataclass, field", "import re"})
    classes = {"first": one.renamed("KnowledgeBase"), "second": other.renamed("KnowledgeBase")}
    memory = MEMORY.format(**classes, lines=lines, room=READ_CHARS)
    head = '"""Two memories in one, of which each is asked: bets that they fail on different questions."""'
    parts = [head, "from __future__ import annotations", *imports, *told, *fields, one.body, other.body, memory]
    return "\n\n".join(parts) + "\n"


class _Parent:
    """One of the two programs, its names and tables marked with a digest of its own."""

    def __init__(self, source: str) -> None:
        self.tree = ast.parse(source)
        mark = "_" + hashlib.sha256(source.encode()).hexdigest()[:6]
        own = {name for statement in self.tree.body for name in _defined(statement)}
        self.names = {name: name + mark for name in own - {"KnowledgeItem", "Query"}}
        self.imports = [
            ast.unparse(statement)
            for statement in self.tree.body
            if isinstance(statement, ast.Import | ast.ImportFrom) and "__future__" not in ast.unparse(statement)
        ]
        left_out = {"TUNABLES", "KnowledgeItem", "Query", *INSTRUCTIONS}
        kept = [s for s in self.tree.body if _defined(s) and not left_out & set(_defined(s))]
        marker = _Marker(self.names, set(TABLE.findall(source)), mark)
        self.body = "\n\n".join(ast.unparse(marker.visit(statement)) for statement in kept)

    def renamed(self, name: str) -> str:
        """Return what a name of this program is called in the child."""
        return self.names[name]

    def text(self, name: str) -> str:
        """Return a string constant."""
        for statement in self.tree.body:
            if isinstance(statement, ast.Assign) and name in _defined(statement):
                return str(ast.literal_eval(statement.value))
        return ""

    def fields(self, name: str) -> dict[str, str]:
        """Return the lines of a dataclass's fields by name."""
        found = next(s for s in self.tree.body if isinstance(s, ast.ClassDef) and s.name == name)
        return {ast.unparse(s.target): ast.unparse(s) for s in found.body if isinstance(s, ast.AnnAssign)}


class _Marker(ast.NodeTransformer):
    """Renames what a module defines, the collections and the tables that it keeps its notes in."""

    def __init__(self, names: dict[str, str], tables: Collection[str], mark: str) -> None:
        self.names = names
        self.tables = re.compile(rf"\b({'|'.join(map(re.escape, tables))})\b") if tables else None
        self.mark = mark

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self.names.get(node.id, node.id)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.name = self.names.get(node.name, node.name)
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name = self.names.get(node.name, node.name) if node.col_offset == 0 else node.name
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Attribute) and node.func.attr == "get_or_create_collection":
            node.args = [ast.Constant(str(ast.literal_eval(node.args[0])) + self.mark), *node.args[1:]]
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        if isinstance(node.value, str) and self.tables and SQL.search(node.value):
            node.value = self.tables.sub(rf"\1{self.mark}", node.value)
        return node


def _defined(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.ClassDef | ast.FunctionDef):
        return [statement.name]
    if isinstance(statement, ast.AnnAssign):
        return [ast.unparse(statement.target)]
    if isinstance(statement, ast.Assign):
        return [ast.unparse(target) for target in statement.targets]
    return []


def _class(name: str, one: dict[str, str], other: dict[str, str]) -> str:
    """Return a dataclass with the fields of both, those without a default first."""
    lines = sorted({**other, **one}.values(), key=lambda line: "=" in line.replace("= field(metadata=", ""))
    return "\n".join(["@dataclass", f"class {name}:", *(f"    {line}" for line in lines or ["pass"])])


def _both(one: str, other: str) -> str:
    return one if other in one else f"{one} {other}".strip()
