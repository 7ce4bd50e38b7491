"""Snapshots of what programs hold: with the toolkit of the sandbox, and every program that is shipped."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from evolve.agents.extractive import ExtractiveAgent
from evolve.harness.errors import FolderError
from evolve.harness.kit import Toolkit
from evolve.harness.program import Harness, registered
from evolve.harness.snapshot import Snapshots, dump, key, restore
from evolve.paths import ZOO, shipped_programs
from evolve.program import load, parse
from evolve.tasks import load as load_task
from evolve.testing.programs import program
from evolve.types import Episode, Program
from evolve.wiring import find_program

AGENT = ExtractiveAgent()
CONSTANTS = "".join(
    f'{name} = ""\n'
    for name in ("INSTRUCTION_KNOWLEDGE_ITEM", "INSTRUCTION_QUERY", "INSTRUCTION_RESPONSE", "ALWAYS_ON_KNOWLEDGE")
)
SAID = "I like it. It concerns what they said."


def toolkit(**more: Any) -> Any:
    return Toolkit(call_llm=lambda messages, kwargs: SAID, log=lambda line: None, **more)


class Held:
    """A KnowledgeBase in this process."""

    def __init__(self, made: Program) -> None:
        self.program = made
        known = made.item, made.query, made.instructions
        self.harness = Harness("held", "1.0", made.digest, made.source, *known, uses_llm=True)
        self.module, self.toolkit = self.harness.load(), toolkit()
        self.base = self.module.KnowledgeBase(self.toolkit)

    def write(self, *episodes: Episode) -> None:
        for episode in episodes:
            item = AGENT.extract(self.program, episode)
            self.base.write(self.module.KnowledgeItem(**item), episode.text)

    def reads(self, *questions: str) -> list[str]:
        return [self.base.read(self.module.Query(**AGENT.formulate(self.program, each))) for each in questions]

    def dumped(self) -> bytes | None:
        with registered(self.module):
            return dump(self.base, self.toolkit, key=key(self.harness.digest))

    def restored(self) -> Held:
        data = self.dumped()
        assert data is not None
        other = Held(self.program)
        other.module, other.toolkit = self.harness.load(), toolkit()
        with registered(other.module):
            other.base = restore(data, toolkit=other.toolkit, module=other.module, key=key(self.harness.digest))
        return other


@pytest.mark.parametrize("name", [*shipped_programs(""), *shipped_programs(ZOO)])
def test_a_shipped_program_reads_after_a_snapshot_as_before_and_goes_on_alike(name: str) -> None:
    task = load_task("chronicle", {"lives": 1, "sessions": 16, "turns": 8, "queries": 12})
    held = Held(load(find_program(name)))
    first, later = task.episodes[:8], task.episodes[8:12]
    questions = [query.text for query in task.queries[:8]]
    held.write(*first)
    other = held.restored()
    assert other.reads(*questions) == held.reads(*questions)
    held.write(*later)
    other.write(*later)
    assert other.reads(*questions) == held.reads(*questions)


def held_by(init: str, read: str, write: str = "pass") -> Held:
    return Held(parse(program(top=CONSTANTS, init=init, write=write, read=read)))


def test_what_belongs_to_the_toolkit_is_the_new_toolkits() -> None:
    held = held_by(
        "self.kit = toolkit; self.db = toolkit.db; self.cursor = toolkit.db.cursor(); self.log = toolkit.logger\n"
        "self.embed = toolkit.embed; self.db.execute('CREATE TABLE t (a TEXT)')",
        "return str([row[0] for row in self.cursor.execute('SELECT a FROM t')])",
        "self.db.execute('INSERT INTO t VALUES (?)', (raw_text,))",
    )
    held.write(Episode("e", "s", "one"))
    other = held.restored()
    assert other.base.kit is other.toolkit
    assert other.base.db is other.toolkit.db
    assert other.base.cursor.connection is other.toolkit.db
    assert other.base.embed.__self__ is other.toolkit
    other.write(Episode("f", "s", "two"))
    assert (other.reads("?"), held.reads("?")) == (["['one', 'two']"], ["['one']"])


def test_a_collection_keeps_its_records_and_is_found_by_its_name() -> None:
    held = held_by(
        "self.kit = toolkit; self.mine = toolkit.chroma.create_collection('notes')",
        "found = self.kit.chroma.get_collection('notes')\n"
        "return str(self.mine.query(query_texts=['boats'], n_results=1)['documents']) + str(found.count())",
        "self.mine.add(ids=[raw_text[:3]], documents=[raw_text], metadatas=[{'length': len(raw_text)}])",
    )
    held.write(*(Episode(text, "s", text) for text in ("two boats on the lake", "a red house", "salt and pepper")))
    other = held.restored()
    assert other.reads("?") == held.reads("?") == ["[['two boats on the lake']]3"]
    assert other.base.mine.get()["metadatas"] == held.base.mine.get()["metadatas"]
    assert other.base.mine.metadata == held.base.mine.metadata


def test_a_connection_and_its_cursors_are_set_up_as_they_were() -> None:
    held = held_by(
        "import sqlite3\n"
        "self.db = toolkit.db; self.db.isolation_level = None; self.db.row_factory = sqlite3.Row\n"
        "self.cursor = self.db.cursor(); self.plain = self.db.cursor(); self.plain.row_factory = None\n"
        "self.db.execute('PRAGMA foreign_keys = ON'); self.db.execute('CREATE TABLE t (a TEXT PRIMARY KEY)')\n"
        "self.db.execute('CREATE TABLE u (a TEXT REFERENCES t ON DELETE CASCADE)')",
        "rows = self.cursor.execute('SELECT a FROM u').fetchall()\n"
        "return str([row['a'] for row in rows]) + str(self.plain.execute('SELECT count(*) FROM t').fetchone())",
        "self.db.execute('BEGIN'); self.db.execute('INSERT INTO t VALUES (?)', (raw_text,))\n"
        "self.db.execute('INSERT INTO u VALUES (?)', (raw_text,)); self.db.execute('COMMIT')\n"
        "self.db.execute('DELETE FROM t WHERE a = ?', ('two',))",
    )
    held.write(Episode("e", "s", "one"))
    other = held.restored()
    for each in (held, other):
        each.write(Episode("f", "s", "two"), Episode("g", "s", "three"))
        assert each.reads("?") == ["['one', 'three'](2,)"]


def test_a_text_without_a_word_has_as_many_dimensions_as_the_providers_model() -> None:
    provided = toolkit(call_embed=lambda texts: [[1.0] * 8 for _ in texts])
    provided.embed(["a word"])
    data = dump({"a": 1}, provided, key="k")
    assert data is not None
    other = toolkit(call_embed=lambda texts: [])
    assert restore(data, toolkit=other, module=ModuleType("none"), key="k") == {"a": 1}
    assert other.embed([" "]).shape == provided.embed([" "]).shape == (1, 8)


@pytest.mark.parametrize(
    "init",
    [
        "self.f = lambda text: text",
        "self.g = (n for n in range(3))",
        "toolkit.db.create_function('twice', 1, len)",
        "toolkit.db.execute('CREATE TEMP TABLE t (a TEXT)')",
        "toolkit.db.row_factory = lambda cursor, row: row",
        "toolkit.db.execute('PRAGMA case_sensitive_like = ON')",
        "self.c = toolkit.db.cursor(); self.c.row_factory = lambda cursor, row: row",
        "toolkit.chroma.create_collection('notes', embedding_function=None)",
        "toolkit.chroma.create_collection('notes', configuration={'hnsw': {'space': 'cosine'}})",
        "toolkit.chroma.create_collection('notes').add(ids=['a'], embeddings=[[1.0, 0.0]], uris=['u'])",
        "import chromadb\n"
        "class Own(chromadb.EmbeddingFunction):\n"
        "    def __init__(self): pass\n"
        "    def __call__(self, input): return [[float(len(each)), 1.0] for each in input]\n"
        "toolkit.chroma.create_collection('notes', embedding_function=Own())",
        "class Shy:\n    def __reduce__(self): raise KeyError('it is a secret')\nself.shy = Shy()",
    ],
)
def test_a_program_that_holds_what_cannot_be_taken_has_no_snapshot(init: str) -> None:
    assert held_by(init, "return ''").dumped() is None


def test_a_snapshot_of_other_versions_is_refused() -> None:
    held = held_by("self.seen = []", "return ''")
    data = held.dumped()
    assert data is not None
    with registered(held.module), pytest.raises(FolderError, match="made again from the log"):
        restore(data, toolkit=toolkit(), module=held.module, key=key("another program"))


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    assert snapshots.load() is None
    snapshots.save(b"first\nlines", seq=3, generation=1)
    snapshots.save(b"second\n", seq=4, generation=1)
    saved = snapshots.load()
    assert saved is not None
    assert (saved.seq, saved.generation, saved.data) == (4, 1, b"second\n")
    assert [path.name for path in tmp_path.iterdir()] == ["snapshot"]
    assert snapshots.size() == snapshots.path.stat().st_size
    whole = snapshots.path.read_bytes()
    for cut in (0, 5, len(whole) - 1):
        snapshots.path.write_bytes(whole[:cut])
        assert snapshots.load() is None
    snapshots.clear()
    assert list(tmp_path.iterdir()) == []
