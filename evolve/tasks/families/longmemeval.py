"""LongMemEval: 500 questions, each about a long history of chats between a user and an assistant.

Source: Wu et al., "LongMemEval: Benchmarking Chat Assistants on Long-Term Interactive Memory" (ICLR 2025), the cleaned
release of September 2025. A scope is one question's haystack, an episode one of its sessions. Haystack files with a
list of questions each are read as well.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from pydantic import Field

from evolve.errors import ConfigError
from evolve.tasks.base import MONTHS, Options, date_line, hold_out, make_task
from evolve.tasks.data import Source
from evolve.tasks.family import Family
from evolve.tasks.published import Record, find_file, list_of, read_records, text_of, wrong
from evolve.traits import SCORERS, ScorerTraits, Traits
from evolve.types import JSON, Episode, Evidence, Query, Task

if TYPE_CHECKING:
    from evolve.models.base import Ask
    from evolve.scoring.base import Scorer

_FILES = {
    "s": ("longmemeval_s_cleaned.json", "d6f21ea9d60a0d56f34a05b609c79c88a451d2ae03597821ea3d5a9678c3a442"),
    "m": ("longmemeval_m_cleaned.json", "9d79e5524794a2e6900a3aa9cb7d9152c5a3e8319c9a87c25494ba1eacee495f"),
    "oracle": ("longmemeval_oracle.json", "821a2034d219ab45846873dd14c14f12cfe7776e73527a483f9dac095d38620c"),
}
_REVISION = "98d7416c24c778c2fee6e6f3006e7a073259d48f"
SOURCES: Mapping[str, Source] = {
    name: Source(
        path=f"longmemeval/{file}",
        url=f"https://huggingface.co/datasets/xiaowu0162/longmemeval-cleaned/resolve/{_REVISION}/{file}",
        sha256=sha256,
        licence="MIT",
    )
    for name, (file, sha256) in _FILES.items()
}
OTHER = "other"
"""Category of a question that somebody added to a published haystack."""
Type: TypeAlias = Literal[
    "single-session-user",
    "single-session-assistant",
    "single-session-preference",
    "multi-session",
    "temporal-reasoning",
    "knowledge-update",
    "other",
]
TYPES = tuple(name for name in get_args(Type) if name != OTHER)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DATE = re.compile(r"(\d{4})/(\d\d)/(\d\d) \([A-Z][a-z]{2}\) (\d\d):(\d\d)")


class LongMemEvalOptions(Options):
    """Options of the task `longmemeval`."""

    file: str | list[str] = "s"
    """"s", "m" or "oracle" for a published file, the path of a file of that shape, or a list of these."""
    types: list[Type] = Field(default_factory=list)
    """A list out of single-session-user, single-session-assistant, single-session-preference, multi-session,
    temporal-reasoning, knowledge-update, other; an empty list for all."""
    per_type: int = Field(default=0, ge=0)
    """At most so many questions of each type, those that come first in the file; 0 for all."""
    questions: list[str] = Field(default_factory=list)
    """A list of question ids, such as the split of another paper; an empty list for all."""
    abstention: Literal["include", "exclude"] = "include"
    """"include" or "exclude" the questions that cannot be answered; without a model nothing tells whether one was
    recognised."""
    gold: str = ""
    """The path of a list of {id, query, gold_answers, meta.question_type} that is right where a file says something
    else, or empty."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question of a haystack."""

    id: str
    text: str
    answer: str
    type: str
    sessions: frozenset[str]
    """The gold ones, by the ids in the file."""


@dataclass(frozen=True, slots=True)
class _Lived:
    """One session of a haystack."""

    id: str
    """As in the file, where it gives away which sessions are gold: it stays here."""
    date: datetime
    turns: tuple[tuple[str, str, bool], ...]
    """Role, what is said, and whether the answer rests on it."""

    @property
    def text(self) -> str:
        """As the agent observes it: a date line, then a line or more a turn."""
        day = f"{date_line(self.date)} ({DAYS[self.date.weekday()]})"
        return "\n".join([day, *(f"{role}: {said}" for role, said, _ in self.turns)])


class LongMemEval(Family[LongMemEvalOptions]):
    """Questions about a user's long history of chats."""

    name = "longmemeval"
    options_model = LongMemEvalOptions
    sources = tuple(SOURCES.values())
    traits = Traits(
        whole=True,
        scorers={
            "official_judge": ScorerTraits(
                "A case scores 1 where a judge finds the agent's answer correct by the benchmark's rule for its kind "
                "of question, else 0: an answer with more than was asked is fine, a part of the answer is not, and a "
                "question that cannot be answered wants to be told so.",
                "Official judge is the share of answers that a model found right by LongMemEval's rules. It is that "
                "model's opinion: published figures have gpt-4o-2024-08-06 as judge.",
                judge_calls=1,
            ),
            "retrieval": ScorerTraits(
                SCORERS["support"].says,
                f"{SCORERS['support'].means} Beside it stand recall and NDCG of the evidence sessions, in the order in "
                "which what was read quotes them.",
                free=True,
            ),
        },
    )

    def load(self) -> Task:
        """Load the chosen questions with their haystacks, downloading the published file once if needed.

        Held out: every second haystack of each type of question, whole; of a single haystack, half of its questions.
        """
        return _load(self._paths, self.options.model_dump_json())

    def scorer(self, name: str, ask: Ask | None) -> Scorer:
        """Return "official_judge" or "retrieval"; the haystacks are read again where a score first needs them."""
        from evolve.scoring.longmemeval import OfficialJudge, RetrievalScorer

        if name == "retrieval":
            return RetrievalScorer(self._sessions)
        assert ask is not None, "a configuration with a judge has a broker"
        return OfficialJudge(ask, self._sessions)

    def notes(self) -> tuple[str, ...]:
        """Return what keeps a figure from being compared with a published one."""
        chosen, said = self.options, []
        if "oracle" in ([chosen.file] if isinstance(chosen.file, str) else chosen.file):
            said.append("The oracle file has the evidence sessions only: its figures are not those of S or M.")
        if chosen.types or chosen.per_type or chosen.questions or chosen.abstention == "exclude":
            said.append("Only some of the 500 questions are asked: the mean is not the published overall accuracy.")
        return tuple(said)

    @cached_property
    def _paths(self) -> tuple[tuple[Path, int], ...]:
        """The haystack files and then the file with the gold answers, each with the time of its last change."""
        files = [self.options.file] if isinstance(self.options.file, str) else self.options.file
        if not files:
            raise ConfigError("Task 'longmemeval', option 'file': found [], expected at least one file.")
        paths = [find_file(file, SOURCES, task=self.name) for file in files]
        if self.options.gold:
            paths.append(find_file(self.options.gold, {}, task=self.name, option="gold"))
        return tuple((path, path.stat().st_mtime_ns) for path in paths)

    def _sessions(self, scope: str) -> Mapping[str, str]:
        return _by_scope(self._paths, self.options.model_dump_json())[scope]


@lru_cache(maxsize=1)
def _load(paths: tuple[tuple[Path, int], ...], chosen: str) -> Task:
    """Kept, because the scorers of one process look into the haystacks of the task that it has loaded."""
    options = LongMemEvalOptions.model_validate_json(chosen)
    files = [path for path, _ in paths]
    known = _gold(files.pop()) if options.gold else {}
    counts: Counter[str] = Counter()
    episodes: list[Episode] = []
    queries: list[Query] = []
    for path in files:
        for number, record in enumerate(read_records(path), start=1):
            where = f"{path.name}, record {number}"
            scope = text_of(record, "question_id", where=where)
            asked = list(_wanted(_asked(record, scope, known, where=where), scope, options, counts))
            if asked:
                lived = _lived(record, where=f"{path.name}, question {scope!r}")
                shared = "questions" in record
                episodes += [Episode(_place(scope, n), scope, session.text) for n, session in enumerate(lived, start=1)]
                date = _moment(record.get("question_date"), "question_date", where=where)
                queries += [_query(item, scope, lived, date, shared=shared) for item in asked]
    if not queries:
        raise ConfigError(
            "Task 'longmemeval': the options 'types', 'questions' and 'abstention' leave no question of "
            f"{', '.join(path.name for path in files)}; leave some of them out."
        )
    return make_task(
        "longmemeval",
        options=options.model_dump(),
        episodes=episodes,
        queries=queries,
        held_out=_held_out(queries),
    )


@lru_cache(maxsize=1)
def _by_scope(paths: tuple[tuple[Path, int], ...], chosen: str) -> Mapping[str, Mapping[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for episode in _load(paths, chosen).episodes:
        found.setdefault(episode.scope, {})[episode.id] = episode.text
    return found


def _wanted(asked: Sequence[_Asked], scope: str, options: LongMemEvalOptions, counts: Counter[str]) -> Iterator[_Asked]:
    """Yield the questions that the options leave, counting them by type."""
    for item in asked:
        left_out = (
            (options.types and item.type not in options.types)
            or (options.questions and scope not in options.questions)
            or (options.abstention == "exclude" and _unanswerable(scope))
            or (options.per_type and counts[item.type] >= options.per_type)
        )
        if not left_out:
            counts[item.type] += 1
            yield item


def _asked(record: Record, scope: str, known: Mapping[tuple[str, str], tuple[str, str]], *, where: str) -> list[_Asked]:
    """Return the record's question, or its list of questions; what is `known` of a question is right."""
    if "questions" in record:
        texts, answers = list_of(record, "questions", where=where), list_of(record, "answers", where=where)
        sessions, kind = list_of(record, "answer_session_ids", where=where), OTHER
        if not len(texts) == len(answers) == len(sessions):
            raise wrong(
                where, "answers", len(answers), f"as many answers and lists of sessions as questions: {len(texts)}"
            )
        ids = [f"{scope}/q{n}" for n in range(1, len(texts) + 1)]
    else:
        texts, answers = [text_of(record, "question", where=where)], [record.get("answer")]
        sessions, ids = [list_of(record, "answer_session_ids", where=where)], [scope]
        kind = text_of(record, "question_type", where=where)
        if kind not in TYPES:
            raise wrong(where, "question_type", kind, f"one of {', '.join(TYPES)}")
    found = []
    for name, text, answer, gold in zip(ids, texts, answers, sessions, strict=True):
        if not isinstance(text, str) or not text.strip():
            raise wrong(where, "questions", text, "questions that are not empty")
        told, type_ = known.get((scope, text.strip()), ("", kind))
        if not isinstance(gold, list) or not all(isinstance(item, str) for item in gold):
            raise wrong(where, "answer_session_ids", gold, "ids of sessions")
        right = told or _answer(answer, where=where)
        found.append(_Asked(name, text.strip(), right, type_, frozenset(map(str, gold))))
    return found


def _lived(record: Record, *, where: str) -> list[_Lived]:
    """Return the sessions in order of time, which the oracle file is not in; a session without a word is left out."""
    ids = list_of(record, "haystack_session_ids", where=where)
    dates, sessions = list_of(record, "haystack_dates", where=where), list_of(record, "haystack_sessions", where=where)
    if not len(ids) == len(dates) == len(sessions):
        lengths = f"{len(ids)} ids, {len(dates)} dates and {len(sessions)} sessions"
        raise wrong(where, "haystack_sessions", lengths, "as many of each")
    lived = []
    for number, (name, date, session) in enumerate(zip(ids, dates, sessions, strict=True), start=1):
        here = f"{where}, session {number}"
        if not isinstance(name, str) or not isinstance(session, list):
            raise wrong(here, "haystack_sessions", session, "an id and a list of turns")
        turns = tuple(turn for n, item in enumerate(session, start=1) if (turn := _turn(item, f"{here}, turn {n}"))[1])
        moment = _moment(date, "haystack_dates", where=here)
        if turns:
            lived.append(_Lived(name, moment, turns))
    if not lived:
        raise wrong(where, "haystack_sessions", sessions, "at least one session with a turn")
    return sorted(lived, key=lambda session: session.date)


def _turn(turn: JSON, where: str) -> tuple[str, str, bool]:
    if not isinstance(turn, dict):
        raise wrong(where, "turn", turn, "an object")
    role, content, holds = turn.get("role"), turn.get("content"), turn.get("has_answer")
    if role not in ("user", "assistant"):
        raise wrong(where, "role", role, "'user' or 'assistant'")
    if not isinstance(content, str):
        raise wrong(where, "content", content, "a string")
    if holds not in (True, False, None):
        raise wrong(where, "has_answer", holds, "true, false, or nothing")
    return str(role), content.strip(), holds is True


def _query(asked: _Asked, scope: str, lived: Sequence[_Lived], date: datetime, *, shared: bool) -> Query:
    """Return the query; in a shared haystack, only the turns of its own gold sessions are its evidence."""
    gold = [n for n, session in enumerate(lived, start=1) if session.id in asked.sessions]
    evidence = [
        Evidence(_place(scope, n), said)
        for n, session in enumerate(lived, start=1)
        for _, said, holds in session.turns
        if holds and (not shared or n in gold)
    ]
    return Query(
        id=asked.id,
        scope=scope,
        text=f"{asked.text} (asked on {date.day} {MONTHS[date.month - 1]}, {date.year})",
        answer=asked.answer,
        evidence=tuple(dict.fromkeys(evidence)),
        category=asked.type,
        details={
            "type": asked.type,
            "question": asked.text,
            "abstention": _unanswerable(scope),
            "sessions": [_place(scope, n) for n in gold],
        },
    )


def _held_out(queries: Sequence[Query]) -> frozenset[str]:
    """Hold out every second scope of each type, in an order drawn by a hash, so that both sides have all types."""
    kinds = {query.scope: query.category for query in reversed(queries)}
    ranked = sorted(kinds, key=lambda scope: (kinds[scope], hashlib.sha256(scope.encode()).digest()))
    held = set(ranked[1::2])
    return frozenset(query.id for query in queries if query.scope in held) or hold_out(queries)


def _gold(path: Path) -> dict[tuple[str, str], tuple[str, str]]:
    """Return answer and type by id and text of the question."""
    found = {}
    for number, record in enumerate(read_records(path), start=1):
        where = f"{path.name}, record {number}"
        answers, meta = list_of(record, "gold_answers", where=where), record.get("meta")
        if not answers or not isinstance(meta, dict):
            raise wrong(where, "gold_answers", answers, "an answer, and an object 'meta'")
        key = (text_of(record, "id", where=where), text_of(record, "query", where=where).strip())
        found[key] = (_answer(answers[0], where=where), text_of(meta, "question_type", where=where))
    return found


def _answer(answer: JSON, *, where: str) -> str:
    """Return the gold answer; 32 of the published ones are numbers."""
    if isinstance(answer, int | float) and not isinstance(answer, bool):
        return str(answer)
    if not isinstance(answer, str) or not answer.strip():
        raise wrong(where, "answer", answer, "a string or a number")
    return answer.strip()


def _moment(date: JSON, field: str, *, where: str) -> datetime:
    if isinstance(date, str) and (match := _DATE.fullmatch(date.strip())):
        year, month, day, hour, minute = map(int, match.groups())
        with suppress(ValueError):
            return datetime(year, month, day, hour, minute)
    raise wrong(where, field, date, "a date such as '2023/05/30 (Tue) 23:40'")


def _unanswerable(scope: str) -> bool:
    return "_abs" in scope


def _place(scope: str, number: int) -> str:
    """The id of an episode: the place of the session in the haystack, because published ids say which are gold."""
    return f"{scope}/session_{number}"
