"""The toolkit: embeddings, stores that share nothing, no file and no network."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from evolve.paths import sandboxes_dir

TEXTS = ["The cat sat on the mat.", "A dog ran to the park.", "Quarterly revenue rose by two percent."]


def test_rows_are_unit_float32_and_meaning_shows(new_toolkit: Callable[[], Any]):
    rows = new_toolkit().embed([*TEXTS, "A kitten lay on a rug."])
    assert rows.shape == (4, 256)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert rows[3] @ rows[0] > rows[3] @ rows[2] + 0.1


def test_no_text_and_empty_text(new_toolkit: Callable[[], Any]):
    toolkit = new_toolkit()
    assert toolkit.embed([]).shape == (0, 256)
    rows = toolkit.embed(["", "word", "\0"])
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert (toolkit.embed([""]) == rows[:1]).all()


def test_row_does_not_depend_on_its_batch(new_toolkit: Callable[[], Any]):
    toolkit = new_toolkit()
    together = toolkit.embed([*TEXTS, "long " * 500])
    assert np.allclose(together[0], toolkit.embed(TEXTS[:1])[0], atol=1e-6)


def test_provider_embedding_takes_the_place_of_the_weights(toolkit_module: ModuleType):
    toolkit = toolkit_module.Toolkit(
        call_llm=lambda messages, options: "", log=print, call_embed=lambda texts: [[3.0, 4.0] for _ in texts]
    )
    assert toolkit.embed(["x", "y"]).tolist() == pytest.approx(np.array([[0.6, 0.8], [0.6, 0.8]]))


def test_model_calls_and_log_lines_reach_the_caller(toolkit_module: ModuleType):
    calls: list[tuple[object, object]] = []
    lines: list[str] = []

    def call_llm(messages: object, options: object) -> str:
        calls.append((messages, options))
        return "pong"

    toolkit = toolkit_module.Toolkit(call_llm=call_llm, log=lines.append)
    assert toolkit.llm_completion([{"role": "user", "content": "ping"}], temperature=0) == "pong"
    assert calls == [([{"role": "user", "content": "ping"}], {"temperature": 0})]
    toolkit.logger.debug({"kept": 3})
    assert lines == ["{'kept': 3}"]


def test_two_toolkits_share_nothing(new_toolkit: Callable[[], Any]):
    one, other = new_toolkit(), new_toolkit()
    one.chroma.create_collection("notes").add(ids=["1"], documents=["secret"])
    one.db.execute("CREATE TABLE notes (text TEXT)")
    assert other.chroma.list_collections() == []
    assert other.chroma.get_or_create_collection("notes").count() == 0
    assert other.db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)


def test_an_own_client_of_chromadbs_and_toolkits_see_nothing_of_each_other(new_toolkit: Callable[[], Any]):
    import chromadb

    own = chromadb.EphemeralClient()
    own.create_collection("own", embedding_function=None)
    toolkit = new_toolkit()
    assert toolkit.chroma.list_collections() == []
    toolkit.chroma.create_collection("notes")
    toolkit.close()
    assert [each.name for each in chromadb.EphemeralClient().list_collections()] == ["own"]


def test_toolkits_that_are_made_at_the_same_moment_are_all_different(
    toolkit_module: ModuleType, new_toolkit: Callable[[], Any]
):
    from concurrent.futures import ThreadPoolExecutor

    toolkit_module.preload()
    toolkits = [new_toolkit() for _ in range(12)]
    with ThreadPoolExecutor(len(toolkits)) as pool:
        list(pool.map(lambda toolkit: toolkit.chroma.create_collection("notes"), toolkits))
    assert [len(toolkit.chroma.list_collections()) for toolkit in toolkits] == [1] * len(toolkits)
    for toolkit in toolkits:
        toolkit.close()


def test_a_closed_toolkit_gives_back_what_chromadb_took(new_toolkit: Callable[[], Any]):
    import psutil

    def growth(times: int) -> int:
        before = psutil.Process().memory_info().rss
        for _ in range(times):
            toolkit = new_toolkit()
            toolkit.chroma.create_collection("notes").add(ids=["1"], documents=["text"])
            toolkit.close()
        return psutil.Process().memory_info().rss - before

    growth(10)
    assert growth(20) < 20e6, "kept, each would take almost 3 MB"


def test_collections_embed_by_themselves_and_find_the_nearest(new_toolkit: Callable[[], Any]):
    chroma = new_toolkit().chroma
    chroma.get_or_create_collection(name="texts", metadata={"hnsw:space": "cosine"}).add(
        ids=list("abc"), documents=TEXTS
    )
    found = chroma.get_collection("texts").query(query_texts=["kitten on a rug"], n_results=2)
    assert found["ids"][0][0] == "a"
    assert chroma.get_collection("texts").configuration["hnsw"]["space"] == "cosine"


def test_equal_inserts_give_equal_searches(new_toolkit: Callable[[], Any]):
    words = ["river", "bread", "engine", "violin", "winter", "doctor", "garden", "harbour"]
    texts = [f"{a} {b} {c} {n}" for n, (a, b, c) in enumerate((a, b, c) for a in words for b in words for c in words)]
    results = []
    for _ in range(3):
        collection = new_toolkit().chroma.create_collection("texts")
        for start in range(0, len(texts), 64):
            batch = range(start, min(start + 64, len(texts)))
            collection.add(ids=[str(i) for i in batch], documents=[texts[i] for i in batch])
        results.append(collection.query(query_texts=texts[::5], n_results=20)["ids"])
    assert results[0] == results[1] == results[2]


def test_database_answers_from_another_thread(new_toolkit: Callable[[], Any]):
    from concurrent.futures import ThreadPoolExecutor

    db = new_toolkit().db
    db.execute("CREATE VIRTUAL TABLE words USING fts5(text)")
    with ThreadPoolExecutor(2) as pool:
        assert pool.submit(lambda: db.execute("SELECT count(*) FROM words").fetchone()).result() == (0,)


def test_works_without_a_home_and_writes_no_file(tmp_path: Path):
    code = (
        "import toolkit; toolkit.preload(); kit = toolkit.Toolkit(call_llm=None, log=None);"
        "kit.chroma.create_collection('notes').add(ids=['1'], documents=['text']); print(kit.embed(['x']).shape)"
    )
    home = tmp_path / "home"
    home.mkdir()
    environment = {"HOME": str(home), "PYTHONPATH": str(sandboxes_dir()), "PYTHONDONTWRITEBYTECODE": "1"}
    environment["PATH"] = os.environ["PATH"]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=home, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "(1, 256)"
    assert done.stderr == ""
    assert list(tmp_path.rglob("*")) == [home]


def test_forked_children_work_after_preload_and_see_nothing_of_each_other():
    code = """
import os, sys, toolkit
toolkit.preload()
children = []
for number in range(2):
    child = os.fork()
    if child == 0:
        kit = toolkit.Toolkit(call_llm=None, log=None)
        notes = kit.chroma.get_or_create_collection("notes")
        fresh = notes.count() == 0
        notes.add(ids=["1"], documents=[f"text {number}"])
        found = notes.query(query_texts=["text"], n_results=1)["documents"][0]
        os._exit(0 if fresh and found == [f"text {number}"] else 1)
    children.append(child)
sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""
    environment = {"PYTHONPATH": str(sandboxes_dir()), "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
