"""Is what was forgotten gone: from what is read, and from the files?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from evolve.evaluation.splits import Work
from evolve.export.checks.material import Material
from evolve.export.checks.rows import Row, Unmeasured
from evolve.harness.memory import Memory
from evolve.types import Episode

EPISODES = 60
LINE_CHARS = 20
"""Shorter lines may stand elsewhere by chance."""
WANTED = "remove what the program keeps outside of its KnowledgeBase, and have it depend on what it holds alone."


def forgetting(material: Material, folder: Path) -> Row:
    """Forget one episode's source, and look for its words in every file and in every read."""
    largest = material.largest
    work = replace(largest, episodes=largest.episodes[:EPISODES])
    gone, lines = _chosen(work)
    kept = folder / "kept"
    with material.open(kept) as memory:
        for episode in work.episodes:
            material.write(memory, episode)
        had = _shown(_reads(material, memory, work), lines)
        memory.forget(scope=work.scope, source=gone.id)
        reads = _reads(material, memory, work)
        left = _files_with(kept, lines)
    left += _files_with(kept, lines)  # and once it is closed, with a snapshot
    figures = {"episodes": len(work.episodes), "lines": len(lines), "reads": len(reads), "reads_before": had}
    if left:
        said = f"words of a forgotten episode are still in {left[0].name}: report it, a memory must not keep them."
        return Row("deletion", False, said, figures)
    if shown := _shown(reads, lines):
        return Row("deletion", False, f"{shown} of {len(reads)} reads return a forgotten episode: {WANTED}", figures)
    told = f"a forgotten episode is in no file and in none of {len(reads)} reads ({had} had it before)"
    if material.harness.model_calls:
        return Row("deletion", True, f"{told}; the program's model was not asked again.", figures)
    with material.open(folder / "never had it") as memory:
        for episode in work.episodes:
            if episode is not gone:
                material.write(memory, episode)
        others = sum(one != other for one, other in zip(reads, _reads(material, memory, work), strict=True))
    if others:
        said = f"{others} of {len(reads)} reads are not those of a memory that never had the episode: {WANTED}"
        return Row("deletion", False, said, {**figures, "others": others})
    return Row("deletion", True, f"{told}; all are those of a memory that never had it.", figures)


def _chosen(work: Work) -> tuple[Episode, list[str]]:
    """Return the episode to forget, of those with words of their own one that is asked about, and these words."""
    if len(work.episodes) < 2 or not work.queries:
        raise Unmeasured("it takes a scope with two episodes and a query")
    asked = [evidence.episode for query in work.queries for evidence in query.evidence]
    ranked = sorted(work.episodes, key=lambda episode: -asked.count(episode.id))
    for episode in ranked:
        others = "\n".join(other.text for other in work.episodes if other is not episode)
        lines = [line.strip() for line in episode.text.splitlines()]
        if own := [line for line in lines if len(line) >= LINE_CHARS and line not in others]:
            return episode, own
    raise Unmeasured("no episode has a line that no other one has")


def _reads(material: Material, memory: Memory, work: Work) -> list[str]:
    return [material.read(memory, query) for query in work.queries]


def _shown(reads: Sequence[str], lines: Sequence[str]) -> int:
    return sum(any(line in read for line in lines) for read in reads)


def _files_with(folder: Path, lines: Sequence[str]) -> list[Path]:
    sought = [line.encode() for line in lines]
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            if any(line in data for line in sought):
                found.append(path)
    return found
