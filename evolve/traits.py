"""What a configuration, a prompt and a table need to know of a task and its scorers, without loading the task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evolve.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ScorerTraits:
    """What a configuration needs to know of a scorer."""

    says: str
    """What a case scores, in a sentence or two that begin with "A case scores"."""
    means: str = ""
    """What a mean of it tells a reader, in a sentence or two; "{answered}" stands for whether a model answered."""
    judge_calls: float = 0.0
    """Calls to the judge for each query, on average."""
    free: bool = False
    """True where it needs no answer by a model."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What a configuration needs to know of its task."""

    scorers: Mapping[str, ScorerTraits] = field(default_factory=dict)
    """The task's own scorers by name, the official one first; it is the default where a model answers."""
    interactive: bool = False
    """True where a query is a goal in an environment, which says itself whether it was reached."""
    steps: int = 1
    """Answers by the agent for each query, at most."""
    whole: bool = False
    """True where each query rests on a few episodes of a scope of its own, so that remembering a part loses most."""
    answers: bool = True
    """False where no query has a gold answer or evidence, so that only the task's own scorers can score."""


PLAIN = Traits()
"""Of a task with nothing of its own."""
SCORERS: Mapping[str, ScorerTraits] = {
    "support": ScorerTraits(
        "A case scores the share of the gold evidence, 0 to 1, that stands word for word in what `read` returned (runs "
        "of 4 words are compared; where there is no gold evidence, the words of the gold answer). Other text costs "
        "nothing but room.",
        "Support is the share of a question's gold evidence that the memory's answer contains (of the gold answer's "
        "words, where a task gives no evidence). It measures retrieval: {answered}",
        free=True,
    ),
    "f1": ScorerTraits(
        "A case scores 0 to 1: F1 over the words that the agent's answer and the gold answer share, without case, "
        "punctuation and articles. Gold answers are short, so every needless word costs.",
        "F1 compares the words of the agent's answer with those of the gold answer: their overlap, which pays neither "
        "for words that are missing nor for words too many.",
    ),
    "exact": ScorerTraits(
        "A case scores 1 where the agent's answer equals the gold answer without case, punctuation and articles, else "
        "0.",
        "Exact is the share of answers that are the gold answer, case, punctuation and articles aside.",
    ),
    "judge": ScorerTraits(
        "A case scores 1 where a judge finds that the agent's answer says what the gold answer says, else 0.",
        "Judge is the share of answers that a model found right. It is that model's opinion: `evolve inspect RUN "
        "CANDIDATE` shows its words.",
        judge_calls=1,
    ),
}
"""The scorers that any task with gold answers has."""


def scorer_traits(name: str | None, task: Traits) -> ScorerTraits:
    """Return the traits of a scorer of the task. Raises ConfigError for a name that it does not have."""
    known = {**SCORERS, **task.scorers} if task.answers and not task.interactive else dict(task.scorers)
    if name not in known:
        raise ConfigError(f"evaluation.scorer = {name!r} does not fit this task; good values: {', '.join(known)}.")
    return known[name]
