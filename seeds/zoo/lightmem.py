"""Keeps the telling sentences, cut into topic segments; a full buffer of segments is summed up at once, and every now
and then a sleep merges entries that are alike; reads the entries closest to the question, the buffer's among them.
Bets that most of what is said can be dropped cheaply and that one call a buffer, not one a turn, is enough.
Source: LightMem (arXiv 2510.18866). Simplified: sentences are dropped by the rarity of their words in place of
LLMLingua-2, topics end where the embedding turns away, and the sleep merges by rule. Without a model a segment is its
own summary.
"""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

KEPT_SHARE = 0.7  # of an episode's sentences
TOPIC_SHIFT = 0.25  # cosine with the segment so far below which a line begins the next
BUFFER_CHARS = 3000
MERGE_COSINE = 0.8
SLEEP_EVERY = 20  # new entries between two sleeps
TUNABLES = {
    "KEPT_SHARE": (0.2, 1.0),
    "TOPIC_SHIFT": (0.0, 0.6),
    "BUFFER_CHARS": (500, 12000),
    "MERGE_COSINE": (0.5, 1.0),
    "SLEEP_EVERY": (1, 100),
}

READ_CHARS = 3000
SEGMENT_CHARS = 900
PROMPT = """Sum up each segment of conversation: who did, said, planned or decided what, with names, numbers and dates.
Answer with JSON only: [{"segment": 0, "memory": "..."}, ...]"""

INSTRUCTION_KNOWLEDGE_ITEM = "Give the date on which the episode took place, as it is written there."
INSTRUCTION_QUERY = "Put the question in one sentence that names the people and the subject."
INSTRUCTION_RESPONSE = "Answer from the entries of memory. Work out dates from the date before an entry. Be brief."
ALWAYS_ON_KNOWLEDGE = "The memory holds short entries, one a topic, with the date on which it came up last."


@dataclass
class KnowledgeItem:
    date: str = field(default="", metadata={"description": "When the episode took place, as written"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question in one sentence"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.counts = Counter()
        # Both hold {line: when it was said last}, one dict a topic.
        self.buffer = []
        self.entries = []
        self.vectors = np.zeros((0, 1), dtype=np.float32)
        self.fresh = 0  # entries since the last sleep

    def write(self, item, raw_text):
        lines = [line for line in raw_text.replace("\0", " ").splitlines() if not line.startswith("Date: ")]
        segments = self.segments(self.compress(lines))
        self.buffer += [dict.fromkeys(segment.splitlines(), item.date) for segment in segments]
        if sum(len(line) for segment in self.buffer for line in segment) >= BUFFER_CHARS:
            self.consolidate()
        if self.fresh >= SLEEP_EVERY:
            self.sleep()

    def compress(self, lines):
        """The lines without the sentences that tell least, by the rarity of their words so far."""
        self.counts.update(re.findall(r"\w+", " ".join(lines).lower()))
        total = self.counts.total()
        turns = []
        for line in lines:
            speaker, said = re.match(r"([^\W\d_][^:\n]{0,30}:\s)?(.*)", line).groups()
            sentences = [sentence for sentence in re.split(r"(?<=[.!?])\s+", said) if sentence.strip()]
            words = [set(re.findall(r"\w+", sentence.lower())) for sentence in sentences]
            told = [sum(math.log(total / self.counts[word]) for word in each) for each in words]
            turns.append((speaker or "", list(zip(told, sentences, strict=True))))
        least = np.quantile([told for _, said in turns for told, _ in said] or [0], 1 - KEPT_SHARE)
        kept = [(speaker, " ".join(text for told, text in said if told >= least)) for speaker, said in turns]
        return [piece for speaker, text in kept if text for piece in textwrap.wrap(speaker + text, SEGMENT_CHARS)]

    def segments(self, lines):
        """Runs of lines on one topic."""
        found = []
        for line, vector in zip(lines, self.toolkit.embed(lines), strict=True):
            near = bool(found) and vector @ found[-1][1] >= TOPIC_SHIFT * np.linalg.norm(found[-1][1])
            if near and len(found[-1][0]) + len(line) < SEGMENT_CHARS:
                found[-1] = (f"{found[-1][0]}\n{line}", found[-1][1] + vector)
            else:
                found.append((line, vector))
        return [text for text, _ in found]

    def consolidate(self):
        """One call sums the buffer up; a segment without a usable summary becomes an entry as it is."""
        new = self.buffer
        listed = "\n\n".join(f"Segment {i}:\n{show(segment)}" for i, segment in enumerate(new))
        try:
            reply = self.toolkit.llm_completion([{"role": "user", "content": f"{PROMPT}\n\n{listed}"}])
            for note in json.loads(reply[reply.index("[") : reply.rindex("]") + 1]):
                if memory := " ".join(note["memory"].split())[:SEGMENT_CHARS]:
                    new[note["segment"]] = {memory: [*new[note["segment"]].values()][-1]}
        except Exception as error:
            self.toolkit.logger.debug(f"segments stay as they are: {error}")
        vectors = self.toolkit.embed(["\n".join(entry) for entry in new])
        self.vectors = np.vstack([self.vectors, vectors]) if self.entries else vectors
        self.entries += new
        self.fresh += len(new)
        self.buffer = []

    def sleep(self):
        """Each entry since the last sleep takes in the older ones that are like it; what both say stays once."""
        gone = set()
        first = len(self.entries) - self.fresh
        cosines = self.vectors[first:] @ self.vectors.T
        for i, row in enumerate(cosines, first):
            alike = [j for j in np.flatnonzero(row[:i] >= MERGE_COSINE).tolist() if j not in gone]
            for j in alike[-10:]:
                if len("".join(merged := {**self.entries[j], **self.entries[i]})) <= 2 * SEGMENT_CHARS:
                    self.entries[i] = merged
                    gone.add(j)
            if alike:
                self.vectors[i] = self.toolkit.embed(["\n".join(self.entries[i])])[0]
        kept = [i for i in range(len(self.entries)) if i not in gone]
        self.entries, self.vectors, self.fresh = [self.entries[i] for i in kept], self.vectors[kept], 0

    def read(self, query):
        held = [*self.entries, *self.buffer]
        waiting = self.toolkit.embed(["\n".join(segment) for segment in self.buffer])
        vectors = np.vstack([self.vectors, waiting]) if self.entries else waiting
        parts, room = [], READ_CHARS
        for i in np.argsort(-(vectors @ self.toolkit.embed([query.text])[0]), kind="stable"):
            if room > 100 and len(text := show(held[i])) <= room:
                parts.append(text)
                room -= len(text) + 1
        return "\n".join(parts)


def show(entry):
    """The lines of an entry, with the date where it changes."""
    parts, last = [], ""
    for line, date in entry.items():
        parts.append(f"[{date}] {line}" if date and date != last else line)
        last = date
    return "\n".join(parts)
