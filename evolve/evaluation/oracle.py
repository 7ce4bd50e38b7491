"""The ceiling of a task: the same agent and scorer after a memory that returns just what each query rests on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from evolve.evaluation.calls import Calls
from evolve.evaluation.evaluate import MOST_CALLS, Evaluator, Stage, behaviour
from evolve.evaluation.scope import Part, Visit, begun
from evolve.evaluation.stages import gold_text
from evolve.types import Case, Evaluation, Program, Query

if TYPE_CHECKING:
    from evolve.evaluation.splits import Work

Tell = Callable[[Query], str | None]
"""What a perfect memory returns, where the task knows better than its gold evidence: `Family.oracle`."""


def evaluate_oracle(
    evaluator: Evaluator, program: Program, works: Sequence[Work], tell: Tell, *, stage: Stage
) -> Evaluation:
    """Answer every query from a perfect memory; `program` gives the instructions, and does not run."""
    began = time.monotonic()
    cases: list[Case] = []
    with Calls(MOST_CALLS if evaluator.agent.asks_model else 0) as calls:
        for work in works:
            visit = Visit(evaluator, program, Part(work), calls, stage)

            def answered(query: Query, visit: Visit = visit, work: Work = work) -> Case:
                stage("asking")
                told = tell(query)
                perfect = (gold_text(query, work.episodes) or query.answer) if told is None else told
                return visit.answer(query, replace(begun(query), read=perfect), lambda fields: perfect)

            try:
                cases += calls.each(answered, work.queries)
            except BaseException:
                calls.stop()
                raise
    return Evaluation(program.digest, tuple(cases), behaviour(cases), time.monotonic() - began)
