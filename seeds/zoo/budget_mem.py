"""Keeps raw text in chunks and works on it when asked: by rules, by embeddings or by a model, as the question needs.
Bets that the question itself tells how much work its answer takes, and that most questions take little.
Source: BudgetMem (2602.06025): a filter, then entities, times or topics, then a summary, each in three tiers of cost.
Simplified: a trained policy chooses the tiers there, features of the question do here. Filter: by rare words where the
question has some (low), else by embedding (mid). People and times: by rules where asked for (low); topic: by embedding
(mid). Summary: the chunks as they are where the best cosine is high (low); the best lines alone where it is poor or the
model fails (mid); a model's note before them where it lies between (high, the one call)."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

CHUNKS = 10  # that pass the filter
CHUNK_CHARS = 1000  # about 256 tokens
POOR = 0.5  # best cosine of a line below which no model is asked
SURE = 0.8  # and from which on none is needed
MATCH = 0.2  # cosine that the right person, or a time where one is asked for, is worth
TUNABLES = {
    "CHUNKS": (1, 30),
    "CHUNK_CHARS": (200, 2000),
    "POOR": (0.0, 0.6),
    "SURE": (0.6, 1.0),
    "MATCH": (0.0, 0.5),
}

READ_CHARS = 3000
NOTE_CHARS = 600  # of the model's summary
TIME = r"\d|\b(?:yesterday|today|tomorrow|ago|last|next|week|month|year|(?:mon|tues|wednes|thurs|fri|satur|sun)day)"
ASKS_TIME = r"\d|\b(?:when|date|day|month|year|how long|how often|before|after|since|until)\b"

INSTRUCTION_KNOWLEDGE_ITEM = "Give the date on which the episode took place, as it is written there."
INSTRUCTION_QUERY = "Repeat the question in full, and list the people that it names."
INSTRUCTION_RESPONSE = "Answer from the notes and the lines of memory; trust a line over a note. Be brief."
ALWAYS_ON_KNOWLEDGE = "The memory holds the full text of every episode."
SUMMARISE = (
    "Question: {question}\n\nNote down what these passages say that helps to answer it, in at most 80 words, with "
    "names, numbers and dates as they are written. Write NONE if nothing does.\n\n{passages}"
)


@dataclass
class KnowledgeItem:
    date: str = field(default="", metadata={"description": "When the episode took place, as written"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question in full"})
    people: list[str] = field(default_factory=list, metadata={"description": "Names of the people asked about"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.passages = []  # lines as they are shown
        self.vectors = np.zeros((0, 0), dtype=np.float32)
        self.chunks = []  # positions of the lines of each chunk
        self.words = {}  # word -> chunks that hold it

    def write(self, item, raw_text):
        lines = [line for line in raw_text.replace("\0", " ").splitlines() if not line.startswith("Date:")]
        pieces = [piece for line in lines for piece in textwrap.wrap(line, min(600, CHUNK_CHARS))]
        if not pieces:
            return
        room = 0
        for number, piece in enumerate(pieces, len(self.passages)):
            if len(piece) > room:
                self.chunks.append([])
                room = CHUNK_CHARS
            room -= len(piece) + 1
            self.chunks[-1].append(number)
            for word in set(re.findall(r"\w+", piece.lower())):
                self.words.setdefault(word, set()).add(len(self.chunks) - 1)
        vectors = self.toolkit.embed(pieces)
        self.vectors = np.vstack([self.vectors, vectors]) if self.passages else vectors
        self.passages.extend((f"[{item.date[:40]}] " if item.date else "") + piece for piece in pieces)

    def read(self, query):
        if not self.passages:
            return ""
        cosines = self.vectors @ self.toolkit.embed([query.text])[0]
        lines = [number for chunk in self.filtered(query.text, cosines) for number in self.chunks[chunk]]
        best = cosines[lines].max()
        if best >= SURE:
            return self.fitting(lines)
        asks_time = re.search(ASKS_TIME, query.text.lower())
        weights = cosines[lines]
        for i, number in enumerate(lines):
            text = re.sub(r"^\[[^]]*\] ", "", self.passages[number]).lower()
            weights[i] += MATCH * any(name.lower() in text for name in query.people if name)
            weights[i] += MATCH * bool(asks_time and re.search(TIME, text))
        ranked = [lines[i] for i in np.argsort(-weights, kind="stable")]
        return self.fitting(ranked, self.note(query.text, ranked) if best >= POOR else "")

    def filtered(self, question, cosines):
        """The chunks to work on: those with the most rare words of the question, or else the nearest."""
        held = [self.words.get(word, set()) for word in set(re.findall(r"\w+", question.lower()))]
        rare = Counter(chunk for chunks in held if len(chunks) <= CHUNKS for chunk in chunks)
        nearest = [cosines[numbers].max() for numbers in self.chunks]
        return sorted(range(len(self.chunks)), key=lambda chunk: (-rare[chunk], -nearest[chunk]))[:CHUNKS]

    def note(self, question, lines):
        """What the model reads out of some lines; nothing without a model."""
        prompt = SUMMARISE.format(question=question[:NOTE_CHARS], passages=self.fitting(lines))
        try:
            note = " ".join(self.toolkit.llm_completion([{"role": "user", "content": prompt}]).split())
        except Exception as error:
            self.toolkit.logger.debug(f"no note: {error}")
            return ""
        return "" if note.startswith("NONE") else note[:NOTE_CHARS]

    def fitting(self, lines, note=""):
        """The first lines for which there is room, after the note."""
        shown = [f"Note: {note}"] if note else []
        room = READ_CHARS - sum(map(len, shown))
        for number in lines:
            if len(self.passages[number]) < room:
                shown.append(self.passages[number])
                room -= len(self.passages[number]) + 1
        return "\n".join(shown)
