"""The task agent without a model: it fills any schema from the surface of the text, and answers with what it read.

What it measures, together with `evolve.scoring.support`: whether the memory's store and retrieval bring back the
passages that hold the gold evidence, for questions put to it in their own words. What it does not measure:
understanding at extraction (it copies sentences; it cannot abstract, resolve a pronoun or judge), the program's
instructions (it does not read them), a clever wording of the question, and whether an agent would answer correctly
from what was read. Its scores are not comparable with those of a task agent that answers, and programs that live on
abstraction (summaries, lessons) look worse here than they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from evolve.agents.reading import STOP_WORDS, Reading, content_words
from evolve.types import JSON, Episode, Field, Program, Schema, empty_value

_CUES: dict[str, str] = {
    "date": "date dates datetime time times timestamp timestamps when day days month months year years",
    "people": "speaker speakers person persons people participant participants entity entities name names who user"
    " users character characters mentioned",
    "keywords": "keyword keywords tag tags topic topics term terms theme themes category categories label labels words",
    "limit": "k n limit top max maximum size",
    "facts": "fact facts insight insights lesson lessons detail details event events observation observations claim"
    " claims preference preferences point points highlight highlights memory memories note notes key step steps",
    "summary": "summary summaries gist overview abstract title headline situation context outcome goal task intent",
    "whole": "raw content text transcript conversation dialogue dialog message messages body document full original"
    " verbatim episode question query search request",
}
"""What a field asks for, by the words in its name or description; the first line that fits decides."""
_ROLES = {role: frozenset(cues.split()) for role, cues in _CUES.items()}
_NAME_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_ABOUT_THE_FIELD = """
whether true false asks ask asked question questions query text conversation episode contains contain mentions mention
needs need has flag boolean field value user asking refers wants want
"""
_SCHEMA_WORDS = STOP_WORDS | set(_ABOUT_THE_FIELD.split())
_DEFAULT_LIMIT = 10
_DEFAULT_KEYWORDS = 10


class ExtractiveAgent:
    """A task agent that calls no model: deterministic, free, about a millisecond an episode."""

    name = "extractive"
    follows_instructions = False
    asks_model = False

    def __init__(self, *, keep: bool = True) -> None:
        """`keep`: what was found in a text, for the next candidate that is shown it; not where texts are forgotten."""
        self._reading = _kept if keep else Reading

    def extract(self, program: Program, episode: Episode) -> dict[str, JSON]:
        """Fill the `KnowledgeItem` schema from the episode's text; nothing found leaves a field at its default."""
        return _fill(program.item, self._reading(episode.text))

    def formulate(self, program: Program, question: str) -> dict[str, JSON]:
        """Fill the `Query` schema from the question: the question itself, its content words, its names, its dates."""
        return _fill(program.query, self._reading(question))

    def respond(self, program: Program, question: str, read: str) -> str:
        """Return what was read, unchanged."""
        return read


@lru_cache(maxsize=4_096)
def _kept(text: str) -> Reading:
    """Return a text's reading; kept, because every candidate of a run is shown the same episodes and questions."""
    return Reading(text)


def _fill(schema: Schema, reading: Reading) -> dict[str, JSON]:
    filled: dict[str, JSON] = {}
    for field in schema.fields:
        optional = field.type.startswith("Optional[")
        kind = field.type.removeprefix("Optional[").removesuffix("]" if optional else "")
        value = _value(field, kind, reading, asking=schema.name == "Query")
        if value is not None:
            filled[field.name] = value
        elif field.required:
            filled[field.name] = empty_value(field.type)
    return filled


def _value(field: Field, kind: str, reading: Reading, *, asking: bool) -> JSON:
    """Return a value of the field's type, or None where the text has none."""
    role = _role(field)
    if kind == "bool":
        return _holds(field, role, reading)
    if kind in ("int", "float"):
        number = _number(field, role, reading)
        return None if number is None else int(number) if kind == "int" else float(number)
    if kind == "dict[str, str]":
        return dict(reading.by_name) or None
    if kind == "list[str]":
        return list(_strings(role, reading, asking=asking)) or None
    return _string(role, reading, asking=asking) or None


def _role(field: Field) -> str:
    """Return what the field asks for, by its name first and its description second; "" where neither says."""
    parts = {part.lower() for part in _NAME_PART.findall(field.name)}
    for named in (parts, set(re.findall(r"[a-z]+", field.description.lower()))):
        for role, cues in _ROLES.items():
            # A description is a sentence: "k", "n" and "top" are cues in a name only.
            if cues & named and (role != "limit" or named is parts):
                return role
    return ""


def _string(role: str, reading: Reading, *, asking: bool) -> str:
    if role == "date":
        return ", ".join(reading.dates) if asking else reading.date
    if role == "people":
        return ", ".join(reading.names[:10])
    if role == "keywords":
        return ", ".join(reading.keywords[:_DEFAULT_KEYWORDS])
    if asking or role == "whole":
        return reading.text.strip()
    if role == "facts":
        return " ".join(reading.facts[:5])
    return reading.summary


def _strings(role: str, reading: Reading, *, asking: bool) -> Iterable[str]:
    if role == "date":
        return reading.dates
    if role == "people":
        return reading.names[:10]
    if role == "keywords" or asking:
        return reading.keywords[:_DEFAULT_KEYWORDS]
    if role == "whole":
        return [f"{speaker}: {said}" if speaker else said for speaker, said in reading.turns]
    if role == "summary":
        return [reading.summary] if reading.summary else []
    return reading.facts


def _number(field: Field, role: str, reading: Reading) -> float | None:
    if role == "limit":
        return _DEFAULT_LIMIT if field.required else None
    if role == "date":
        years = re.findall(r"\b(?:19|20)\d\d\b", " ".join([reading.date, *reading.dates]))
        return float(years[0]) if years else None
    return next(iter(reading.numbers), None)


def _holds(field: Field, role: str, reading: Reading) -> bool | None:
    """Return whether the text has what the field speaks of: a date, a name, or a word of its name or description."""
    if role == "date":
        return bool(reading.dates)
    if role == "people":
        return bool(reading.names)
    cues = set(content_words(f"{' '.join(_NAME_PART.findall(field.name))} {field.description}")) - _SCHEMA_WORDS
    return not cues.isdisjoint(reading.counts)
