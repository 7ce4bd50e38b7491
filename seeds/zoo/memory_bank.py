"""Keeps turns that fade unless they are recalled, summaries of days and a portrait; reads the portrait and the nearest.
Bets that what is never touched again need not be kept, and that summaries carry what is lost.
Source: MemoryBank (2305.10250): a turn is retained by exp(-t / (5 S)), t the days since it was last recalled and S how
often it was; its code's exp(-t / 5 * S), by which strong turns fade faster, is taken for a slip.
Simplified: a turn goes where its retention falls below a bound, not by chance; summaries stay; recalling happens at
writing: a new line recalls the older turn most like it. The day's summary is a field of the knowledge item; one call
rewrites history and portrait. Without a model both are put together from the newest summaries and traits."""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass, field
from datetime import date

import numpy as np

FADE_DAYS = 5  # days in which a turn of strength 1 fades to 1 / e
FORGET_BELOW = 0.05  # retention
RECALL_AT = 0.5  # cosine at which a new line recalls an older turn
HITS = 20  # turns and summaries
HISTORY_CHARS = 500  # room for the history, and as much for the portrait
TUNABLES = {
    "FADE_DAYS": (1, 365),
    "FORGET_BELOW": (0.0, 0.5),
    "RECALL_AT": (0.3, 0.9),
    "HITS": (1, 40),
    "HISTORY_CHARS": (0, 1000),
}

READ_CHARS = 3000
LINE_CHARS = 600  # longer lines are cut into pieces

INSTRUCTION_KNOWLEDGE_ITEM = (
    "Summarise the day in at most 80 words: who did, said or decided what. Say for each person what the day tells "
    "about character, feelings and circumstances."
)
INSTRUCTION_QUERY = "Repeat the question in full."
INSTRUCTION_RESPONSE = (
    "Answer from the turns and the summaries of days; use history and portrait where these are silent."
)
ALWAYS_ON_KNOWLEDGE = "The memory holds what was said lately or often, a summary of every day, and a portrait."
REWRITE = (
    "History so far: {history}\nPortrait so far: {portrait}\n\nToday: {summary}\nToday's impressions: {traits}\n\n"
    "Rewrite the history, and the portrait of those who appear, so that they take in today, in {words} words each. "
    'Reply with JSON only: {{"history": "...", "portrait": "..."}}'
)


@dataclass
class KnowledgeItem:
    summary: str = field(metadata={"description": "What happened that day"})
    traits: dict[str, str] = field(default_factory=dict, metadata={"description": "By name: character, feelings"})
    date: str = field(default="", metadata={"description": "When the episode took place, as written"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question in full"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.passages = []  # turns as they are shown
        self.vectors = np.zeros((0, 0), dtype=np.float32)
        self.strengths = np.zeros(0)
        self.recalled = np.zeros(0)  # day of the last recall
        self.summaries = []  # of days, as they are shown
        self.summary_vectors = np.zeros((0, 0), dtype=np.float32)
        self.traits = {}  # name -> the newest impression
        self.history = ""
        self.portrait = ""
        self.today = 0  # by the dates of the episodes; an episode without one is a day later than the last

    def write(self, item, raw_text):
        lines = [line for line in raw_text.replace("\0", " ").splitlines() if not line.startswith("Date:")]
        pieces = [piece for line in lines for piece in textwrap.wrap(line, LINE_CHARS)]
        if not pieces:
            return
        self.today = max(self.today, day_of(item.date) or self.today + 1)
        self.forget()
        vectors = self.toolkit.embed(pieces)
        if self.passages:
            cosines = vectors @ self.vectors.T
            touched = cosines.argmax(axis=1)[cosines.max(axis=1) >= RECALL_AT]
            np.add.at(self.strengths, touched, 1)
            self.recalled[touched] = self.today
        heading = f"[{item.date[:40]}] " if item.date else ""
        self.vectors = np.vstack([self.vectors, vectors]) if self.passages else vectors
        self.passages.extend(heading + piece for piece in pieces)
        self.strengths = np.append(self.strengths, np.ones(len(pieces)))
        self.recalled = np.append(self.recalled, np.full(len(pieces), self.today))
        if summary := " ".join(item.summary.split())[:LINE_CHARS]:
            vectors = self.toolkit.embed([summary])
            self.summary_vectors = np.vstack([self.summary_vectors, vectors]) if self.summaries else vectors
            self.summaries.append(f"Day {heading}{summary}")
            self.traits.update(item.traits)
            self.history, self.portrait = self.rewritten(
                "; ".join(f"{who}: {what}" for who, what in item.traits.items())
            )

    def read(self, query):
        shown = [f"{name}: {text}" for name, text in (("Portrait", self.portrait), ("History", self.history)) if text]
        texts = self.passages + self.summaries
        if not texts:
            return ""
        asked = self.toolkit.embed([query.text])[0]
        cosines = np.concatenate([rows @ asked for rows in (self.vectors, self.summary_vectors) if len(rows)])
        room = READ_CHARS - sum(len(line) + 1 for line in shown)
        for i in np.argsort(-cosines, kind="stable")[:HITS]:
            if len(texts[i]) < room:
                shown.append(texts[i])
                room -= len(texts[i]) + 1
        return "\n".join(shown)

    def forget(self):
        """Drop the turns that have faded."""
        kept = np.flatnonzero(np.exp((self.recalled - self.today) / (FADE_DAYS * self.strengths)) >= FORGET_BELOW)
        self.passages = [self.passages[i] for i in kept]
        self.vectors, self.strengths, self.recalled = self.vectors[kept], self.strengths[kept], self.recalled[kept]

    def rewritten(self, traits):
        """History and portrait after the last day: the model's, or else the newest first sentences and impressions."""
        old = {"history": self.history, "portrait": self.portrait, "words": HISTORY_CHARS // 7}
        prompt = REWRITE.format(summary=self.summaries[-1], traits=traits[:READ_CHARS], **old)
        try:
            reply = self.toolkit.llm_completion([{"role": "user", "content": prompt}])
            found = json.loads(re.search(r"\{.*\}", reply, re.DOTALL)[0])
            texts = [" ".join(found[name].split()) for name in ("history", "portrait")]
        except Exception as error:
            self.toolkit.logger.debug(f"history and portrait are extracts: {error}")
            firsts = [re.match(r"Day (?:\[.*?\] )?(.*?(?:[.!?]|$))", summary)[1] for summary in self.summaries]
            impressions = [f"{who}: {what}" for who, what in self.traits.items()]
            texts = [" ".join(" ".join(parts).split()) for parts in (firsts[::-1], impressions)]
        return [text[:HISTORY_CHARS] for text in texts]


def day_of(text):
    """The number of the day of the first date in a text, 0 where there is none."""
    months = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
    named = re.search(rf"(\d\d?)?(?:st|nd|rd|th)?\W*\b({months})[a-z]*\W*(\d\d?\b)?\W*(\d{{4}})", text.lower())
    digits = re.search(r"(\d{4})[-/](\d\d?)[-/](\d\d?)", text)
    try:
        if named:
            return date(int(named[4]), months.index(named[2]) // 4 + 1, int(named[1] or named[3] or 1)).toordinal()
        return date(*map(int, digits.groups())).toordinal() if digits else 0
    except ValueError:
        return 0
