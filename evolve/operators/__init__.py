"""Ways to make a child, by name."""

from __future__ import annotations

from collections.abc import Mapping

from evolve.operators.base import Operator
from evolve.operators.merge import Merge
from evolve.operators.recombine import Recombine
from evolve.operators.reflect import Reflect
from evolve.operators.tune import Tune

OPERATORS: Mapping[str, Operator] = {operator.name: operator for operator in (Reflect(), Merge(), Tune(), Recombine())}
