"""Does a later statement that contradicts an earlier one reach who reads?"""

from __future__ import annotations

from pathlib import Path

from evolve.export.checks.material import Material
from evolve.export.checks.rows import Row, Unmeasured
from evolve.harness.memory import Memory

CHANGES = (
    ("Where does Quillon live?", "I live in {}.", "Trondheim", "Valparaiso"),
    ("What does Quillon work as?", "I work as a {}.", "glazier", "beekeeper"),
    ("What is the name of Quillon's dog?", "The name of my dog is {}.", "Barnaby", "Zephyrine"),
    ("Which instrument does Quillon play?", "The instrument that I play is the {}.", "bassoon", "dulcimer"),
    ("Which car does Quillon drive?", "The car that I drive is a {}.", "Wartburg", "Lagonda"),
)
"""A question, what is said of it, and the word in it, first and later."""
EARLIER, LATER = 2, 3
BETWEEN = 10
"""Episodes of the run that come before, and between, what is said first and later."""


def updates(material: Material, folder: Path) -> Row:
    """Say something, and later the contrary, among episodes of the run; what is read has to have the later word."""
    episodes = material.largest.episodes[: 2 * BETWEEN]
    with material.open(folder) as memory:
        for place, episode in enumerate(episodes):
            if place == len(episodes) // 2:
                _say(material, memory, EARLIER, "3 March, 2031")
                before = [_read(material, memory, change[0]) for change in CHANGES]
            material.write(memory, episode)
        _say(material, memory, LATER, "9 November, 2031")
        after = [_read(material, memory, change[0]) for change in CHANGES]
    return _row(before, after)


def _row(before: list[str], after: list[str]) -> Row:
    pairs = list(zip(CHANGES, before, after, strict=True))
    told = [(change, read) for change, earlier, read in pairs if change[EARLIER] in earlier]
    if not told:
        raise Unmeasured("the program brings back none of what was said for it, changed or not")
    later = [(change, read) for change, read in told if change[LATER] in read]
    both = [change for change, read in later if change[EARLIER] in read]
    figures = {"told": len(told), "later": len(later), "both": len(both)}
    if len(later) < len(told):
        said = (
            f"{len(told) - len(later)} of {len(told)} statements that were contradicted later are read without the "
            "later word: prefer what is newer in write, or in read."
        )
        return Row("updates", False, said, figures)
    if both:
        said = f"all {len(told)} later statements are read, {len(both)} beside the earlier ones: the agent must choose."
        return Row("updates", True, said, figures, warning=True)
    return Row("updates", True, f"all {len(told)} later statements are read, and not the earlier ones.", figures)


def _say(material: Material, memory: Memory, which: int, date: str) -> None:
    for _, template, *words in CHANGES:
        text = f"Date: {date}\nQuillon: {template.format(words[which - EARLIER])}"
        memory.write(text, scope=material.largest.scope, source="updates", item=material.filled(text))


def _read(material: Material, memory: Memory, question: str) -> str:
    return memory.read(question, scope=material.largest.scope, query=material.formulated(question))
