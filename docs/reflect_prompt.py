"""Prints a reflect prompt of real LoCoMo failures, as a page for docs/: `python docs/reflect_prompt.py > FILE`.

Takes the seed bm25 and the extractive agent, which needs no key: the failures are those of retrieval. EVOLVE_DATA names
the folder of benchmark data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from random import Random
from typing import NoReturn

from evolve.config import Config
from evolve.evaluation.crew import make_evaluator
from evolve.evaluation.evaluate import Lease
from evolve.evaluation.splits import Splits, make_splits
from evolve.operators.base import Ground, Parent, Tried
from evolve.operators.reflect import reflect_prompt
from evolve.paths import seeds_dir
from evolve.program import load, parse, rewrite_constants, structural_diff
from evolve.sandbox import open_sandbox
from evolve.tasks import load as load_task
from evolve.types import Evaluation, Program, Query, Scalar

HEAD = """\
# A reflect prompt, whole

What `reflect` sends to its model, printed by

    EVOLVE_DATA=... python docs/reflect_prompt.py > docs/reflect-prompt.md

for a child of the seed `bm25` on the first conversation of LoCoMo, with the agent that needs no model. The first part
is the same in every prompt of a run, so that a provider's prompt cache finds it again; `search.reflect.tokens` caps the
whole, and long texts are cut in their middle where they do not fit. The prompt, the reply and its diagnosis are kept
with each candidate: `evolve inspect RUN CANDIDATE` shows them.

The conversation quoted below is from LoCoMo (Maharana et al., "Evaluating Very Long-Term Conversational Memory of LLM
Agents", ACL 2024), licensed CC BY-NC 4.0; the excerpt is under that licence, not under this project's.
"""
FENCE = "`````"


CHANGES: tuple[tuple[str, Mapping[str, Scalar]], ...] = (
    ("c000", {"STEMMING": "on"}),
    ("c002", {"LINE_CHARS": 150}),
    ("c002", {"LINE_CHARS": 300}),
    ("c002", {"HITS": 30, "LINE_CHARS": 300}),
    ("c002", {"HITS": 15, "ORDER": "time"}),
)
"""What was tried before, as parent and settings: candidates from c002 on. The prompt is about c002."""
TOLD = "c002"


@dataclass(slots=True)
class Past:
    """Candidates that were measured for real, as a run would have them."""

    measure: Callable[[Program, Sequence[Query]], Evaluation]
    splits: Splits
    programs: dict[str, Program] = field(default_factory=dict)
    evaluations: dict[str, Evaluation] = field(default_factory=dict)
    attempts: dict[str, Tried] = field(default_factory=dict)

    def seed(self, name: str) -> None:
        """Measure a seed."""
        program = load(seeds_dir() / f"{name}.py")
        self._add(program, "seed", program.docstring.partition(".")[0], ())

    def tuned(self, parent: str, values: Mapping[str, Scalar]) -> None:
        """Measure a child with other settings."""
        child = parse(rewrite_constants(self.programs[parent].source, values))
        self._add(child, "tune", structural_diff(self.programs[parent].source, child.source).describe(), (parent,))

    def parent(self, id: str) -> Parent:
        """Return a candidate as an operator sees it."""
        line = [self.attempts[id]]
        while line[0].parents:
            line.insert(0, self.attempts[line[0].parents[0]])
        children = tuple(tried for tried in self.attempts.values() if id in tried.parents)
        scores = {case.query: case.score for case in self.evaluations[id].cases if case.score is not None}
        return Parent(id, self.programs[id], None, self.evaluations[id].mean, tuple(line), children, scores)

    def _add(self, program: Program, operator: str, note: str, parents: tuple[str, ...]) -> None:
        id = f"c{len(self.programs):03}"
        evaluation = self.measure(program, self.splits.static)
        before = self.evaluations[parents[0]].mean if parents else None
        same = [other for other, known in self.evaluations.items() if known.behaviour == evaluation.behaviour]
        reason = f"behaves like {same[0]} on every query of the cheap rung" if same else ""
        mean = None if same else evaluation.mean
        change = None if mean is None or before is None else mean - before
        self.programs[id], self.evaluations[id] = program, evaluation
        self.attempts[id] = Tried(id, parents, operator, note, mean, change, reason)


def main() -> None:
    table = {"task": "locomo", "task_options": {"conversations": [1]}, "search": {"operators": ["tune"]}}
    config = Config.checked(table).resolved()
    splits = make_splits(load_task(config.task, config.task_options), config.evaluation, seed=config.seed)
    with closing(open_sandbox(config.sandbox.kind, config.sandbox.limits)) as sandbox, Lease(sandbox) as lease:
        evaluator = make_evaluator(config, sandbox, None)

        def measure(program: Program, queries: Sequence[Query]) -> Evaluation:
            return evaluator.evaluate(program, splits.work(queries), lease, stage=lambda text: None)

        past = Past(measure, splits)
        past.seed("bm25")
        past.seed("vector_search")
        for parent, values in CHANGES:
            past.tuned(parent, values)
        constant, rest = reflect_prompt(
            Ground(
                parents=(past.parent(TOLD),),
                known=frozenset(program.digest for program in past.programs.values()),
                trials=(),
                draw=Random(f"{config.seed}:5"),
                config=config,
                follows_instructions=False,
                measure=_unused,
                trace=measure,
                smoke=_unused,
                rotating=splits.rotating,
                reference=past.parent("c001"),
            )
        )
    print(f"{HEAD}\n## System message\n\n{FENCE}text\n{constant}\n{FENCE}\n")
    print(f"## User message\n\n{FENCE}text\n{rest.rstrip()}\n{FENCE}")


def _unused(program: Program) -> NoReturn:
    raise AssertionError("a prompt is made without trying programs")


if __name__ == "__main__":
    main()
