"""Everything about a memory program as text: check, compare, rewrite and cross it. Nothing here runs one."""

from __future__ import annotations

from evolve.program.contract import load, parse
from evolve.program.diff import StructuralDiff, structural_diff, unified_diff
from evolve.program.digest import digest
from evolve.program.graft import Misfit, graft
from evolve.program.phases import PHASES, again
from evolve.program.rewrite import rewrite_constants

__all__ = [
    "PHASES",
    "Misfit",
    "StructuralDiff",
    "again",
    "digest",
    "graft",
    "load",
    "parse",
    "rewrite_constants",
    "structural_diff",
    "unified_diff",
]
