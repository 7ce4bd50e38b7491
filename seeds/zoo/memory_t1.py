"""Keeps every line with its session's day; the dates in a question first leave only the sessions of that time, then
words and meaning rank what is left. Bets that time narrows better than similarity, because sessions sound alike.
Source: Memory-T1 (arXiv 2512.20092). Simplified: a session counts by its own date alone, and nothing is trained; the
one call, at read, stands in for the trained agent that picks the evidence among the candidate sessions. Without it
all lines of the candidates compete. A question without a date, or with one that no session is near, keeps them all.
"""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np

DAYS_BEFORE = 3  # a session so much earlier than the time asked about is kept, since plans come first
DAYS_AFTER = 7  # and one so much later, since people tell what they did
VECTOR_WEIGHT = 0.5  # of meaning; the rest is for words
CANDIDATES = 8  # sessions that relevance leaves
TUNABLES = {
    "DAYS_BEFORE": (0, 60),
    "DAYS_AFTER": (0, 60),
    "VECTOR_WEIGHT": (0.0, 1.0),
    "CANDIDATES": (1, 40),
}

READ_CHARS = 3000
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
DATE = re.compile(
    r"\b(?P<iso>\d{4})[-/](?P<m>\d\d?)(?:[-/](?P<d>\d\d?))?\b|(?:\b(?P<before>\d\d?)(?:st|nd|rd|th)? (?:of )?)?"
    r"\b(?P<month>(?:Jan|Febr)(?:uary)?|Feb|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|(?:Sept?|Oct|Nov|Dec)"
    r"(?:o?(?:em)?ber)?)\b\.?(?: (?P<after>\d\d?)(?:st|nd|rd|th)?\b)?(?:,? (?P<named>\d{4})\b)?"
    r"|\b(?P<year>(?:19|20)\d\d)\b"
)
PROMPT = """Question: {question}

Sessions, each with its lines that fit best:
{sessions}

Which sessions hold the evidence for the answer? Mind when things happened. Answer with a JSON list of numbers only."""

INSTRUCTION_KNOWLEDGE_ITEM = "Give the date on which the episode took place, as it is written there."
INSTRUCTION_QUERY = "Repeat the question in full, and list the dates it speaks of, with the year where it can be told."
INSTRUCTION_RESPONSE = "Answer from the lines of memory. Work out dates from the date of a session. Be brief."
ALWAYS_ON_KNOWLEDGE = "The memory holds every line that was said and when; dates in the query narrow the search."


@dataclass
class KnowledgeItem:
    date: str = field(default="", metadata={"description": "When the episode took place, as written"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question in full"})
    dates: list[str] = field(default_factory=list, metadata={"description": "Dates the question speaks of"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.db = toolkit.db
        self.db.execute("CREATE VIRTUAL TABLE words USING fts5(text, tokenize = 'porter unicode61')")
        self.sessions = []  # (date as written, first day, last day); the days are None where there is no date
        self.lines = []  # (session, text)
        self.vectors = np.zeros((0, 1), dtype=np.float32)

    def write(self, item, raw_text):
        lines = [line for line in raw_text.replace("\0", " ").splitlines() if not line.startswith("Date: ")]
        pieces = [piece for line in lines for piece in textwrap.wrap(line, 600)]
        if pieces:
            vectors = self.toolkit.embed(pieces)
            self.vectors = np.vstack([self.vectors, vectors]) if self.lines else vectors
            rows = enumerate(pieces, len(self.lines) + 1)
            self.db.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", rows)
            self.lines += [(len(self.sessions), piece) for piece in pieces]
            self.sessions.append((item.date[:100], *next(iter(spans(item.date, [])), (None, None))))

    def read(self, query):
        if not self.lines:
            return ""
        scores = self.search(query.text)
        kept = self.in_time(f"{query.text} | {' | '.join(query.dates)}")
        ranked = [i for i in np.argsort(-scores, kind="stable").tolist() if self.lines[i][0] in kept]
        candidates = list(dict.fromkeys(self.lines[i][0] for i in ranked))[:CANDIDATES]
        chosen = self.pick(query.text, candidates, ranked)
        found, room = [], READ_CHARS
        for i in [i for i in ranked if self.lines[i][0] in chosen]:
            # The date stands before the first line of a session; every line pays for one, so that it always fits.
            room -= len(self.lines[i][1]) + len(self.sessions[self.lines[i][0]][0]) + 4
            if room < -1:
                break
            found.append(i)
        parts, last = [], None
        for session, text in (self.lines[i] for i in sorted(found)):
            told = self.sessions[session][0]
            parts.append(f"[{told}] {text}" if told and session != last else text)
            last = session
        return "\n".join(parts)

    def in_time(self, asked):
        """The sessions near a date asked about; all of them where there is no such date or no such session."""
        years = sorted({first.year for _, first, _ in self.sessions if first})
        kept = set()
        for first, last in spans(asked, years):
            for i, (_, began, ended) in enumerate(self.sessions):
                if began and (first - ended).days <= DAYS_BEFORE and (began - last).days <= DAYS_AFTER:
                    kept.add(i)
        return kept or set(range(len(self.sessions)))

    def pick(self, question, candidates, ranked):
        """The sessions with the evidence, by the call; all candidates where it names none."""
        best = {session: [i for i in ranked if self.lines[i][0] == session][:3] for session in candidates}
        shown = [f"{i}. [{self.sessions[i][0]}] {' / '.join(self.lines[j][1] for j in best[i])}" for i in candidates]
        try:
            content = PROMPT.format(question=question, sessions="\n".join(shown))
            reply = self.toolkit.llm_completion([{"role": "user", "content": content}])
            return set(json.loads(reply[reply.index("[") : reply.rindex("]") + 1])) & set(candidates) or set(candidates)
        except Exception as error:
            self.toolkit.logger.debug(f"keeping all candidates: {error}")
            return set(candidates)

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


def spans(text, years):
    """Yield the first and last day of every date in a text; a date without a year falls into each of the years."""
    for found in DATE.finditer(text):
        month = int(found["m"] or (MONTHS.index(found["month"][:3]) + 1 if found["month"] else 0))
        day = int(found["d"] or found["before"] or found["after"] or 0)
        year = found["iso"] or found["named"] or found["year"]
        for each in [int(year)] if year else years:
            try:
                first = date(each, month or 1, day or 1)
                following = date(each + (month in (0, 12)), month % 12 + 1 if month else 1, 1)
                yield first, first if day else following - timedelta(days=1)
            except ValueError:
                continue
