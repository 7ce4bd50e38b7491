"""The warm pool under many threads, with boxes of real processes."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psutil
import pytest

from evolve.config import Limits
from evolve.errors import SandboxError
from evolve.sandbox import open_sandbox
from evolve.sandbox.base import Sandbox
from evolve.sandbox.box import Box

AT_A_TIME = 6


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    sandbox = open_sandbox("process", Limits(), warm=2)
    yield sandbox
    sandbox.close()


def boxes_of(sandbox: Sandbox) -> list[Box]:
    """Take several boxes at the same moment."""
    with ThreadPoolExecutor(AT_A_TIME) as threads:
        return list(threads.map(lambda _: sandbox.start(), range(AT_A_TIME)))


@contextmanager
def most_starting(name: str) -> Iterator[list[int]]:
    """Yield how many threads that start boxes were seen at a time, by the name that they begin with."""
    starting, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            starting.append(sum(name in thread.name for thread in threading.enumerate()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield starting
    finally:
        over.set()
        watcher.join()


def test_boxes_that_are_taken_at_the_same_moment_are_all_different_and_few_start_at_a_time(sandbox: Sandbox) -> None:
    own = psutil.Process()
    with most_starting("evolve-start") as wanted, most_starting("evolve-warm") as spare:
        boxes = boxes_of(sandbox)
    assert len(set(map(id, boxes))) == AT_A_TIME
    assert not any(box.ended for box in boxes)
    assert 1 <= max(wanted) <= (os.cpu_count() or 1), "somebody waits for these"
    assert max(spare) == 1, "nobody waits for these"
    sandbox.close()
    assert all(box.ended for box in boxes)
    _, alive = psutil.wait_procs(own.children(recursive=True), timeout=10)
    assert [process for process in alive if "runner.py" in " ".join(process.cmdline())] == []


def test_a_box_that_comes_up_while_the_sandbox_closes_is_ended(sandbox: Sandbox) -> None:
    found: list[Box | SandboxError] = []

    def take() -> None:
        try:
            found.append(sandbox.start())
        except SandboxError as error:
            found.append(error)

    takers = [threading.Thread(target=take) for _ in range(AT_A_TIME)]
    for taker in takers:
        taker.start()
    time.sleep(0.1)
    sandbox.close()
    for taker in takers:
        taker.join(timeout=60)
    assert len(found) == AT_A_TIME
    assert all(isinstance(each, SandboxError) or each.ended for each in found)
    assert any(isinstance(each, SandboxError) and str(each) == "the sandbox is closed" for each in found)
