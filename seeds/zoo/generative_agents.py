"""Keeps a stream of lines and of insights drawn from them, reads by recency, importance and relevance together.
Bets that what came lately and what matters much should have a say beside what is asked about.
Source: Generative Agents (2304.03442): recency fades by the hours since a memory was last called to mind, and insights
are drawn when the importance of what is new adds up to 150; the weights are the released code's, not the paper's 1.
Simplified: importance, 1 to 10, is the cosine to the nearest statement that the task agent called important. Calling to
mind happens at writing: a new line recalls the older memory most like it. One call draws the insights; without a model
they are the most important lines about the words that recur most."""

from __future__ import annotations

import json
import re
import textwrap
from collections import Counter
from dataclasses import dataclass, field
from datetime import date

import numpy as np

RECENCY = 0.5  # weights of the three, each scaled to 0..1
IMPORTANCE = 2.0
RELEVANCE = 3.0
DECAY = 0.995  # of recency, an hour
REFLECT_AT = 150  # importance of new lines that sets off a reflection
TUNABLES = {
    "RECENCY": (0.0, 3.0),
    "IMPORTANCE": (0.0, 3.0),
    "RELEVANCE": (0.5, 5.0),
    "DECAY": (0.9, 1.0),
    "REFLECT_AT": (50, 1000),
}

READ_CHARS = 3000
LINE_CHARS = 400  # longer lines are cut into pieces
RECENT = 100  # memories that a reflection looks at
RECALLED = 0.5  # cosine at which a new line calls an older one to mind

INSTRUCTION_KNOWLEDGE_ITEM = "Quote what will still matter in a year: turning points, decisions, feelings, relations."
INSTRUCTION_QUERY = "Repeat the question in full."
INSTRUCTION_RESPONSE = "Answer from the memories. Work out dates from the date of a memory. Be brief."
ALWAYS_ON_KNOWLEDGE = "The memory holds what was said, and insights drawn from it."
REFLECT = (
    "{listed}\n\nThink of the 3 most salient questions that these statements let you answer about those who appear. "
    "Give up to 5 insights that answer them, each a sentence that stands alone, with the numbers of its statements. "
    'Reply with JSON only: {{"insights": [{{"text": "...", "because": [1, 5]}}]}}'
)


@dataclass
class KnowledgeItem:
    important_facts: list[str] = field(metadata={"description": "What matters for long, quoted"})
    date: str = field(default="", metadata={"description": "When the episode took place, as written"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question in full"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.passages = []  # lines and insights as they are shown
        self.vectors = np.zeros((0, 0), dtype=np.float32)
        self.importance = []  # 1 to 10
        self.accessed = []  # the day on which a memory was last called to mind
        self.today = 0  # by the dates of the episodes; an episode without one is a day later than the last
        self.unreflected = 0.0

    def write(self, item, raw_text):
        lines = [line for line in raw_text.replace("\0", " ").splitlines() if not line.startswith("Date:")]
        pieces = [piece for line in lines for piece in textwrap.wrap(line, LINE_CHARS)]
        if not pieces:
            return
        self.today = max(self.today, day_of(item.date) or self.today + 1)
        vectors = self.toolkit.embed(pieces)
        if self.passages:
            cosines = vectors @ self.vectors.T
            for older in cosines.argmax(axis=1)[cosines.max(axis=1) >= RECALLED]:
                self.accessed[older] = self.today
        facts = [fact[:LINE_CHARS] for fact in item.important_facts[:50]] or [""]
        importance = 1 + 9 * np.clip((vectors @ self.toolkit.embed(facts).T).max(axis=1), 0, 1)
        heading = f"[{item.date[:40]}] " if item.date else ""
        self.add([heading + piece for piece in pieces], vectors, importance.tolist())
        self.unreflected += float(importance.sum())
        if self.unreflected >= REFLECT_AT:
            self.unreflected = 0.0
            insights = self.insights(range(max(0, len(self.passages) - RECENT), len(self.passages)))
            texts = [text for text, _ in insights]
            self.add([f"Insight: {text}" for text in texts], self.toolkit.embed(texts), [8.0] * len(texts))
            for i in {i for _, because in insights for i in because}:
                self.accessed[i] = self.today

    def read(self, query):
        if not self.passages:
            return ""
        recency = DECAY ** (24.0 * (self.today - np.array(self.accessed)))
        relevance = self.vectors @ self.toolkit.embed([query.text])[0]
        scores = (
            RECENCY * scaled(recency) + IMPORTANCE * scaled(np.array(self.importance)) + RELEVANCE * scaled(relevance)
        )
        shown, room = [], READ_CHARS
        for i in np.argsort(-scores, kind="stable"):
            # An insight made without a model holds lines word for word.
            if len(self.passages[i]) < room and not any(self.passages[i] in other for other in shown):
                shown.append(self.passages[i])
                room -= len(self.passages[i]) + 1
        return "\n".join(shown)

    def add(self, shown, vectors, importance):
        self.vectors = np.vstack([self.vectors, vectors]) if self.passages else vectors
        self.passages.extend(shown)
        self.importance.extend(importance)
        self.accessed.extend([self.today] * len(shown))

    def insights(self, recent):
        """Up to 5 insights into recent memories, each with the numbers of those it rests on."""
        listed = "\n".join(f"{i}. {self.passages[i]}" for i in recent)
        try:
            reply = self.toolkit.llm_completion([{"role": "user", "content": REFLECT.format(listed=listed)}])
            found = json.loads(re.search(r"\{.*\}", reply, re.DOTALL)[0])["insights"][:5]
            given = [(" ".join(entry["text"].split())[:LINE_CHARS], entry["because"]) for entry in found]
            return [(text, [i for i in recent if i in because]) for text, because in given if text]
        except Exception as error:
            self.toolkit.logger.debug(f"insights are extracts: {error}")
        words = {i: set(re.findall(r"[^\W\d_]\w{4,}", self.passages[i])) for i in recent}
        common = Counter(word for i in recent for word in sorted(words[i])).most_common(3)
        best = sorted(recent, key=lambda i: -self.importance[i])
        about = {word: [i for i in best if word in words[i]][:3] for word, count in common if count > 1}
        texts = {word: " / ".join(self.passages[i] for i in because) for word, because in about.items()}
        return [(f"{word}: {texts[word]}"[:LINE_CHARS], because) for word, because in about.items()]


def scaled(values):
    span = values.max() - values.min()
    return (values - values.min()) / span if span else np.zeros(len(values))


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
