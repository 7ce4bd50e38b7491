"""How long `evolve --help` and `import evolve` take, beside a bare Python: medians of 5.

The help of a command line is typed to be read at once: it must come in 0.3 s.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

from _targets import at_most, print_targets

REPEATS = 5
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import evolve": [sys.executable, "-c", "import evolve"],
    "evolve --help": [sys.executable, "-m", "evolve", "--help"],
}


def seconds(command: list[str]) -> float:
    """Wall clock of one command."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    """Print a table and a JSON line."""
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(REPEATS + 1):
        for name, command in COMMANDS.items():
            taken[name].append(seconds(command))
    medians = {name: statistics.median(times[1:]) for name, times in taken.items()}  # the first fills the disk cache
    bare = medians["python -c pass"]
    for name, median in medians.items():
        print(f"{name:16s} {median * 1000:7.0f} ms   {median / bare:5.1f} x bare Python")
    targets = [at_most("evolve --help", medians["evolve --help"], 0.3, "s", bound="machine")]
    print_targets(targets)
    rounded = {name: round(median, 4) for name, median in medians.items()}
    print(json.dumps({"bench": "startup", "seconds": rounded, "targets": targets}))


if __name__ == "__main__":
    main()
