"""The contract check: what passes, what is refused, and what the refusal says."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evolve.errors import ConfigError, ProgramError
from evolve.paths import seeds_dir
from evolve.program import digest, load, parse
from evolve.types import Field, Tunable

PROGRAM = '''\
"""Keeps everything and reads the newest."""
from dataclasses import dataclass, field
from typing import Optional

K1 = 5
MODE = "newest"
TUNABLES = {"K1": (1, 10), "MODE": ["newest", "oldest"]}

INSTRUCTION_KNOWLEDGE_ITEM = "Summarise the text."
INSTRUCTION_QUERY = ("Put the question "
    "briefly.")
INSTRUCTION_RESPONSE = "Answer " + "in one word."
ALWAYS_ON_KNOWLEDGE = ""


@dataclass
class KnowledgeItem:
    summary: str = field(metadata={"description": "What happened"})
    goal: Optional[str] = field(default=None, metadata={"description": "The goal, " "if there is one"})


@dataclass
class Query:
    text: str


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.notes = []

    def write(self, item, raw_text):
        self.notes.append(item.summary)

    def read(self, query):
        return "\\n".join(self.notes[-K1:])
'''

# A program in the manner of those published with M*: plain @dataclass, static helpers, annotations everywhere.
PUBLISHED = """\
from dataclasses import dataclass, field
from typing import Optional
import json
import sqlite3

COMMIT_MESSAGE = "Title: structured memory"
INSTRUCTION_KNOWLEDGE_ITEM = (
    "Extract the goal. "
    "Be brief."
)
INSTRUCTION_QUERY = "Name the goal."
INSTRUCTION_RESPONSE = "Answer."
ALWAYS_ON_KNOWLEDGE = (
    ""
)


@dataclass
class KnowledgeItem:
    \"\"\"What is kept.\"\"\"

    summary: str = field(metadata={"description": "A summary"})
    goal: Optional[str] = field(
        default=None,
        metadata={"description": "The goal."},
    )
    entities: list[str] = field(default_factory=list)


@dataclass
class Query:
    \"\"\"What is asked.\"\"\"
    raw: str


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.db: sqlite3.Connection = toolkit.db
        self.db.execute("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, goal TEXT, body TEXT)")

    def write(self, item: KnowledgeItem, raw_text: str = "") -> None:
        self.db.execute("INSERT INTO notes (goal, body) VALUES (?, ?)", (item.goal, json.dumps(item.entities)))

    def read(self, query: Query) -> str:
        rows = self.db.execute("SELECT goal FROM notes").fetchall()
        return KnowledgeBase._cut(" ".join(row[0] or "" for row in rows))

    @staticmethod
    def _cut(text: str, limit: int = 3000) -> str:
        return text[:limit]
"""


def changed(old: str, new: str) -> str:
    """The valid program with one passage replaced."""
    assert PROGRAM.count(old) == 1, old
    return PROGRAM.replace(old, new)


def with_type(annotation: str) -> str:
    return changed("    text: str\n", f"    text: {annotation}\n")


def test_a_program_is_read_whole() -> None:
    program = parse(PROGRAM)
    assert program.source == PROGRAM
    assert program.docstring == "Keeps everything and reads the newest."
    assert program.item.fields == (
        Field("summary", "str", "What happened", required=True),
        Field("goal", "Optional[str]", "The goal, if there is one", required=False),
    )
    assert program.query.name == "Query"
    assert program.query.fields == (Field("text", "str", "", required=True),)
    assert program.instructions == {
        "INSTRUCTION_KNOWLEDGE_ITEM": "Summarise the text.",
        "INSTRUCTION_QUERY": "Put the question briefly.",
        "INSTRUCTION_RESPONSE": "Answer in one word.",
        "ALWAYS_ON_KNOWLEDGE": "",
    }
    assert program.tunables == (
        Tunable("K1", 5, low=1, high=10),
        Tunable("MODE", "newest", choices=("newest", "oldest")),
    )
    assert pickle.loads(pickle.dumps(program)) == program


def test_a_program_published_with_mstar_passes_unmodified() -> None:
    program = parse(PUBLISHED)
    assert [field.type for field in program.item.fields] == ["str", "Optional[str]", "list[str]"]
    assert [field.required for field in program.item.fields] == [True, False, False]
    assert program.tunables == ()


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("int", "int"),
        ("'float'", "float"),
        ("bool", "bool"),
        ("List[str]", "list[str]"),
        ("typing.List['str']", "list[str]"),
        ("Dict[str, str]", "dict[str, str]"),
        ("dict[str,str]", "dict[str, str]"),
        ("str | None", "Optional[str]"),
        ("None | 'list[str]'", "Optional[list[str]]"),
        ("'dict[str, str] | None'", "Optional[dict[str, str]]"),
        ("typing.Optional[int]", "Optional[int]"),
        ("Union[float, None]", "Optional[float]"),
        ("Optional[Optional[List[str]]]", "Optional[list[str]]"),
        ("Optional['bool']", "Optional[bool]"),
    ],
)
def test_types_have_one_spelling(written: str, read: str) -> None:
    assert parse(with_type(written)).query.fields[0].type == read


@pytest.mark.parametrize(
    "annotation",
    [
        "list",
        "dict",
        "list[int]",
        "dict[str, int]",
        "tuple[str]",
        "datetime",
        "Any",
        "int | str",
        "None",
        "Optional[set]",
        "'not a type('",
        "list[list[str]]",
        "Optional[str, int]",
        "bytes",
    ],
)
def test_other_types_are_refused(annotation: str) -> None:
    with pytest.raises(ProgramError) as refusal:
        parse(with_type(annotation))
    assert refusal.value.line == 24
    assert f"the field text of type {annotation}" in refusal.value.found
    assert "dict[str, str]" in refusal.value.expected


@pytest.mark.parametrize(
    ("signature", "method"),
    [
        ("def read(me, q, limit=3)", "def read(self, query)"),
        ("def read(self, *rest, quiet=True)", "def read(self, query)"),
        ("def write(this, /, item, text, *more, **named)", "def write(self, item, raw_text)"),
        ("def __init__(self, tools, size: int = 3)", "def __init__(self, toolkit)"),
    ],
)
def test_parameters_may_have_other_names_and_defaults(signature: str, method: str) -> None:
    assert parse(changed(method, signature)).query.name == "Query"


def test_helpers_may_yield_and_fields_may_be_class_variables() -> None:
    source = changed(
        '        return "\\n".join(', '        def each():\n            yield 1\n        return "\\n".join('
    )
    source = source.replace("    text: str\n", "    text: str\n    count: ClassVar[int] = 0\n")
    assert [field.name for field in parse(source).query.fields] == ["text"]


def test_descriptions_may_be_named_constants() -> None:
    source = changed('{"description": "What happened"}', '{"description": MODE}')
    assert parse(source).item.fields[0].description == "newest"


READ = "    def read(self, query):\n"
REFUSED = {
    # name: source, line, part of what was found, part of what was expected
    "syntax": (changed("class Query:", "class Query"), 23, "a syntax error", "valid Python 3.11"),
    "unclosed": (PROGRAM + "x = (1,\n", 37, "'(' was never closed", "valid Python 3.11"),
    "return outside": (PROGRAM + "return 1\n", 37, "'return' outside function", "valid Python 3.11"),
    "newer syntax": (PROGRAM + "type X = int\n", 37, "a syntax error", "valid Python 3.11"),
    "null byte": (PROGRAM + "# \0\n", 37, "a null byte", "text without null bytes"),
    "half character": (PROGRAM + "# \ud800\n", 37, "the half character '\\ud800'", "UTF-8"),
    "too long": (PROGRAM + "#" * 200_000, None, "a source of 200", "at most 200000 bytes"),
    "too deep": (PROGRAM + f"x = {'-' * 150}1\n", 37, "code nested too deeply", "at most 100 levels"),
    "far too deep": (PROGRAM + f"x = {'-' * 90_000}1\n", None, "code nested too deeply", "at most 100 levels"),
    "long sum": (PROGRAM + f"x = 1{' + 1' * 40_000}\n", None, "code nested too deeply", "at most 100 levels"),
    "empty": ("", None, "no class KnowledgeItem", "one class KnowledgeItem at module level"),
    "no Query": (changed("class Query:", "class Question:"), None, "no class Query", "one class Query"),
    "two items": (
        PROGRAM + "@dataclass\nclass KnowledgeItem:\n    a: str\n",
        38,
        "a second definition of KnowledgeItem",
        "one class KnowledgeItem",
    ),
    "rebound": (PROGRAM + "KnowledgeBase = print\n", 37, "a second definition of KnowledgeBase", "one class"),
    "imported": (
        changed("from typing import Optional", "from typing import Optional as Query").replace(
            "class Query", "class Q"
        ),
        3,
        "Query that is not a class",
        "one class Query",
    ),
    "no decorator": (
        changed("@dataclass\nclass Query", "class Query"),
        22,
        "Query without @dataclass",
        "@dataclass above",
    ),
    "inherits": (changed("class Query:", "class Query(KnowledgeItem):"), 23, "inherits from KnowledgeItem", "itself"),
    "untyped field": (changed("    text: str", "    text = field()"), 24, "text without a type", "a type, one of str"),
    "mutable default": (with_type("list[str] = []"), 24, "mutable default []", "field(default_factory=list)"),
    "default first": (
        changed("    text: str\n", "    text: str = ''\n    more: str\n"),
        25,
        "the field more without a default",
        "fields without defaults first",
    ),
    "field twice": (changed("    text: str\n", "    text: str\n    text: str\n"), 25, "a second field text", "once"),
    "description": (changed('"What happened"', 'f"{K1}"'), 18, "the description f'{K1}'", "a string literal"),
    "metadata": (changed('{"description": "What happened"}', "dict(a=1)"), 18, "metadata=dict(a=1)", "metadata={"),
    "no read": (changed(READ, "    def recall(self, query):\n"), 27, "no KnowledgeBase.read", "def read(self, query)"),
    "no init": (changed("def __init__", "def setup"), 27, "no KnowledgeBase.__init__", "def __init__(self, toolkit)"),
    "short write": (
        changed("item, raw_text)", "item)"),
        32,
        "def write(self, item)",
        "def write(self, item, raw_text)",
    ),
    "long read": (changed(READ, "    def read(self, query, k):\n"), 35, "def read(self, query, k)", "need defaults"),
    "keyword-only": (
        changed(READ, "    def read(self, query, *, k):\n"),
        35,
        "def read(self, query, *, k)",
        "defaults",
    ),
    "async read": (changed(READ, "    async def read(self, query):\n"), 35, "async def read", "def read"),
    "async helper": (PROGRAM + "    async def rank(self):\n        pass\n", 37, "async def rank", "def rank"),
    "static read": (changed(READ, f"    @staticmethod\n{READ}"), 36, "@staticmethod on read", "def read(self, query)"),
    "generator": (
        changed('return "\\n".join(', 'yield "\\n".join('),
        35,
        "yield in KnowledgeBase.read",
        "that returns",
    ),
    "second read": (PROGRAM + READ + "        return ''\n", 37, "a second KnowledgeBase.read", "one def read"),
    "no instruction": (
        changed('ALWAYS_ON_KNOWLEDGE = ""\n', ""),
        None,
        "no ALWAYS_ON_KNOWLEDGE",
        "assigned exactly once",
    ),
    "computed instruction": (
        changed('ALWAYS_ON_KNOWLEDGE = ""', "ALWAYS_ON_KNOWLEDGE = MODE.upper()"),
        13,
        "MODE.upper()",
        "a plain string literal",
    ),
    "number as instruction": (
        changed('ALWAYS_ON_KNOWLEDGE = ""', "ALWAYS_ON_KNOWLEDGE = 3"),
        13,
        "3",
        "string literal",
    ),
    "instruction twice": (PROGRAM + 'INSTRUCTION_QUERY = ""\n', 37, "a second assignment of INSTRUCTION_QUERY", "once"),
    "import": (changed("from typing import Optional", "import os"), 3, "import of os", "only __future__, abc"),
    "import inside": (changed("self.notes = []", "import socket.x"), 30, "import of socket.x", "sqlite3"),
    "import from": (PROGRAM + "from subprocess import run\n", 37, "import of subprocess", "only"),
    "relative import": (PROGRAM + "from . import other\n", 37, "import of .", "only"),
    "star import": (PROGRAM + "from math import *\n", 37, "from math import *", "one by one"),
    "tunables": (
        changed('{"K1": (1, 10), "MODE": ["newest", "oldest"]}', "dict()"),
        7,
        "TUNABLES = dict()",
        "a dict literal",
    ),
    "tunables key": (changed('{"K1": (1', "{K1: (1"), 7, "the key K1 in TUNABLES", "a dict literal"),
    "tunables merge": (changed('{"K1": (1, 10)', "{**{}"), 7, "the key **{} in TUNABLES", "a dict literal"),
    "tunable twice": (changed('"MODE": [', '"K1": ['), 7, "K1 twice in TUNABLES", "every name once"),
    "tunable unknown": (changed('"MODE": [', '"K2": ['), 7, "K2 in TUNABLES", "a module-level constant K2"),
    "tunable rebound": (PROGRAM + "K1 = 6\n", 37, "a second assignment of K1", "K1 assigned exactly once"),
    "tunable global": (
        changed("        self.notes = []", "        global K1"),
        30,
        "a second assignment of K1",
        "once",
    ),
    "tunable loop": (PROGRAM + "for K1 in ():\n    pass\n", 37, "a second assignment of K1", "once"),
    "tunable computed": (changed("K1 = 5", "K1 = len('12345')"), 5, "K1 = len('12345')", "a number, a string"),
    "tunable shared": (changed("K1 = 5", "K1 = K3 = 5"), 5, "K1 = K3 = 5", "assigned to K1 alone"),
    "tunable list": (changed("K1 = 5", "K1 = [5]"), 5, "K1 = [5]", "a number, a string, a bool or None"),
    "tunable function": (
        changed('"MODE": [', '"KnowledgeBase": ['),
        27,
        "KnowledgeBase that is not a constant",
        "literal",
    ),
    "range of one": (changed("(1, 10)", "(1,)"), 7, "(1,)", "(low, high) with two numbers"),
    "range of texts": (changed("(1, 10)", "('a', 'b')"), 7, "('a', 'b')", "two numbers"),
    "range of bools": (changed("(1, 10)", "(False, True)"), 7, "(False, True)", "two numbers"),
    "range reversed": (changed("(1, 10)", "(10, 1)"), 7, "the range (10, 1)", "low < high"),
    "range infinite": (changed("(1, 10)", "(1, 1e999)"), 7, "(1, 1e309)", "two numbers"),
    "outside": (changed("K1 = 5", "K1 = 11"), 5, "K1 = 11", "a whole number with 1 <= K1 <= 10"),
    "not whole": (changed("K1 = 5", "K1 = 5.0"), 5, "K1 = 5.0", "a whole number with 1 <= K1 <= 10"),
    "bool in range": (changed("K1 = 5", "K1 = True"), 5, "K1 = True", "a whole number"),
    "no choice": (changed('MODE = "newest"', 'MODE = "best"'), 6, "MODE = 'best'", "one of 'newest', 'oldest'"),
    "one choice": (changed('["newest", "oldest"]', '["newest"]'), 7, "['newest'] for MODE", "a list of two or more"),
    "choice of lists": (changed('"oldest"]', '["oldest"]]'), 7, "['newest', ['oldest']] for MODE", "numbers, strings"),
    "choices": (changed('["newest", "oldest"]', '{"newest"}'), 7, "{'newest'} for MODE", "a list of two or more"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_give_line_fault_and_remedy(case: str) -> None:
    source, line, found, expected = REFUSED[case]
    with pytest.raises(ProgramError) as refusal:
        parse(source, name="child.py")
    error = refusal.value
    assert error.line == line
    assert found in error.found
    assert expected in error.expected
    assert str(error).startswith("child.py" if line is None else f"child.py, line {line}: ")
    assert "\n" not in str(error)


@settings(max_examples=300)
@given(st.data())
def test_damaged_programs_are_refused_and_never_crash_the_check(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(PROGRAM)))
    end = data.draw(st.integers(start, min(len(PROGRAM), start + 40)))
    pieces = ["", "(", "\n", "    ", "@", "self", "\x0c", "'''", "{", ":=", "async ", "*", "global K1"]
    piece = data.draw(st.one_of(st.text(max_size=6), st.sampled_from(pieces)))
    source = PROGRAM[:start] + piece + PROGRAM[end:]
    try:
        program = parse(source)
    except ProgramError as refusal:
        if "\n" in str(refusal):
            raise AssertionError(f"a refusal of several lines: {refusal}") from refusal
        return
    assert program.digest == digest(source)


def test_a_refusal_survives_pickling() -> None:
    with pytest.raises(ProgramError) as refusal:
        parse("", name="x")
    copy = pickle.loads(pickle.dumps(refusal.value))
    assert (copy.line, copy.found, copy.name) == (None, "no class KnowledgeItem", "x")


def test_the_program_is_never_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    parse(f"{PROGRAM}\nopen({str(marker)!r}, 'w').close()\nraise SystemExit\n")
    assert not marker.exists()


def test_nesting_is_judged_alike_however_deep_the_caller_is() -> None:
    def verdict(source: str, frames: int) -> str:
        if frames:
            return verdict(source, frames - 1)
        try:
            return parse(source).digest
        except ProgramError as error:
            return error.found

    deepest = f"{PROGRAM}x = {'-' * 97}1\n"
    assert verdict(deepest, 0) == verdict(deepest, 300) == parse(deepest).digest
    assert verdict(f"{PROGRAM}x = {'-' * 101}1\n", 300) == "code nested too deeply"


def test_load_reads_utf_8_with_any_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_bytes(b"\xef\xbb\xbf" + PROGRAM.replace("\n", "\r\n").encode())
    assert load(path).source == PROGRAM


@pytest.mark.parametrize(("content", "reason"), [(None, "no such file"), (b"x = '\xff'", "not UTF-8 at byte 5")])
def test_load_refuses_unreadable_files(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "mine.py"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as refusal:
        load(path)
    assert reason in str(refusal.value)
    assert str(path) in str(refusal.value)


def test_load_names_the_file_in_refusals(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("import os\n")
    with pytest.raises(ProgramError, match=r"^mine\.py, line 1: found import of os; expected only "):
        load(path)


@pytest.mark.parametrize("path", sorted(seeds_dir().glob("*.py")), ids=lambda path: path.stem)
def test_every_seed_passes(path: Path) -> None:
    program = load(path)
    assert program.docstring, "a seed says what it bets on"
    assert all(field.description for field in (*program.item.fields, *program.query.fields))


def test_importing_the_package_is_light() -> None:
    code = "import json, sys, evolve.program; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"libcst", "numpy", "chromadb", "yaml", "pydantic", "ray", "asyncio"}
    assert not heavy & set(json.loads(done.stdout))
