"""`recombine`: typed crossover without a model. Parts of two parents, joined only where their interfaces fit."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Literal, TypeAlias

from evolve.config import Config
from evolve.errors import ProgramError
from evolve.operators.base import Ground, Proposal
from evolve.operators.freeze import frozen
from evolve.program import Misfit, graft, parse
from evolve.types import Program

Way: TypeAlias = tuple[Program, Program, Literal["read", "instructions", "constants"], tuple[str, ...] | None]
"""Base, donor, the part that the donor gives, and which constants where it gives these."""
DRAWS = 6
"""Random subsets of shared constants that are tried before giving up."""


class Recombine:
    """Takes the read of one parent to the schema and write of the other, or mixes their constants."""

    name = "recombine"
    arity = 2

    def applies(self, program: Program, config: Config) -> bool:
        """True for every program."""
        return True

    def propose(self, ground: Ground) -> Proposal:
        """Return the first crossover, in an order drawn by chance, that fits and is new."""
        one, other = ground.parents
        reasons: list[str] = []
        for base, donor, part, names in _ways(ground):
            base_id, donor_id = (one.id, other.id) if base is one.program else (other.id, one.id)
            try:
                source = graft(base, donor, part, names=names)
                child = parse(source, name=f"child of {base_id} and {donor_id}")
                child = frozen(base, child, ground.config.search.freeze)
            except (Misfit, ProgramError) as misfit:
                reasons.append(str(misfit))
                continue
            if child.digest not in ground.known:
                what = f"{', '.join(names)} of" if names else f"{part} of"
                return Proposal(child, f"{what} {donor_id} on {base_id}")
            reasons.append("gives a program that the run has already")
        return Proposal(
            None, f"{one.id} and {other.id} do not recombine: {reasons[0] if reasons else 'nothing in common'}"
        )


def _ways(ground: Ground) -> Iterator[Way]:
    one, other = (parent.program for parent in ground.parents)
    pairs, draw = [(one, other), (other, one)], ground.draw
    shared = sorted({t.name for t in one.tunables} & {t.name for t in other.tunables})
    differ = [name for name in shared if _value(one, name) != _value(other, name)]
    freeze = ground.config.search.freeze
    ways: list[Way] = [(b, d, "read", None) for b, d in pairs if freeze != "code"]
    if ground.follows_instructions and freeze != "instructions":
        ways += [(b, d, "instructions", None) for b, d in pairs]
    draw.shuffle(ways)
    if len(differ) > 1 and freeze != "code":
        mixes: list[Way] = [(*draw.choice(pairs), "constants", _subset(differ, draw)) for _ in range(DRAWS)]
        ways = mixes + ways  # the same design with other settings: mixing the settings is what can be new
    yield from ways


def _subset(names: list[str], draw: Random) -> tuple[str, ...]:
    return tuple(sorted(draw.sample(names, draw.randint(1, len(names) - 1))))


def _value(program: Program, name: str) -> object:
    return next(tunable.value for tunable in program.tunables if tunable.name == name)
