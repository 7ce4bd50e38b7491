"""Grafts between programs with known parts: what comes along, what is refused, and that the child works."""

from __future__ import annotations

import itertools
import sqlite3
from types import SimpleNamespace
from typing import Any

import pytest

from evolve.errors import ConfigError, EvolveError
from evolve.paths import seeds_dir
from evolve.program import Misfit, graft, load, parse, structural_diff
from evolve.types import Program

BASE = '''\
"""Keeps notes by day.
Bets on order."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Optional

K = 3  # notes that are read
CUT = 40
WORD = re.compile(r"[a-z]+")
TUNABLES = {"K": (1, 10), "CUT": (10, 200)}

INSTRUCTION_KNOWLEDGE_ITEM = "Give the day."
INSTRUCTION_QUERY = "Name the day."
INSTRUCTION_RESPONSE = "Answer with a day."
ALWAYS_ON_KNOWLEDGE = ""


@dataclass
class KnowledgeItem:
    day: str = field(metadata={"description": "The day"})


@dataclass
class Query:
    day: Optional[str] = None


def shorten(text):
    return text[:CUT]


# Only the base's read needs this one.
def newest(notes):
    return notes[-K:]


class KnowledgeBase:
    """By day."""

    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.notes = []
        self.db = toolkit.db
        self.db.execute("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, day TEXT, body TEXT, UNIQUE (day))")

    def write(self, item: Any, raw_text):
        # kept as it is
        self.notes.append(shorten(raw_text))
        self.db.execute("INSERT OR REPLACE INTO notes (day, body) VALUES (?, ?)", (item.day, json.dumps(raw_text)))

    def read(self, query):
        return self._join(newest(self.notes))

    def _join(self, notes):
        return "\\n".join(notes)
'''

DONOR = '''\
"""Counts shared words."""
import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field

FLOOR = 1  # words that must be shared
STEP = 0.5
SPARE = 1
TUNABLES = {
    "FLOOR": (0, 5),
    "STEP": (0.1, 1.0),
    "SPARE": (0, 9),
}
INSTRUCTION_KNOWLEDGE_ITEM = "Write down everything."
INSTRUCTION_QUERY = (
    "Repeat the question "
    "word for word."
)
INSTRUCTION_RESPONSE = "Answer " "briefly."
ALWAYS_ON_KNOWLEDGE = "Notes are ordered by shared words."


@dataclass
class KnowledgeItem:
    everything: str = ""


@dataclass
class Query:
    text: str = field(metadata={"description": "The question"})


# Counts words, whatever their case.
def words(text):
    return Counter(text.lower().split())


def unused():
    return defaultdict(list)


class KnowledgeBase:
  scale = 2

  def __init__(self, toolkit):
    self.toolkit = toolkit
    self.notes = list()

  def write(self, item, raw_text):
    self.notes.append(raw_text)

  def read(self, query):
    scored = [(self._score(note, query.text), note) for note in self.notes]
    return " | ".join(note for score, note in sorted(scored, reverse=True) if score >= FLOOR)

  # One method with its comment.
  def _score(self, note, text):
    shared = words(note) & words(text)
    return math.ceil(self.scale * sum(shared.values()) * STEP)
'''


def swapped(source: str, *pairs: tuple[str, str]) -> Program:
    for old, new in pairs:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    return parse(source)


def run(source: str, texts: list[str], **query: str) -> str:
    """Use a program the way the runner does, with a database and nothing else."""
    space: dict[str, Any] = {"__name__": "__main__"}  # dataclasses look their module up
    exec(compile(source, "program", "exec"), space)
    knowledge_base = space["KnowledgeBase"](SimpleNamespace(db=sqlite3.connect(":memory:")))
    fields = [field.name for field in parse(source).item.fields]
    for number, text in enumerate(texts):
        knowledge_base.write(space["KnowledgeItem"](**dict.fromkeys(fields, str(number))), text)
    return str(knowledge_base.read(space["Query"](**query)))


def test_read_comes_with_all_that_it_needs_and_the_child_works() -> None:
    base, donor = parse(BASE), parse(DONOR)
    source = graft(base, donor, "read")
    child = parse(source)
    assert child.item == base.item
    assert child.query == donor.query
    assert child.instructions == base.instructions | {"INSTRUCTION_QUERY": donor.instructions["INSTRUCTION_QUERY"]}
    assert {t.name: (t.low, t.high) for t in child.tunables} == {"CUT": (10, 200), "FLOOR": (0, 5), "STEP": (0.1, 1.0)}
    texts = ["red fox " * 10, "blue Sky", "red sky"]
    assert run(source, texts, text="the red sky") == f"red sky | {'red fox ' * 5} | blue Sky"


def test_the_child_reads_like_a_person_wrote_it() -> None:
    assert (
        graft(parse(BASE), parse(DONOR), "read")
        == '''\
"""Keeps notes by day.
Bets on order.

Grafted read: Counts shared words.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

CUT = 40
WORD = re.compile(r"[a-z]+")
FLOOR = 1  # words that must be shared
STEP = 0.5
TUNABLES = {"CUT": (10, 200), "FLOOR": (0, 5), "STEP": (0.1, 1.0)}

INSTRUCTION_KNOWLEDGE_ITEM = "Give the day."
INSTRUCTION_QUERY = (
    "Repeat the question "
    "word for word."
)
INSTRUCTION_RESPONSE = "Answer with a day."
ALWAYS_ON_KNOWLEDGE = ""


@dataclass
class KnowledgeItem:
    day: str = field(metadata={"description": "The day"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question"})


def shorten(text):
    return text[:CUT]


# Counts words, whatever their case.
def words(text):
    return Counter(text.lower().split())


class KnowledgeBase:
    """By day."""

    scale = 2

    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.notes = []
        self.db = toolkit.db
        self.db.execute("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, day TEXT, body TEXT, UNIQUE (day))")

    def write(self, item: Any, raw_text):
        # kept as it is
        self.notes.append(shorten(raw_text))
        self.db.execute("INSERT OR REPLACE INTO notes (day, body) VALUES (?, ?)", (item.day, json.dumps(raw_text)))

    def read(self, query):
        scored = [(self._score(note, query.text), note) for note in self.notes]
        return " | ".join(note for score, note in sorted(scored, reverse=True) if score >= FLOOR)

    # One method with its comment.
    def _score(self, note, text):
        shared = words(note) & words(text)
        return math.ceil(self.scale * sum(shared.values()) * STEP)
'''
    )


def test_the_other_way_round_works_too() -> None:
    source = graft(parse(DONOR), parse(BASE), "read")
    assert run(source, ["a", "b", "c", "d"], day="1") == "b\nc\nd"
    assert [t.name for t in parse(source).tunables] == ["SPARE", "K"]
    assert "unused" in source, "what nothing needs is not ours to tidy up"
    assert "FLOOR" not in source


def test_a_name_that_only_the_bases_read_needs_may_get_another_meaning() -> None:
    donor = swapped(
        DONOR, ("FLOOR = 1", "K = 1"), ('"FLOOR": (0, 5)', '"K": (0, 50)'), ("score >= FLOOR", "score >= K")
    )
    child = parse(graft(parse(BASE), donor, "read"))
    assert [(t.name, t.value, t.high) for t in child.tunables if t.name == "K"] == [("K", 1, 50)]
    assert "K = 1  # words that must be shared\nCUT = 40" in child.source


def test_equal_helpers_are_shared() -> None:
    donor = swapped(DONOR, ("def unused():\n    return defaultdict(list)", "def shorten(t):\n    return t[:3]"))
    same = swapped(
        DONOR,
        ("def unused():\n    return defaultdict(list)", "def shorten(text):\n    '''Cut.'''\n    return text[:CUT]"),
        ("SPARE = 1", "CUT = 40"),
        ('"SPARE": (0, 9)', '"CUT": (20, 90)'),
        ("note for score", "shorten(note) for score"),
    )
    child = parse(graft(parse(BASE), same, "read"))
    assert child.source.count("def shorten") == 1
    assert [(t.low, t.high) for t in child.tunables if t.name == "CUT"] == [(10, 200)]
    assert "t[:3]" not in graft(parse(BASE), donor, "read"), "a helper that read does not need stays behind"


NOTES_READ = "scored = [(self._score(note, query.text), note) for note in self.notes]"
MISFITS: dict[str, tuple[list[tuple[str, str]], str]] = {
    "attribute": (
        [
            ("self.scale *", "self.weight *"),
            ("    self.notes = list()", "    self.notes = list()\n    self.weight = 1"),
        ],
        "The donor's read needs self.weight, which the base's write path never sets.",
    ),
    "counter": (
        [("    scored =", "    self.reads += 1\n    scored =")],
        "The donor's read needs self.reads, which the base's write path never sets.",
    ),
    "kind": ([("self.notes = list()", "self.notes = {}")], "self.notes is list in the base and dict in the donor."),
    "constant": (
        [("FLOOR = 1", "CUT = 1"), ('"FLOOR": (0, 5)', '"CUT": (0, 5)'), (">= FLOOR", ">= CUT")],
        "Both programs define CUT, differently, and the base's write path needs its own.",
    ),
    "helper": (
        [("def words(", "def shorten("), ("words(note) & words(text)", "shorten(note) & shorten(text)")],
        "Both programs define shorten, differently, and the base's write path needs its own.",
    ),
    "import": (
        [("import math\n", "import statistics as json\n"), ("math.ceil(", "json.mean(")],
        "Both programs define json, differently, and the base's write path needs its own.",
    ),
    "item": (
        [("def _score(self, note, text):", "def _score(self, note, text, kind=KnowledgeItem):")],
        "Both programs define KnowledgeItem, differently, and the base's write path needs its own.",
    ),
    "writes": (
        [("    scored =", "    self.write(query, '')\n    scored =")],
        "The donor's read calls write, and that stays",
    ),
    "tunables": ([(">= FLOOR", ">= len(TUNABLES)")], "The donor's read uses TUNABLES, which the child has merged."),
    "module code": (
        [("# Counts words", "print(FLOOR)\n\n# Counts words")],
        "The donor's module also runs code on FLOOR, which cannot come along.",
    ),
    "table": (
        [(NOTES_READ, 'scored = self.toolkit.db.execute("SELECT a FROM diary JOIN notes USING (id)")')],
        "The donor's read needs the table diary, which the base does not create.",
    ),
    "column": (
        [
            (
                NOTES_READ,
                "sql = f\"SELECT n.day, mood FROM notes AS n WHERE n.body LIKE '%x' LIMIT {STEP}\"; scored = [sql]",
            )
        ],
        "The donor's read needs the column mood of notes, which the base does not create.",
    ),
}


@pytest.mark.parametrize("case", MISFITS)
def test_what_does_not_fit_is_refused_with_the_reason(case: str) -> None:
    pairs, reason = MISFITS[case]
    with pytest.raises(Misfit) as refusal:
        graft(parse(BASE), swapped(DONOR, *pairs), "read")
    assert str(refusal.value).startswith(reason)
    assert "\n" not in str(refusal.value)
    assert isinstance(refusal.value, EvolveError)


@pytest.mark.parametrize(
    "sql",
    [
        '"SELECT day, n.body AS shown FROM notes AS n ORDER BY shown COLLATE NOCASE DESC"',
        '"select count(*), max(length(body)) from notes where day = :day and id in (?, ?)"',
        '"WITH latest AS (SELECT id FROM notes) SELECT id FROM latest"',
        "\"SELECT a.day FROM notes a JOIN notes b ON a.id = b.id WHERE a.body <> 'nothing from nowhere'\"",
        'f"SELECT {query.text} FROM notes WHERE rowid IN ({query.text})"',
        '"SELECT name FROM sqlite_master"',
    ],
)
def test_sql_over_the_bases_tables_fits(sql: str) -> None:
    donor = swapped(DONOR, (NOTES_READ, f"scored = self.toolkit.db.execute({sql})"))
    assert sql.strip("f\"'") in graft(parse(BASE), donor, "read")


def test_prose_is_not_taken_for_sql() -> None:
    donor = swapped(DONOR, (NOTES_READ, f'prompt = "Select the facts from the diary"\n    {NOTES_READ}'))
    assert "from the diary" in graft(parse(BASE), donor, "read")


def test_a_write_path_that_needs_what_read_sets_is_refused() -> None:
    base = swapped(
        BASE,
        ("        return self._join(newest", "        self.seen = 1\n        return self._join(newest"),
        ("        # kept as it is", "        print(self.seen)"),
    )
    with pytest.raises(Misfit, match=r"The base's write path needs self\.seen, which only its read sets"):
        graft(base, parse(DONOR), "read")


def test_names_must_be_defined_before_they_are_needed() -> None:
    donor = swapped(DONOR, ("STEP = 0.5", "RATES = [0.5]\nSTEP = 0.5"), ("* STEP", "* RATES[0] * STEP"))
    base = swapped(
        BASE, ("K = 3  # notes", 'STEP = float("0.5")\nK = 3  # notes'), ("text[:CUT]", "text[:int(CUT * STEP)]")
    )
    with pytest.raises(Misfit, match="Both programs define STEP"):
        graft(base, donor, "read")
    late = swapped(DONOR, ("def words(text):", "def words(text, kind=missing):"))
    with pytest.raises(Misfit, match="The child would use missing where it is not defined"):
        graft(parse(BASE), late, "read")


def test_a_helper_that_a_constant_needs_comes_before_it() -> None:
    donor = swapped(
        DONOR,
        ("FLOOR = 1  # words that must be shared\n", "def least():\n    return 1\n\n\nFLOOR = least()\n"),
        ('    "FLOOR": (0, 5),\n', ""),
    )
    source = graft(parse(BASE), donor, "read")
    assert source.index("def least") < source.index("FLOOR = least()") < source.index("class KnowledgeBase")
    assert run(source, ["red sky"], text="sky") == "red sky"


def test_several_statements_on_a_line_and_old_line_ends() -> None:
    donor = swapped(DONOR, ("FLOOR = 1  # words that must be shared\nSTEP = 0.5\n", "FLOOR = 1; STEP = 0.5\n"))
    windows = parse(BASE.replace("\n", "\r\n"))
    assert run(graft(windows, donor, "read"), ["red sky"], text="sky") == "red sky"


@pytest.mark.parametrize(
    ("ours", "theirs", "merged"),
    [
        ("import re", "import numpy", "import re\n\nimport numpy"),
        ("import re\n\nimport numpy", "import math", "import math\nimport re\n\nimport numpy"),
        ("import re\n\nimport numpy", "import zlib", "import re\nimport zlib\n\nimport numpy"),
        (
            "import re",
            "from __future__ import annotations\nimport math",
            "from __future__ import annotations\n\nimport math\nimport re",
        ),
        (
            "from math import (\n    pi,\n    e,\n)",
            "from math import tau",
            "from math import (\n    pi,\n    e,\n    tau,\n)",
        ),
        ("from math import pi", "from math import tau as turn", "from math import pi, tau as turn"),
        ("import math as m", "import math", "import math as m\nimport math"),
    ],
)
def test_imports_are_sorted_in(ours: str, theirs: str, merged: str) -> None:
    rest = "if True:\n    import json, typing\n    from dataclasses import dataclass, field\n"
    name = theirs.split()[-1]
    base = swapped(
        BASE,
        (BASE[: BASE.index("K = 3")], f'"""A docstring."""\n{ours}\n{rest}'),
        ('re.compile(r"[a-z]+")', "max"),
        ("item: Any", "item"),
        ("Optional[str]", "typing.Optional[str]"),
    )
    donor = swapped(
        DONOR,
        ("import math\n", f"{theirs}\n"),
        ("math.ceil(", f"{name}("),
        ("from collections import Counter, defaultdict\n", ""),
        ("Counter(text.lower().split())", "set(text)"),
        ("from dataclasses import dataclass, field", rest.rstrip()),
    )
    source = graft(base, donor, "read")
    assert f'Grafted read: Counts shared words.\n"""\n{merged}\nif True:\n' in source


def test_instructions_alone() -> None:
    base, donor = parse(BASE), parse(DONOR)
    source = graft(base, donor, "instructions")
    child = parse(source)
    assert child.instructions == base.instructions | {
        "INSTRUCTION_RESPONSE": "Answer briefly.",
        "ALWAYS_ON_KNOWLEDGE": "Notes are ordered by shared words.",
    }
    assert 'INSTRUCTION_RESPONSE = "Answer " "briefly."\n' in source, "written as the donor wrote it"
    assert structural_diff(BASE, source).changed == ("INSTRUCTION_RESPONSE", "ALWAYS_ON_KNOWLEDGE")


def test_instructions_of_an_equal_schema_come_along() -> None:
    donor = swapped(
        BASE,
        ('"Give the day."', '(\n    "Give "\n    "any day."\n)'),
        ('"Name the day."', '"Which day?"'),
        ("day: Optional[str] = None", "day: str"),
    )
    child = parse(graft(parse(BASE), donor, "instructions"))
    assert child.instructions["INSTRUCTION_KNOWLEDGE_ITEM"] == "Give any day."
    assert child.instructions["INSTRUCTION_QUERY"] == "Name the day.", "the schemas of Query differ"


def test_instructions_assigned_together_cannot_be_taken_apart() -> None:
    base = swapped(
        BASE,
        ('INSTRUCTION_RESPONSE = "Answer with a day."\n', ""),
        ('ALWAYS_ON_KNOWLEDGE = ""', 'INSTRUCTION_RESPONSE = ALWAYS_ON_KNOWLEDGE = ""'),
    )
    with pytest.raises(Misfit, match="assigns INSTRUCTION_RESPONSE together with another name"):
        graft(base, parse(DONOR), "instructions")


SHARED = swapped(DONOR, ("STEP = 0.5", "K = 7"), ('"STEP": (0.1, 1.0)', '"K": (1, 9)'), ("* STEP", "* K"))
WIDE = swapped(
    SHARED.source,
    ("K = 7", "K = 70"),
    ("(1, 9)", "(1, 90)"),
    ("SPARE = 1", "CUT = 50"),
    ('"SPARE"', '"CUT"'),
    ("(0, 9)", "(0, 99)"),
)


def test_constants_alone() -> None:
    source = graft(parse(BASE), SHARED, "constants")
    assert source == BASE.replace("K = 3 ", "K = 7 ")
    child = parse(graft(parse(BASE), WIDE, "constants"))
    assert {t.name: t.value for t in child.tunables} == {"K": 3, "CUT": 50}, "70 is outside the base's range for K"


@pytest.mark.parametrize(
    ("donor", "names", "reason"),
    [
        (SHARED, ["FLOOR"], "FLOOR is not a tunable of both programs; they share K."),
        (WIDE, ["CUT", "K"], "The donor's K = 70 is outside the base's range."),
        (SHARED, [], "The programs share no tunable"),
        (parse(DONOR), None, "The programs share no tunable"),
    ],
)
def test_constants_must_be_shared_and_fit(donor: Program, names: list[str] | None, reason: str) -> None:
    with pytest.raises(Misfit) as refusal:
        graft(parse(BASE), donor, "constants", names=names)
    assert str(refusal.value).startswith(reason)


def test_named_constants_alone_are_taken() -> None:
    donor = swapped(BASE, ("K = 3 ", "K = 4 "), ("CUT = 40", "CUT = 60"))
    child = parse(graft(parse(BASE), donor, "constants", names={"CUT"}))
    assert {t.name: t.value for t in child.tunables} == {"K": 3, "CUT": 60}


def test_a_child_that_is_a_parent_is_refused() -> None:
    base = parse(BASE)
    for part in ("read", "instructions", "constants"):
        with pytest.raises(Misfit, match=f"Taking {part} from the donor gives back the base"):
            graft(base, base, part)
    other = swapped(BASE, ("K = 3 ", "K = 4 "))
    with pytest.raises(Misfit, match="gives back the donor"):
        graft(base, other, "constants")


def test_a_second_graft_replaces_its_line_in_the_docstring() -> None:
    child = parse(graft(parse(BASE), parse(DONOR), "instructions"))
    child = parse(graft(child, parse(DONOR), "read"))
    title = r'""" Says \"\"\"so\"\"\", with a \\. """'
    other = swapped(DONOR, ('"""Counts shared words."""', title), ("FLOOR = 1", "FLOOR = 2"))
    child = parse(graft(child, other, "read"))
    assert child.docstring.splitlines() == [
        "Keeps notes by day.",
        "Bets on order.",
        "",
        "Grafted instructions: Counts shared words.",
        'Grafted read: Says """so""", with a \\.',
    ]


def test_programs_without_docstrings_get_one() -> None:
    base, donor = (
        swapped(s, (d, ""))
        for s, d in ((BASE, '"""Keeps notes by day.\nBets on order."""\n\n'), (DONOR, '"""Counts shared words."""\n'))
    )
    child = parse(graft(base, donor, "read"))
    assert child.docstring == f"Grafted read: program {donor.digest[:8]}"
    assert child.source.startswith('"""Grafted read: program')


def test_wrong_arguments_are_config_errors() -> None:
    with pytest.raises(ConfigError, match="unknown part 'write'"):
        graft(parse(BASE), parse(DONOR), "write")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="they go with constants only"):
        graft(parse(BASE), parse(DONOR), "read", names=["K"])


def test_every_pair_of_seeds_gives_a_child_or_a_reason() -> None:
    seeds = {path.stem: load(path) for path in sorted(seeds_dir().glob("*.py"))}
    children = 0
    for base, donor in itertools.permutations(seeds.values(), 2):
        for part in ("read", "instructions", "constants"):
            try:
                child = parse(graft(base, donor, part))
            except Misfit:
                continue
            children += 1
            assert child.digest not in (base.digest, donor.digest)
            assert child.item == base.item
            assert child.query == (donor.query if part == "read" else base.query)
    assert children >= len(seeds) * (len(seeds) - 1) // 2
