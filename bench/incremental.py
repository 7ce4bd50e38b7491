"""Calls of a child's evaluation against those of a full one, by what the child changed.

The same LoCoMo-sized evaluation is made of a parent and of children that differ from it in one part each, with a model
as task agent: 120 training episodes, 60 static queries, the process sandbox, a run's broker and store, which knows what
the parent has asked. The model answers at once, with words that follow from its prompt. Beside what was asked stands
what is predicted from the programs' texts. Where EVOLVE_DATA has no LoCoMo, chronicle takes its place in its size.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from _load import load_config
from _targets import at_most, print_targets

from evolve.config import Config, ModelTable
from evolve.evaluation.crew import make_evaluator
from evolve.evaluation.evaluate import Lease
from evolve.evaluation.splits import Work, make_splits
from evolve.models.account import Account
from evolve.models.base import Answer, Call, Note, Usage
from evolve.models.broker import DirectBroker
from evolve.models.store import Store
from evolve.program import PHASES, again, load, parse, rewrite_constants
from evolve.program.phases import in_words
from evolve.sandbox import open_sandbox
from evolve.sandbox.base import Sandbox
from evolve.tasks import load as load_task
from evolve.testing.planned import asks_for, instructs, reads
from evolve.testing.simulated import said
from evolve.types import Program
from evolve.wiring import find_program

LIMIT = 0.35
"""Most of a full evaluation's calls that a child may need that only reads otherwise."""
PARENTS = {"vector_search": ("HITS", "CHUNK_CHARS", 300), "mem0": ("HITS", "SIMILAR", 2)}
"""With a constant that only its reads use, and one that only its writes use with another value for it; mem0 has a
completion in its writes."""


def changes(read: str, write: str, written: int) -> Mapping[str, Callable[[str, int], str]]:
    """Return the changes of one part each, by name."""
    return {
        "what is read": reads,
        "constant of read": lambda source, number: rewrite_constants(source, {read: 5}),
        "answer instruction": instructs("INSTRUCTION_RESPONSE"),
        "always on": instructs("ALWAYS_ON_KNOWLEDGE"),
        "query schema": asks_for("Query"),
        "constant of write": lambda source, number: rewrite_constants(source, {write: written}),
        "item schema": asks_for("KnowledgeItem"),
    }


class Scripted:
    """A provider in this process."""

    def __init__(self, table: ModelTable, note: Note) -> None:
        pass

    def complete(self, call: Call) -> Answer:
        """Answer the task agent as the simulated provider does, and a program's completion with nothing to change."""
        turns = [{"role": message.role, "content": message.text} for message in call.messages]
        words = said({"messages": turns, "response_format": {"json_schema": {"schema": call.schema}}}, lambda: 0)
        return Answer(words.text if words else '{"operations": []}', Usage())

    def embed(self, texts: Sequence[str]) -> tuple[tuple[tuple[float, ...], ...], Usage]:
        """Never called: programs embed with the packaged weights here."""
        raise AssertionError("no embedding model is configured")

    def close(self) -> None:
        """Nothing is open."""


def asked(program: Program, works: Sequence[Work], config: Config, sandbox: Sandbox, calls: Path) -> dict[str, int]:
    """Evaluate a program, and return how many calls each phase made that the store did not know."""
    store = Store(calls)
    broker = DirectBroker(
        config.models, config.budget, store, providers=Scripted, prices=lambda model: None, note=lambda line: None
    )
    account = Account(broker)
    try:
        with Lease(sandbox) as lease:
            found = make_evaluator(config, sandbox, account).evaluate(program, works, lease, stage=lambda text: None)
    finally:
        broker.close()
    faults = [case.reason for case in found.cases if case.outcome != "scored"]
    assert not faults, faults[0]
    made = account.phases()
    return {phase: made.get(phase, (0, 0))[0] for phase in PHASES}


def measured(name: str, works: Sequence[Work], config: Config, sandbox: Sandbox) -> list[dict[str, object]]:
    """Print and return a row for the parent and for each of its children."""
    parent = load(find_program(name))
    rows: list[dict[str, object]] = []
    with TemporaryDirectory() as folder:
        kept = Path(folder) / "llm.sqlite"
        full = asked(parent, works, config, sandbox, kept)
        print(f"{name}, {sum(full.values())} calls: {', '.join(f'{made} to {phase}' for phase, made in full.items())}")
        print(f"{'child changes':20s} {'calls':>6s} {'share':>6s}  {'predicted to run again':34s} {'asked anew'}")
        for change, apply in changes(*PARENTS[name]).items():
            child = parse(apply(parent.source, 1))
            expected = again([parent], child)
            known = Path(folder) / f"{len(rows)}.sqlite"
            shutil.copy(kept, known)
            made = asked(child, works, config, sandbox, known)
            calls, phases = sum(made.values()), [phase for phase in PHASES if made[phase]]
            share = calls / sum(full.values())
            print(f"{change:20s} {calls:6d} {share:6.0%}  {in_words(expected):34s} {in_words(phases)}")
            rows.append(
                {
                    "parent": name,
                    "change": change,
                    "calls": calls,
                    "share": round(share, 4),
                    "predicted": sorted(expected),
                    "made": made,
                    "held": expected >= set(phases),
                }
            )
        print()
    return rows


def main() -> None:
    """Print a table for each parent and a JSON line."""
    config = load_config("http://127.0.0.1:9").resolved()  # where nobody is asked
    splits = make_splits(load_task(config.task, config.task_options), config.evaluation, seed=config.seed)
    works = splits.work(splits.static)
    print(f"{config.task}: {len(splits.episodes)} episodes, {len(splits.static)} queries")
    sandbox = open_sandbox("process", config.sandbox.limits)
    try:
        rows = [row for name in PARENTS for row in measured(name, works, config, sandbox)]
    finally:
        sandbox.close()
    shares = [float(str(row["share"])) for row in rows if row["change"] in ("what is read", "constant of read")]
    targets = [
        at_most("calls of a child that only reads otherwise, of a full evaluation's", max(shares), LIMIT),
        at_most("predictions that did not hold", sum(not row["held"] for row in rows), 0),
    ]
    print_targets(targets)
    print(json.dumps({"bench": "incremental", "task": config.task, "children": rows, "targets": targets}))


if __name__ == "__main__":
    main()
