"""Keeps every fact for ever, with the day from which it held and the day on which another one ended it; reads by words,
meaning and shared names. Bets that what was true then is asked for as well as what is true now: nothing is deleted.
Source: Zep/Graphiti (2501.13956). Simplified: facts are sentences, entities the names in them, without summaries; days
are those of the episodes, or the order of writing; one call finds which facts of an episode end which. Without a model,
and in lists of numbered facts, a new value of the same subject and relation ends the old one."""

from __future__ import annotations

import json
import re
import textwrap
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

LISTED = 50  # facts of each of the three searches, and older facts that the model sees at a write
NAMED = 5  # first facts whose names are searched for
ENDED = 0.2  # what a fact that no longer holds is worth; one that held on the day asked about is worth the inverse
TUNABLES = {"LISTED": (10, 200), "NAMED": (0, 20), "ENDED": (0.05, 1.0)}

READ_CHARS = 3000
LINE_CHARS = 600
MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
NAME = r"[A-Z]\w+(?: [A-Z]\w+)*"
LINK = r"(?:as|at|by|for|from|in|of|on|to|with)\b(?: the [a-z]+ of\b)?"
IS = rf".*\b(?:is|are|was|were)\b(?: (?:an? |the )?[a-z]+ {LINK})?"
GIVES = rf"({IS}|.*? [a-z]+(?:s|ed) (?:{LINK}|the [a-z]+ of\b)|.*\b(?:live|work|drive|study)(?: {LINK})?) \S"
UNCLEAR = r"(?i)^(?:he|here|how|it|it's|she|th(?:at|is|ese|ose|ere|ey)|we|wh\w+|you)\b|\b(?:was|were|\w{2,}ed)\b"
RESOLVE = """{facts}
Which of the facts from {first} on, which are new, make which facts untrue from then on? Reply with JSON only, the new
one first in each pair: {{"ends": [[12, 3]]}}"""

INSTRUCTION_KNOWLEDGE_ITEM = "List what holds or happened, by name, who and what. Numbered facts are kept without you."
INSTRUCTION_QUERY = "Repeat the question in full. Give the date it asks about, if it asks about the past."
INSTRUCTION_RESPONSE = "Answer from the facts; the times behind a fact say from when until when it held. Be brief."
ALWAYS_ON_KNOWLEDGE = "The memory holds facts with the time from which, and until which, they were true."


@dataclass
class KnowledgeItem:
    statements: list[str] = field(metadata={"description": "Each thing worth keeping, as one full sentence"})
    date: str = field(default="", metadata={"description": "When the episode took place, as written"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question in full"})
    as_of: str = field(default="", metadata={"description": "Date that the question is about, if not today"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.toolkit.db.execute("CREATE VIRTUAL TABLE words USING fts5(text)")
        self.facts = []  # {"text", "at", "day", "until", "end"}; "end" is None where the fact still holds
        self.values = {}  # subject and relation -> (value, number of the fact) of the latest day
        self.names = {}  # name -> numbers of the facts with it
        self.vectors = np.zeros((0, 0), dtype=np.float32)

    def write(self, item, raw_text):
        numbered = re.findall(r"(?m)^\d+[.)]\s.*\S", raw_text)
        lines = [line.replace("\0", " ") for line in numbered or item.statements]
        new = [piece for line in lines for piece in textwrap.wrap(line, LINE_CHARS)]
        if not new:
            return
        first = len(self.facts)
        day = day_of(item.date) or (self.facts[-1]["day"] if first else 0)
        self.facts.extend({"text": text, "at": item.date, "day": day, "until": "", "end": None} for text in new)
        rows = self.toolkit.embed(new)
        self.vectors = np.vstack([self.vectors, rows]) if first else rows
        ends = None if numbered else self.resolve(first, rows)
        for older, newer in ends or []:
            self.end(older, newer)
        for number, text in enumerate(new, first):
            self.toolkit.db.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (number, text))
            for name in dict.fromkeys(re.findall(NAME, text)):
                self.names.setdefault(name, []).append(number)
            for key, value in states(text).items():
                known, older = self.values.get(key, (value, number))
                if ends is None and known != value:
                    self.end(older, number)
                if day >= self.facts[older]["day"]:
                    self.values[key] = value, number

    def end(self, older, newer):
        """Let a fact hold only until the other one; of two days the later ends the earlier, however they were told."""
        older, newer = sorted((older, newer), key=lambda number: self.facts[number]["day"])
        self.facts[older].update(until=f" until {self.facts[newer]['at'] or 'later'}", end=self.facts[newer]["day"])

    def resolve(self, first, rows):
        """[(older, newer)] of facts that the model says end each other; None where it says nothing of use."""
        similar = (rows @ self.vectors[:first].T).max(axis=0) if first else np.zeros(0)
        older = [n for n in np.argsort(-similar, kind="stable").tolist() if self.facts[n]["end"] is None][:LISTED]
        known = {str(number): number for number in [*sorted(older), *range(first, len(self.facts))]}
        shown = "\n".join(f"{n}: {self.facts[known[n]]['text']}" for n in known)
        try:
            reply = self.toolkit.llm_completion([{"role": "user", "content": RESOLVE.format(facts=shown, first=first)}])
            pairs = json.loads(reply[reply.index("{") : reply.rindex("}") + 1])["ends"]
            found = [(known.get(str(older)), known.get(str(newer))) for newer, older in pairs]
            return [pair for pair in found if None not in pair and pair[0] != pair[1]]
        except Exception:
            return None

    def read(self, query):
        if not self.facts:
            return ""
        match = " OR ".join(f'"{term}"' for term in dict.fromkeys(re.findall(r"\w+", query.text.lower())[:64]))
        found = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY bm25(words), rowid LIMIT ?"
        by_words = [number for (number,) in self.toolkit.db.execute(found, (match, LISTED))] if match else []
        cosines = self.vectors @ self.toolkit.embed([query.text])[0]
        by_meaning = np.argsort(-cosines, kind="stable")[:LISTED].tolist()
        first = "\n".join(self.facts[number]["text"] for number in by_words[:NAMED] + by_meaning[:NAMED])
        shared = Counter()
        for numbers in [self.names.get(name, []) for name in dict.fromkeys(re.findall(NAME, first))]:
            shared.update(dict.fromkeys(numbers, 1 / len(numbers)) if 0 < len(numbers) <= LISTED else {})
        by_names = [number for number, _ in shared.most_common(LISTED)]
        scores = Counter()
        for ranked in (by_words, by_meaning, by_names):
            for rank, number in enumerate(ranked):
                scores[number] += 1 / (rank + 1)
        for number, fact in [(n, self.facts[n]) for n in scores if self.facts[n]["end"] is not None]:
            scores[number] *= 1 / ENDED if fact["day"] <= day_of(query.as_of) < fact["end"] else ENDED
        text = ""
        for number in sorted(scores, key=lambda number: (-scores[number], number)):
            fact = self.facts[number]
            line = f"[{fact['at']}{fact['until']}] ".replace("[] ", "") + fact["text"]
            text += f"{line}\n" if len(text) + len(line) < READ_CHARS else ""
        return text[:-1]


def day_of(text):
    """The day of "8 May, 2023" or "2023/05/08", counted in months of 31 days; 0 for no date."""
    iso = re.search(r"(\d{4})[-/](\d\d?)[-/](\d\d?)", text)
    told = re.search(rf"(?i)(\d\d?) ({MONTHS})[a-z]*,? (\d{{4}})", text)
    parts = (told[3], MONTHS.index(told[2].lower()) // 4 + 1, told[1]) if told else iso.groups() if iso else (0, 0, 0)
    return sum(int(part) * days for part, days in zip(parts, (372, 31, 1), strict=True))


def states(text):
    """{key: value}: "Anna: My car is a Jazz." gives "anna my car is": "a jazz", and so does each clause of a line."""
    speaker, said = re.match(r"(?:\d+[.)]\s+)?(?:([^\W\d_][^:\n]{0,30}):\s)?(.*)", text).groups(default="")
    said = re.sub(r"(?i)\b(?:and|but|currently|now|so|still) ", "", said)
    found = {}
    for clause in re.split(r"(?<=[.!?;,])\s", said) if speaker else [said]:
        given = re.match(GIVES, clause)
        if given and not (speaker and re.search(UNCLEAR, given[1])) and not clause.endswith("?"):
            key = " ".join(re.findall(r"[\w']+", f"{speaker} {given[1]}".lower()))
            found[key] = clause[given.end(1) :].strip(" .,;!").lower() or "?"
    return found
