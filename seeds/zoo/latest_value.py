"""Keeps every line, and of statements in the same words but for the value only the last; reads the current statement
that fits best first, then the lines that nothing has replaced. Bets that who asks for a value wants the newest.
Source: no paper; the keyed store that tests of knowledge updates, such as MemoryAgentBench (arXiv 2507.05257), ask for.
A key is all words up to the value, found by a pattern (subject, verb, preposition): in a numbered list the whole
beginning of the fact, and the higher number wins; in a conversation speaker and subject, without "now" and its like,
and the later line wins. It makes no model call.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field

import numpy as np

VECTOR_WEIGHT = 0.5  # of meaning; the rest is for words
CURRENT = 1  # current statements that come first
VALUE_WORDS = 8  # what is longer, in a conversation, is no value but a story
OUTDATED = "hide"  # "show" leaves replaced lines among the lines
TUNABLES = {
    "VECTOR_WEIGHT": (0.0, 1.0),
    "CURRENT": (1, 10),
    "VALUE_WORDS": (1, 20),
    "OUTDATED": ["hide", "show"],
}

READ_CHARS = 3000
LINE_CHARS = 600
VERB = r"(?:is|are|was|were|plays?|speaks?|works?|worked|lives?|died|ends?|costs?)"
ANNOUNCES = r"(?:is|of|in|by|to|for|as|with|at|on|from|called|named)"
# Up to three small words may stand between the verb and the first word that announces a value.
STATEMENT = re.compile(rf"(.+? {VERB}(?:(?: [a-z']+){{0,3}}? {ANNOUNCES})?) (.+)")
OWNER = re.compile(rf"(?i)\b(?:my|our|the|I(?= (?!is|are|was|were){VERB})) ")
CLAUSE_END = re.compile(r"[.!?;](?:\s+|$)|,\s+(?:and|so|but)\s+|\s+(?:and|so)\s+(?=(?:my|our|the|I)\b)")
FILLERS = re.compile(r"(?i)\b(?:right now|these days|at the moment|now|currently|finally|already|actually)\b")

INSTRUCTION_KNOWLEDGE_ITEM = "Give the date on which the episode took place, as it is written there."
INSTRUCTION_QUERY = "Repeat the question in full, in words like those of a statement that answers it."
INSTRUCTION_RESPONSE = "The first line is what holds now: answer from it where it fits, else from the lines after it."
ALWAYS_ON_KNOWLEDGE = "The memory holds what was said; of a value that was replaced, only the last."


@dataclass
class KnowledgeItem:
    date: str = field(default="", metadata={"description": "When the episode took place, as written"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question in full"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.db = toolkit.db
        for table in ("keys", "lines"):
            self.db.execute(f"CREATE VIRTUAL TABLE {table} USING fts5(text, tokenize = 'porter unicode61')")
        self.keys = {}  # key -> its row
        self.holders = []  # of each key: number, value, line
        self.lines = []
        self.outdated = set()
        self.vectors = {"keys": np.zeros((0, 1)), "lines": np.zeros((0, 1))}  # with room for rows to come

    def write(self, item, raw_text):
        first_line, first_key = len(self.lines), len(self.keys)
        texts, new_keys = [], []
        for raw in raw_text.replace("\0", " ").splitlines():
            for text in [] if raw.startswith("Date: ") else textwrap.wrap(raw, LINE_CHARS):
                for key, value, number in statements(text):
                    if key not in self.keys:
                        new_keys.append(key)
                    self.update(key, value, number, len(self.lines))
                self.lines.append(f"[{item.date}] {text}" if item.date else text)
                texts.append(text)
        self.index("lines", texts, first_line)
        self.index("keys", new_keys, first_key)

    def update(self, key, value, number, line):
        """The value of a key, which one statement at a time holds."""
        row = self.keys.setdefault(key, len(self.keys))
        if row == len(self.holders):
            self.holders.append((number, value, line))
            return
        held, old, place = self.holders[row]
        if number < held:
            self.outdated.add(line)
            return
        self.holders[row] = (number, value, line)
        if value.lower() != old.lower():
            self.outdated.add(place)

    def index(self, table, texts, first):
        if texts:
            rows = enumerate(texts, first + 1)
            self.db.executemany(f"INSERT INTO {table} (rowid, text) VALUES (?, ?)", rows)
            vectors, end, held = self.toolkit.embed(texts), first + len(texts), self.vectors[table]
            if end > len(held):  # twice the room: rows are copied seldom, however many there are
                self.vectors[table] = np.zeros((2 * end, vectors.shape[1]), vectors.dtype)
                self.vectors[table][:first] = held[:first]
            self.vectors[table][first:end] = vectors

    def read(self, query):
        if not self.lines:
            return ""
        by_key = self.search("keys", query.text) if self.keys else np.zeros(0)
        best = [row for row in np.argsort(-by_key, kind="stable")[:CURRENT] if by_key[row] > 0]
        by_line = self.search("lines", query.text)
        order = [self.holders[row][2] for row in best] + np.argsort(-by_line, kind="stable").tolist()
        shown, room = {}, READ_CHARS
        for rank, line in enumerate(order):
            hidden = rank >= len(best) and OUTDATED == "hide" and line in self.outdated
            if line not in shown and not hidden:
                room -= len(self.lines[line][:READ_CHARS]) + 1
                if room < -1:
                    break
                shown[line] = self.lines[line][:READ_CHARS]
        return "\n".join(shown.values())

    def search(self, table, text):
        """One score a row from words and meaning; rows without a word of the text are at their cosine alone."""
        vectors = self.vectors[table][: len(self.keys if table == "keys" else self.lines)]
        scores = VECTOR_WEIGHT * np.clip(vectors @ self.toolkit.embed([text])[0], 0, 1)
        terms = list(dict.fromkeys(re.findall(r"\w+", text.lower())))[:64]
        match = " OR ".join(f'"{term}"' for term in terms)
        found = f"SELECT rowid, -bm25({table}) FROM {table} WHERE {table} MATCH ?"
        hits = self.db.execute(found, (match,)).fetchall() if terms else []
        top = max((score for _, score in hits), default=0) or 1
        for row, score in hits:
            scores[row - 1] += (1 - VECTOR_WEIGHT) * score / top
        return scores


def statements(line):
    """Yield (key, value, number) for what a line states; the number is 0 outside numbered lists."""
    numbered = re.match(r"(\d{1,9})[.)]\s+(.+)", line)
    if numbered:
        found = STATEMENT.fullmatch(numbered[2])
        if found:
            yield found[1].lower(), found[2], int(numbered[1])
        return
    speaker, said = re.match(r"(?:([^\W\d_][^:\n]{0,30}):\s)?(.*)", line).groups()
    for clause in CLAUSE_END.split(said):
        clause = " ".join(FILLERS.sub("", clause).split())
        verb = re.search(rf" {VERB} ", clause)
        owners = list(OWNER.finditer(clause, 0, verb.end())) if verb else []
        found = owners and STATEMENT.fullmatch(clause[owners[-1].start() :])
        if found and len(found[2].split()) <= VALUE_WORDS:
            yield f"{speaker or ''}: {found[1]}".lower(), found[2], 0
