"""The scorers: what is compared with the gold answer or its evidence, and how."""

from __future__ import annotations

from evolve.errors import ConfigError
from evolve.models.base import Ask
from evolve.scoring.answers import ExactScorer, F1Scorer
from evolve.scoring.base import Scorer, Verdict
from evolve.scoring.judge import Judge
from evolve.scoring.support import SHINGLE, SupportScorer, support, words

__all__ = [
    "SHINGLE",
    "ExactScorer",
    "F1Scorer",
    "Judge",
    "Scorer",
    "SupportScorer",
    "Verdict",
    "make_scorer",
    "support",
    "words",
]


def make_scorer(name: str, ask: Ask | None) -> Scorer:
    """Return the scorer of that name; "judge" needs `ask`. Raises ConfigError."""
    if name == "judge":
        if ask is None:
            raise ConfigError('evaluation.scorer = "judge" needs a model: set models.judge.')
        return Judge(ask)
    plain: dict[str, type[SupportScorer | F1Scorer | ExactScorer]] = {
        "support": SupportScorer,
        "f1": F1Scorer,
        "exact": ExactScorer,
    }
    if name not in plain:
        raise ConfigError(f"evaluation.scorer = {name!r} does not exist; good values: {', '.join([*plain, 'judge'])}.")
    return plain[name]()
