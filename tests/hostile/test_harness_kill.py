"""`kill -9` while a memory is written to: what was acknowledged is there, and at most the write in flight beside it."""

from __future__ import annotations

import json
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from evolve.harness.memory import Memory, bound
from evolve.harness.program import Harness
from evolve.paths import seeds_dir
from evolve.program import load

WRITES, KILLS = 1_000, 30
OPEN_SECONDS = 5.0
"""Under 1 s on a machine with nothing else to do; tests share theirs."""
CHILD = """
import sys
from tests.hostile.test_harness_kill import opened, said

folder, number = sys.argv[1], int(sys.argv[2])
with opened(folder) as memory:
    while True:
        memory.write(said(number), source=str(number))
        print(number, flush=True)
        number += 1
"""
THINGS = ("kettle", "ladder", "lantern", "compass", "anchor", "violin", "saddle", "barrel", "mirror", "needle")
PLACES = ("attic", "cellar", "garden", "harbour", "kitchen", "library", "market", "orchard", "stable", "tower")


def said(number: int) -> str:
    thing, place = THINGS[number % 10], PLACES[number // 10 % 10]
    return f"Date: {number % 28 + 1} May, 2031\nIda: The {thing} number {number} is in the {place}, shelf {number * 7}."


def opened(folder: str | Path) -> Memory:
    program = load(seeds_dir() / "bm25.py")
    schemas = program.item, program.query, program.instructions
    harness = Harness("kept", "1.0", program.digest, program.source, *schemas, uses_llm=False)
    return bound(harness)(folder)


def questions() -> list[str]:
    return [f"Where is the {THINGS[number % 10]} number {number}?" for number in range(0, WRITES, 97)]


def written_until_killed(folder: Path, *, first: int, until: int, delay: float) -> int:
    """Write from `first` on, kill the process about when it has come to `until`, and return how many it had said."""
    command = [sys.executable, "-c", CHILD, str(folder), str(first)]
    root = Path(__file__).parents[2]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)
    assert process.stdout is not None
    acknowledged = first
    for line in process.stdout:
        acknowledged = int(line) + 1
        if acknowledged >= until:
            break
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    # What it said in time stands in the pipe; a line that the kill cut short was not said.
    acknowledged += sum(line.endswith("\n") for line in process.stdout)
    assert process.wait() == -signal.SIGKILL
    return acknowledged


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_acknowledged_write_is_lost(tmp_path: Path) -> None:
    folder, draw = tmp_path / "memory", Random(0)
    number, seconds, in_flight = 0, [], 0
    for kill in range(KILLS):
        until = max((kill + 1) * WRITES // KILLS, number + 1)  # it may have come farther than it was to
        acknowledged = written_until_killed(folder, first=number, until=until, delay=draw.uniform(0, 0.02))
        assert acknowledged > number
        began = time.perf_counter()
        with opened(folder) as memory:
            found = memory.read(f"Where is number {acknowledged - 1}?")
            seconds.append(time.perf_counter() - began)
            held = texts(memory, tmp_path / "held.jsonl")
        assert f"number {acknowledged - 1} is" in found
        assert held == [said(each) for each in range(len(held))], "in order, none twice, none that was not sent"
        assert len(held) in (acknowledged, acknowledged + 1)
        in_flight += len(held) - acknowledged
        number = len(held)
        assert next(folder.glob("scopes/*/snapshot")).stat().st_size, "closing took one: the next opening is quick"

    assert number >= WRITES
    with opened(folder) as memory:
        memory.write(said(number), source=str(number))
        assert texts(memory, tmp_path / "all.jsonl") == [said(each) for each in range(number + 1)]
        reads = [memory.read(question) for question in questions()]
    with opened(tmp_path / "never killed") as memory:
        memory.import_(tmp_path / "all.jsonl")
        assert [memory.read(question) for question in questions()] == reads
    said_of = f"opened in {statistics.median(seconds):.3f} s (median), {max(seconds):.3f} s (most) of {KILLS}"
    sys.stdout.write(f"\n{said_of}; {in_flight} writes in flight were kept\n")
    assert max(seconds) < OPEN_SECONDS


def texts(memory: Memory, path: Path) -> list[str]:
    memory.export("default", path)
    return [json.loads(line)["text"] for line in path.read_text(encoding="utf-8").splitlines()]
