"""Keeps episodes, cut where the talk turns, and of the statements in them only those that what is known so far does not
predict; reads the statements and the episodes closest to the question. Bets that what surprises is what to learn.
Source: Nemori (arXiv 2508.03341). Simplified: boundaries are where the embedding turns away from the episode so far,
an episode keeps its own words instead of a narrative, and the task agent's facts stand in for what a model finds in
it. The one call takes the facts and what is known nearby, and returns what could not have been predicted; without it
a fact is predictable if the closest known statements hold its words.
"""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass, field

import numpy as np

BOUNDARY = 0.25  # cosine with the episode so far below which a line begins the next
EPISODE_CHARS = 700  # longer episodes are cut
SURPRISE = 0.15  # share of a fact's words that the prediction has to miss
PREDICTORS = 5  # known statements that a prediction is made from
SEMANTIC_SHARE = 0.4  # of what is read
TUNABLES = {
    "BOUNDARY": (0.0, 0.6),
    "EPISODE_CHARS": (200, 2000),
    "SURPRISE": (0.0, 0.9),
    "PREDICTORS": (1, 20),
    "SEMANTIC_SHARE": (0.0, 1.0),
}

READ_CHARS = 3000
PROMPT = """What is known:
{known}

What was said:
{said}

Statements:
{facts}

First predict what was said from what is known. Then answer with a JSON list of strings only: the statements that you
could not have predicted, corrected and completed from what was said, each so that it stands alone."""

INSTRUCTION_KNOWLEDGE_ITEM = (
    "Give the date as it is written. List what the episode tells that may matter later: facts, plans, opinions and "
    "changes, each a sentence that stands alone, with names, numbers and absolute dates."
)
INSTRUCTION_QUERY = "Put the question in one sentence that names the people and the subject."
INSTRUCTION_RESPONSE = "Answer from the statements and episodes of memory; the later one holds where two disagree."
ALWAYS_ON_KNOWLEDGE = "The memory holds statements that were news at their time, and episodes in their own words."


@dataclass
class KnowledgeItem:
    date: str = field(default="", metadata={"description": "When the episode took place, as written"})
    facts: list[str] = field(default_factory=list, metadata={"description": "Facts, one sentence each"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question in one sentence"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.episodes = []
        self.episode_vectors = np.zeros((0, 1), dtype=np.float32)
        self.statements = []
        self.statement_vectors = np.zeros((0, 1), dtype=np.float32)

    def write(self, item, raw_text):
        dated = f"[{item.date}] " if item.date else ""
        lines = [line for line in raw_text.replace("\0", " ").splitlines() if not line.startswith("Date: ")]
        episodes = self.episodes_of([piece for line in lines for piece in textwrap.wrap(line, EPISODE_CHARS)])
        if episodes:
            vectors = self.toolkit.embed(episodes)
            self.episode_vectors = np.vstack([self.episode_vectors, vectors]) if self.episodes else vectors
            self.episodes += [dated + text for text in episodes]
        facts = [fact for text in item.facts if (fact := tidy(text))]
        if facts:
            self.calibrate(facts, "\n".join(episodes), dated)

    def episodes_of(self, lines):
        """Runs of lines on one subject."""
        found = []
        for line, vector in zip(lines, self.toolkit.embed(lines), strict=True):
            near = bool(found) and vector @ found[-1][1] >= BOUNDARY * np.linalg.norm(found[-1][1])
            if near and len(found[-1][0]) + len(line) < EPISODE_CHARS:
                found[-1] = (f"{found[-1][0]}\n{line}", found[-1][1] + vector)
            else:
                found.append((line, vector))
        return [text for text, _ in found]

    def calibrate(self, facts, said, dated):
        """Learn what the prediction missed: one call says what, or else the words of the closest statements do."""
        vectors = self.toolkit.embed(facts)
        try:
            known = "\n".join(self.closest(vectors.mean(axis=0), 4 * PREDICTORS)) or "(nothing)"
            content = PROMPT.format(known=known, said=said, facts="\n".join(f"- {fact}" for fact in facts))
            reply = self.toolkit.llm_completion([{"role": "user", "content": content}])
            missed = [tidy(text) for text in json.loads(reply[reply.index("[") : reply.rindex("]") + 1])]
        except Exception as error:
            self.toolkit.logger.debug(f"predicting by words: {error}")
            for fact, vector in zip(facts, vectors, strict=True):
                predicted = set(words(" ".join(self.closest(vector, PREDICTORS))))
                gap = [word for word in words(fact) if word not in predicted]
                if len(gap) > SURPRISE * len(words(fact)):
                    self.learn(dated + fact, vector)
        else:
            for fact, vector in zip(missed, self.toolkit.embed(missed), strict=True):
                self.learn(dated + fact, vector)

    def learn(self, statement, vector):
        row = vector[None]
        self.statement_vectors = np.vstack([self.statement_vectors, row]) if self.statements else row
        self.statements.append(statement)

    def closest(self, vector, count):
        if not self.statements:
            return []
        order = np.argsort(-(self.statement_vectors @ vector), kind="stable")[:count]
        return [self.statements[i] for i in order]

    def read(self, query):
        vector = self.toolkit.embed([query.text])[0]
        parts, room = [], READ_CHARS * SEMANTIC_SHARE
        for text in self.closest(vector, 20):
            if len(text) <= room:
                parts.append(text)
                room -= len(text) + 1
        room = READ_CHARS - len("\n".join(parts)) - 1
        order = np.argsort(-(self.episode_vectors @ vector), kind="stable") if self.episodes else []
        for i in order:
            if len(self.episodes[i]) <= room:
                parts.append(self.episodes[i])
                room -= len(self.episodes[i]) + 1
        return "\n".join(parts)


def tidy(text):
    return " ".join(text.replace("\0", " ").split())[:600]


def words(text):
    return re.findall(r"\w+", text.lower())
