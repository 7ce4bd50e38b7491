"""Fuses BM25 and embeddings over single lines, because words and meaning fail on different questions.
Bets that what tasks differ in is a handful of mechanisms: each is a constant below, and most of them are off."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field

import numpy as np

VECTOR_WEIGHT = 0.5  # 0 = BM25 alone, 1 = embeddings alone
FUSION = "rank"  # "score" fuses the two scores, each scaled to 0..1, not their ranks
RANK_CONSTANT = 60  # of rank fusion; small = the first ranks count for much more
STEMMING = "off"  # "on": "painted" also finds "painting"
STOP_WORDS = "keep"  # "drop" leaves the question's function words out of the word search
CONTEXT = 0  # lines before a line that are indexed together with it
NEIGHBOUR = 0.0  # share of a line's score that the lines around it get
REACH = 1  # how many lines to each side
SPEAKER = 0.0  # added where a person named in the question speaks
STATEMENT = 0.0  # added where the line is no question
DATE = 0.0  # added where the episode's date is one that the question names, less the farther it is
RECENCY = 0.0  # added to the newest line, falling to 0 at the oldest
HOP = 0.0  # weight of a second search for the names found by the first
LINE_CHARS = 600  # longer lines are cut into pieces
HITS = 60  # lines at most
ORDER = "rank"  # "time" = as they were said
SHOW_DATE = "episode"  # "line" = before every line, not only where the episode changes
TUNABLES = {
    "VECTOR_WEIGHT": (0.0, 1.0),
    "FUSION": ["rank", "score"],
    "RANK_CONSTANT": (1, 100),
    "STEMMING": ["off", "on"],
    "STOP_WORDS": ["keep", "drop"],
    "CONTEXT": [0, 1, 2],
    "NEIGHBOUR": [0.0, 0.2, 0.4, 0.6, 0.8],
    "REACH": [1, 2],
    "SPEAKER": [0.0, 0.1, 0.2, 0.3, 0.5],
    "STATEMENT": [0.0, 0.05, 0.1, 0.2],
    "DATE": [0.0, 0.2, 0.5, 1.0],
    "RECENCY": [0.0, 0.1, 0.3, 1.0],
    "HOP": [0.0, 0.2, 0.5, 1.0],
    "LINE_CHARS": [600, 300, 150],
    "HITS": [60, 30, 15],
    "ORDER": ["rank", "time"],
    "SHOW_DATE": ["episode", "line"],
}

READ_CHARS = 3000
MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
FUNCTION_WORDS = """
a an and are as at be been by can could did do does for from had has have he her his how i in is it its me my of on or
our she that the their them they this to was we were what when where which who whom whose why will with would you your
"""

INSTRUCTION_KNOWLEDGE_ITEM = "Give the date on which the episode took place, as it is written there."
INSTRUCTION_QUERY = "Repeat the question in full, and list the people and the dates that it names."
INSTRUCTION_RESPONSE = "Answer from the lines of memory. Work out dates from the date shown with a line. Be brief."
ALWAYS_ON_KNOWLEDGE = "The memory holds every line that was said, with speaker and date."


@dataclass
class KnowledgeItem:
    date: str = field(default="", metadata={"description": "When the episode took place, as written"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question in full"})
    people: list[str] = field(default_factory=list, metadata={"description": "Names of the people asked about"})
    dates: list[str] = field(default_factory=list, metadata={"description": "Dates named in the question"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.db = toolkit.db
        tokenizer = "porter unicode61" if STEMMING == "on" else "unicode61"
        self.db.execute("CREATE TABLE lines (id INTEGER PRIMARY KEY, episode INT, date TEXT, speaker TEXT, text TEXT)")
        self.db.execute(f"CREATE VIRTUAL TABLE words USING fts5(text, tokenize = '{tokenizer}')")
        self.lines = []
        self.vectors = np.zeros((0, 1), dtype=np.float32)  # with room for lines to come

    def write(self, item, raw_text):
        episode = self.lines[-1][1] + 1 if self.lines else 0
        new = []
        for line in raw_text.replace("\0", " ").splitlines():
            speaker, said = re.match(r"(?:([^\W\d_][^:\n]{0,30}):\s)?(.*)", line).groups()
            if said.strip() and speaker != "Date":
                for piece in textwrap.wrap(said, LINE_CHARS):
                    new.append((len(self.lines) + len(new) + 1, episode, item.date, speaker or "", piece))
        if not new:
            return
        shown = [f"{speaker}: {text}" if speaker else text for _, _, _, speaker, text in new]
        indexed = [" ".join(shown[max(0, i - CONTEXT) : i + 1]) for i in range(len(shown))]
        self.db.executemany("INSERT INTO lines VALUES (?, ?, ?, ?, ?)", new)
        first = len(self.lines) + 1
        self.db.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", enumerate(indexed, first))
        vectors, held, end = self.toolkit.embed(indexed), self.vectors, len(self.lines) + len(new)
        if end > len(held):  # twice the room: rows are copied seldom, however many there are
            self.vectors = np.zeros((2 * end, vectors.shape[1]), dtype=np.float32)
            self.vectors[: len(self.lines)] = held[: len(self.lines)]
        self.vectors[len(self.lines) : end] = vectors
        self.lines.extend(new)

    def read(self, query):
        if not self.lines:
            return ""
        scores = self.search(query.text)
        if HOP:
            best = np.argsort(-scores, kind="stable")[:3]
            # A capital after a small letter is a name, not the start of a sentence.
            found = re.findall(r"(?<=[a-z,] )[A-Z]\w+", " ".join(self.lines[i][4] for i in best))
            names = [name for name in dict.fromkeys(found) if name not in query.text]
            scores = scores + HOP * self.search(" ".join(names)) if names else scores
        return self.show(self.adjust(scores, query))

    def search(self, text):
        """One score a line from words and meaning, the best close to 1."""
        cosines = self.vectors[: len(self.lines)] @ self.toolkit.embed([text])[0]
        terms = list(dict.fromkeys(re.findall(r"\w+", text.lower())))[:64]
        if STOP_WORDS == "drop":
            terms = [term for term in terms if term not in FUNCTION_WORDS.split()]
        matches = np.zeros(len(self.lines))
        if terms:
            match = " OR ".join(f'"{term}"' for term in terms)
            for row, score in self.db.execute("SELECT rowid, bm25(words) FROM words WHERE words MATCH ?", (match,)):
                matches[row - 1] = -score
        return VECTOR_WEIGHT * scaled(cosines) + (1 - VECTOR_WEIGHT) * scaled(matches) * (matches > 0)

    def adjust(self, scores, query):
        """The scores after everything that the line itself, its place and its time say."""
        scores = scores + RECENCY * np.linspace(0, 1, len(self.lines))
        if SPEAKER:
            people = {part for name in query.people for part in name.lower().split()}
            scores += SPEAKER * np.array([bool(people & set(line[3].lower().split())) for line in self.lines])
        if STATEMENT:
            scores += STATEMENT * np.array(["?" not in line[4] for line in self.lines])
        if DATE and query.dates:
            told = {line[2] for line in self.lines}
            near = {date: max(closeness(date, asked) for asked in query.dates) for date in told}
            scores += DATE * np.array([near[line[2]] for line in self.lines])
        if NEIGHBOUR:
            episodes = np.array([line[1] for line in self.lines])
            own = scores.copy()
            for step in range(1, REACH + 1):
                same = episodes[step:] == episodes[:-step]
                scores[step:] += NEIGHBOUR**step * own[:-step] * same
                scores[:-step] += NEIGHBOUR**step * own[step:] * same
        return scores

    def show(self, scores):
        """The best lines that fit, in the order wanted."""
        chosen, size = [], 0
        for i in np.argsort(-scores, kind="stable")[:HITS]:
            _, _, date, speaker, text = self.lines[i]
            size += len(speaker) + len(text) + 3 + (len(date) + 3 if SHOW_DATE == "line" else 0)
            if size > READ_CHARS:
                break
            chosen.append(i)
        if ORDER == "time":
            chosen.sort()
        text = self.lay_out(chosen)
        while len(text) > READ_CHARS:
            chosen.remove(min(chosen, key=lambda i: scores[i]))
            text = self.lay_out(chosen)
        return text

    def lay_out(self, chosen):
        parts, last = [], None
        for i in chosen:
            _, episode, date, speaker, text = self.lines[i]
            if date and (SHOW_DATE == "line" or (SHOW_DATE == "episode" and episode != last)):
                parts.append(f"[{date}]")
            parts.append(f"{speaker}: {text}" if speaker else text)
            last = episode
        return "\n".join(parts)


def closeness(told, asked):
    """How near the day of an episode is to a date in a question: 1 = falls into it, half at three days."""
    day, _ = span(told)
    first, last = span(asked, year=(day - 32) // 372)
    return 0.5 ** (max(0, first - day, day - last) / 3) if day and last else 0.0


def span(text, year=0):
    """First and last day that a date may mean, counted in months of 31 days; 0, 0 for none."""
    iso = re.search(r"(\d{4})[-/](\d\d?)[-/](\d\d?)", text)
    if iso:
        day = int(iso[1]) * 372 + int(iso[2]) * 31 + int(iso[3])
        return day, day
    found = re.search(r"\b(?:19|20)\d\d\b", text)
    year = int(found[0]) if found else year
    named = re.search(rf"(?i)(?:\b(\d\d?)(?:st|nd|rd|th)? +)?\b({MONTHS})[a-z]*\.?(?: +(\d\d?)\b)?", text)
    if not year or not (found or named):
        return 0, 0
    if not named:
        return year * 372 + 32, year * 372 + 403
    month = year * 372 + MONTHS.index(named[2].lower()[:3]) // 4 * 31 + 31
    day = int(named[1] or named[3] or 0)
    return (month + day, month + day) if day else (month + 1, month + 31)


def scaled(values):
    if FUSION == "rank":
        ranks = np.empty(len(values))
        ranks[np.argsort(-values, kind="stable")] = np.arange(1, len(values) + 1)
        return RANK_CONSTANT / (RANK_CONSTANT + ranks)
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros(len(values))
