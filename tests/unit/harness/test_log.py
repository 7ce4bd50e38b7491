"""The log of a scope: what is acknowledged is on the disk, what is forgotten is in no file."""

from __future__ import annotations

import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evolve.harness.errors import FolderError
from evolve.harness.log import Log, New, Reply, asked
from evolve.harness.memory import Memory
from evolve.harness.program import Harness
from evolve.types import JSON

HARNESS = "a" * 64
SECRET = re.compile(rb"<secret (\d+)>")
WRITER = """
import sys
from pathlib import Path
from evolve.harness.log import Log, New

log = Log(Path(sys.argv[1]), scope="s", harness="a" * 64)
while True:
    with log.writing():
        print(log.append(New({"n": 1}, "x" * 500)), flush=True)
"""


FORGETTER = """
import sys
from pathlib import Path
from evolve.harness.log import Log, New

log = Log(Path(sys.argv[1]), scope="s", harness="a" * 64)
while True:
    for n in range(3):
        seq = log.last() + 1
        log.append(New({"n": seq}, f"<secret {log.append(New({}, 'spacer' * 99)) + 1}>" * 40))
    with log.writing():
        log.forget([entry.seq for entry in log.entries()][1:])
        print("forgotten", flush=True)
"""


def opened(folder: Path, *, harness: str = HARNESS) -> Log:
    return Log(folder, scope="s", harness=harness)


def add(log: Log, text: str, *, source: str = "", replies: tuple[Reply, ...] = ()) -> int:
    return log.append(New({"said": text}, text, source, "", replies))


def test_what_was_written_is_there_again(tmp_path: Path) -> None:
    reply = Reply("llm", asked("llm", {"messages": []}), "yes")
    log = opened(tmp_path / "scope")
    assert (log.last(), log.count(), log.generation()) == (0, 0, 0)
    assert log.append(New({"a": [1, None]}, "Grüße\n", "doc", "8 May 2023", [reply])) == 1
    assert add(log, "two") == 2
    log.close()
    log = opened(tmp_path / "scope")
    first, second = log.entries()
    assert (first.seq, first.item, first.text, first.source, first.when) == (
        1,
        {"a": [1, None]},
        "Grüße\n",
        "doc",
        "8 May 2023",
    )
    assert first.replies == (reply,)
    assert first.at <= second.at
    assert [entry.seq for entry in log.entries(after=1)] == [2]
    assert log.size() >= (tmp_path / "scope" / "log.sqlite").stat().st_size


def test_several_writes_are_added_all_or_none(tmp_path: Path) -> None:
    log = opened(tmp_path)
    assert log.append(*(New({}, text) for text in ("one", "two", "three"))) == 3
    with pytest.raises(UnicodeEncodeError):
        log.append(New({}, "four"), New({}, "half a character: \ud800"))
    assert [entry.text for entry in log.entries()] == ["one", "two", "three"]


def test_equal_requests_have_one_digest_and_others_have_others() -> None:
    request: JSON = {"messages": [{"role": "user", "content": "é"}], "kwargs": {}}
    turned: JSON = {"kwargs": {}, "messages": [{"content": "é", "role": "user"}]}
    assert asked("llm", request) == asked("llm", turned)
    assert len({asked("llm", request), asked("embed", request), asked("llm", {"kwargs": {}})}) == 3


def test_many_entries_come_in_order(tmp_path: Path) -> None:
    log = opened(tmp_path)
    numbers = [add(log, str(n)) for n in range(1_203)]
    assert [entry.seq for entry in log.entries()] == numbers == list(range(1, 1_204))


def test_a_number_is_never_used_again(tmp_path: Path) -> None:
    log = opened(tmp_path)
    last = [add(log, text) for text in ("one", "two")][-1]
    assert log.forget([last]) == 1
    assert log.last() == 1
    assert add(log, "three") == last + 1
    assert log.generation() == 1


def test_what_is_forgotten_is_in_no_file(tmp_path: Path) -> None:
    log = opened(tmp_path)
    secret = "the-safe-opens-with-31-72-09"
    kept = add(log, "kept " * 300)
    gone = [add(log, f"{secret} {n} " * 50, replies=(Reply("llm", "q", secret),)) for n in range(40)]
    assert any(secret.encode() in path.read_bytes() for path in tmp_path.iterdir())
    assert log.forget([*gone, 999]) == 40
    assert [path.name for path in tmp_path.iterdir() if secret.encode() in path.read_bytes()] == []
    log.forget([], replies={kept: [Reply("llm", "q", secret)]})
    assert [entry.replies for entry in log.entries()] == [(Reply("llm", "q", secret),)]
    log.forget([], replies={kept: []})
    assert [path.name for path in tmp_path.iterdir() if secret.encode() in path.read_bytes()] == []
    assert [entry.seq for entry in log.entries()] == [kept]


def test_what_a_kill_left_behind_is_removed_by_the_next_opening(tmp_path: Path) -> None:
    log, secret = opened(tmp_path), b"forgotten-but-still-there"
    number = add(log, secret.decode() * 20)
    with log._transaction():  # what `forget` does before it scrubs, where it may be killed
        log._db.execute("DELETE FROM writes WHERE seq = ?", (number,))
        log._db.execute("UPDATE about SET value = 'yes' WHERE name = 'unclean'")
    assert any(secret in path.read_bytes() for path in tmp_path.iterdir())
    opened(tmp_path).close()
    assert not any(secret in path.read_bytes() for path in tmp_path.iterdir())


def test_a_kill_at_any_moment_of_a_removal_leaves_nothing_for_long(tmp_path: Path) -> None:
    draw = random.Random(11)
    for _ in range(8):
        writer = subprocess.Popen([sys.executable, "-c", FORGETTER, str(tmp_path)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(draw.uniform(0.0, 0.1))
        writer.kill()
        writer.communicate()
        log = opened(tmp_path)
        kept = {int(n) for entry in log.entries() for n in SECRET.findall(entry.text.encode())}
        log.close()
        found = {int(n) for path in tmp_path.iterdir() for n in SECRET.findall(path.read_bytes())}
        assert found == kept


def test_a_removal_that_was_cut_short_can_be_made_up_for(tmp_path: Path) -> None:
    log, secret = opened(tmp_path), b"still-in-the-journal"
    log._db.execute("PRAGMA busy_timeout = 100")
    number = add(log, secret.decode() * 20)
    reader = sqlite3.connect(tmp_path / "log.sqlite", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM writes").fetchall()
    with pytest.raises(FolderError, match=r"out of the log, and not yet out of its file"):
        log.forget([number])
    assert (log.count(), log.generation()) == (0, 1)
    reader.close()
    assert any(secret in path.read_bytes() for path in tmp_path.iterdir())
    log.clean()
    assert not any(secret in path.read_bytes() for path in tmp_path.iterdir())


def test_a_source_that_is_forgotten_twice_is_out_of_the_files_then(
    seed_harness: Callable[[str], Harness], memory_of: Callable[..., Memory], tmp_path: Path
) -> None:
    memory, secret = memory_of(seed_harness("bm25")), b"forgotten once, and cut short"
    memory.write("something else")
    memory.write(secret.decode() * 20, source="doc")
    (path,) = tmp_path.glob("memory/scopes/*/log.sqlite")
    db = sqlite3.connect(path)
    with db:  # what a call leaves that could not write the file anew
        db.execute("DELETE FROM writes WHERE source = 'doc'")
        db.execute("UPDATE about SET value = 'yes' WHERE name = 'unclean'")
    assert any(secret in each.read_bytes() for each in path.parent.iterdir())
    db.close()
    assert memory.forget(source="doc") == 0
    assert not any(secret in each.read_bytes() for each in path.parent.iterdir())


def test_a_kill_at_any_moment_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    draw, acknowledged = random.Random(7), 0
    for _ in range(8):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        said = [writer.stdout.readline()]
        time.sleep(draw.uniform(0.0, 0.15))
        writer.kill()
        said += writer.stdout.readlines()
        writer.wait()
        acknowledged = max(int(line) for line in said if line.endswith("\n"))
        log = opened(tmp_path)
        assert acknowledged <= log.last() <= acknowledged + 1, "one may have been on its way"
        assert [entry.seq for entry in log.entries()] == list(range(1, log.last() + 1))
        assert all(entry.text == "x" * 500 for entry in log.entries())
        log.close()
    assert acknowledged > 8


def test_one_writes_at_a_time_of_threads_and_of_processes(tmp_path: Path) -> None:
    log, inside, most = opened(tmp_path), 0, 0
    other = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        other.stdout.readline()
        with log.writing():
            before = log.last()
            time.sleep(0.3)
            assert log.last() == before, "the other process waits"

        def write() -> None:
            nonlocal inside, most
            for _ in range(20):
                with log.writing():
                    inside += 1
                    most = max(most, inside)
                    add(log, "thread")
                    inside -= 1

        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        other.kill()
        other.wait()
    assert most == 1
    assert sum(entry.text == "thread" for entry in log.entries()) == 80


def test_what_cannot_be_used_is_an_error_and_stays_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "scope"
    add(opened(folder), "kept")
    with pytest.raises(FolderError, match="written by the harness aaaaaaaaaaaa, not by bbbbbbbbbbbb"):
        opened(folder, harness="b" * 64)
    with sqlite3.connect(folder / "log.sqlite") as db:
        db.execute("PRAGMA user_version = 2")
    with pytest.raises(FolderError, match="newer format 2"):
        opened(folder)
    with sqlite3.connect(folder / "log.sqlite") as db:
        db.execute("PRAGMA user_version = 1")
    assert opened(folder).count() == 1
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "log.sqlite").write_bytes(b"no database " * 400)
    with pytest.raises(FolderError, match="cannot be used"):
        opened(tmp_path / "damaged")
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderError, match="cannot be used"):
        opened(tmp_path / "file" / "scope")


def test_damage_is_an_error_and_never_a_shorter_log(tmp_path: Path) -> None:
    log = opened(tmp_path)
    for _ in range(100):
        log.append(New({"a": 1}, "t" * 900))
    log.close()
    whole = (tmp_path / "log.sqlite").read_bytes()
    half = len(whole) // 2
    noise = random.Random(3).randbytes(4096)
    for damaged in (
        whole[:half],
        whole[: half - half % 4096] + noise + whole[half - half % 4096 + 4096 :],
        whole.replace(b'{"a":1}', b'{"a":x}'),
    ):
        (tmp_path / "log.sqlite").write_bytes(damaged)
        with pytest.raises(FolderError, match=r"damaged|malformed"):
            list(opened(tmp_path).entries())
    (tmp_path / "log.sqlite").write_bytes(whole)
    assert len(list(opened(tmp_path).entries())) == 100


def test_what_fails_while_one_writes_is_not_blamed_on_the_folder(tmp_path: Path) -> None:
    log = opened(tmp_path)
    with pytest.raises(FileNotFoundError), log.writing():
        raise FileNotFoundError("a file of somebody else")
    with log.writing():
        assert add(log, "the lock was let go") == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB, which may be mounted again as it is, read-only."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("only root can mount a small disk")
    if subprocess.run([mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=False).returncode:
        pytest.skip("this machine does not let a disk be mounted")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_cannot_be_written_is_an_error(small_disk: Path) -> None:
    add(opened(small_disk / "scope"), "kept")
    bound = ["mount", "-o", "bind", str(small_disk), str(small_disk)]
    subprocess.run(bound, check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(small_disk)], check=True)
        for folder in ("scope", "another"):
            with pytest.raises(FolderError, match=r"read-?only"):
                add(opened(small_disk / folder), "lost")
    finally:
        subprocess.run(["umount", "--lazy", str(small_disk)], check=True)
    assert [entry.text for entry in opened(small_disk / "scope").entries()] == ["kept"]


def test_a_full_disk_keeps_what_was_to_be_forgotten_or_says_where_it_still_is(small_disk: Path) -> None:
    log, secret = opened(small_disk / "scope"), b"the-word-is-rhubarb"
    number = add(log, secret.decode() * 200)
    log.append(*[New({}, "kept" * 1_000)] * 40)
    filler = small_disk / "filler"
    filler.write_bytes(b"0" * shutil.disk_usage(small_disk).free)
    said = []
    while log.count() == 41:  # from not enough to remove to enough to remove, and not to write the file anew
        with pytest.raises(FolderError) as failed:
            log.forget([number])
        said.append(str(failed.value))
        os.truncate(filler, filler.stat().st_size - 4_096)
    assert all("full): nothing was changed" in each for each in said[:-1])
    assert "full): what was forgotten is out of the log, and not yet out of its file" in said[-1]
    assert len(said) > 1
    assert any(secret in path.read_bytes() for path in (small_disk / "scope").iterdir())
    filler.unlink()
    log.clean()
    assert not any(secret in path.read_bytes() for path in (small_disk / "scope").iterdir())
    assert [entry.text for entry in log.entries()] == ["kept" * 1_000] * 40


def test_a_full_disk_loses_nothing_and_the_log_goes_on_when_there_is_room(small_disk: Path) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(b"0" * 400_000)
    log, written = opened(small_disk / "scope"), 0

    def fill() -> None:
        nonlocal written
        while written < 1_000:
            add(log, "y" * 4_000)
            written += 1

    with pytest.raises(FolderError, match="full"):
        fill()
    assert written
    assert (log.count(), log.last()) == (written, written)
    filler.unlink()
    add(log, "there is room again")
    log.close()
    entries = list(opened(small_disk / "scope").entries())
    assert (len(entries), entries[-1].text) == (written + 1, "there is room again")
