"""Makes docs/performance.md: what every bench compares, what it printed last, and which figures reach their target.

python docs/performance.py           # every bench; some minutes each
python docs/performance.py latency   # one of them; the others stay as they are
python docs/performance.py --page    # the page alone, from what is kept in docs/performance/

A bench's JSON line may have "targets", made by bench/_targets.py: what, figure, unit, target, met, bound.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
HEAD = """\
# Performance

What each benchmark in `bench/` compares, and what it printed last. Every comparison is made within one run of the
benchmark: ratios and medians, so that the speed of the machine cancels out where it can. Made by
`python docs/performance.py`, or `make bench`; one of them by `python docs/performance.py NAME`. Those that read
LoCoMo find it through `EVOLVE_DATA`, and take generated lives of the same size where it is not.

"""
BOUNDS = """
A figure hangs on the **machine** where more or faster processors would improve it: all of a run's processes share them
with the sandboxes and the simulated provider. It hangs on the **design** where they would not change what it says: it
is a ratio, a rate of errors, a number of calls, or a time that the processors hardly take part in.
"""


@dataclass(frozen=True, slots=True)
class Bench:
    """One bench, and what it printed when it last ran to its end."""

    name: str
    about: str
    """Its docstring."""
    machine: str
    table: str
    """What it printed, without the JSON line; "" where it never ran."""
    result: dict[str, Any]

    @property
    def targets(self) -> list[dict[str, Any]]:
        """Its figures that have a target."""
        return list(self.result.get("targets", ()))


def main(words: Sequence[str], root: Path = ROOT) -> int:
    """Run the benches that are asked for, put the page together, and return 1 where one of them failed."""
    known = sorted(path.stem for path in (root / "bench").glob("[!_]*.py"))
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(known)}")
    parser.add_argument("--page", action="store_true", help="run nothing")
    asked = parser.parse_args(words)
    if unknown := set(asked.names) - set(known):
        parser.error(f"there is no bench {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    failed = [name for name in (() if asked.page else asked.names or known) if not run(name, root)]
    benches = [bench for name in known if (bench := read(name, root)).table]
    (root / "docs" / "performance.md").write_text(page(benches), encoding="utf-8")
    if failed:
        print(f"failed, and stayed as they were: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def run(name: str, root: Path) -> bool:
    """Run one bench and keep what it prints; False where it failed."""
    print(f"== {name}", flush=True)
    machine, began = describe_machine(), time.monotonic()
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        [sys.executable, str(root / "bench" / f"{name}.py")],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    print(done.stdout, end="", flush=True)
    if done.returncode or not _is_result(done.stdout):
        return False
    kept = root / "docs" / "performance" / f"{name}.txt"
    kept.parent.mkdir(exist_ok=True)
    # Ray says in many lines that a node has ended, whoever ended it.
    lines = [
        line for line in done.stdout.splitlines() if not any(mark in line for mark in ("(raylet)", "[state-dump]"))
    ]
    text = "\n".join(lines).strip("\n")
    kept.write_text(f"{machine}, {time.monotonic() - began:.0f} s\n{text}\n", encoding="utf-8")
    return True


def read(name: str, root: Path) -> Bench:
    """Return a bench with what is kept of it."""
    source = (root / "bench" / f"{name}.py").read_text(encoding="utf-8")
    about = ast.get_docstring(ast.parse(source)) or ""
    kept = root / "docs" / "performance" / f"{name}.txt"
    if not kept.is_file():
        return Bench(name, about, "", "", {})
    machine, *lines = kept.read_text(encoding="utf-8").rstrip("\n").split("\n")
    return Bench(name, about, machine, "\n".join(lines[:-1]), json.loads(lines[-1]))


def page(benches: Sequence[Bench]) -> str:
    """Return the page: all targets in one table, then a section for each bench."""
    rows = ["| what | figure | target | reached | hangs on | bench |", "|---|---|---|---|---|---|"]
    for bench in benches:
        for each in bench.targets:
            figure = f"{each['figure']:,g} {each['unit']}".strip()
            cells = (each["what"], figure, each["target"], "yes" if each["met"] else "**no**", each["bound"])
            rows.append(f"| {' | '.join(cells)} | [{bench.name}](#{bench.name}) |")
    return HEAD + "\n".join(rows) + "\n" + BOUNDS + "".join(map(_section, benches))


def _section(bench: Bench) -> str:
    ran = f"`python bench/{bench.name}.py`; last run on {bench.machine}:"
    return f"\n## {bench.name}\n\n{bench.about}\n\n{ran}\n\n```text\n{bench.table}\n```\n"


def describe_machine() -> str:
    """Return its processors, memory and Python, and how busy it is with other things."""
    memory = psutil.virtual_memory().total / 2**30
    busy = psutil.cpu_percent(interval=1.0)
    return (
        f"{os.cpu_count()} processors, {memory:.0f} GB, Python {platform.python_version()}, "
        f"{busy:.0f} % busy with other things"
    )


def _is_result(printed: str) -> bool:
    """Tell whether the last line is a bench's JSON line."""
    last = printed.rstrip("\n").rpartition("\n")[2]
    try:
        return "bench" in json.loads(last)
    except (ValueError, TypeError):
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
