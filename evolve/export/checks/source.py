"""Is anything in the program's source that must not leave?"""

from __future__ import annotations

from collections.abc import Sequence

from evolve.errors import EvolveError
from evolve.export.checks.rows import Row, Unmeasured
from evolve.export.scan import Finding, leaks, secrets
from evolve.folder import Run
from evolve.paths import ZOO, shipped_programs
from evolve.program import load
from evolve.tasks import load as load_task
from evolve.wiring import find_program

NAMED = 3


def leak_scan(run: Run, source: str) -> Row:
    """Look for the task's gold answers and training text. Programs that ship with evolve had seen neither."""
    try:
        task = load_task(run.config.task, run.config.task_options)
    except EvolveError as error:
        raise Unmeasured(str(error)) from None
    answers = [answer for query in task.queries for answer in (query.answer, *query.aliases) if answer]
    known = [load(find_program(name)).source for name in shipped_programs(ZOO)]
    texts = [episode.text for episode in task.episodes]
    found = leaks(source, answers=answers, episodes=texts, known=known)
    figures = {"answers": len(answers), "episodes": len(texts), "found": len(found)}
    if not found:
        looked = f"none of {len(answers):,} gold answers and no text of {len(texts):,} episodes is in the program."
        return Row("leaks", True, looked, figures)
    said = f"the program holds {_listed(found)}: take it out, for what it was measured with is no memory."
    return Row("leaks", False, said, {**figures, "lines": [finding.line for finding in found]})


def secrets_scan(source: str) -> Row:
    """Look for keys, tokens and passwords."""
    found = secrets(source)
    if not found:
        return Row("secrets", True, "no key, token or password is in the program.", {"found": 0})
    said = f"the program holds {_listed(found)}: take it out, and have the key revoked."
    return Row("secrets", False, said, {"found": len(found), "lines": [finding.line for finding in found]})


def _listed(found: Sequence[Finding]) -> str:
    more = f", and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return "; ".join(f"{finding.what} in line {finding.line}" for finding in found[:NAMED]) + more
