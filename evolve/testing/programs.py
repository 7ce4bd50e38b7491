"""Small memory programs for tests of sandboxes, and limits that make such tests quick."""

from __future__ import annotations

import textwrap
from typing import NoReturn

from evolve.config import Limits
from evolve.errors import ProgramFault
from evolve.types import JSON

LIMITS = Limits(
    load_seconds=5, write_seconds=1, read_seconds=1, memory_mb=200, scratch_mb=8, frame_bytes=1 << 18, pids=64
)

PROGRAM = """
from dataclasses import dataclass, field

{imports}

@dataclass
class KnowledgeItem:
    text: str = field(default="", metadata={{"description": "anything"}})

@dataclass
class Query:
    text: str = field(default="", metadata={{"description": "anything"}})

{top}

class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.seen = []
{init}

    def write(self, item, raw_text):
        self.seen.append(raw_text)
{write}

    def read(self, query):
{read}
"""


def program(*, imports: str = "", top: str = "", init: str = "", write: str = "", read: str = "return ''") -> str:
    """Return a memory program with these bodies; names not given do nothing."""

    def body(text: str) -> str:
        return textwrap.indent(textwrap.dedent(text).strip(), " " * 8)

    return PROGRAM.format(imports=imports, top=top, init=body(init), write=body(write), read=body(read))


def no_completions(messages: list[JSON], kwargs: dict[str, JSON]) -> NoReturn:
    """Refuse, as a run without a toolkit model does."""
    raise ProgramFault("raised", "no toolkit model")
