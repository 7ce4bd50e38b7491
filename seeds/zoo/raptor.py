"""Keeps lines, summaries of groups of similar lines, and summaries of summaries; reads the nearest of all of them.
Bets that some questions ask for one line and others for the gist of many, and that the nearest height is the right one.
Source: RAPTOR (2401.18059), read as a collapsed tree.
Simplified: k-means over the embeddings instead of Gaussian mixtures over UMAP; a part joins every group that is nearly
as close as its own. The tree grows with the episodes: where enough parts of one height wait, that height is grouped,
the lowest first, and one call writes all of its summaries. Without a model a summary is the parts nearest the middle.
"""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass, field

import numpy as np

WAITING = 40  # parts of one height that are grouped together
GROUP = 5  # of them in a group, on average
SOFTNESS = 0.05  # a part joins every group that is farther than its own by no more than this cosine
HEIGHTS = 4  # of summaries above the lines
SUMMARY_CHARS = 400
TUNABLES = {
    "WAITING": (10, 100),
    "GROUP": (2, 12),
    "SOFTNESS": (0.0, 0.15),
    "HEIGHTS": (1, 5),
    "SUMMARY_CHARS": (100, 800),
}

READ_CHARS = 3000
LINE_CHARS = 400  # about 100 tokens; longer lines are cut into pieces

INSTRUCTION_KNOWLEDGE_ITEM = "Give the date on which the episode took place, as it is written there."
INSTRUCTION_QUERY = "Put the question in words that the passage holding the answer, or a summary of it, may use."
INSTRUCTION_RESPONSE = "Answer from the lines and the summaries of memory; trust a line over a summary. Be brief."
ALWAYS_ON_KNOWLEDGE = "The memory holds every line, and summaries of lines that belong together."
SUMMARISE = (
    "Below are groups of notes. Summarise each group in at most {words} words: keep names, numbers and dates, and what "
    'the notes have in common. Reply with JSON only: {{"summaries": ["of group 1", "of group 2", ...]}}\n\n{groups}'
)


@dataclass
class KnowledgeItem:
    date: str = field(default="", metadata={"description": "When the episode took place, as written"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question, or the words to look for"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.passages = []  # lines and summaries as they are shown
        self.vectors = np.zeros((0, 0), dtype=np.float32)
        self.parts = []  # positions of what a summary is made from; of a line, none
        self.waiting = [[] for _ in range(HEIGHTS)]  # by height: positions that no summary covers yet

    def write(self, item, raw_text):
        lines = [line for line in raw_text.replace("\0", " ").splitlines() if not line.startswith("Date:")]
        date = f"[{item.date[:40]}] " if item.date else ""
        pieces = [piece for line in lines for piece in textwrap.wrap(line, LINE_CHARS)]
        self.add(0, [(date + piece, piece, []) for piece in pieces])
        for height, waiting in enumerate(self.waiting):
            if len(waiting) >= WAITING:
                groups = self.grouped(waiting)
                self.waiting[height] = []
                summaries = zip(self.summaries(groups), groups, strict=True)
                self.add(height + 1, [(f"Summary: {text}", text, group) for text, group in summaries])
                break

    def read(self, query):
        if not self.passages:
            return ""
        cosines = self.vectors @ self.toolkit.embed([query.text])[0]
        shown, room = [], READ_CHARS
        for i in np.argsort(-cosines, kind="stable"):
            # An extract may hold the line word for word.
            if len(self.passages[i]) < room and not any(self.passages[i] in other for other in shown):
                shown.append(self.passages[i])
                room -= len(self.passages[i]) + 1
        return "\n".join(shown)

    def add(self, height, entries):
        if entries:
            vectors = self.toolkit.embed([text for _, text, _ in entries])
            self.vectors = np.vstack([self.vectors, vectors]) if self.passages else vectors
            if height < HEIGHTS:
                self.waiting[height].extend(range(len(self.passages), len(self.passages) + len(entries)))
            self.passages.extend(shown for shown, _, _ in entries)
            self.parts.extend(parts for _, _, parts in entries)

    def grouped(self, positions):
        """Groups of positions that are close in meaning, by k-means; a position may be in several."""
        vectors = self.vectors[positions]
        chosen, closest = [0], vectors @ vectors[0]
        while len(chosen) < len(positions) // GROUP:  # the next centre is what is farthest from all of them
            chosen.append(int(np.argmin(closest)))
            closest = np.maximum(closest, vectors @ vectors[chosen[-1]])
        centres = vectors[chosen]
        for _ in range(10):
            nearest = np.argmax(vectors @ centres.T, axis=1)
            means = [vectors[nearest == k].mean(axis=0) if (nearest == k).any() else c for k, c in enumerate(centres)]
            centres = np.array([mean / (np.linalg.norm(mean) or 1) for mean in means])
        cosines = vectors @ centres.T
        joined = cosines >= cosines.max(axis=1, keepdims=True) - SOFTNESS
        return [[positions[i] for i in np.flatnonzero(column)] for column in joined.T if column.sum() > 1]

    def summaries(self, groups):
        """One text for each group: the model's, or else the parts nearest to the middle of the group."""
        listed = [[self.passages[i].removeprefix("Summary: ") for i in group] for group in groups]
        extracts = [self.extract(group, texts) for group, texts in zip(groups, listed, strict=True)]
        blocks = [f"Group {n}:\n" + "\n".join(texts) for n, texts in enumerate(listed, 1)]
        prompt = SUMMARISE.format(words=SUMMARY_CHARS // 6, groups="\n\n".join(blocks))
        try:
            reply = self.toolkit.llm_completion([{"role": "user", "content": prompt}])
            found = json.loads(re.search(r"\{.*\}", reply, re.DOTALL)[0])["summaries"]
            given = [text.strip() if isinstance(text, str) else "" for text in found]
        except Exception as error:
            self.toolkit.logger.debug(f"summaries are extracts: {error}")
            given = []
        given = [" ".join(text.split())[:SUMMARY_CHARS] for text in [*given, *[""] * len(groups)]]
        return [text or extract for text, extract in zip(given, extracts, strict=False)]

    def extract(self, group, texts):
        vectors = self.vectors[group]
        chosen, room = [], SUMMARY_CHARS
        for i in np.argsort(-(vectors @ vectors.mean(axis=0)), kind="stable"):
            if not chosen or len(texts[i]) < room:
                chosen.append(i)
                room -= len(texts[i]) + 1
        return " ".join(texts[i] for i in sorted(chosen))[:SUMMARY_CHARS]
