"""Full-text search over single lines with SQLite's BM25, and nothing else.
Bets that question and answer share rare words; costs no embedding and no model call."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field

STEMMING = "off"  # "on": "painted" also finds "painting"
LINE_CHARS = 600  # longer lines are cut into pieces
HITS = 60
ORDER = "rank"  # "time" = as they were said
TUNABLES = {"STEMMING": ["off", "on"], "LINE_CHARS": [600, 300, 150], "HITS": [60, 30, 15], "ORDER": ["rank", "time"]}

READ_CHARS = 3000

INSTRUCTION_KNOWLEDGE_ITEM = "Give the date on which the episode took place, as it is written there."
INSTRUCTION_QUERY = "Repeat the question, and add words that the line holding the answer is likely to contain."
INSTRUCTION_RESPONSE = "Answer from the lines of memory. Work out dates from the date before a line. Be brief."
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
        tokenizer = "porter unicode61" if STEMMING == "on" else "unicode61"
        self.db.execute("CREATE TABLE lines (id INTEGER PRIMARY KEY, episode INT, date TEXT, speaker TEXT, text TEXT)")
        self.db.execute(f"CREATE VIRTUAL TABLE words USING fts5(text, tokenize = '{tokenizer}')")

    def write(self, item, raw_text):
        last = self.db.execute("SELECT id, episode + 1 FROM lines ORDER BY id DESC LIMIT 1").fetchone()
        count, episode = last or (0, 0)
        for line in raw_text.replace("\0", " ").splitlines():
            speaker, said = re.match(r"(?:([^\W\d_][^:\n]{0,30}):\s)?(.*)", line).groups()
            if said.strip() and speaker != "Date":
                for piece in textwrap.wrap(said, LINE_CHARS):
                    count += 1
                    row = (count, episode, item.date, speaker or "", piece)
                    self.db.execute("INSERT INTO lines VALUES (?, ?, ?, ?, ?)", row)
                    shown = f"{speaker}: {piece}" if speaker else piece
                    self.db.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (count, shown))

    def read(self, query):
        terms = list(dict.fromkeys(re.findall(r"\w+", query.text.lower())))[:64]
        if not terms:
            return ""
        # Quoted, a term is a plain string to FTS5, whatever it contains.
        match = " OR ".join(f'"{term}"' for term in terms)
        found = self.db.execute(
            "SELECT lines.id, date, speaker, lines.text FROM words JOIN lines ON lines.id = words.rowid"
            " WHERE words MATCH ? ORDER BY bm25(words), lines.id LIMIT ?",
            (match, HITS),
        )
        hits = []
        room = READ_CHARS
        for number, date, speaker, text in found:
            shown = (f"[{date}] " if date else "") + (f"{speaker}: {text}" if speaker else text)
            if len(shown) + 1 > room:
                break
            room -= len(shown) + 1
            hits.append((number, shown))
        if ORDER == "time":
            hits.sort()
        return "\n".join(shown for _, shown in hits)
