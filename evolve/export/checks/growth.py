"""Does a memory stay as fast and as small, write for write, when it holds ten and a hundred times as much?"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from evolve.agents.reading import Reading
from evolve.evaluation.splits import Work
from evolve.export.checks.material import Material
from evolve.export.checks.rows import Row, Unmeasured
from evolve.harness.memory import Memory
from evolve.types import JSON, Episode

SECONDS = 60.0
"""All that the growth may take."""
TIMES = (1, 2, 4, 7, 10, 20, 40, 70, 100)
"""How often the corpus is in the memory when it is looked at."""
CORPUS = 30
"""Most episodes of the corpus that is repeated."""
MOST = 1.2
"""Exponents above this are worse than linear: what chance adds stays below."""
STEEP = 1.5
"""Above this it fails: every doubling then makes a write half again as slow, or worse. Between the two it is said."""
QUERIES, PASSES = 5, 3
SNAPSHOT_EVERY = 10
"""Small, so that at every size a snapshot is taken after each tenth more: they belong to the time and to the bytes."""
POINTS = 3
"""Fewer of them tell no exponent."""
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")


@dataclass(frozen=True, slots=True)
class Point:
    """How it was at one size."""

    writes: int
    write: float
    """Seconds of all writes, of this process's own: a machine at work on other things adds none."""
    read: float
    """Seconds of one read for each of a few queries."""
    bytes: int


def growth(material: Material, folder: Path) -> Row:
    """Write a scope's episodes again and again, with other names and years, and look at how time and size grow."""
    work = material.largest
    corpus = Work(work.scope, work.episodes[:CORPUS], work.queries[:QUERIES])
    if not corpus.queries:
        raise Unmeasured("no query is asked of the largest scope")
    began = time.monotonic()
    with material.open(folder, snapshot_every=SNAPSHOT_EVERY) as memory:
        points, held = _grown(material, memory, corpus, until=began + SECONDS)
    reached = held / len(corpus.episodes)
    far = f"{held:,} writes, {reached:.0f} times the corpus" + ("" if reached >= TIMES[-1] else f", in {SECONDS:g} s")
    if len(points) < POINTS:
        raise Unmeasured(f"{far}: too few to tell how it grows")
    return _row(points, far, reached)


def _grown(material: Material, memory: Memory, corpus: Work, *, until: float) -> tuple[list[Point], int]:
    """Return what was seen at each size, and how many writes were made until the time was over."""
    points: list[Point] = []
    seconds, held = 0.0, 0
    marks = {times * len(corpus.episodes) for times in TIMES}
    for episode, item in islice(copies(material, corpus.episodes), max(marks)):
        began = time.process_time()
        memory.write(episode.text, scope=episode.scope, source=episode.id, item=item)
        seconds += time.process_time() - began
        held += 1
        if held in marks:
            size = memory.stats(scope=corpus.scope).bytes
            points.append(Point(held, seconds, _read_seconds(material, memory, corpus), size))
        if time.monotonic() > until:
            break
    return points, held


def copies(material: Material, episodes: Sequence[Episode]) -> Iterator[tuple[Episode, Mapping[str, JSON]]]:
    """Yield the episodes with their items, and then for ever copies in which other people did it in other years."""
    names = [name for episode in episodes for name in Reading(episode.text).speakers if len(name) > 2]
    called = re.compile(rf"\b(?:{'|'.join(map(re.escape, dict.fromkeys(names)))})\b") if names else None
    for number, episode in enumerate(cycle(episodes)):
        turn = number // len(episodes)
        item = material.items[episode.id]
        if turn == 0:
            yield episode, item
            continue
        text = _changed(episode.text, called, turn)
        copy = Episode(f"{episode.id}-{turn}", episode.scope, text)
        if material.extractive:
            yield copy, material.filled(text)
        else:
            yield copy, {name: _changed_in(value, called, turn) for name, value in item.items()}


def _changed_in(value: JSON, called: re.Pattern[str] | None, turn: int) -> JSON:
    if isinstance(value, str):
        return _changed(value, called, turn)
    if isinstance(value, list):
        return [_changed_in(each, called, turn) for each in value]
    if isinstance(value, dict):
        return {_changed(key, called, turn): _changed_in(each, called, turn) for key, each in value.items()}
    return value


def _changed(text: str, called: re.Pattern[str] | None, turn: int) -> str:
    mark = chr(ord("a") + turn % 26) + chr(ord("a") + turn // 26 % 26)
    renamed = called.sub(lambda found: found[0] + mark, text) if called else f"{text} {mark}"
    return _YEAR.sub(lambda found: str(1900 + (int(found[0]) + turn) % 200), renamed)


def _read_seconds(material: Material, memory: Memory, corpus: Work) -> float:
    """Return the seconds of a read for each query: of several the fastest, which nothing else has held up."""
    fastest = [math.inf] * len(corpus.queries)
    for _ in range(PASSES):
        for place, query in enumerate(corpus.queries):
            began = time.process_time()
            material.read(memory, query)
            fastest[place] = min(fastest[place], time.process_time() - began)
    return sum(fastest)


def _row(points: Sequence[Point], far: str, reached: float) -> Row:
    found = {
        "write time": exponent([(point.writes, point.write) for point in points]),
        "read time": exponent([(point.writes, point.read) for point in points]),
        "size": exponent([(point.writes, point.bytes) for point in points]),
    }
    last = points[-1]
    figures: dict[str, JSON] = {
        "times": round(reached, 1),
        "writes": last.writes,
        "write_seconds": last.write / last.writes,
        "pass_seconds": last.read,
        "bytes_per_write": last.bytes / last.writes,
        "exponents": {name: round(value, 2) for name, value in found.items()},
    }
    told = ", ".join(f"{name} {value:.2f}" for name, value in found.items())
    if worse := [name for name, value in found.items() if value > MOST]:
        wanted = f"find what {' and '.join(worse)} spends on all that is held, and bound it."
        said = f"{far}: worse than linear (exponents {told}); {wanted}"
        is_steep = any(value > STEEP for value in found.values())
        return Row("growth", not is_steep, said, figures, warning=not is_steep)
    return Row("growth", True, f"{far}: no worse than linear (exponents {told}).", figures)


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """Return the e of y = a * x ** e, fitted to the last tenfold of x: what a start costs is not growth."""
    last = points[-1][0]
    kept = [(math.log(x), math.log(max(y, 1e-9))) for x, y in points if x >= last / 10]
    mean_x, mean_y = (sum(each) / len(kept) for each in zip(*kept, strict=True))
    spread = sum((x - mean_x) ** 2 for x, _ in kept)
    return sum((x - mean_x) * (y - mean_y) for x, y in kept) / spread if spread else 0.0
