"""The broker in a real Ray actor, asked by the driver and by a worker: its answers, its errors, and its death."""

from __future__ import annotations

import os
import pickle
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
import pytest

from evolve.config import Budget, Models, ModelTable
from evolve.errors import BudgetSpent, RequestRefused, RunFolderError
from evolve.executors.base import Key
from evolve.executors.hosted import HostedBroker
from evolve.executors.ray import Cluster, RayExecutor
from evolve.models.base import Answer, Broker, Call, Message, Note, Price, Provider, Request, Usage
from evolve.models.broker import DirectBroker
from evolve.models.store import Store

USAGE = Usage(10, output_tokens=10)
SLOW = 1.0


class Words:
    """A provider in memory that says where it lives, and that a word of the prompt makes fail."""

    def __init__(self, note: Note) -> None:
        self.note = note

    def complete(self, call: Call) -> Answer:
        text = call.messages[0].text
        self.note(f"asked {text}")
        if text == "forbidden":
            raise RequestRefused("against the rules")
        if text == "broken":
            raise LookupError("a bug")
        time.sleep(SLOW if text.startswith("slow") else 0.0)
        return Answer(f"{text} {os.getpid()} {os.environ.get('EVOLVE_TEST_KEY')}", USAGE)

    def embed(self, texts: Sequence[str]) -> tuple[tuple[tuple[float, ...], ...], Usage]:
        return tuple((float(len(text)),) for text in texts), USAGE

    def close(self) -> None:
        """Nothing to close."""


def words(table: ModelTable, note: Note) -> Provider:
    return Words(note)


def make(path: Path, budget: Budget, note: Note) -> DirectBroker:
    models = Models.model_validate({"agent": "openai:m", "embedding": "openai:e"})
    price = Price(1.0, 1.0)
    return DirectBroker(models, budget, Store(path), providers=words, prices=lambda model: price, note=note)


@dataclass(frozen=True, slots=True)
class Asker:
    """A worker that asks the broker what its job says."""

    broker: Broker

    def run(self, job: str, stage: Callable[[str], None], /) -> tuple[int, str]:
        return os.getpid(), self.broker.complete(ask(job)).text

    def close(self) -> None:
        """Nothing to close."""


def ask(text: str) -> Request:
    return Request("agent", (Message("user", text),))


def deaf(key: Key, text: str) -> None:
    """Hear no stages."""


def ended(executor: RayExecutor[str, tuple[int, str]]) -> tuple[Key, tuple[int, str]]:
    """The next job that is done, whatever else changes meanwhile."""
    while (done := executor.next()) is None:
        pass
    return done


NOTES: list[str] = []


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    cluster = Cluster(1, "", note=NOTES.append)
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def broker(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> HostedBroker:
    path = tmp_path_factory.mktemp("hosted") / "llm.sqlite"
    return cluster.host(partial(make, path, Budget(calls=6)), environment={"EVOLVE_TEST_KEY": "k"})


@pytest.mark.timeout(200)
def test_driver_and_worker_ask_one_broker_that_outlives_its_process(cluster: Cluster, broker: HostedBroker) -> None:
    first = broker.complete(ask("hello"))
    word, pid, key = first.text.split()
    assert (word, key, first.cached) == ("hello", "k", False)
    assert int(pid) != os.getpid()

    executor: RayExecutor[str, tuple[int, str]] = RayExecutor(cluster, partial(Asker, broker), deaf)
    executor.submit(1, "hello")
    _, (worker, text) = ended(executor)
    assert text == first.text  # from the same process, though another one asked
    assert worker not in (os.getpid(), int(pid))
    executor.submit(2, "forbidden")
    with pytest.raises(RequestRefused, match=r"^against the rules$"):
        ended(executor)
    assert broker.embed(["a", "bcd"]).rows == ((1.0,), (3.0,))
    cluster.tell_notes()
    assert NOTES == ["asked hello", "asked forbidden"]

    spent = broker.spent()
    assert (spent.calls, spent.committed) == (2, 0.0)
    psutil.Process(int(pid)).kill()
    again = broker.complete(ask("hello"))
    assert (again.text, again.cached) == (first.text, True)
    assert broker.spent() == spent
    executor.submit(3, "later")
    later = ended(executor)[1][1].split()
    assert later[0] == "later"
    assert later[1] != pid
    executor.close()

    for number in range(3):
        broker.complete(ask(str(number)))
    with pytest.raises(BudgetSpent, match=r"^budget\.calls = 6: 6 calls are made"):
        broker.complete(ask("seventh"))


@pytest.mark.timeout(100)
def test_what_its_making_raises_comes_out_as_itself(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "llm.sqlite").write_bytes(b"no database" * 100)
    hosted = cluster.host(partial(make, tmp_path / "llm.sqlite", Budget()))
    with pytest.raises(RunFolderError, match="is not a database"):
        hosted.complete(ask("hello"))
    hosted.close()


@pytest.mark.timeout(100)
def test_many_threads_ask_at_a_time_and_those_whose_broker_dies_ask_again(cluster: Cluster, tmp_path: Path) -> None:
    hosted = cluster.host(partial(make, tmp_path / "llm.sqlite", Budget()))
    with ThreadPoolExecutor(32) as pool:
        quick = list(pool.map(hosted.complete, [ask(str(number)) for number in range(200)]))
        assert [reply.text.split()[0] for reply in quick] == [str(number) for number in range(200)]
        pid = int(quick[0].text.split()[1])
        threads = psutil.Process(pid).num_threads()
        list(pool.map(hosted.complete, [ask(str(number)) for number in range(200)]))
        assert psutil.Process(pid).num_threads() <= threads, "a connection is used again"

        slow = [pool.submit(hosted.complete, ask(f"slow {number}")) for number in range(32)]
        time.sleep(SLOW / 2)
        assert hosted.spent().calls == 200, "a look does not wait for calls"
        psutil.Process(pid).kill()
        replies = [each.result(60) for each in slow]
    assert {int(reply.text.split()[-2]) for reply in replies}.isdisjoint({pid})
    assert hosted.spent().calls == 232
    hosted.close()


@pytest.mark.timeout(100)
def test_a_bug_in_the_broker_comes_with_its_traceback(cluster: Cluster, tmp_path: Path) -> None:
    hosted = cluster.host(partial(make, tmp_path / "llm.sqlite", Budget()))
    with pytest.raises(RuntimeError, match=r"(?s)in complete\n.*LookupError: a bug"):
        hosted.complete(ask("broken"))
    hosted.close()


class Trap:
    """Writes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


@pytest.mark.timeout(100)
def test_who_does_not_know_the_token_is_not_listened_to(cluster: Cluster, tmp_path: Path) -> None:
    hosted = cluster.host(partial(make, tmp_path / "llm.sqlite", Budget()))
    hosted.complete(ask("hello"))
    place = hosted._found()
    trap = pickle.dumps(Trap(tmp_path / "sprung"))
    for token in (b"", b"?" * len(place.token), place.token):
        with socket.create_connection((place.host, place.port), timeout=10) as line:
            line.sendall(token + trap)
            line.shutdown(socket.SHUT_WR)
            with line.makefile("rb") as file:
                assert file.read() == b""
        assert (tmp_path / "sprung").exists() == (token == place.token)
    hosted.close()
