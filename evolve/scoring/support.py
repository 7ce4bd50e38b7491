"""Support: how much of what the gold answer rests on was read from the memory.

It measures retrieval, not answering: it needs no model, and it says nothing about whether an agent would have
used what it read. Text is compared as words: NFKC, case folded, punctuation dropped, each Chinese or Japanese
character a word.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from evolve.scoring.base import Verdict
from evolve.types import Query

SHINGLE = 4
"""Words in a shingle: too long for chance to repeat it, short enough that a cut costs only the words near it."""

_CHARACTER = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_WORD = re.compile(rf"[{_CHARACTER}]|[^\W_{_CHARACTER}]+")
_ARTICLES = frozenset({"a", "an", "the"})


class SupportScorer:
    """Scores what was read by `support`, and ignores the answer."""

    name = "support"

    def score(self, query: Query, read: str, answer: str) -> Verdict:
        """Return the support of the read text."""
        return Verdict(support(query, read))


def words(text: str) -> list[str]:
    """Return the text's words in order, normalised as the module says."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def support(query: Query, text: str) -> float:
    """Return the share of the query's gold evidence that the text contains, in [0, 1].

    Each evidence counts the share of its shingles (runs of 4 words; the whole evidence where it is shorter) that
    occur in the text word for word, and the evidences are averaged: a turn cut in half by a chunk boundary counts
    about half, the same words scattered over other turns count nothing. Evidence without a word is left out. A
    query without evidence counts the share of the distinct words of its gold answer, articles left out, that occur
    anywhere in the text, of several right answers the largest share; without an answer either it is 0. Text added
    after a space never lowers the value.
    """
    evidence = _evidence(query)
    if not evidence:
        return max(_share(gold, text) for gold in (query.answer, *query.aliases))
    joined = _joined(text)
    return sum(sum(shingle in joined for shingle in shingles) / len(shingles) for shingles in evidence) / len(evidence)


def recall(query: Query, text: str) -> float | None:
    """Return the share of the query's gold evidence that stands whole in the text; None where it has no evidence."""
    evidence, joined = _evidence(query), _joined(text)
    if not evidence:
        return None
    return sum(all(shingle in joined for shingle in shingles) for shingles in evidence) / len(evidence)


def _evidence(query: Query) -> list[tuple[str, ...]]:
    return [shingles for item in query.evidence if (shingles := _shingles(item.text))]


def _share(gold: str, text: str) -> float:
    answer = set(words(gold))
    wanted = answer - _ARTICLES or answer
    return len(wanted & set(words(text))) / len(wanted) if wanted else 0.0


@lru_cache(maxsize=1_024)
def _joined(text: str) -> str:
    """Return the words between spaces; kept, because whoever looks where an evidence was lost asks again."""
    return f" {' '.join(words(text))} "


@lru_cache(maxsize=20_000)
def _shingles(text: str) -> tuple[str, ...]:
    """Return the runs of 4 words, each between spaces so that it matches whole words only."""
    found = words(text)
    if not found:
        return ()
    last = max(1, len(found) - SHINGLE + 1)
    return tuple(f" {' '.join(found[start : start + SHINGLE])} " for start in range(last))
