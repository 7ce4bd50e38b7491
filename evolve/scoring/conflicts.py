"""The scores of MemoryAgentBench: is a right answer among the words of the answer, or of the first fact that was read?

Hu et al., "Evaluating Memory in LLM Agents via Incremental Multi-Turn Interactions" (arXiv 2507.05257): substring exact
match, without a judge. Text is normalised as there: lower case, no ASCII punctuation, no articles.
"""

from __future__ import annotations

import re

from evolve.scoring.answers import tokens
from evolve.scoring.base import Verdict
from evolve.types import Query

FACT_CHARS = 200
"""Longest fact: the published ones have at most 122 characters."""
_HEADING = re.compile(r"^\s*\[[^\]]*\]")
_NEXT_FACT = re.compile(r"\s\d+\. |(?<=\.) \(")


class SubstringScorer:
    """Scores 1 where any right answer is a substring of the answer, both normalised, else 0; the official measure."""

    name = "substring"

    def score(self, query: Query, read: str, answer: str) -> Verdict:
        """Return 1.0 or 0.0; "was_read" measures whether a right answer stands anywhere in what was read."""
        return Verdict(float(holds(answer, query)), measures={"was_read": float(holds(read, query))})


class FirstFactScorer:
    """Scores 1 where the first fact that was read holds a right answer, else 0, and ignores the answer.

    What an agent makes of two facts that contradict each other is not guessed: a memory has to put the one that holds
    now first.
    """

    name = "first_fact"

    def score(self, query: Query, read: str, answer: str) -> Verdict:
        """Return 1.0 or 0.0; "was_read" measures whether a right answer stands anywhere in what was read."""
        return Verdict(float(holds(first_fact(read), query)), measures={"was_read": float(holds(read, query))})


def holds(text: str, query: Query) -> bool:
    """Tell whether a right answer of the query is a substring of the text, both normalised."""
    normal = " ".join(tokens(text))
    return any(" ".join(tokens(right)) in normal for right in (query.answer, *query.aliases))


def first_fact(read: str) -> str:
    """Return the first line that has more than a date in brackets, without that.

    It ends before a second numbered fact, before a remark in brackets such as what was true before, and after 200
    characters, so that facts strung together in one line do not count as the first one.
    """
    lines = (_HEADING.sub("", line).strip() for line in read.splitlines())
    first = next(filter(None, lines), "")
    return _NEXT_FACT.split(first, maxsplit=1)[0][:FACT_CHARS]
