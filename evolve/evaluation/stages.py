"""Where an answer was lost on its way from the episodes to the score, told without asking a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import zip_longest
from typing import TYPE_CHECKING

from evolve.agents.extractive import ExtractiveAgent
from evolve.agents.reading import Reading
from evolve.program.interfaces import uses_raw_text
from evolve.scoring.support import SHINGLE, support, words
from evolve.types import JSON, Case, Episode, FailureStage, Program, Query

if TYPE_CHECKING:
    from evolve.evaluation.splits import Work

ENOUGH = 0.5
"""A text holds an evidence when it has so much of its shingles."""
Probe = Callable[[dict[str, JSON]], str | None]
"""Reads the memory once more with these fields; None where that tells nothing."""

SAMPLE = 6
"""So many probes of one scope, spread over its failed cases, decide for the rest where all of them agree: probing every
case takes as long again as the queries did, which only matters where no model is waited for."""

_EARLY: tuple[FailureStage, ...] = ("episodes", "extraction")
_ORDER: tuple[FailureStage, ...] = (*_EARLY, "write", "query", "read", "truncated", "unknown")
_SAYS_NOTHING = frozenset(("a", "an", "the", "yes", "no", "not", "true", "false", "none"))
_PLAIN = ExtractiveAgent()
"""Fills a query from the words it is given, as they stand."""


@dataclass(frozen=True, slots=True)
class Gold:
    """One thing that an answer rests on: a span of an episode, or, where the task names none, the gold answer."""

    query: Query
    """The query with this evidence alone."""

    @property
    def text(self) -> str:
        """What to look for."""
        return self.query.evidence[0].text if self.query.evidence else self.query.answer

    def share(self, text: str) -> float:
        """Return how much of it is in a text, in [0, 1]."""
        return support(self.query, text)

    def held_by(self, episodes: Iterable[Episode]) -> list[str]:
        """Return the ids of the episodes that hold it."""
        if self.query.evidence:
            return [episode.id for episode in episodes if episode.id == self.query.evidence[0].episode]
        wanted = _telling(self.query.answer)
        return [episode.id for episode in episodes if len(wanted & _distinct(episode.text)) >= ENOUGH * len(wanted)]


@dataclass(slots=True)
class Loss:
    """One thing that a failed case rested on."""

    case: Case
    gold: Gold
    stage: FailureStage | None
    """What lost it, "" where it was read; None where only the memory can tell."""


@dataclass(frozen=True)
class Tracer:
    """Follows the gold evidence of one scope's failed cases: episodes, items, memory, query, read, answer."""

    program: Program
    work: Work
    items: Mapping[str, Mapping[str, JSON]]
    """What the task agent extracted, by episode."""
    cases: Mapping[str, Case]
    """All of the scope, by query."""
    probe: Probe
    thorough: bool
    """False: where many are to be probed, the first few may decide for the others."""

    def stages(self) -> dict[str, FailureStage]:
        """Return for each failed case without a stage the first one that lost any of what the answer rests on."""
        found = {query.id: self._losses(query) for query in self.work.queries if self._is_open(query)}
        asked = [losses for losses in found.values() if not any(loss.stage in _EARLY for loss in losses)]
        self._look([loss for losses in asked for loss in losses if loss.stage is None])
        return {query: self._first(self.cases[query], losses) for query, losses in found.items()}

    def _is_open(self, query: Query) -> bool:
        case = self.cases.get(query.id)
        return case is not None and not case.stage and case.score is not None and case.score < 1

    def _losses(self, query: Query) -> list[Loss]:
        case = self.cases[query.id]
        return [Loss(case, gold, self._without_probe(gold, case)) for gold in _golds(query)]

    def _first(self, case: Case, losses: Sequence[Loss]) -> FailureStage:
        lost = [loss.stage for loss in losses if loss.stage]
        if lost:
            return min(lost, key=_ORDER.index)
        return "answer" if losses and _answered(case) else "unknown"

    def _without_probe(self, gold: Gold, case: Case) -> FailureStage | None:
        share, answered = gold.share(case.read), _answered(case)
        if share == 1 or (answered and _said(case.read, gold.query.answer)):
            return ""
        if gold.query.evidence and share > 0 and is_cut(gold.text, case.read):
            return "truncated"
        if share >= ENOUGH and (answered or gold.query.evidence):
            return "" if answered else "truncated"
        holders = gold.held_by(self.work.episodes)
        if not holders:
            return "episodes"
        if not self._uses_raw_text:
            kept = ["\n".join(_texts(dict(self.items.get(holder, {})))) for holder in holders]
            if not any(gold.share(text) >= ENOUGH or _said(text, gold.query.answer) for text in kept):
                return "extraction"
        return None

    def _look(self, losses: Sequence[Loss]) -> None:
        """Probe for each loss, or for a few from all over the scope, and for the others only where these disagree."""
        step = 1 if self.thorough else -(-len(losses) // SAMPLE)
        for loss in losses[:: step or 1]:
            loss.stage = self._by_probe(loss)
        agreed = {loss.stage for loss in losses if loss.stage is not None}
        for loss in losses:
            if loss.stage is None:
                loss.stage = next(iter(agreed)) if len(agreed) == 1 else self._by_probe(loss)

    def _by_probe(self, loss: Loss) -> FailureStage:
        """Read again: in the question's own words, then in those of the evidence itself."""
        plain = _PLAIN.formulate(self.program, loss.case.question)
        plainly = plain != loss.case.formulated and self._finds(loss, plain)
        if plainly:
            return "query"
        directly = self._finds(loss, _PLAIN.formulate(self.program, loss.gold.text))
        if directly is False and any(loss.gold.share(case.read) >= ENOUGH for case in self.cases.values()):
            directly = True  # another query of the scope read it
        if directly is None or (directly and plainly is None):
            return "unknown"
        return "read" if directly else "write"

    def _finds(self, loss: Loss, fields: dict[str, JSON]) -> bool | None:
        read = self.probe(fields)
        if read is None:
            return None
        share = loss.gold.share(read)
        return share >= ENOUGH and share > loss.gold.share(loss.case.read)

    @cached_property
    def _uses_raw_text(self) -> bool:
        return uses_raw_text(self.program.source)


def is_cut(evidence: str, read: str) -> bool:
    """Tell whether an evidence begins in a read and its end is missing: a line breaks off in the middle of it."""
    wanted, held = words(evidence), words(read)
    starts = [at for at in range(len(held)) if held[at : at + SHINGLE] == wanted[:SHINGLE]]
    reach = [_in_common(wanted, held[start:]) for start in starts]
    if len(wanted) in reach:
        return False
    ends = _line_ends(read)
    for start, count in zip(starts, reach, strict=True):
        end = start + count
        in_a_word = end < len(held) and wanted[count].startswith(held[end])
        # What the next line begins with may happen to go on like the evidence for a word or two.
        if not ends.isdisjoint(range(start + SHINGLE, end + 1)) or (in_a_word and end + 1 in ends):
            return True
    return False


def gold_text(query: Query, episodes: Iterable[Episode]) -> str:
    """Return the gold evidence as a perfect memory would show it, a line each with the date of its episode."""
    dates = {episode.id: Reading(episode.text).date for episode in episodes}
    shown = ((dates.get(evidence.episode), evidence.text) for evidence in query.evidence)
    return "\n".join(f"[{date}] {text}" if date else text for date, text in shown)


def _answered(case: Case) -> bool:
    """Tell whether the agent made an answer of its own; one that answers with what it read loses nothing there."""
    return case.answer != case.read


def _golds(query: Query) -> list[Gold]:
    found = [Gold(replace(query, evidence=(evidence,))) for evidence in query.evidence if words(evidence.text)]
    return found or ([Gold(replace(query, evidence=()))] if _telling(query.answer) else [])


def _said(text: str, answer: str) -> bool:
    """Tell whether some line of a text has all words of the gold answer: the evidence put in other words."""
    wanted = _telling(answer)
    return bool(wanted) and any(wanted <= set(words(line)) for line in text.splitlines())


def _telling(answer: str) -> frozenset[str]:
    return frozenset(words(answer)) - _SAYS_NOTHING


@lru_cache(maxsize=4_096)
def _distinct(text: str) -> frozenset[str]:
    """Kept, because every candidate of a run is shown the same episodes."""
    return frozenset(words(text))


def _in_common(one: list[str], other: list[str]) -> int:
    """How many words both begin with."""
    return next((count for count, pair in enumerate(zip_longest(one, other)) if pair[0] != pair[1]), len(one))


def _line_ends(text: str) -> set[int]:
    """How many words of the text there are up to the end of each of its lines."""
    ends, count = set(), 0
    for line in text.splitlines():
        count += len(words(line))
        ends.add(count)
    return ends


def _texts(value: JSON) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in inner for text in _texts(part)]
