"""A run folder of 10,000 candidates: what keeping one more costs, and how long a resume and `evolve inspect` take.

The candidates are made up, and everything that keeps them is real: recorder, journal, lineage, population. A program
has about 4 KB; a measured candidate has 60 cases of about 2 KB, as a conversation task with a model gives them; two of
five are rejected or dropped, one in twelve has two parents. Times are those of the driver alone, in milliseconds per
candidate (the median of the last 200), at three sizes of the same run, so that growth is seen in one table. Beside
wall clock stands processor time: what the disk and other programs of the machine take is in the first alone.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from random import Random
from resource import RUSAGE_CHILDREN, getrusage
from tempfile import TemporaryDirectory

from evolve.archive import Archive
from evolve.attempt import Attempt, Report
from evolve.config import Config, dump_config
from evolve.folder import claimed, folded
from evolve.journal import Journal
from evolve.operators.base import Parent
from evolve.paths import RunPaths
from evolve.population import Population
from evolve.program import load, parse
from evolve.record import Recorder
from evolve.studies import Studies
from evolve.types import Case, Cost, Evaluation, Program
from evolve.wiring import find_program

SIZES = (100, 1_000, 10_000)
LAST = 200
"""Candidates whose median is taken."""
QUERIES, PROGRAM_BYTES, READ_CHARS = 60, 4_000, 1_500
SEEDS = 3
BOUNDS = {"keep_ms": 10.0, "resume_s": 5.0, "inspect_s": 2.0, "driver_mb": 500.0}


class World:
    """What the candidates are made of: words, questions, and programs that differ."""

    def __init__(self) -> None:
        draw = Random(0)
        letters = "abcdefghijklmnoprstuvw"
        words = ["".join(draw.choices(letters, k=draw.randint(2, 9))) for _ in range(4_000)]
        self.pool = " ".join(draw.choices(words, k=120_000))
        self.questions = [self.text(draw, 80) for _ in range(QUERIES)]
        self.base = load(find_program("bm25"))

    def text(self, draw: Random, chars: int) -> str:
        """Return a piece of text that hardly ever comes twice."""
        begin = draw.randrange(len(self.pool) - chars)
        return self.pool[begin : begin + chars]

    def program(self, number: int) -> Program:
        """Return a program of about 4 KB; each differs in its digest, its docstring and a constant."""
        draw = Random(f"program {number}")
        more = PROGRAM_BYTES - len(self.base.source)
        source = f"{self.base.source}\n\nNUMBER = {number}\nREMARK = {self.text(draw, max(80, more))!r}\n"
        return replace(self.base, source=source, digest=sha256(source.encode()).hexdigest())

    def evaluation(self, program: Program, queries: int) -> Evaluation:
        """Return an evaluation of the program on the first queries."""
        draw = Random(f"evaluation {program.digest}")
        cases = tuple(self.case(draw, number) for number in range(queries))
        return Evaluation(program.digest, cases, sha256(program.digest.encode()).hexdigest(), 30.0)

    def case(self, draw: Random, number: int) -> Case:
        """Return a case of about 2 KB."""
        score = round(draw.random() ** 2, 3)
        return Case(
            f"scope-{number % 5}/q{number:03d}",
            f"scope-{number % 5}",
            ("single", "multi", "temporal")[number % 3],
            "scored",
            score,
            self.questions[number],
            {"text": self.questions[number], "words": self.text(draw, 60)},
            self.text(draw, READ_CHARS),
            self.text(draw, 120),
            stage="" if score == 1 else ("read", "write", "answer")[number % 3],
        )


@dataclass
class Maker:
    """Drives a recorder as the search does."""

    world: World
    recorder: Recorder

    def steps(self, count: int) -> Iterator[tuple[float, float]]:
        """Make so many candidates; yield the milliseconds that keeping each took: wall clock, processor."""
        for number in range(count):
            attempt, report = self._attempt(number)
            began, busy = time.perf_counter(), time.process_time()
            self.recorder.attempt_started(attempt)
            self.recorder.attempt_ended(attempt, report)
            yield (time.perf_counter() - began) * 1_000, (time.process_time() - busy) * 1_000

    def _attempt(self, number: int) -> tuple[Attempt, Report]:
        world, draw, program = self.world, Random(f"attempt {number}"), self.world.program(number)
        cost = {"agent": Cost(180, 20, 400_000, 0, 20_000, 0.2), "reflector": Cost(1, 0, 20_000, 0, 3_000, 0.05)}
        if number < SEEDS:
            whole = world.evaluation(program, QUERIES)
            return Attempt(number, "seed", f"0:{number}", program=program), Report(
                "scored", "bets", program=program, behaviour=whole.behaviour, evaluation=whole, asked=QUERIES, cost=cost
            )
        operator = "merge" if draw.random() < 1 / 12 else "reflect"
        scored = self.recorder.population.scored
        newer = scored[-200:]
        parents = [draw.choice(newer) for _ in range(2 if operator == "merge" else 1)]
        known = tuple(Parent(each.id, program, None) for each in {each.id: each for each in parents}.values())
        attempt = Attempt(number, operator, f"0:{number}", parents=known)
        fate, note = draw.random(), f"Keeps what was {world.text(draw, 60)}"
        if fate < 0.15:
            reason = f"behaves like {parents[0].id} on every query of the cheap rung"
            return attempt, Report("rejected", note, reason, program=program, cost=cost)
        asked = 15 if fate < 0.4 else QUERIES
        part = world.evaluation(program, asked)
        if asked < QUERIES:
            reason = f"{part.mean:.3f} on {asked} of {QUERIES} static queries, {parents[0].id} has 0.500"
            return attempt, Report(
                "rejected", note, reason, program=program, behaviour=part.behaviour, evaluation=part, dropped="race",
                asked=asked, cost=cost,
            )  # fmt: skip
        return attempt, Report(
            "scored", note, program=program, behaviour=part.behaviour, evaluation=part, asked=asked, cost=cost
        )


def resumed(root: Path, config: Config) -> tuple[float, float, float]:
    """Do what a driver does in a run folder before its first attempt.

    Returns seconds of wall clock and of the processor, and the resident MB after it.
    """
    paths, began, busy = RunPaths(root), time.perf_counter(), time.process_time()
    with claimed(paths, config):
        journal = Journal(paths.journal)
        population = folded(journal)
        archive, studies = Archive(paths.lineage), Studies(paths.studies)
        archive.unlock()
        recorder = Recorder(journal, archive, studies, population, lambda event, population: None)
        program = parse(population.scored[-1].source or "")
        attempt = Attempt(
            len(population.ended), "reflect", "0", parents=(Parent(population.scored[-1].id, program, 0),)
        )
        recorder.attempt_started(attempt)
        took, cpu = time.perf_counter() - began, time.process_time() - busy
        recorder.close()
    return took, cpu, resident_mb()


def resident_mb() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def inspected(root: Path, *flags: str) -> tuple[float, float]:
    """Return the seconds that the whole command took: wall clock, processor."""
    command = [sys.executable, "-m", "evolve", "inspect", str(root), *flags]
    began, before = time.perf_counter(), getrusage(RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = getrusage(RUSAGE_CHILDREN)
    return time.perf_counter() - began, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def on_disk(folder: Path) -> tuple[float, int]:
    """Return the MB that a folder takes on disk, and how many files it has."""
    sizes = [path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file()]
    return sum(sizes) / 2**20, len(sizes)


def measure(root: Path, config: Config) -> Iterator[dict[str, float]]:
    """Fill the run folder; yield a row of figures at each size."""
    paths = RunPaths(root)
    root.mkdir()
    paths.config.write_text(dump_config(config), encoding="utf-8")
    recorder = Recorder(
        Journal(paths.journal),
        Archive(paths.lineage),
        Studies(paths.studies),
        Population(),
        lambda event, population: None,
    )
    recorder.run_started(
        run=root.name, task="chronicle", digest="0" * 64, agent="openai:made-up", scorer="f1", sandbox="process",
        queries={"static": QUERIES},
    )  # fmt: skip
    steps = Maker(World(), recorder).steps(max(SIZES))
    taken: list[tuple[float, float]] = []
    for size in SIZES:
        taken += [next(steps) for _ in range(size - len(taken))]
        driver_mb = resident_mb()
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
            resume_s, resume_cpu_s, resume_mb = fresh.submit(resumed, root, config).result()
        inspect_s, inspect_cpu_s = min(inspected(root) for _ in range(3))
        megabytes, files = on_disk(paths.lineage)
        yield {
            "candidates": size,
            "keep_ms": statistics.median(wall for wall, _ in taken[-LAST:]),
            "keep_cpu_ms": statistics.median(cpu for _, cpu in taken[-LAST:]),
            "resume_s": resume_s,
            "resume_cpu_s": resume_cpu_s,
            "inspect_s": inspect_s,
            "inspect_cpu_s": inspect_cpu_s,
            "json_s": inspected(root, "--json")[0],
            "driver_mb": max(driver_mb, resume_mb),
            "lineage_mb": megabytes,
            "lineage_files": files,
            "journal_mb": paths.journal.stat().st_size / 2**20,
        }
    recorder.close()


def main() -> None:
    """Print a table and a JSON line."""
    config = Config.checked({"task": "chronicle", "models": {"agent": "openai:made-up"}}).resolved()
    rows: list[dict[str, float]] = []
    with TemporaryDirectory() as folder:
        for row in measure(Path(folder) / "scale", config):
            if not rows:
                print("".join(f"{name:>15}" for name in row))
            print("".join(f"{value:15.1f}" for value in row.values()), flush=True)
            rows.append({name: round(value, 3) for name, value in row.items()})
    print("".join(f"\n{name} at most {bound:g}: {rows[-1][name]:.1f}" for name, bound in BOUNDS.items()))
    print(json.dumps({"bench": "scale", "rows": rows, "bounds": BOUNDS}))


if __name__ == "__main__":
    main()
