"""A task of the user's own: a folder with `task.toml`, `episodes.jsonl` and `queries.jsonl`.

`evolve init FOLDER` writes an example whose comments document every field.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import Field

from evolve.errors import ConfigError, DataError
from evolve.tasks.base import Options, date_line, hold_out, make_task, read_options
from evolve.tasks.family import Family
from evolve.types import JSON, Episode, Evidence, Query, Task

FILES = ("task.toml", "episodes.jsonl", "queries.jsonl")
EPISODE_FIELDS = ("id", "scope", "text", "time")
QUERY_FIELDS = ("id", "scope", "question", "answer", "aliases", "evidence", "category", "split")
_COPIED = "good values: a task of questions with answers, such as locomo or chronicle"
COMMENTS = ("//", "#")
"""A line that starts with one of these is skipped, as is an empty one."""

T = TypeVar("T")
Record = dict[str, JSON]


class FolderOptions(Options):
    """Options of a task folder: set in its `task.toml`, or over it by the run's `task_options`."""

    test_share: float = Field(default=0.5, gt=0, lt=1)
    """Share of the queries held out for the final test where no query says `"split": "test"`; between 0 and 1."""
    seed: int = 0
    """Draws the held-out queries; any whole number."""


@dataclass(frozen=True, slots=True)
class _Lived:
    """An episode with what is needed to sort and to cite it."""

    episode: Episode
    time: datetime | None
    line: int


class FolderTask(Family[FolderOptions]):
    """A task folder, whose `task.toml` has been read."""

    options_model = FolderOptions

    def __init__(self, folder: Path, title: str, options: FolderOptions) -> None:
        super().__init__(options)
        self._folder = folder
        self._title = title

    def load(self) -> Task:
        """Load the episodes and queries; raises `DataError` with file, line, field and what is wrong.

        Held out: the queries with `"split": "test"`; where there are none, `test_share` of the queries, as whole scopes
        from 4 scopes on.
        """
        episodes = _episodes(self._folder / "episodes.jsonl")
        queries, test = _queries(self._folder / "queries.jsonl", episodes)
        chosen = self.options
        held_out = test or hold_out(queries, share=chosen.test_share, seed=chosen.seed)
        return make_task(
            self._title, options=chosen.model_dump(), episodes=episodes, queries=queries, held_out=held_out
        )


def open_folder(folder: Path, options: Mapping[str, JSON]) -> FolderTask:
    """Return the task in a folder; raises `DataError` for what is wrong with its `task.toml`."""
    table = _table(folder / "task.toml")
    name = table.pop("name", None)
    if not isinstance(name, str) or not name.strip():
        raise DataError(f"task.toml, field 'name': found {_shown(name)}, expected a string that is not empty.")
    return FolderTask(folder, name, read_options(FolderOptions, {**table, **options}, task=name))


def init_folder(folder: Path) -> list[Path]:
    """Write a commented example that runs as it is, and return its files; refuses a folder that is not empty."""
    _refuse_full(folder)
    return _write(folder, {name: _example(name) for name in FILES})


def copy_folder(folder: Path, family: Family[Any]) -> list[Path]:
    """Write a built-in task as a folder that loads to equal episodes and queries, and return its files.

    Raises `ConfigError` for a folder that is not empty and for a task that is more than questions with answers, and
    what `Family.load` raises.
    """
    _refuse_full(folder)
    if family.traits.interactive:
        raise ConfigError(
            f"Task {family.name!r} is played in an environment, which a task folder has none of; {_COPIED}."
        )
    task = family.load()
    for query in task.queries:
        if query.details or not query.answer.strip():
            raise ConfigError(
                f"Task {family.name!r}, query {query.id!r}: more than an answer decides its score, and a task folder "
                f"has no scorer of its own; {_COPIED}."
            )
    about = [f"The built-in task {family.name}, with the options {json.dumps(dict(task.options))}."]
    about += [f"The licence of {source.url}: {source.licence}." for source in family.sources]
    episodes = [{"id": e.id, "scope": e.scope, "text": e.text} for e in task.episodes]
    queries = [_as_record(query, held_out=query.id in task.held_out) for query in task.queries]
    title = json.dumps(folder.absolute().name or family.name)
    return _write(
        folder,
        {
            "task.toml": "".join(f"# {line}\n" for line in about) + f"\nname = {title}\n",
            "episodes.jsonl": _lines(_comments("episodes.jsonl"), episodes),
            "queries.jsonl": _lines(_comments("queries.jsonl"), queries),
        },
    )


def _as_record(query: Query, *, held_out: bool) -> Record:
    """Return a query as it stands in queries.jsonl, without the fields that are empty."""
    record: Record = {
        "id": query.id,
        "scope": query.scope,
        "question": query.text,
        "answer": query.answer,
        "aliases": list(query.aliases),
        "evidence": [{"episode": item.episode, "text": item.text} for item in query.evidence],
        "category": query.category,
        "split": "test" if held_out else "",
    }
    return {field: value for field, value in record.items() if value}


def _example(name: str) -> str:
    return (resources.files("evolve.tasks") / "example" / name).read_text(encoding="utf-8")


def _comments(name: str) -> str:
    """Return what the example says of a file's fields."""
    return _example(name).split("\n\n")[0].split("\n//\n// The example")[0]


def _lines(comments: str, records: Iterable[Mapping[str, JSON]]) -> str:
    return "\n".join([comments, "", *(json.dumps(record, ensure_ascii=False) for record in records), ""])


def _refuse_full(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()):
        raise ConfigError(f"{folder} is not empty; name a new folder for the task.")


def _write(folder: Path, contents: Mapping[str, str]) -> list[Path]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (folder / name).write_text(content, encoding="utf-8", newline="\n")
    except OSError as error:
        raise ConfigError(f"{folder} cannot be made a task folder: {error.strerror}; name another one.") from None
    return [folder / name for name in contents]


def _table(path: Path) -> Record:
    try:
        return tomllib.loads(_bytes(path).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path.name}: not TOML in UTF-8: {error}.") from None


def _episodes(path: Path) -> tuple[Episode, ...]:
    """Read the episodes: scopes in order of first mention, within a scope by time where all have one."""
    lines: dict[str, int] = {}

    def build(record: Record, line: int) -> _Lived:
        _known(record, EPISODE_FIELDS)
        time = _time(record)
        text = _string(record, "text")
        return _Lived(
            Episode(
                id=_id(record, lines, line=line, kind="episode"),
                scope=_string(record, "scope", default="default"),
                text=text if time is None else f"{date_line(time)}\n{text}",
            ),
            time,
            line,
        )

    scopes: dict[str, list[_Lived]] = {}
    for lived in _read(path, build):
        scopes.setdefault(lived.episode.scope, []).append(lived)
    return tuple(lived.episode for scope in scopes.values() for lived in _in_order(scope))


def _in_order(scope: list[_Lived]) -> list[_Lived]:
    timed = [(_utc(lived.time), lived.line, lived) for lived in scope if lived.time]
    return [lived for _, _, lived in sorted(timed, key=lambda row: row[:2])] if len(timed) == len(scope) else scope


def _utc(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _queries(path: Path, episodes: Sequence[Episode]) -> tuple[tuple[Query, ...], frozenset[str]]:
    """Read the queries, and the ids of those that say `"split": "test"`."""
    lines: dict[str, int] = {}
    scopes: dict[str, list[Episode]] = {}
    for episode in episodes:
        scopes.setdefault(episode.scope, []).append(episode)

    def build(record: Record, line: int) -> tuple[Query, bool]:
        _known(record, QUERY_FIELDS)
        scope = _string(record, "scope", default="default")
        if scope not in scopes:
            _wrong("scope", scope, f"a scope of episodes.jsonl: {_listed(scopes)}")
        split = record.get("split")
        if split not in (None, "test"):
            _wrong("split", split, "'test', or no such field")
        query = Query(
            id=_id(record, lines, line=line, kind="query"),
            scope=scope,
            text=_string(record, "question"),
            answer=_string(record, "answer"),
            aliases=_aliases(record.get("aliases", [])),
            evidence=_evidence(record.get("evidence", []), scopes[scope]),
            category=_string(record, "category", default=""),
        )
        return query, split == "test"

    rows = _read(path, build)
    if len(rows) < 2:
        raise DataError(f"{path.name}: found 1 query, expected at least 2: one to search with and one to test with.")
    test = frozenset(query.id for query, held_out in rows if held_out)
    if len(test) == len(rows):
        raise DataError(f'{path.name}: every query says "split": "test"; leave some without it to search with.')
    return tuple(query for query, _ in rows), test


def _aliases(listed: JSON) -> tuple[str, ...]:
    if not isinstance(listed, list) or not all(isinstance(each, str) and each.strip() for each in listed):
        _wrong("aliases", listed, "a list of strings that are not empty")
    return tuple(str(each) for each in listed)


def _evidence(listed: JSON, episodes: Sequence[Episode]) -> tuple[Evidence, ...]:
    """Resolve evidence: `{"episode", "text"}`, or a string that is found verbatim in an episode of the scope."""
    if not isinstance(listed, list):
        _wrong("evidence", listed, "a list of strings, or of objects with the fields episode and text")
    found: list[Evidence] = []
    for entry in listed:
        if isinstance(entry, str):
            text, among = entry, list(episodes)
        elif isinstance(entry, dict):
            _known(entry, ("episode", "text"))
            text, name = _string(entry, "text"), _string(entry, "episode")
            among = [episode for episode in episodes if episode.id == name]
            if not among:
                _wrong("evidence", name, f"an episode of the query's scope: {_listed(e.id for e in episodes)}")
        else:
            _wrong("evidence", entry, "a string, or an object with the fields episode and text")
        holders = [episode for episode in among if text.strip() and text in episode.text]
        if not holders:
            _wrong("evidence", text, "words copied exactly from an episode of the query's scope")
        found.append(Evidence(episode=holders[0].id, text=text))
    return tuple(found)


def _read(path: Path, build: Callable[[Record, int], T]) -> list[T]:
    """Build a value from each record; raises the first error, with the number of the others."""
    values: list[T] = []
    errors: list[str] = []
    for number, raw in enumerate(_bytes(path).removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        line = raw.strip()
        if not line or line.startswith(tuple(mark.encode() for mark in COMMENTS)):
            continue
        try:
            values.append(build(_record(line), number))
        except DataError as error:
            errors.append(f"{path.name}, line {number}{error}")
    if errors:
        more = f" ({len(errors) - 1} more lines are wrong.)" if len(errors) > 1 else ""
        raise DataError(errors[0] + more)
    if not values:
        raise DataError(f"{path.name}: found no records, expected one; `evolve init FOLDER` writes an example.")
    return values


def _record(line: bytes) -> Record:
    """Parse one line as strict JSON: no NaN, no repeated keys, no half of a surrogate pair."""
    try:
        text = line.decode("utf-8")
        record = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_repeats)
        json.dumps(record, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f": not UTF-8 (byte {error.start + 1} of the line); save the file as UTF-8.") from None
    except UnicodeEncodeError:
        raise DataError(": holds half of a surrogate pair (\\ud800 to \\udfff), which is no character.") from None
    except json.JSONDecodeError as error:
        raise DataError(f", column {error.colno}: not JSON: {error.msg}.") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f": not usable JSON: {error}.") from None
    if not isinstance(record, dict):
        raise DataError(f': found {_shown(record)}, expected an object such as {{"text": "..."}}.')
    return record


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _no_repeats(pairs: list[tuple[str, JSON]]) -> Record:
    record = dict(pairs)
    if len(record) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the field {next(key for key in keys if keys.count(key) > 1)!r} is given twice")
    return record


def _id(record: Record, lines: dict[str, int], *, line: int, kind: str) -> str:
    """Return the record's id, or one from its place among the records, and note it in `lines`."""
    name = _string(record, "id", default=f"{kind}-{len(lines) + 1}")
    if name in lines:
        _wrong("id", name, f"an id of its own; line {lines[name]} has it already")
    lines[name] = line
    return name


def _time(record: Record) -> datetime | None:
    if record.get("time") is None:
        return None
    try:
        return datetime.fromisoformat(_string(record, "time"))
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        _wrong("time", record["time"], "an ISO 8601 time such as '2024-05-14T13:30'")


def _string(record: Record, field: str, *, default: str | None = None) -> str:
    value = record.get(field)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or not value.strip():
        _wrong(field, value, "a string that is not empty" if isinstance(value, str) else "a string")
    return value


def _known(record: Record, fields: tuple[str, ...]) -> None:
    for field in record:
        if field not in fields:
            raise DataError(f": unknown field {_shown(field)}; good fields: {', '.join(fields)}.")


def _wrong(field: str, found: JSON, expected: str) -> NoReturn:
    raise DataError(f", field {field!r}: found {_shown(found)}, expected {expected}.")


def _shown(value: JSON) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _listed(names: Iterable[str]) -> str:
    shown = [_shown(name) for name in names]
    return ", ".join(shown[:5]) + (f", ... ({len(shown)} in all)" if len(shown) > 5 else "")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror}; a task folder needs {', '.join(FILES)}, "
            "and `evolve init FOLDER` writes an example."
        ) from None
