"""The scorers: what is compared with the gold answer or its evidence, and how."""

from __future__ import annotations

from evolve.models.base import Ask
from evolve.scoring.answers import ExactScorer, F1Scorer
from evolve.scoring.base import Scorer, Verdict
from evolve.scoring.judge import GenerousJudge, Judge
from evolve.scoring.support import SHINGLE, SupportScorer, recall, support, words

__all__ = [
    "SHINGLE",
    "ExactScorer",
    "F1Scorer",
    "GenerousJudge",
    "Judge",
    "Scorer",
    "SupportScorer",
    "Verdict",
    "make_scorer",
    "recall",
    "support",
    "words",
]


def make_scorer(name: str, ask: Ask | None) -> Scorer:
    """Return one of `evolve.traits.SCORERS`; "judge" needs `ask`."""
    if name == "judge":
        assert ask is not None, "a configuration with a judge has a broker"
        return Judge(ask)
    plain: dict[str, type[SupportScorer | F1Scorer | ExactScorer]] = {
        "support": SupportScorer,
        "f1": F1Scorer,
        "exact": ExactScorer,
    }
    return plain[name]()
