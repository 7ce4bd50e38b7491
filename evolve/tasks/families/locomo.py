"""LoCoMo: ten very long conversations between two friends, and 1,540 questions about them.

Source: Maharana et al., "Evaluating Very Long-Term Conversational Memory of LLM Agents" (ACL 2024), the published
`locomo10.json`. A scope is a conversation, an episode one of its sessions. Category 5, the adversarial questions, has
no gold answer and is left out, as in most published results.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field, field_validator

from evolve.errors import ConfigError, DataError
from evolve.tasks.base import Options, hold_out, make_task, read_options
from evolve.tasks.data import data_file
from evolve.types import JSON, Episode, Evidence, Query, Task

URL = "https://raw.githubusercontent.com/snap-research/locomo/main/data/locomo10.json"
SHA256 = "79fa87e90f04081343b8c8debecb80a9a6842b76a7aa537dc9fdf651ea698ff4"
LICENCE = "CC BY-NC 4.0"

CATEGORIES: Mapping[int, str] = {1: "multi_hop", 2: "temporal", 3: "open_domain", 4: "single_hop"}
"""Names for the numbers in the file, as the published evaluation code uses them."""
ADVERSARIAL = 5

_SESSION = re.compile(r"session_(\d+)")
_TURN = re.compile(r"D:?(\d+):(\d+)")
_SPAN = re.compile(r"(\d+)-(\d+)")


class LocomoOptions(Options):
    """Options of the task `locomo`."""

    conversations: list[str | int] | str = Field(default_factory=list)
    """A list of sample ids ("conv-26") or numbers from 1, or a span such as "1-5"; an empty list for all."""
    categories: list[str | int] = Field(default_factory=list)
    """A list of 1 multi_hop, 2 temporal, 3 open_domain, 4 single_hop, as number or name; an empty list for all."""

    @field_validator("categories")
    @classmethod
    def _by_name(cls, given: list[str | int]) -> list[str | int]:
        names = [CATEGORIES.get(item, item) if isinstance(item, int) else item for item in given]
        if any(name not in CATEGORIES.values() for name in names):
            raise ValueError("unknown category")
        return [name for name in CATEGORIES.values() if name in names]


def load(options: Mapping[str, JSON]) -> Task:
    """Load the published file, downloading it once if needed.

    Held out: the later half of the chosen conversations, whole; of a single conversation, a seeded half of its queries.
    """
    chosen = read_options(LocomoOptions, options, task="locomo")
    return load_file(data_file("locomo/locomo10.json", url=URL, sha256=SHA256, licence=LICENCE), chosen)


def load_file(path: Path, options: LocomoOptions) -> Task:
    """Load any file of LoCoMo's shape; raises `DataError` naming the file, the record, the field and what is wrong."""
    records = _records(path)
    names = [_text(record, "sample_id", where=f"{path.name}, record {n}") for n, record in enumerate(records, start=1)]
    kept = _conversations(options.conversations, names)
    episodes: list[Episode] = []
    queries: list[Query] = []
    for name, record in zip(names, records, strict=True):
        if name in kept:
            where = f"{path.name}, sample {name!r}"
            lived, turns = _sessions(record, name, where=where)
            episodes += lived
            queries += _queries(record, name, turns, where=where)
    queries = [query for query in queries if not options.categories or query.category in options.categories]
    if len(kept) > 1:
        later = kept[-(len(kept) // 2) :]
        held_out = frozenset(query.id for query in queries if query.scope in later)
    else:
        held_out = hold_out(queries)
    resolved: dict[str, JSON] = {
        "conversations": list(kept),
        "categories": list(options.categories or CATEGORIES.values()),
    }
    return make_task("locomo", options=resolved, episodes=episodes, queries=queries, held_out=held_out)


def _conversations(given: list[str | int] | str, names: Sequence[str]) -> list[str]:
    """Resolve the option to sample ids, in the file's order."""
    good = f"good values: 1 to {len(names)}, {', '.join(names)}, or a span such as '1-{len(names)}'"
    items: Sequence[str | int] = given if isinstance(given, list) else [given]
    if isinstance(given, str) and (span := _SPAN.fullmatch(given)):
        items = range(int(span[1]), int(span[2]) + 1) if len(span[2]) < 6 else [given]
    if not items and isinstance(given, list):
        return list(names)
    chosen: set[str] = set()
    for item in items:
        number = int(item) if isinstance(item, str) and item.isdecimal() and len(item) < 6 else item
        name = names[number - 1] if isinstance(number, int) and 1 <= number <= len(names) else number
        if name not in names:
            raise ConfigError(f"Task 'locomo', option 'conversations': no conversation {item!r}; {good}.")
        chosen.add(str(name))
    if not chosen:
        raise ConfigError(f"Task 'locomo', option 'conversations': found {given!r}, which selects nothing; {good}.")
    return [name for name in names if name in chosen]


def _sessions(record: dict[str, JSON], name: str, *, where: str) -> tuple[list[Episode], dict[str, Evidence]]:
    """Return one episode a session in numeric order, and each turn by its id ("D3:11")."""
    conversation = record.get("conversation")
    if not isinstance(conversation, dict):
        raise _wrong(where, "conversation", conversation, "an object")
    episodes: list[Episode] = []
    turns: dict[str, Evidence] = {}
    # Some samples give dates of sessions that do not exist, so only keys that hold a list count.
    listed = [_SESSION.fullmatch(key) for key, value in conversation.items() if isinstance(value, list)]
    for number in sorted(int(match[1]) for match in listed if match):
        key, episode = f"session_{number}", f"{name}/session_{number}"
        lines = [f"Date: {_text(conversation, f'{key}_date_time', where=where)}"]
        session = conversation[key]
        assert isinstance(session, list)
        for n, turn in enumerate(session, start=1):
            here = f"{where}, {key}, turn {n}"
            if not isinstance(turn, dict):
                raise _wrong(here, "turn", turn, "an object")
            said = _said(turn, where=here)
            lines.append(f"{_text(turn, 'speaker', where=here)}: {said}")
            turns[_text(turn, "dia_id", where=here)] = Evidence(episode=episode, text=said)
        episodes.append(Episode(id=episode, scope=name, text="\n".join(lines)))
    if not episodes:
        raise _wrong(where, "conversation", sorted(conversation), "at least one list of turns named session_<number>")
    return episodes, turns


def _said(turn: dict[str, JSON], *, where: str) -> str:
    """Return the turn on one line, with the caption of its image: some gold answers are only in the caption."""
    said = " ".join(_text(turn, "text", where=where, empty=True).split())
    if "blip_caption" in turn:
        said += f" [image: {' '.join(_text(turn, 'blip_caption', where=where, empty=True).split())}]"
    if not said:
        raise _wrong(where, "text", turn["text"], "some text or an image")
    return said.strip()


def _queries(record: dict[str, JSON], name: str, turns: Mapping[str, Evidence], *, where: str) -> list[Query]:
    listed = record.get("qa")
    if not isinstance(listed, list):
        raise _wrong(where, "qa", listed, "a list")
    queries: list[Query] = []
    for n, entry in enumerate(listed, start=1):
        here = f"{where}, qa {n}"
        if not isinstance(entry, dict):
            raise _wrong(here, "qa", entry, "an object")
        category = entry.get("category")
        if category == ADVERSARIAL:
            continue
        if not isinstance(category, int) or category not in CATEGORIES:
            raise _wrong(here, "category", category, "a number from 1 to 5")
        answer = entry.get("answer")
        if isinstance(answer, int) and not isinstance(answer, bool):
            answer = str(answer)
        if not isinstance(answer, str) or not answer.strip():
            raise _wrong(here, "answer", answer, "a string or a whole number")
        queries.append(
            Query(
                id=f"{name}/q{n}",
                scope=name,
                text=_text(entry, "question", where=here).strip(),
                answer=answer,
                evidence=_evidence(entry.get("evidence"), turns, where=here),
                category=CATEGORIES[category],
            )
        )
    return queries


def _evidence(listed: JSON, turns: Mapping[str, Evidence], *, where: str) -> tuple[Evidence, ...]:
    """Resolve ids of turns; the published file has "D8:6; D9:17", "D", "D:11:26", "D30:05", and ids of no turn."""
    if not isinstance(listed, list):
        raise _wrong(where, "evidence", listed, "a list of turn ids")
    found: dict[str, Evidence] = {}
    for entry in listed:
        if not isinstance(entry, str):
            raise _wrong(where, "evidence", entry, "a turn id such as 'D3:11'")
        for part in re.split(r"[;,\s]+", entry):
            if match := _TURN.fullmatch(part):
                turn = f"D{int(match[1])}:{int(match[2])}"
                if turn in turns:
                    found[turn] = turns[turn]
    return tuple(found.values())


def _records(path: Path) -> list[dict[str, JSON]]:
    try:
        content = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path.name}: not JSON in UTF-8: {error}.") from None
    if not isinstance(content, list) or not content:
        raise DataError(f"{path.name}: found {_shown(content)}, expected a list of at least one conversation.")
    for n, record in enumerate(content, start=1):
        if not isinstance(record, dict):
            raise _wrong(f"{path.name}, record {n}", "record", record, "an object")
    return content


def _text(record: Mapping[str, JSON], field: str, *, where: str, empty: bool = False) -> str:
    value = record.get(field)
    if not isinstance(value, str) or not (value.strip() or empty):
        raise _wrong(where, field, value, "a string" if empty else "a string that is not empty")
    return value


def _wrong(where: str, field: str, found: object, expected: str) -> DataError:
    return DataError(f"{where}, field {field!r}: found {_shown(found)}, expected {expected}.")


def _shown(value: object) -> str:
    return "nothing" if value is None else repr(value)[:60]
