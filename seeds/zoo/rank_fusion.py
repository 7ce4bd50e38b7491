"""Keeps every line, reads the lines that words (BM25) and meaning (cosine) both rank high.
Bets that words and meaning fail on different questions, and that ranks can be added where scores cannot.
Source: Reciprocal Rank Fusion (Cormack, Clarke and Buettcher, SIGIR 2009): the sum of 1 / (60 + rank).
Added: among the lines that match, a third ranking from the newest to the oldest. Its weight is 0 by default; above 0
it decides between lines that are nearly equal, such as an old and a new statement of the same fact.
Lines that score the same share a rank. It calls no model."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field

import numpy as np

WORD_WEIGHT = 1.0
MEANING_WEIGHT = 1.0
RECENCY_WEIGHT = 0.0
RANK_CONSTANT = 60  # small = the first ranks count for much more
CANDIDATES = 60  # lines that each of the two searches puts forward
HITS = 60  # lines at most
TUNABLES = {
    "WORD_WEIGHT": (0.0, 3.0),
    "MEANING_WEIGHT": (0.0, 3.0),
    "RECENCY_WEIGHT": (0.0, 3.0),
    "RANK_CONSTANT": (1, 100),
    "CANDIDATES": (2, 100),
    "HITS": (1, 60),
}

READ_CHARS = 3000
LINE_CHARS = 600  # longer lines are cut into pieces

INSTRUCTION_KNOWLEDGE_ITEM = "Give the date on which the episode took place, as it is written there."
INSTRUCTION_QUERY = "Repeat the question, and add words that the line holding the answer is likely to contain."
INSTRUCTION_RESPONSE = "Answer from the lines of memory, the best match first. Work out dates from the date of a line."
ALWAYS_ON_KNOWLEDGE = "The memory holds every line that was said, with speaker and date."


@dataclass
class KnowledgeItem:
    date: str = field(default="", metadata={"description": "When the episode took place, as written"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question, and words to look for"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.db = toolkit.db
        self.db.execute("CREATE VIRTUAL TABLE words USING fts5(text, tokenize = 'porter unicode61')")
        self.passages = []  # lines as they are shown
        self.vectors = np.zeros((0, 0), dtype=np.float32)

    def write(self, item, raw_text):
        lines = [line for line in raw_text.replace("\0", " ").splitlines() if not line.startswith("Date:")]
        pieces = [piece for line in lines for piece in textwrap.wrap(line, LINE_CHARS)]
        if not pieces:
            return
        self.db.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", enumerate(pieces, len(self.passages)))
        vectors = self.toolkit.embed(pieces)
        self.vectors = np.vstack([self.vectors, vectors]) if self.passages else vectors
        date = f"[{item.date[:40]}] " if item.date else ""
        self.passages.extend(date + piece for piece in pieces)

    def read(self, query):
        if not self.passages:
            return ""
        by_words = self.matches(query.text)
        by_meaning = self.vectors @ self.toolkit.embed([query.text])[0]
        found = best(by_words, CANDIDATES) | best(by_meaning, CANDIDATES)
        lines = np.array(sorted(found), dtype=int)
        scores = (
            WORD_WEIGHT * reciprocal_ranks(by_words[lines]) * (by_words[lines] > 0)
            + MEANING_WEIGHT * reciprocal_ranks(by_meaning[lines])
            + RECENCY_WEIGHT * reciprocal_ranks(lines)
        )
        shown, room = [], READ_CHARS
        for i in lines[np.argsort(-scores, kind="stable")][:HITS]:
            if len(self.passages[i]) < room:
                shown.append(self.passages[i])
                room -= len(self.passages[i]) + 1
        return "\n".join(shown)

    def matches(self, text):
        """BM25 of every line, 0 where no word of the question occurs."""
        scores = np.zeros(len(self.passages))
        terms = list(dict.fromkeys(re.findall(r"\w+", text.lower())))[:64]
        if terms:
            # Quoted, a term is a plain string to FTS5, whatever it contains.
            match = " OR ".join(f'"{term}"' for term in terms)
            for row, score in self.db.execute("SELECT rowid, bm25(words) FROM words WHERE words MATCH ?", (match,)):
                scores[row] = -score
        return scores


def best(scores, count):
    """The positions of the highest scores above 0."""
    return {int(i) for i in np.argsort(-scores, kind="stable")[:count] if scores[i] > 0}


def reciprocal_ranks(scores):
    """1 / (constant + rank) for each score; equal scores share the better rank."""
    ranks = 1 + np.searchsorted(np.sort(-scores), -scores)
    return 1 / (RANK_CONSTANT + ranks)
