"""A memory's growth: opening with a snapshot and without, writing, reading and files, by how much it holds.

The log of one scope of an exported memory is filled to 1,000 up to 100,000 writes of a line each, and opened
without a snapshot: every write is made again. Then single writes are timed, each of which is on the disk before it
returns, and reads, before which the memory was closed and opened again, now by its snapshot: what is read must be what
was read before. A series stops where opening without a snapshot would take longer than 130 seconds at its next size, by
how it has grown so far. After that a thousand scopes of one memory, of which 64 are open at a time. An exponent of
1 is linear growth, of 2 quadratic; it is that of the last step. A vector index grows by its logarithm faster.
"""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from _targets import Target, at_most, print_targets

from evolve.harness.log import Log, New
from evolve.harness.memory import Memory, bound
from evolve.harness.program import Harness
from evolve.paths import seeds_dir
from evolve.program import load

PROGRAMS = ("bm25", "vector_search", "zoo/latest_value")
SIZES = (1_000, 10_000, 100_000)
ITEM = {"date": "8 May 2023"}
SINGLE, READS, SCOPES, EACH = 100, 100, 1_000, 3
MOST_SECONDS = 130.0
WORDS = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in ("a", "e", "i", "o", "u") for c in ("la", "rin", "mo", "tek")]
SHARES = list(accumulate(1 / rank for rank in range(1, len(WORDS) + 1)))
"""Of the words, as in a language: the second is half as frequent as the first, and so on; summed up."""


def harness_of(name: str) -> Harness:
    """Return the harness of a shipped program."""
    program = load(seeds_dir() / f"{name}.py")
    known = program.digest, program.source, program.item, program.query, program.instructions
    return Harness(name, "1", *known, uses_llm="llm_completion" in program.source)


def line(number: int) -> str:
    """Return what the write of this number says."""
    return "Ann: " + " ".join(Random(number).choices(WORDS, cum_weights=SHARES, k=12))


def question(number: int) -> str:
    """Return a question of six words."""
    return " ".join(Random(f"question {number}").choices(WORDS, cum_weights=SHARES, k=6))


def timed(act: Callable[[], object]) -> float:
    """Return the seconds that it takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def each_timed(act: Callable[[int], object], numbers: Iterable[int]) -> list[float]:
    """Return the seconds that it takes for every number."""
    return [timed(partial(act, number)) for number in numbers]


def halves(taken: Sequence[float]) -> tuple[float, float]:
    """Return the median and the 95th percentile in milliseconds."""
    return statistics.median(taken) * 1000, statistics.quantiles(taken, n=20)[-1] * 1000


@dataclass(frozen=True, slots=True)
class Figures:
    """One memory with so many writes; times of single operations are milliseconds, the others seconds."""

    writes: int
    opened: float
    replayed: float
    write_p50: float
    write_p95: float
    read_p50: float
    read_p95: float
    log_bytes: int
    snapshot_bytes: int


class Series:
    """One program's memory as it grows."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._memory = bound(harness_of(name))
        self._folder = folder / name.replace("/", "_")
        with self.opened() as memory:
            memory.write(line(0), item=ITEM)
        (self._scope,) = self._folder.glob("scopes/*")

    def opened(self) -> Memory:
        """Open the memory."""
        return self._memory(self._folder)

    def at(self, size: int) -> Figures:
        """Fill the memory to so many writes, and measure it; the single writes come on top."""
        self._fill(size)
        (self._scope / "snapshot").unlink()
        with self.opened() as memory:
            replayed = timed(lambda: read(memory, 0))
            writes = each_timed(lambda n: memory.write(line(n), item=ITEM), range(size, size + SINGLE))
            texts = [read(memory, number) for number in range(READS)]
        with self.opened() as memory:
            opened = timed(lambda: read(memory, 0))
            assert [read(memory, number) for number in range(READS)] == texts, f"{self.name} reads otherwise"
            reads = each_timed(lambda n: read(memory, n), range(READS))
            (stats,) = memory.stats().scopes
            assert stats.writes == size + SINGLE
        sizes = stats.bytes - stats.snapshot_bytes, stats.snapshot_bytes
        return Figures(size, opened, replayed, *halves(writes), *halves(reads), *sizes)

    def _fill(self, size: int) -> None:
        """Have the log hold so many writes."""
        log = Log(self._scope, scope="default", harness=self._memory.harness.digest)
        with log.writing():
            log.append(*(New(ITEM, line(number)) for number in range(log.last(), size)))
        log.close()


def read(memory: Memory, number: int) -> str:
    """Ask the question of this number."""
    return memory.read("?", query={"text": question(number)})


def grown(series: Series) -> tuple[list[Figures], str]:
    """Return the figures of every size that is reached in time, and why no other is."""
    found: list[Figures] = []
    for size in SIZES:
        if found:
            power = max(1.0, exponent(found, lambda each: each.replayed)) if len(found) > 1 else 1.0
            expected = found[-1].replayed * (size / found[-1].writes) ** power
            if expected > MOST_SECONDS:
                return found, f"stops before {size:,} writes: opening would take about {expected:,.0f} s"
        found.append(series.at(size))
    return found, "reaches every size"


def exponent(found: Sequence[Figures], what: Callable[[Figures], float]) -> float:
    """Return the power of its size with which a figure has grown over the last step."""
    small, large = found[-2:]
    return math.log(what(large) / what(small)) / math.log(large.writes / small.writes)


def many(folder: Path) -> dict[str, float]:
    """Measure a thousand scopes."""
    kind = bound(harness_of("bm25"))
    with kind(folder) as memory:
        writes = each_timed(
            lambda n: memory.write(line(n), scope=f"user {n % SCOPES}", item=ITEM), range(SCOPES * EACH)
        )
    with kind(folder) as memory:
        listed = timed(memory.scopes)
        query = {"text": question(0)}
        reads = each_timed(lambda n: memory.read("?", scope=f"user {n}", query=query), range(SCOPES))
        total = memory.stats().bytes
    (write_p50, write_p95), (read_p50, read_p95) = halves(writes), halves(reads)
    return {
        "write_p50": write_p50, "write_p95": write_p95, "read_p50": read_p50, "read_p95": read_p95,
        "scopes_s": listed, "bytes": total,
    }  # fmt: skip


def show(name: str, found: Sequence[Figures]) -> None:
    """Print one line for every size."""
    for each in found:
        print(
            f"{name:17s} {each.writes:8,d} {each.opened:8.2f} {each.replayed:8.2f}"
            f" {each.write_p50:8.2f} {each.write_p95:8.2f} {each.read_p50:8.2f} {each.read_p95:8.2f}"
            f" {each.log_bytes / 1e6:8.1f} {each.snapshot_bytes / 1e6:8.1f}",
            flush=True,
        )


def exponents(found: Sequence[Figures]) -> dict[str, float]:
    """Return the exponents of all that grows, over the last step."""
    parts: dict[str, Callable[[Figures], float]] = {
        "open": lambda each: each.opened,
        "replay": lambda each: each.replayed,
        "write": lambda each: each.write_p50,
        "read": lambda each: each.read_p50,
        "files": lambda each: each.log_bytes + each.snapshot_bytes,
    }
    return {name: round(exponent(found, what), 2) for name, what in parts.items()}


def main() -> None:
    """Print the tables and a JSON line."""
    for words in (
        ("", "open s", "open s", "write ms", "", "read ms", "", "MB", ""),
        ("writes", "snapshot", "without", "p50", "p95", "p50", "p95", "log", "snapshot"),
    ):
        print(" " * 17 + "".join(f" {word:>8s}" for word in words))
    result: dict[str, object] = {}
    targets: list[Target] = []
    with TemporaryDirectory() as folder:
        for name in PROGRAMS:
            found, why = grown(Series(name, Path(folder)))
            show(name, found)
            powers = exponents(found)
            print(f"{name:17s} exponents: " + ", ".join(f"{what} {power:.2f}" for what, power in powers.items()))
            print(f"{name:17s} {why}", flush=True)
            result[name] = {f"{each.writes}": {"open_s": round(each.opened, 3), "replay_s": round(each.replayed, 3),
                "write_ms": round(each.write_p50, 3), "read_ms": round(each.read_p50, 3),
                "bytes": each.log_bytes + each.snapshot_bytes} for each in found} | {"exponents": powers}  # fmt: skip
            targets.append(at_most(f"open {name} with a snapshot at 1,000 writes", found[0].opened, 1.0, "s"))
            targets.append(at_most(f"growth of the time of all writes of {name}, exponent", powers["replay"], 1.2))
            targets.append(at_most(f"growth of the files of {name}, exponent", powers["files"], 1.1))
        scopes = many(Path(folder) / "many")
    print(
        f"{SCOPES:,} scopes of {EACH} writes: write p50 {scopes['write_p50']:.2f} ms, p95 {scopes['write_p95']:.2f};"
        f" open and read p50 {scopes['read_p50']:.2f} ms, p95 {scopes['read_p95']:.2f};"
        f" list {scopes['scopes_s'] * 1000:.0f} ms; {scopes['bytes'] / SCOPES / 1e3:.0f} kB a scope"
    )
    print_targets(targets)
    kept = {name: round(figure, 4) for name, figure in scopes.items()}
    print(json.dumps({"bench": "harness", **result, "scopes": kept, "targets": targets}))


if __name__ == "__main__":
    main()
