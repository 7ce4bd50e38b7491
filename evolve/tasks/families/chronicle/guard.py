"""A score that is lost where something comes back that must not: a state that has ended, or somebody else's secret."""

from __future__ import annotations

from dataclasses import replace

from evolve.scoring import Scorer, Verdict, words
from evolve.types import Query

FORBIDDEN = "forbidden"
"""Names, in a query's details, the phrases that must not come back; and the measure of it."""


class Guarded:
    """A scorer that gives 0 where a forbidden phrase stands in what it looks at: what was read, or the answer."""

    def __init__(self, scorer: Scorer, *, reads: bool) -> None:
        self.name = scorer.name
        self._scorer = scorer
        self._reads = reads

    def score(self, query: Query, read: str, answer: str) -> Verdict:
        """Return the scorer's verdict, or 0; "forbidden" measures 1 for a phrase that came back, else 0."""
        verdict, phrases = self._scorer.score(query, read, answer), query.details.get(FORBIDDEN)
        if not isinstance(phrases, list):
            return verdict
        text = read if self._reads else answer
        back = [str(phrase) for phrase in phrases if _holds(text, str(phrase))]
        measures = {**verdict.measures, FORBIDDEN: float(bool(back))}
        if not back:
            return replace(verdict, measures=measures)
        return Verdict(0.0, f"This must not come back: {', '.join(back)}.", measures)


def _holds(text: str, phrase: str) -> bool:
    """Tell whether the words of the phrase stand in the text one after the other."""
    return f" {' '.join(words(phrase))} " in f" {' '.join(words(text))} "
