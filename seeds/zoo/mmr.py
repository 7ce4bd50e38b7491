"""Keeps every line, reads lines that are close to the question and far from the lines already chosen.
Bets that the room for reading is better spent on different things than on one thing said five times.
Source: Maximal Marginal Relevance (Carbonell and Goldstein, SIGIR 1998).
The next line is the one with the highest relevance * cos(question, line) - (1 - relevance) * max cos(chosen, line).
It calls no model."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field

import numpy as np

RELEVANCE = 0.7  # 1 = nearest lines only, 0 = most different lines only
POOL = 100  # nearest lines that are chosen from
HITS = 40  # lines at most
TUNABLES = {"RELEVANCE": (0.3, 1.0), "POOL": (10, 300), "HITS": (1, 60)}

READ_CHARS = 3000
LINE_CHARS = 600  # longer lines are cut into pieces

INSTRUCTION_KNOWLEDGE_ITEM = "Give the date on which the episode took place, as it is written there."
INSTRUCTION_QUERY = "Put the question in words that the line holding the answer is likely to use."
INSTRUCTION_RESPONSE = "Answer from the lines of memory, which may concern different sides of the question. Be brief."
ALWAYS_ON_KNOWLEDGE = "The memory holds every line that was said, with speaker and date."


@dataclass
class KnowledgeItem:
    date: str = field(default="", metadata={"description": "When the episode took place, as written"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question, or the words to look for"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.passages = []  # lines as they are shown
        self.vectors = np.zeros((0, 0), dtype=np.float32)

    def write(self, item, raw_text):
        lines = [line for line in raw_text.replace("\0", " ").splitlines() if not line.startswith("Date:")]
        pieces = [piece for line in lines for piece in textwrap.wrap(line, LINE_CHARS)]
        if not pieces:
            return
        vectors = self.toolkit.embed(pieces)
        self.vectors = np.vstack([self.vectors, vectors]) if self.passages else vectors
        date = f"[{item.date[:40]}] " if item.date else ""
        self.passages.extend(date + piece for piece in pieces)

    def read(self, query):
        if not self.passages:
            return ""
        cosines = self.vectors @ self.toolkit.embed([query.text])[0]
        pool = np.argsort(-cosines, kind="stable")[:POOL]
        vectors, relevance = self.vectors[pool], RELEVANCE * cosines[pool]
        repeated = np.zeros(len(pool))  # how close each line is to the closest that is chosen
        left = np.ones(len(pool), dtype=bool)
        shown, room = [], READ_CHARS
        while left.any() and len(shown) < HITS:
            best = int(np.argmax(np.where(left, relevance - (1 - RELEVANCE) * repeated, -np.inf)))
            left[best] = False
            text = self.passages[pool[best]]
            if len(text) < room:
                shown.append(text)
                room -= len(text) + 1
                repeated = np.maximum(repeated, vectors @ vectors[best])
        return "\n".join(shown)
