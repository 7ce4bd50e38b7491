"""Keeps apart what each person said about themselves and what others said about them; a read about a person sees only
that person's part. Bets that most wrong hits are right words about, or from, the wrong person.
Source: Rhea (arXiv 2512.06869), a role-aware memory. Simplified: pronouns and names tell whom a line is about, the
task agent's notes on people add what those do not show, and attention over episodes is words and meaning with a
weight for the role. As in Rhea, standing instructions ("always", "never", "from now on") are a memory of their own,
which is read first whatever is asked. It makes no model call.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field

import numpy as np

ROLE_FILTER = "on"  # "off" searches what is about anybody
OTHERS_WEIGHT = 0.8  # of what others say about the person asked about; their own words count 1
VECTOR_WEIGHT = 0.5  # of meaning; the rest is for words
INSTRUCTIONS = 3  # newest standing instructions that every read begins with
TUNABLES = {
    "ROLE_FILTER": ["on", "off"],
    "OTHERS_WEIGHT": (0.0, 1.0),
    "VECTOR_WEIGHT": (0.0, 1.0),
    "INSTRUCTIONS": (0, 10),
}

READ_CHARS = 3000
HEADINGS = "(?:Date|Time|Task|Outcome|Note|Title|Source)"  # no speakers
SELF = re.compile(r"(?i)\b(?:i|me|my|mine|myself|we|our|us)\b")
OTHER = re.compile(r"(?i)\b(?:you|your|yours|yourself)\b")
STANDING = re.compile(r"(?i)(?:^|[.!?] )(?:please )?(?:always|never|from now on|in future|remember to)\b")

INSTRUCTION_KNOWLEDGE_ITEM = (
    "Give the date as it is written. For each person that the episode tells something about, also those who are only "
    "spoken of, note in one or two sentences what it tells about them."
)
INSTRUCTION_QUERY = "Repeat the question in full, and name the people that it asks about."
INSTRUCTION_RESPONSE = "Answer from the lines about the person asked about. Follow the standing instructions, if any."
ALWAYS_ON_KNOWLEDGE = "The memory holds what people said about themselves and about each other."


@dataclass
class KnowledgeItem:
    date: str = field(default="", metadata={"description": "When the episode took place, as written"})
    about: dict[str, str] = field(
        default_factory=dict, metadata={"description": "What the episode tells about each of the people, by name"}
    )


@dataclass
class Query:
    text: str = field(metadata={"description": "The question in full"})
    people: list[str] = field(default_factory=list, metadata={"description": "Names of the people asked about"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.db = toolkit.db
        self.db.execute("CREATE VIRTUAL TABLE words USING fts5(text, tokenize = 'porter unicode61')")
        self.people = {}  # name -> the words of it, in small letters
        self.lines = []  # (line with its date, who speaks, whom it is about)
        self.vectors = np.zeros((0, 1), dtype=np.float32)
        self.instructions = {}  # line -> line with its date

    def write(self, item, raw_text):
        turns = []
        for line in raw_text.replace("\0", " ").splitlines():
            speaker, said = re.match(rf"(?:(?!{HEADINGS}:)([^\W\d_][^:\n]{{0,30}}):\s)?(.*)", line).groups()
            if not line.startswith("Date: "):
                turns += [(speaker or "", piece) for piece in textwrap.wrap(said, 600)]
        notes = [(name.strip()[:30], " ".join(told.replace("\0", " ").split())) for name, told in item.about.items()]
        notes = [(name, told[:600]) for name, told in notes if told and name and not re.fullmatch(HEADINGS, name)]
        present = {speaker for speaker, _ in turns if speaker}
        for name in sorted(present | {name for name, _ in notes}):
            self.people[name] = words(name) - {"a", "an", "the", "of", "and"}
        new = [(f"{by}: {said}" if by else said, by, self.whom(by, said, present)) for by, said in turns]
        for name, told in notes:
            if not any(told in line for line, _, about in new if name in about):
                new.append((f"About {name}: {told}", "", {name}))
        if new:
            date = f"[{item.date}] " if item.date else ""
            for line, speaker, _ in new:
                if STANDING.search(line.removeprefix(f"{speaker}: ")):
                    self.instructions.pop(line, None)
                    self.instructions[line] = date + line
            texts = [line for line, _, _ in new]
            vectors = self.toolkit.embed(texts)
            self.vectors = np.vstack([self.vectors, vectors]) if self.lines else vectors
            rows = enumerate(texts, len(self.lines) + 1)
            self.db.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", rows)
            self.lines += [(date + line, speaker, about) for line, speaker, about in new]

    def whom(self, speaker, said, present):
        """Whom a line is about: those it names, those it addresses, or else the one who speaks."""
        about = self.named(said)
        if OTHER.search(said) and len(present) > 1:
            about |= present - {speaker}
        return about | {speaker} if SELF.search(said) or not about else about

    def named(self, text):
        spoken = words(text)
        return {name for name, parts in self.people.items() if parts & spoken}

    def read(self, query):
        if not self.lines:
            return ""
        scores = self.search(query.text)
        asked = self.named(f"{query.text} {' '.join(query.people)}")
        about = np.array([bool(asked & whom) for _, _, whom in self.lines])
        if ROLE_FILTER == "on" and about.any():
            own = np.array([speaker in asked for _, speaker, _ in self.lines])
            scores = np.where(about, scores * np.where(own, 1, OTHERS_WEIGHT), -1)
        ranked = [self.lines[i][0] for i in np.argsort(-scores, kind="stable") if scores[i] >= 0]
        newest = list(self.instructions.values())[::-1][:INSTRUCTIONS]
        parts, room = [], READ_CHARS
        for line in dict.fromkeys([*newest, *ranked]):
            room -= len(line) + 1
            if room < -1:
                break
            parts.append(line)
        return "\n".join(parts)

    def search(self, text):
        """One score a line from words and meaning."""
        scores = VECTOR_WEIGHT * np.clip(self.vectors @ self.toolkit.embed([text])[0], 0, 1)
        terms = list(dict.fromkeys(re.findall(r"\w+", text.lower())))[:64]
        match = " OR ".join(f'"{term}"' for term in terms)
        found = "SELECT rowid, -bm25(words) FROM words WHERE words MATCH ?"
        hits = self.db.execute(found, (match,)).fetchall() if terms else []
        top = max((score for _, score in hits), default=0) or 1
        for row, score in hits:
            scores[row - 1] += (1 - VECTOR_WEIGHT) * score / top
        return scores


def words(text):
    return set(re.findall(r"\w+", text.lower()))
