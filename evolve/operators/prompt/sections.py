"""The sections of one attempt's prompt: program, score, lineage, traces."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from evolve.operators.base import Parent, Tried
from evolve.operators.evidence import Traced, points_lost
from evolve.operators.prompt.budget import Long, Piece, Section
from evolve.program.syntax import shortened
from evolve.types import Case, FailureStage, Query, Write

LINEAGE_CHARS = 300
"""Longest note or reason of an attempt that is told."""
LINEAGE = 12
"""Attempts of the ancestry, and earlier attempts from the program, that are told: the newest ones."""

# What is left out first where a prompt is too long.
REFERENCE_RANK, SUCCESS_RANK, WRITE_RANK, FAILURE_RANK, LINEAGE_RANK = 5, 4, 3, 2, 1

STAGES: Mapping[FailureStage, str] = {
    "episodes": "the gold evidence is in none of the episodes that were remembered; no program could have answered",
    "extraction": "the item that the agent filled lacks the answer, and the program keeps nothing else of the episode",
    "write": "`write` was handed the answer, and not even a query in the words of the evidence brings it back",
    "query": "`read` finds the answer for the question's own words, and not for the query that the agent filled",
    "read": "the memory holds the answer: `read` finds it for the words of the evidence, and not for the query",
    "truncated": "`read` found the answer and cut it off",
    "answer": "`read` returned the answer, and the agent did not use it",
    "agent": "the agent gave nothing usable, even when it was asked again",
    "program": "the program raised an error or broke a limit",
    "unknown": "neither gold evidence nor gold answer tells where the points were lost",
}


def program_section(parent: Parent, *, title: str, rank: int = 0) -> Section:
    """A program in full, with its score."""
    score = "not measured" if parent.mean is None else f"mean score {parent.mean:.3f}"
    spread = _spread(parent.scores or {})
    source = parent.program.source.rstrip("\n")
    text = f"# {title}: {parent.id}, {score}{spread}\n\n<program>\n{source}\n</program>\n\n"
    return Section((text,), rank)


def lineage_section(parent: Parent) -> Section:
    """What was tried on the way to the program and from it."""
    lines = []
    if parent.ancestry:
        lines += ["From its seed to this program, oldest first:", "", *_told(parent.ancestry), ""]
    if parent.children:
        lines += ["Tried from this program before; do not repeat what failed:", "", *_told(parent.children), ""]
    text = "# What was tried\n\n" + "\n".join(lines) + "\n" if lines else ""
    return Section((text,), LINEAGE_RANK)


def loss_section(traced: Traced, *, stages: bool) -> Section:
    """Where points are lost over the traced cases."""
    if traced.mean is None:
        return Section(("# Where points are lost\n\nNo question could be traced this time.\n\n",))
    count, lost = len(traced.cases), len(traced.lost)
    text = (
        f"# Where points are lost\n\nTraced just now: {_counted(count, 'question')} that the score does not count. "
        f"Mean {traced.mean:.3f}; {lost} of {count} lost points.\n"
    )
    if lost:
        text += _table("category", traced.cases, lambda case: case.category or "none")
    if lost and stages:
        text += _table("failure stage", traced.lost, lambda case: case.stage or "unknown")
    return Section((text + "\n",))


def failure_sections(failed: Sequence[Case], gold: Mapping[str, Query], *, stages: bool) -> list[Section]:
    """The traces of cases that lost points."""
    found = []
    for number, case in enumerate(failed, start=1):
        head = f"# Failure {number} of {len(failed)}: score {case.score or 0:.2f}{_category(case)}\n\n"
        if stages:
            stage = case.stage or "unknown"
            head += f"Failure stage: {stage} ({STAGES[stage]}).\n"
        found.append(Section((head, *_trace(case, gold[case.query]), "\n"), FAILURE_RANK))
    return found


def success_section(case: Case, gold: Mapping[str, Query]) -> Section:
    """The trace of a case that went well."""
    head = f"# A success: score {case.score or 0:.2f}{_category(case)}\n\n"
    return Section((head, *_trace(case, gold[case.query]), "\n"), SUCCESS_RANK)


def write_section(writes: Sequence[Write], failed: Sequence[Case], gold: Mapping[str, Query]) -> list[Section]:
    """One write: of an episode that a shown failure rests on, where there is one."""
    wanted = [item.episode for case in failed for item in gold[case.query].evidence]
    first = min(writes, key=lambda write: (*wanted, write.episode).index(write.episode), default=None)
    if first is None:
        return []
    pieces: list[Piece] = [f"# A write: episode {first.episode}\n\n"]
    pieces += ["The episode:\n", *_tagged("episode", first.text)]
    if first.problem:
        pieces.append(f"The agent's trouble with it: {shortened(first.problem, limit=LINEAGE_CHARS)}\n")
    pieces += ["The agent filled:\n", *_tagged("item", _json(first.item))]
    if first.log:
        pieces += ["The program logged:\n", *_tagged("log", "\n".join(first.log))]
    return [Section((*pieces, "\n"), WRITE_RANK)]


def gold_pieces(query: Query) -> list[Piece]:
    """The gold answer, where the task has one, and its evidence."""
    pieces: list[Piece] = ["Gold answer: ", Long(query.answer), "\n"] if query.answer else []
    for item in query.evidence:
        pieces += [f"Gold evidence, in episode {item.episode}:\n", *_tagged("evidence", item.text)]
    return pieces


def outcome_pieces(case: Case) -> list[Piece]:
    """What a program did with a question: what it was asked, what it read, what came of it."""
    pieces: list[Piece] = ["Query, as the agent filled it: ", Long(_json(case.formulated)), "\n"]
    if case.reason:
        pieces += ["It failed:\n", *_tagged("error", case.reason)]
    if case.outcome == "program":
        return pieces
    pieces += [f"`read` returned {_counted(len(case.read), 'character')}:\n", *_tagged("read", case.read)]
    if case.answer and case.answer != case.read:
        pieces += ["The agent answered: ", Long(case.answer), "\n"]
    if case.judgement:
        pieces += ["Why: ", Long(case.judgement), "\n"]
    return pieces


def _trace(case: Case, query: Query) -> list[Piece]:
    return ["Question: ", Long(query.text), "\n", *gold_pieces(query), *outcome_pieces(case)]


def _tagged(tag: str, text: str) -> list[Piece]:
    return [f"<{tag}>\n", Long(text.strip("\n")), f"\n</{tag}>\n"]


def _category(case: Case) -> str:
    return f", category {case.category}" if case.category else ""


def _spread(scores: Mapping[str, float]) -> str:
    if not scores:
        return ""
    full, none = (sum(score == limit for score in scores.values()) for limit in (1, 0))
    return f" over {_counted(len(scores), 'question')} ({full} score 1, {none} score 0)"


def _told(attempts: Sequence[Tried]) -> list[str]:
    left = len(attempts) - LINEAGE
    older = [f"- ({left} older ones are left out)"] if left > 0 else []
    return older + [_line(attempt) for attempt in attempts[-LINEAGE:]]


def _line(attempt: Tried) -> str:
    how = attempt.operator + (f" of {' and '.join(attempt.parents)}" if attempt.parents else "")
    line = f"- {attempt.candidate} ({how})"
    if attempt.note:
        line += f": {shortened(attempt.note.rstrip('.'), limit=LINEAGE_CHARS)}"
    if attempt.diff and attempt.diff != attempt.note:
        line += f" [{attempt.diff}]"
    if attempt.mean is None:
        return f"{line}. No score: {shortened(attempt.reason or 'it was not measured', limit=LINEAGE_CHARS)}"
    line += f". Score {attempt.mean:.3f}"
    if attempt.change is None:
        return line
    return f"{line} ({attempt.change:+.3f}){' REGRESSION' if attempt.change < 0 else ''}"


def _table(name: str, cases: Sequence[Case], label: Callable[[Case], str]) -> str:
    """Cases and points lost by label, the heaviest loss first."""
    labels = dict.fromkeys(label(case) for case in cases)
    rows = []
    for each in labels:
        members = [case for case in cases if label(case) == each]
        rows.append((sum(map(points_lost, members)), each, len(members)))
    rows.sort(key=lambda row: (-row[0], row[1]))
    told = "; ".join(f"{each} {points:.2f} in {_counted(count, 'case')}" for points, each, count in rows)
    return f"- Points lost by {name}: {told}.\n"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=dict)
