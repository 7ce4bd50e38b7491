"""Keeps key sentences, each linked to the raw lines of its event; reads the sentences closest to the question, and the
raw lines behind them only where the sentences are not enough. Bets that most questions are easy and few need depth.
Source: HyMem (arXiv 2602.13933). Simplified: an event is a run of lines, an event that the task agent took no sentence
from is stood for by its longest line, and nothing is answered here, so that the second round with a rewritten question
is left out. The one call, at read, judges whether the sentences are enough and names those to look behind; without it
a rule judges, by the best cosine and by words that ask for times, counts, reasons or comparisons.
"""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass, field

import numpy as np

EVENT_LINES = 6
LIGHT_HITS = 10  # key sentences that are always read
DEEP_HITS = 30  # key sentences that a deep read looks behind
ENOUGH_COSINE = 0.7  # of the best key sentence; below it the rule reads deep
ASKS_FOR_DEPTH = "yes"  # "no" makes the rule ignore the words of the question
TUNABLES = {
    "EVENT_LINES": (1, 20),
    "LIGHT_HITS": (1, 30),
    "DEEP_HITS": (1, 60),
    "ENOUGH_COSINE": (0.0, 1.0),
    "ASKS_FOR_DEPTH": ["yes", "no"],
}

READ_CHARS = 3000
DEEP = (
    r"(?i)\b(when|why|how (?:many|much|often|long)|before|after|first|last|since|both|more|less|than|compared?|same)\b"
)
PROMPT = """Question: {question}

Notes from memory:
{notes}

Can the question be answered from these notes alone? If not, which notes come from conversations worth reading in full?
Answer with JSON only: {{"sufficient": true or false, "notes": [numbers, the most promising first]}}"""

INSTRUCTION_KNOWLEDGE_ITEM = (
    "Give the date as it is written. List the key information of the episode: for each event one sentence that says "
    "who did or said what and when, in words close to those of the episode."
)
INSTRUCTION_QUERY = "Put the question in one sentence that keeps every name, date and word of comparison."
INSTRUCTION_RESPONSE = "Answer from the key sentences and, where there are any, from the lines under them. Be brief."
ALWAYS_ON_KNOWLEDGE = "The memory holds key sentences, and behind each the lines of the conversation it came from."


@dataclass
class KnowledgeItem:
    date: str = field(default="", metadata={"description": "When the episode took place, as written"})
    facts: list[str] = field(default_factory=list, metadata={"description": "Key sentences: who, what, when"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question in one sentence"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.events = []  # raw lines, a list an event
        self.sentences = []  # (key sentence, its event)
        self.vectors = np.zeros((0, 1), dtype=np.float32)

    def write(self, item, raw_text):
        date = f"[{item.date}] " if item.date else ""
        lines = [line for line in raw_text.replace("\0", " ").splitlines() if not line.startswith("Date: ")]
        lines = [piece for line in lines for piece in textwrap.wrap(line, 600)]
        events = [lines[start : start + EVENT_LINES] for start in range(0, len(lines), EVENT_LINES)]
        held = [words(" ".join(event)) for event in events]
        new = []
        for fact in [" ".join(fact.replace("\0", " ").split())[:600] for fact in item.facts if events]:
            shared = [len(words(fact) & each) for each in held]
            new.append((date + fact, shared.index(max(shared))))
        told = {event for _, event in new}
        new += [(date + max(event, key=len), i) for i, event in enumerate(events) if i not in told]
        if new:
            vectors = self.toolkit.embed([sentence for sentence, _ in new])
            self.vectors = np.vstack([self.vectors, vectors]) if self.sentences else vectors
            self.sentences += [(sentence, len(self.events) + event) for sentence, event in new]
            self.events += [[date + event[0], *event[1:]] for event in events]

    def read(self, query):
        if not self.sentences:
            return ""
        cosines = self.vectors @ self.toolkit.embed([query.text])[0]
        ranked = np.argsort(-cosines, kind="stable")[: max(LIGHT_HITS, DEEP_HITS)].tolist()
        parts = list(dict.fromkeys(self.sentences[i][0] for i in ranked[:LIGHT_HITS]))
        for i in self.look_behind(query.text, ranked, cosines):
            parts += [line for line in self.events[self.sentences[i][1]] if line not in parts]
        shown, room = [], READ_CHARS
        for part in parts:
            if len(part) <= room:
                shown.append(part)
                room -= len(part) + 1
        return "\n".join(shown)

    def look_behind(self, question, ranked, cosines):
        """The key sentences whose events are read in full: none where the light read is enough."""
        notes = "\n".join(f"{rank}. {self.sentences[i][0]}" for rank, i in enumerate(ranked))
        try:
            content = PROMPT.format(question=question, notes=notes)
            reply = self.toolkit.llm_completion([{"role": "user", "content": content}])
            judged = json.loads(reply[reply.index("{") : reply.rindex("}") + 1])
            if judged["sufficient"] is True:
                return []
            return [ranked[rank] for rank in judged["notes"] if 0 <= rank < len(ranked)] or ranked[:DEEP_HITS]
        except Exception as error:
            self.toolkit.logger.debug(f"judging by rule: {error}")
        asks = ASKS_FOR_DEPTH == "yes" and re.search(DEEP, question)
        return ranked[:DEEP_HITS] if asks or cosines[ranked[0]] < ENOUGH_COSINE else []


def words(text):
    return set(re.findall(r"\w+", text.lower()))
