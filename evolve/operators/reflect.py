"""`reflect`: a language model reads a program's failures, says why it failed, and rewrites it (M*).

It is shown raw traces, not summaries of them: published evidence (Meta-Harness, arXiv 2603.28052) has median accuracies
of 50.0 with traces, 34.9 with summaries and 34.6 with scores alone.
"""

from __future__ import annotations

from evolve.config import Config
from evolve.operators.base import Ground, Proposal
from evolve.operators.conversation import converse
from evolve.operators.evidence import choose, gather
from evolve.operators.prompt.budget import TOKEN_CHARS, Section, fit
from evolve.operators.prompt.contract import constant_part
from evolve.operators.prompt.sections import (
    REFERENCE_RANK,
    failure_sections,
    lineage_section,
    loss_section,
    program_section,
    success_section,
    write_section,
)
from evolve.types import Program

_TURN = "# Now\n\nWrite the diagnosis, the commit message and the change of {id}.\n"


class Reflect:
    """Rewrites one program in the light of what it lost points on."""

    name = "reflect"
    arity = 1

    def applies(self, program: Program, config: Config) -> bool:
        """True for every program."""
        return True

    def propose(self, ground: Ground) -> Proposal:
        """Trace rotating queries through the parent, show the model what went wrong, and take its change."""
        constant, rest = reflect_prompt(ground)
        return converse(ground, constant, rest)


def reflect_prompt(ground: Ground) -> tuple[str, str]:
    """Return the constant part of the prompt and the rest; together at most `search.reflect.tokens` long.

    The constant part and the program are never cut, and may take more than that between them.
    """
    shown, parent = ground.config.search.reflect, ground.parents[0]
    sections: list[Section] = [program_section(parent, title="The program"), lineage_section(parent)]
    if shown.traces == "full":
        traced = gather(ground, parent.program)
        failed, success = choose(traced.cases, ground.draw)
        sections.append(loss_section(traced, stages=shown.stages))
        sections += failure_sections(failed, traced.gold, stages=shown.stages)
        sections += [success_section(success, traced.gold)] if success else []
        sections += write_section(traced.writes, failed, traced.gold)
    if ground.reference is not None:
        title = "The best program of another lineage, to learn from"
        sections.append(program_section(ground.reference, title=title, rank=REFERENCE_RANK))
    sections.append(Section((_TURN.format(id=parent.id),)))
    constant = constant_part(ground.config, follows_instructions=ground.follows_instructions)
    return constant, fit(sections, shown.tokens * TOKEN_CHARS - len(constant))
