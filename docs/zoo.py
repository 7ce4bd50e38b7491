"""Makes docs/zoo.md: every known memory design on the tasks that need no model.

python docs/zoo.py            # all tables; takes about an hour on 2 cores
python docs/zoo.py chronicle  # one of them; the others stay as they are
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

DOCS = Path(__file__).parent
TABLES: dict[str, tuple[str, Sequence[str]]] = {
    "locomo": ("LoCoMo: support, within 3,000 characters", ("--split", "test")),
    "memoryagentbench": (
        "MemoryAgentBench, conflict resolution: is the fact that holds now read first?",
        ("--split", "test"),
    ),
    "alfworld": ("ALFWorld: won within 15 steps by the scripted agent", ("--split", "test")),
    "chronicle": ("Chronicle: five kinds of question, five kinds of memory", ("--split", "test")),
}
HEAD = """\
# The zoo: known memory designs side by side

Every program in `seeds/` and `seeds/zoo/`, without a model, on held-out queries: the task agent is the extractive one,
or the scripted one in ALFWorld. What a design would ask its own model for is done by rules that its docstring states,
so that these tables compare stores and reads, not whole systems; a design that lives on abstraction looks worse here
than it is. Latencies are of the machine that made the page, busy with a second program: compare within a table. `calls`
and `tokens` are the programs' own completions: none without a model. Made by `python docs/zoo.py`; one table by
`evolve score zoo TASK --split test`.
"""


def main(names: Sequence[str]) -> None:
    """Measure the named tasks and put the page together."""
    for name in names or TABLES:
        words = [sys.executable, "-m", "evolve", "score", "zoo", name, *TABLES[name][1]]
        with TemporaryDirectory() as folder:
            subprocess.run([*words, "--to", folder], check=True, stdout=subprocess.DEVNULL)
            for made, kept in (("table.md", f"{name}.md"), ("plot.svg", f"{name}.svg")):
                (DOCS / "zoo" / kept).parent.mkdir(exist_ok=True)
                (DOCS / "zoo" / kept).write_text((Path(folder) / made).read_text(encoding="utf-8"), encoding="utf-8")
    parts = [HEAD]
    for name, (title, options) in TABLES.items():
        table = DOCS / "zoo" / f"{name}.md"
        if table.is_file():
            command = " ".join(["evolve score zoo", name, *options])
            parts.append(
                f"\n## {title}\n\n`{command}`\n\n![{title}](zoo/{name}.svg)\n\n{table.read_text(encoding='utf-8')}"
            )
    (DOCS / "zoo.md").write_text("".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
