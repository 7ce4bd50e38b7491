"""The scores of HotpotQA's own evaluation script: F1 and exact match of the answer, recall of the supporting facts.

Yang et al., "HotpotQA: A Dataset for Diverse, Explainable Multi-hop Question Answering" (EMNLP 2018). F1 is SQuAD's,
but for one rule: a "yes", "no" or "noanswer" earns nothing unless both answers are the same word.
"""

from __future__ import annotations

from collections import Counter

from evolve.scoring.answers import tokens
from evolve.scoring.base import Verdict
from evolve.scoring.support import recall
from evolve.types import Query

CLOSED = ("yes", "no", "noanswer")


class HotpotScorer:
    """Scores the answer by its F1; measures exact match ("em") and the supporting facts that were read whole."""

    name = "official_f1"

    def score(self, query: Query, read: str, answer: str) -> Verdict:
        """Return the F1; "facts_read" is left out where the query has no supporting fact."""
        measures = {"em": float(tokens(answer) == tokens(query.answer))}
        if (facts := recall(query, read)) is not None:
            measures["facts_read"] = facts
        return Verdict(answer_f1(answer, query.answer), measures=measures)


def answer_f1(answer: str, gold: str) -> float:
    """Return the F1 of two answers in [0, 1] as the published script has it: 0 where either has no words."""
    given, wanted = tokens(answer), tokens(gold)
    if given != wanted and (" ".join(given) in CLOSED or " ".join(wanted) in CLOSED):
        return 0.0
    shared = sum((Counter(given) & Counter(wanted)).values())
    return 2 * shared / (len(given) + len(wanted)) if shared else 0.0
