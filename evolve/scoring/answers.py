"""Scores of an answer by its words, without a model.

Token F1 is the measure of SQuAD (Rajpurkar et al., 2016), in which LoCoMo results are usually reported: the harmonic
mean of two shares, of the answer's words that are in the gold answer, and of the gold answer's words that are in the
answer. It rewards short answers: the right fact in a long sentence scores low, and a wrong date in the right month does
not score 0. Exact match asks for the same words in the same order. Of several right answers the best match counts.
Neither knows that two wordings mean the same, or where one gold answer lists alternatives; both take text apart at
spaces, so that they say little about Chinese or Japanese. LoCoMo's own F1 is `evolve.scoring.official_f1`.
"""

from __future__ import annotations

import re
import string
from collections import Counter

from evolve.scoring.base import Verdict
from evolve.types import Query

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")


class F1Scorer:
    """Scores the answer by its token F1 with the nearest right answer, and ignores what was read."""

    name = "f1"

    def score(self, query: Query, read: str, answer: str) -> Verdict:
        """Return the token F1."""
        return Verdict(max(token_f1(answer, gold) for gold in (query.answer, *query.aliases)))


class ExactScorer:
    """Scores 1 where the answer is a right answer but for case, punctuation and articles, else 0."""

    name = "exact"

    def score(self, query: Query, read: str, answer: str) -> Verdict:
        """Return 1.0 or 0.0."""
        given = tokens(answer)
        return Verdict(float(any(given == tokens(gold) for gold in (query.answer, *query.aliases))))


def tokens(text: str) -> list[str]:
    """Return the words as SQuAD's script does: lower case, without ASCII punctuation, then without articles."""
    return _ARTICLE.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def token_f1(answer: str, gold: str) -> float:
    """Return the F1 of the two texts' words in [0, 1]: 1 where both have none, 0 where one of them has none."""
    given, wanted = tokens(answer), tokens(gold)
    if not given or not wanted:
        return float(given == wanted)
    shared = sum((Counter(given) & Counter(wanted)).values())
    return 2 * shared / (len(given) + len(wanted))
