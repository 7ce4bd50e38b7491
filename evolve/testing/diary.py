"""A small made-up task folder: people tell each other codes and colours, and gold answers carry a mark of their own."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

from evolve.types import JSON

PEOPLE = ("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gwen", "Hugo")
THINGS = ("violin", "kayak", "greenhouse", "tent", "scooter", "oven", "telescope", "cellar", "piano", "hammock")
KINDS = ("code", "colour", "price", "maker", "age", "place")
SYLLABLES = ("ba", "ko", "li", "mu", "ne", "ri", "sta", "tor", "vel", "zan")
SMALL_TALK = (
    "The rain would not stop, so we stayed in and played cards.",
    "I nearly missed the bus again, and I blame the dog.",
    "My sister rang twice, and both times about the wedding.",
    "We had soup, and then more soup.",
    "Nothing new at work, the printer is still broken.",
    "I found my old bicycle, it needs a new chain.",
)


def write_diary(folder: Path, *, scopes: int = 4, sessions: int = 16, queries: int = 10) -> list[str]:
    """Write `task.toml`, `episodes.jsonl` and `queries.jsonl`, the same for the same sizes; return the gold marks.

    A gold answer is what was said and a mark, such as "velko qz017". No episode holds a mark, so that a gold answer can
    be told wherever it turns up. Half of the queries are held out, as whole scopes.
    """
    draw = Random(f"{scopes}:{sessions}:{queries}")
    episodes: list[dict[str, JSON]] = []
    asked: list[dict[str, JSON]] = []
    marks: list[str] = []
    for name in PEOPLE[:scopes]:
        facts = draw.sample([(thing, kind) for thing in THINGS for kind in KINDS], 2 * sessions)
        values = {fact: "".join(draw.choices(SYLLABLES, k=3)) for fact in facts}
        for number in range(sessions):
            told = [_statement(name, fact, values[fact]) for fact in facts[2 * number : 2 * number + 2]]
            others = [_aside(name, draw) for _ in range(3)]
            lines = [*told, *others, *(f"{name}: {text}" for text in draw.sample(SMALL_TALK, 3))]
            draw.shuffle(lines)
            day = f"2024-{1 + number // 28:02d}-{1 + number % 28:02d}"
            episodes.append({"id": f"{name}-{number}", "scope": name, "time": day, "text": "\n".join(lines)})
        for fact in draw.sample(facts, queries):
            marks.append(f"qz{len(marks):03d}")
            thing, kind = fact
            asked.append(
                {
                    "id": f"q{len(marks)}",
                    "scope": name,
                    "question": f"What is the {kind} of {name}'s {thing}?",
                    "answer": f"{values[fact]} {marks[-1]}",
                    "evidence": [_statement(name, fact, values[fact])],
                    "category": kind,
                }
            )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.toml").write_text('name = "diary"\n', encoding="utf-8")
    for file, records in (("episodes", episodes), ("queries", asked)):
        text = "".join(json.dumps(record) + "\n" for record in records)
        (folder / f"{file}.jsonl").write_text(text, encoding="utf-8")
    return marks


def _statement(name: str, fact: tuple[str, str], value: str) -> str:
    thing, kind = fact
    return f"{name}: The {kind} of my {thing} is {value}."


def _aside(name: str, draw: Random) -> str:
    """Return a line with the same words and no answer."""
    friend = draw.choice([other for other in PEOPLE if other != name])
    return (
        f"{name}: {friend} wanted to know the {draw.choice(KINDS)} of the {draw.choice(THINGS)}, and I could not say."
    )
