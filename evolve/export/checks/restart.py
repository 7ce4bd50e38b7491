"""Does a memory survive a restart, and how fast is it?"""

from __future__ import annotations

import os
import pickle
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from evolve.export.checks.material import Material
from evolve.export.checks.rows import Row, Unmeasured
from evolve.harness.memory import Memory
from evolve.harness.snapshot import Snapshots
from evolve.types import JSON

FILL_SECONDS = 60.0
"""Then the rest of the corpus is left out."""
WRITE_SECONDS, READ_SECONDS = 5.0, 1.0
"""The slowest twentieth of the writes, or reads, may take so long: an agent waits for them, above all for a read."""
CHILD_SECONDS = 600.0


def restart_and_latency(material: Material, folder: Path) -> tuple[Row, Row]:
    """Write the run's episodes, read for its queries, and read again in another process.

    Once from the snapshots, once from the logs alone. Programs that depend on the order of a set, which is another one
    in each process, are found here.
    """
    writes: list[float] = []
    reads: list[float] = []
    with material.open(folder) as memory:
        _fill(material, memory, writes)
        before = all_reads(material, memory, reads)
    scopes = [path.parent for path in folder.glob("scopes/*/log.sqlite")]
    taken = sum(Snapshots(scope).size() > 0 for scope in scopes)
    again = _in_another_process(material, folder)
    for scope in scopes:
        Snapshots(scope).clear()
    replayed = _in_another_process(material, folder)
    restart = _restart(before, {"its snapshots": again, "its log alone": replayed}, snapshots=taken, scopes=len(scopes))
    return restart, _latency(writes, reads)


def all_reads(material: Material, memory: Memory, seconds: list[float]) -> list[str]:
    """Return what is read for every query whose scope was written to, and note how long each took."""
    written, found = set(memory.scopes()), []
    for query in (query for work in material.works if work.scope in written for query in work.queries):
        began = time.perf_counter()
        found.append(material.read(memory, query))
        seconds.append(time.perf_counter() - began)
    return found


def _fill(material: Material, memory: Memory, seconds: list[float]) -> None:
    until = time.monotonic() + FILL_SECONDS
    for episode in (episode for work in material.works for episode in work.episodes):
        seconds.append(material.write(memory, episode))
        if time.monotonic() > until:
            return


def _in_another_process(material: Material, folder: Path) -> list[str]:
    """Return all reads as a new process has them."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    environment.pop("PYTHONHASHSEED", None)
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__],
            input=pickle.dumps((material, folder)),
            capture_output=True,
            env=environment,
            timeout=CHILD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unmeasured(f"opening the memory again took longer than {CHILD_SECONDS:g} s") from None
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise Unmeasured(f"the process that was to open the memory again failed ({' '.join(last)})")
    return cast("list[str]", pickle.loads(done.stdout))


def _restart(before: Sequence[str], after: dict[str, list[str]], *, snapshots: int, scopes: int) -> Row:
    figures: dict[str, JSON] = {"reads": len(before), "scopes": scopes, "snapshots": snapshots}
    for how, reads in after.items():
        if differ := sum(was != now for was, now in zip(before, reads, strict=True)):
            said = (
                f"{differ} of {len(before)} reads are others after a restart from {how}: have the program depend "
                "neither on chance, nor the time of day, nor a set's order."
            )
            return Row("restart", False, said, {**figures, "differ": differ})
    slow = "" if snapshots == scopes else f"; {scopes - snapshots} of {scopes} scopes without a snapshot open slowly"
    said = f"{len(before)} reads equal in another process, from snapshots and from the log{slow}."
    return Row("restart", True, said, figures, warning=snapshots < scopes)


def _latency(writes: Sequence[float], reads: Sequence[float]) -> Row:
    if not reads:
        return Row("latency", None, "not measured: there was nothing to read for.")
    figures: dict[str, JSON] = {"writes": len(writes), "reads": len(reads)}
    for name, times in (("write", writes), ("read", reads)):
        figures |= {f"{name}_p50": statistics.median(times), f"{name}_p95": percentile(times, 0.95)}
    said = ", ".join(
        f"{name} p50 {statistics.median(times) * 1e3:.1f} ms and p95 {percentile(times, 0.95) * 1e3:.1f} ms"
        for name, times in (("write", writes), ("read", reads))
    )
    if percentile(writes, 0.95) <= WRITE_SECONDS and percentile(reads, 0.95) <= READ_SECONDS:
        return Row("latency", True, f"{said}, without the models' time.", figures)
    wanted = f"have it do less in each: p95 may be {WRITE_SECONDS:g} s for a write and {READ_SECONDS:g} s for a read."
    return Row("latency", False, f"{said}: {wanted}", figures)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which that share of the values lies."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def _main() -> None:
    material, folder = pickle.load(sys.stdin.buffer)
    with material.open(folder) as memory:
        found = all_reads(material, memory, [])
    sys.stdout.buffer.write(pickle.dumps(found))


if __name__ == "__main__":
    _main()
