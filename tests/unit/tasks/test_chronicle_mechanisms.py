"""What the sub-tasks of `chronicle` reward, shown with tiny memories of one mechanism each.

Each maps the lines of a life and a question to a text of at most `LIMIT` characters, as a memory program's `read` does.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import pytest

from evolve.tasks import load, open_family
from evolve.tasks.base import MONTHS
from evolve.tasks.families.chronicle.world import SUBTASKS
from evolve.types import JSON, Query, Task

LIMIT = 3000
STOP = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be been by can did do does for from go had has have he her his how i in is it its "
        "just me my no not of off on or our she so that the their them they this to up was we were what when "
        "where which who will with you your these days present currently current many times all often time "
        "there if",
    )
)


@dataclass(frozen=True, slots=True)
class Line:
    """One turn, with where and when it was said."""

    session: int
    day: date
    text: str
    words: frozenset[str]


class Lives:
    """The lines of each scope, with the rarity of its words."""

    def __init__(self, task: Task) -> None:
        self.lines: dict[str, list[Line]] = {}
        for number, episode in enumerate(task.episodes):
            head, *turns = episode.text.split("\n")
            day = _dates(head)[0]
            for text in turns:
                self.lines.setdefault(episode.scope, []).append(Line(number, day, text, words(text)))
        self.weight: dict[str, dict[str, float]] = {}
        for scope, lines in self.lines.items():
            seen = Counter(word for line in lines for word in line.words)
            self.weight[scope] = {word: math.log(len(lines) / count) for word, count in seen.items()}

    def scores(self, query: Query) -> dict[int, float]:
        """Return how well each line that shares a word with the question matches it, by the line's number."""
        asked, weight = words(query.text), self.weight[query.scope]
        shared = {n: asked & line.words for n, line in enumerate(self.lines[query.scope])}
        return {n: sum(weight[word] for word in common) for n, common in shared.items() if common}

    def ranked(self, query: Query) -> list[int]:
        """Return the numbers of those lines, best first."""
        scores = self.scores(query)
        return sorted(scores, key=lambda n: -scores[n])


def words(text: str) -> frozenset[str]:
    """Return the content words of a text, roughly stemmed; the speaker's name is one too."""
    found = re.findall(r"[a-z0-9]+", text.lower().replace("'s", ""))
    return frozenset(re.sub(r"(ing|es|ed|e|s)$", "", word) for word in found if word not in STOP)


def lexical(lives: Lives, query: Query) -> str:
    """Best matching lines."""
    lines = lives.lines[query.scope]
    return _fill(lines[n].text for n in lives.ranked(query))


def neighbours(lives: Lives, query: Query) -> str:
    """Best matching lines, each with the line before and after."""
    lines = lives.lines[query.scope]
    order = [near for n in lives.ranked(query) for near in (n - 1, n, n + 1) if 0 <= near < len(lines)]
    return _fill(lines[n].text for n in dict.fromkeys(order))


def recency(lives: Lives, query: Query) -> str:
    """Best matching lines, where a match loses half its worth in a month."""
    lines = lives.lines[query.scope]
    scores = {n: score * 0.5 ** ((lines[-1].day - lines[n].day).days / 30) for n, score in lives.scores(query).items()}
    return _fill(lines[n].text for n in sorted(scores, key=lambda n: -scores[n]))


def entities(lives: Lives, query: Query) -> str:
    """Best matching lines, then the lines with a name that those introduce."""
    lines, weight = lives.lines[query.scope], lives.weight[query.scope]
    hits = lives.ranked(query)[:6]
    names = [name for n in hits for name in re.findall(r"\b[A-Z][a-z]{3,}\b", lines[n].text) if words(name)]
    rare = sorted(dict.fromkeys(names), key=lambda name: -max(weight.get(word, 0) for word in words(name)))[:8]
    linked = [n for name in rare for n, line in enumerate(lines) if re.search(rf"\b{name}\b", line.text)]
    return _fill(lines[n].text for n in dict.fromkeys([*hits, *linked]))


def dates(lives: Lives, query: Query) -> str:
    """The lines said closest after a date in the question; without one, those of the last days."""
    lines = lives.lines[query.scope]
    wanted = (_dates(query.text) or [lines[-1].day])[0]
    return _fill(line.text for line in sorted(lines, key=lambda line: abs((line.day - wanted).days)))


MECHANISMS: dict[str, Callable[[Lives, Query], str]] = {
    "neighbours": neighbours, "recency": recency, "lexical": lexical, "dates": dates, "entities": entities,
}  # fmt: skip


def support(text: str, query: Query) -> float:
    """Return the share of the query's gold evidence that the text contains."""
    return sum(evidence.text in text for evidence in query.evidence) / len(query.evidence)


def table(task: Task, queries: Sequence[Query]) -> dict[tuple[str, str], float]:
    """Return the mean support by mechanism and category."""
    lives = Lives(task)
    rows: dict[tuple[str, str], list[float]] = {}
    for name, mechanism in MECHANISMS.items():
        for query in queries:
            read = mechanism(lives, query)
            assert len(read) <= LIMIT
            rows.setdefault((name, query.category), []).append(support(read, query))
    return {key: sum(values) / len(values) for key, values in rows.items()}


def _fill(texts: Iterable[str]) -> str:
    read = ""
    for text in texts:
        if len(read) + len(text) + 1 > LIMIT:
            break
        read += text + "\n"
    return read


def _dates(text: str) -> list[date]:
    """Read "14 May, 2023", "14 May 2023" and "May 2023" (its middle)."""
    found = re.findall(rf"(\d+ )?({'|'.join(MONTHS)}),? (\d{{4}})", text)
    return [date(int(year), MONTHS.index(month) + 1, int(day or 15)) for day, month, year in found]


@pytest.fixture(scope="module")
def scores() -> dict[tuple[str, str], float]:
    task = load("chronicle", {"lives": 12})
    return table(task, task.queries)


@pytest.mark.parametrize(
    ("category", "winner"),
    [
        ("recall", "neighbours"),
        ("latest", "recency"),
        ("count", "lexical"),
        ("temporal", "dates"),
        ("two_hop", "entities"),
    ],
)
def test_each_kind_of_question_has_its_own_best_mechanism(
    scores: dict[tuple[str, str], float], category: str, winner: str
) -> None:
    others = {name: scores[name, category] for name in MECHANISMS if name != winner}
    assert scores[winner, category] > max(others.values()) + 0.1, others


def test_no_mechanism_does_well_on_all(scores: dict[tuple[str, str], float]) -> None:
    for name in MECHANISMS:
        mean = sum(scores[name, category] for category in SUBTASKS) / len(SUBTASKS)
        assert 0.15 < mean < 0.6, name


def test_a_memory_that_picks_by_kind_beats_every_single_mechanism(scores: dict[tuple[str, str], float]) -> None:
    best = [max(scores[name, category] for name in MECHANISMS) for category in SUBTASKS]
    single = max(sum(scores[name, category] for category in SUBTASKS) for name in MECHANISMS)
    assert sum(best) > 1.7 * single


def newest(lives: Lives, query: Query) -> str:
    """Of the lines that match, those around the one that was said last."""
    lines, scores = lives.lines[query.scope], lives.scores(query)
    last = max(n for n in scores if scores[n] > 0.4 * max(scores.values()))
    return _fill(line.text for line in lines[last : last + 2])


def discreet(lives: Lives, query: Query) -> str:
    """Best matching lines, without those that name the other person of the question."""
    speaker, *others = re.findall(r"(?<!^)\b[A-Z][a-z]+", query.text)
    lines = [lives.lines[query.scope][n].text for n in lives.ranked(query)]
    return _fill(line for line in lines if not any(other in line for other in others if other != speaker))


@pytest.fixture(scope="module")
def guarded() -> dict[tuple[str, str], float]:
    """Mean support by mechanism and category, lost where something forbidden was read."""
    options: dict[str, JSON] = {"lives": 12, "subtasks": ["stale", "privacy"], "queries": 12}
    task, scorer = load("chronicle", options), open_family("chronicle", options).scorer("support", None)
    lives = Lives(task)
    rows: dict[tuple[str, str], list[float]] = {}
    for mechanism in (lexical, neighbours, recency, dates, newest, discreet):
        for query in task.queries:
            value = scorer.score(query, mechanism(lives, query), "").value
            rows.setdefault((mechanism.__name__, query.category), []).append(value)
    return {key: sum(values) / len(values) for key, values in rows.items()}


@pytest.mark.parametrize(("category", "winner"), [("stale", "newest"), ("privacy", "discreet")])
def test_what_has_ended_and_what_is_secret_needs_a_mechanism_of_its_own(
    guarded: dict[tuple[str, str], float], category: str, winner: str
) -> None:
    others = {name: value for (name, asked), value in guarded.items() if asked == category and name != winner}
    assert guarded[winner, category] > 0.6
    assert guarded[winner, category] > max(others.values()) + 0.2, others
    assert max(others[name] for name in ("lexical", "neighbours")) < 0.1, "whoever reads much reads what is forbidden"
