"""Where a candidate loses its points: by the stage that lost the answer, and by category."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import TypedDict

from evolve.types import Case, FailureStage

STAGES: Mapping[FailureStage, str] = {
    "episodes": "not in the remembered episodes",
    "extraction": "left out of what the agent extracted",
    "write": "given to write, not in the memory",
    "query": "missed by the words of the query",
    "read": "in the memory, not returned by read",
    "truncated": "cut short on its way out",
    "answer": "read, and not used by the answer",
    "agent": "the agent gave nothing usable",
    "program": "the program failed",
    "unknown": "neither evidence nor answer can tell",
}
"""Where an answer is lost, in the order in which it can be lost, and what that means."""


class StageLoss(TypedDict):
    """Points lost at one stage: the sum of 1 - score over its cases."""

    stage: str
    what: str
    points: float
    share: float
    """Of the points that there are; the shares of all stages add up to 1 - mean."""
    queries: int
    categories: dict[str, float]
    """Points by category of the query."""


class Lost(TypedDict):
    """Where a candidate loses points on the static queries."""

    candidate: str
    queries: int
    points: float
    stages: list[StageLoss]


def lost(candidate: str, cases: Iterable[Case]) -> Lost | None:
    """Return where points are lost, the stages in the order in which an answer passes them; None for no cases."""
    counted = [case for case in cases if case.score is not None]
    if not counted:
        return None
    points: defaultdict[FailureStage, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    queries: Counter[FailureStage] = Counter()
    for case in counted:
        if case.score is not None and case.score < 1:
            stage = case.stage or "unknown"
            points[stage][case.category] += 1 - case.score
            queries[stage] += 1
    stages = [_loss(stage, points[stage], queries[stage], len(counted)) for stage in STAGES if stage in points]
    return Lost(candidate=candidate, queries=len(counted), points=sum(loss["points"] for loss in stages), stages=stages)


def _loss(stage: FailureStage, points: Mapping[str, float], queries: int, of: int) -> StageLoss:
    whole = sum(points.values())
    return StageLoss(
        stage=stage,
        what=STAGES[stage],
        points=whole,
        share=whole / of,
        queries=queries,
        categories={category: points[category] for category in sorted(points) if category},
    )
