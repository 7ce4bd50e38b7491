"""Keeps one sheet that is curated after every episode: entries with a count of how often they proved of use.
Bets that a single short text, rewritten again and again, ends up holding what is needed again and again.

Source: Dynamic Cheatsheet, cumulative form (arXiv 2504.07952). The toolkit's call is the curator: it rewrites the whole
sheet, and what it does not copy is lost. Without it, a fact of the task agent's that the sheet says already raises that
entry's count, others are added with a count of 1, and where the sheet is full the entries with the lowest count are
lost, the oldest first. The sheet is longer than what can be read: the entries closest to the question come first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

SHEET_CHARS = 6000
SAME_COSINE = 0.85  # two entries this similar say the same
READ_ORDER = "question"  # "count" puts the entries used most often first, whatever the question is
SHOW_COUNT = "yes"
TUNABLES = {
    "SHEET_CHARS": (1500, 24000),
    "SAME_COSINE": (0.5, 0.99),
    "READ_ORDER": ["question", "count"],
    "SHOW_COUNT": ["yes", "no"],
}

READ_CHARS = 3000
ENTRY = re.compile(r"<memory_item>(.*?)</memory_item>[\s*]*(?:Count:\s*(\d{1,6}))?", re.DOTALL)

INSTRUCTION_KNOWLEDGE_ITEM = (
    "List the facts, strategies and worked examples that are worth keeping on a cheatsheet for later questions and "
    "tasks; each stands alone, with names, numbers and dates."
)
INSTRUCTION_QUERY = "Repeat the question or task."
INSTRUCTION_RESPONSE = "Use the cheatsheet. A count tells how often an entry proved of use."
ALWAYS_ON_KNOWLEDGE = "The memory is one cheatsheet of facts, strategies and examples."
CURATE = """You are the curator of a cheatsheet of at most {limit} characters. Rewrite all of it in the light of the
episode: copy what is still of use, refine it, merge what says the same, add what is worth knowing. What you do not copy
is lost. Raise the count of each entry that the episode used or confirmed; new entries have the count 1. Reply with
entries in this form only:
<memory_item>
description, then an example
</memory_item>
** Count: 1

Cheatsheet:
{sheet}

Episode:
{text}"""


@dataclass
class KnowledgeItem:
    facts: list[str] = field(metadata={"description": "What is worth keeping; one sentence each, standing alone"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question or task in full"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.sheet = []  # (text, count), the oldest first
        self.keys = []  # one vector an entry

    def write(self, item, raw_text):
        if not raw_text.strip():
            return
        curated = self.curate(raw_text)
        if curated:
            self.sheet = curated
            self.keys = list(self.toolkit.embed([text for text, _ in curated]))
        else:
            self.add([" ".join(fact.split())[:600] for fact in item.facts if fact.strip()])
        self.shorten()

    def curate(self, raw_text):
        """The sheet as the model rewrites it; nothing where its reply holds no entry."""
        sheet = "\n".join(f"<memory_item>\n{text}\n</memory_item>\n** Count: {count}" for text, count in self.sheet)
        prompt = CURATE.format(limit=SHEET_CHARS, sheet=sheet or "empty", text=raw_text[:8000])
        try:
            reply = self.toolkit.llm_completion([{"role": "user", "content": prompt}])
            found = [(" ".join(text.split())[:1000], int(count or 1)) for text, count in ENTRY.findall(reply)]
        except Exception as error:
            self.toolkit.logger.debug(f"curated by rule: {error}")
            return []
        return [(text, count) for text, count in found if text]

    def add(self, facts):
        for fact, key in zip(facts, self.toolkit.embed(facts), strict=True):
            cosines = np.array(self.keys) @ key if self.keys else np.zeros(1)
            best = int(np.argmax(cosines))
            if self.sheet and cosines[best] >= SAME_COSINE:
                self.sheet[best] = (self.sheet[best][0], self.sheet[best][1] + 1)
            else:
                self.sheet.append((fact, 1))
                self.keys.append(key)

    def shorten(self):
        """Lose entries, those with the lowest count first and of these the oldest, until the sheet is short enough."""
        size = sum(len(text) + 1 for text, _ in self.sheet)
        lost = set()
        for i in sorted(range(len(self.sheet)), key=lambda i: (self.sheet[i][1], i)):
            if size <= SHEET_CHARS:
                break
            lost.add(i)
            size -= len(self.sheet[i][0]) + 1
        self.sheet = [entry for i, entry in enumerate(self.sheet) if i not in lost]
        self.keys = [key for i, key in enumerate(self.keys) if i not in lost]

    def read(self, query):
        if not self.sheet:
            return ""
        counts = np.array([count for _, count in self.sheet])
        scores = np.array(self.keys) @ self.toolkit.embed([query.text])[0] if READ_ORDER == "question" else counts
        shown = []
        room = READ_CHARS
        # Rounded: what is equally close ties, and the earlier comes first.
        for i in np.argsort(-scores.round(6), kind="stable"):
            text, count = self.sheet[i]
            line = f"- {text}" + (f" (count {count})" if SHOW_COUNT == "yes" else "")
            if len(line) + 1 <= room:
                shown.append(line)
                room -= len(line) + 1
        return "\n".join(shown)
