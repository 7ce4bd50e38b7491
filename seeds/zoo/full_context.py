"""Keeps every line of every episode, reads the newest lines that fit, whatever the question is.
Bets that what is asked next was said last, and that no search is needed to find it.
Source: the full-context row of every comparison of memories, for instance in LoCoMo (2402.17753).
Simplified: the whole history goes to the reader there; here it is the tail that 3,000 characters hold, under its dates.
It calls no model and makes no embedding."""

from __future__ import annotations

from dataclasses import dataclass, field

LINE_CHARS = 3000  # longer lines lose their end: a low value reaches farther back
ORDER = "time"  # "newest" first
TUNABLES = {"LINE_CHARS": [3000, 300, 150, 75], "ORDER": ["time", "newest"]}

READ_CHARS = 3000

INSTRUCTION_KNOWLEDGE_ITEM = "Give the date on which the episode took place, as it is written there."
INSTRUCTION_QUERY = "Repeat the question."
INSTRUCTION_RESPONSE = "Answer from the lines of memory. Work out dates from the date above a line. Be brief."
ALWAYS_ON_KNOWLEDGE = "The memory holds the last lines that were said, and nothing from before."


@dataclass
class KnowledgeItem:
    date: str = field(default="", metadata={"description": "When the episode took place, as written"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question in full"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.lines = []  # (episode, date, text)

    def write(self, item, raw_text):
        episode = self.lines[-1][0] + 1 if self.lines else 0
        for line in raw_text.replace("\0", " ").splitlines():
            if line.strip() and not line.startswith("Date:"):
                self.lines.append((episode, item.date[:40], line.strip()))

    def read(self, query):
        episodes = []  # the newest first, each with its date and its lines, the newest first
        room = READ_CHARS
        for episode, date, line in reversed(self.lines):
            shown = line[: min(LINE_CHARS, READ_CHARS - 50)]
            new = not episodes or episodes[-1][0] != episode
            size = len(shown) + 1 + (len(date) + 3 if new and date else 0)
            if size > room:
                break
            room -= size
            if new:
                episodes.append((episode, [f"[{date}]"] if date else [], []))
            episodes[-1][2].append(shown)
        if ORDER == "time":
            episodes = [(episode, heading, lines[::-1]) for episode, heading, lines in reversed(episodes)]
        return "\n".join(line for _, heading, lines in episodes for line in heading + lines)
