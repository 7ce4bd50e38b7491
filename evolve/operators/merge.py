"""`merge`: a language model makes one child of two programs that do well on different questions."""

from __future__ import annotations

from collections.abc import Sequence

from evolve.config import Config
from evolve.operators.base import Ground, Proposal
from evolve.operators.conversation import converse
from evolve.operators.evidence import FAILURES, Traced, few_scopes_first, traced
from evolve.operators.prompt.budget import TOKEN_CHARS, Piece, Section, fit
from evolve.operators.prompt.contract import constant_part
from evolve.operators.prompt.sections import FAILURE_RANK, gold_pieces, outcome_pieces, program_section
from evolve.types import Case, Program

_TURN = """\
# Now

Make one program that keeps what each of the two does well: find out which mechanism wins each of them its questions, \
and join the mechanisms, so that the child wins both kinds. Write the diagnosis, the commit message and the change. A \
patch or search/replace blocks apply to the first program, {id}.
"""


class Merge:
    """Joins two programs; the child has both as parents."""

    name = "merge"
    arity = 2

    def applies(self, program: Program, config: Config) -> bool:
        """True for every program."""
        return True

    def propose(self, ground: Ground) -> Proposal:
        """Trace the same rotating queries through both parents, show the model where each wins, and take its child."""
        constant, rest = merge_prompt(ground)
        return converse(ground, constant, rest)


def merge_prompt(ground: Ground) -> tuple[str, str]:
    """Return the constant part of the prompt and the rest; together at most `search.reflect.tokens` long.

    The constant part and the two programs are never cut, and may take more than that between them.
    """
    shown = ground.config.search.reflect
    one, other = ground.parents
    queries = few_scopes_first(ground.rotating, ground.draw)[: ground.config.evaluation.rotating]
    results = [traced(queries, [ground.trace(parent.program, queries)]) for parent in ground.parents if queries]
    sections = [
        program_section(one, title="The first program"),
        program_section(other, title="The second program"),
        _wins_section(ground),
    ]
    if shown.traces == "full" and results:
        sections += _won_sections(ground, results)
    sections.append(Section((_TURN.format(id=one.id),)))
    constant = constant_part(ground.config, follows_instructions=ground.follows_instructions)
    return constant, fit(sections, shown.tokens * TOKEN_CHARS - len(constant))


def _wins_section(ground: Ground) -> Section:
    lines = ["# Where each wins", "", "Of the questions that the scores count:"]
    for parent, won in zip(ground.parents, ground.wins, strict=False):
        kinds = ", ".join(f"{category or 'no category'} {count}" for category, count in sorted(won.items()) if count)
        lines.append(f"- {parent.id} beats the other on {sum(won.values())}{f' ({kinds})' if kinds else ''}.")
    return Section(("\n".join(lines) + "\n\n",)) if ground.wins else Section(())


def _won_sections(ground: Ground, results: Sequence[Traced]) -> list[Section]:
    """The traced questions on which the two differ most, up to three for each."""
    found: list[Section] = []
    for winner, loser in ((0, 1), (1, 0)):
        lost = {case.query: case for case in results[loser].cases}
        pairs = [(case, lost[case.query]) for case in results[winner].cases if case.query in lost]
        gains = [((one.score or 0) - (two.score or 0), one, two) for one, two in pairs]
        gains = sorted((gain for gain in gains if gain[0] > 0), key=lambda gain: -gain[0])
        names = ground.parents[winner].id, ground.parents[loser].id
        for _, won, less in gains[:FAILURES]:
            found.append(Section(_contrast(names, (won, less), results[winner]), FAILURE_RANK))
    return found


def _contrast(names: tuple[str, str], cases: tuple[Case, Case], result: Traced) -> tuple[Piece, ...]:
    query = result.gold[cases[0].query]
    kind = f", category {query.category}" if query.category else ""
    pieces: list[Piece] = [f"# Won by {names[0]}{kind}\n\nQuestion: {query.text}\n", *gold_pieces(query)]
    for name, case in zip(names, cases, strict=True):
        pieces += [f"\n{name} scores {case.score or 0:.2f}. ", *outcome_pieces(case)]
    return (*pieces, "\n")
