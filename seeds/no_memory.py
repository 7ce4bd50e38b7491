"""Remembers nothing and reads nothing back.
The floor of every table: what the task agent scores here, it scores without a memory."""

from __future__ import annotations

from dataclasses import dataclass, field

INSTRUCTION_KNOWLEDGE_ITEM = "Nothing is kept; leave the note empty."
INSTRUCTION_QUERY = "Repeat the question."
INSTRUCTION_RESPONSE = "There is no memory to answer from. Answer as well as you can, and be brief."
ALWAYS_ON_KNOWLEDGE = ""


@dataclass
class KnowledgeItem:
    note: str = field(default="", metadata={"description": "Left empty"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question in full"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit

    def write(self, item, raw_text):
        pass

    def read(self, query):
        return ""
