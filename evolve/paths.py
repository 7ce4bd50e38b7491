"""Where things are: what ships with the package, and every name inside a run folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).parent


def _shipped(name: str) -> Path:
    """A wheel carries the folder inside the package; a checkout has it at its top."""
    inside = PACKAGE / f"_{name}"
    return inside if inside.is_dir() else PACKAGE.parent / name


ZOO = "zoo"
"""The folder of `seeds/` with the known memory designs, and the name of seeds and zoo together."""


def seeds_dir() -> Path:
    """The memory programs that ship with evolve."""
    return _shipped("seeds")


def sandboxes_dir() -> Path:
    """What goes into a sandbox: the Dockerfile and the runner."""
    return _shipped("sandboxes")


def runs_dir() -> Path:
    """Where runs are kept: $EVOLVE_RUNS, or `runs` in the current folder."""
    return Path(os.environ.get("EVOLVE_RUNS", "runs"))


@dataclass(frozen=True, slots=True)
class RunPaths:
    """One run folder.

    runs/<name>/
    ├── config.toml     resolved configuration; a resume with another one is refused
    ├── lock.json       versions, task digest, image digest, argv without secrets
    ├── journal.jsonl   every event in order: the truth
    ├── lineage.git/    one commit and one ref per candidate
    ├── llm.sqlite      every call to a model, with usage and price; written by the broker alone
    ├── optuna.journal  the tune operator's studies, remade from the journal
    ├── replay/         a run folder of its own: the last replay of this run
    └── run.lock        held by the one driver that writes here
    """

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "config.toml"

    @property
    def versions(self) -> Path:
        return self.root / "lock.json"

    @property
    def journal(self) -> Path:
        return self.root / "journal.jsonl"

    @property
    def lineage(self) -> Path:
        return self.root / "lineage.git"

    @property
    def studies(self) -> Path:
        return self.root / "optuna.journal"

    @property
    def calls(self) -> Path:
        return self.root / "llm.sqlite"

    @property
    def replay(self) -> Path:
        return self.root / "replay"

    @property
    def lock(self) -> Path:
        return self.root / "run.lock"


def shipped_programs(group: str) -> list[str]:
    """Return the names of the programs in `seeds/`, those of the zoo after them where `group` is "zoo"."""
    folders = [seeds_dir(), *([seeds_dir() / ZOO] if group == ZOO else [])]
    return [path.stem for folder in folders for path in sorted(folder.glob("*.py"))]
