"""The store keeps what was paid for, whatever happens to the process, and says so where it cannot."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from evolve.errors import RunFolderError
from evolve.models.store import Asked, Bill, Kept, Store

BILL = Bill(1, 100, 40, 10, 7, 0.25)


def ask(text: str) -> Asked:
    return Asked.of("agent", "openai:m", {"messages": [["user", text]], "sample": 0})


def test_an_answer_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    store = Store(tmp_path / "llm.sqlite")
    answers = {
        "text": Kept("naïve 東京", False, BILL),
        "cut": Kept("", True, BILL),
        "vector": Kept(b"\0\1", False, BILL),
    }
    for name, kept in answers.items():
        store.keep([(ask(name), kept)])
    store.close()
    again = Store(tmp_path / "llm.sqlite")
    assert {name: again.get(ask(name).key) for name in answers} == answers
    assert again.get(ask("other").key) is None


def test_the_key_depends_on_what_decides_and_on_nothing_else() -> None:
    assert ask("a").key == Asked.of("judge", "openai:m", {"sample": 0, "messages": [["user", "a"]]}).key
    assert len({ask("a").key, ask("b").key, Asked.of("agent", "openai:n", {"messages": [["user", "a"]]}).key}) == 3


def test_discarded_answers_are_in_the_sum_and_in_the_bill_of_their_request(tmp_path: Path) -> None:
    store = Store(tmp_path / "llm.sqlite")
    store.discard("agent", "openai:m", BILL, why="cut off", key=ask("a").key)
    store.discard("agent", "openai:m", BILL, why="preflight")
    store.keep([(ask("a"), Kept("x", False, BILL)), (ask("b"), Kept("y", False, BILL))])
    found = store.get(ask("a").key)
    assert found is not None
    assert found.bill == BILL + BILL
    assert store.spent() == BILL + BILL + BILL + BILL
    assert store.lost() == BILL  # of the preflight, which is no request's


def test_an_unknown_price_makes_the_sum_unknown_and_never_zero(tmp_path: Path) -> None:
    store = Store(tmp_path / "llm.sqlite")
    assert store.spent() == Bill()
    store.keep([(ask("a"), Kept("x", False, BILL)), (ask("b"), Kept("y", False, Bill(1, 5, usd=None)))])
    assert store.spent() == Bill(2, 105, 40, 10, 7, None)


def test_many_threads_write_and_read(tmp_path: Path) -> None:
    store = Store(tmp_path / "llm.sqlite")

    def write(number: int) -> str | bytes | None:
        store.keep([(ask(str(number)), Kept(f"answer {number}", False, BILL))])
        kept = store.get(ask(str(number)).key)
        return kept.answer if kept else None

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(write, range(200))) == [f"answer {number}" for number in range(200)]
    assert store.spent().calls == 200


WRITER = """
import sys
from pathlib import Path
from evolve.models.store import Asked, Bill, Kept, Store
store = Store(Path(sys.argv[1]))
for number in range(100_000):
    asked = Asked.of("agent", "openai:m", {"number": number})
    store.keep([(asked, Kept("x" * 2_000, False, Bill(1, 1, 0, 0, 1, 0.5)))])
    print(number, flush=True)
"""


def test_a_killed_process_loses_no_answer_that_it_had_finished(tmp_path: Path) -> None:
    path = tmp_path / "llm.sqlite"
    for lines in (1, 40, 333):
        path.unlink(missing_ok=True)
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(lines):
                writer.stdout.readline()
            os.kill(writer.pid, signal.SIGKILL)
            said = [line for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        finished = lines + len(said)
        for store in (Store(path, read_only=True), Store(path)):
            assert all(store.get(Asked.of("agent", "openai:m", {"number": n}).key) for n in range(finished))
            assert finished <= store.spent().calls <= finished + 1
            store.close()
        with sqlite3.connect(path) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_nothing_is_opened_before_it_is_used(tmp_path: Path) -> None:
    store = Store(tmp_path / "llm.sqlite")
    assert list(tmp_path.iterdir()) == []
    store.spent()
    assert (tmp_path / "llm.sqlite").exists()


def test_a_closed_store_is_one_file_that_can_be_read_where_nothing_can_be_written(tmp_path: Path) -> None:
    store = Store(tmp_path / "llm.sqlite")
    store.keep([(ask("a"), Kept("x", False, BILL))])
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["llm.sqlite"]
    reader = Store(tmp_path / "llm.sqlite", read_only=True)
    found = reader.get(ask("a").key)
    assert found is not None
    assert [path.name for path in tmp_path.iterdir()] == ["llm.sqlite"]
    with pytest.raises(RunFolderError, match="readonly"):
        reader.keep([(ask("b"), Kept("x", False, BILL))])


def test_a_file_that_is_no_store_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "llm.sqlite"
    path.write_bytes(b"no database " * 500)
    with pytest.raises(RunFolderError, match=r"llm\.sqlite cannot be used \(file is not a database\)") as caught:
        Store(path).spent()
    assert "\n" not in str(caught.value)


def test_a_file_that_is_damaged_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "llm.sqlite"
    store = Store(path)
    for number in range(200):
        store.keep([(ask(str(number)), Kept("x" * 500, False, BILL))])
    store.close()
    data = path.read_bytes()
    path.write_bytes(data[:8192] + os.urandom(len(data) - 8192))
    with pytest.raises(RunFolderError, match=r"llm\.sqlite cannot be used") as caught:
        Store(path).spent()
    assert "\n" not in str(caught.value)


def test_a_later_format_and_a_missing_file_are_said(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="to replay"):
        Store(tmp_path / "llm.sqlite", read_only=True).spent()
    with sqlite3.connect(tmp_path / "later.sqlite") as db:
        db.execute("PRAGMA user_version = 9")
    with pytest.raises(RunFolderError, match="has format 9, this evolve reads 1"):
        Store(tmp_path / "later.sqlite").spent()
