"""Keeps thoughts in buckets of similar meaning, reads the bucket that the question falls into, then its neighbours.
Bets that conclusions drawn once need not be drawn again, and that only similar thoughts can be in each other's way.
Source: Think-in-Memory (2311.08719): a thought's bucket is the direction, among fixed ones and their opposites, that
its embedding points to most; new thoughts are inserted, contradicted ones forgotten, those about one thing merged.
Simplified: the thoughts of an episode are a field of the knowledge item, and one call decides on all of them; fixed
waves stand for random directions; a new thought also meets those of the next buckets. Without a model a thought that
begins like an older one and ends otherwise replaces it, and near ones that begin with the same word are merged."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass, field

import numpy as np

BUCKETS = 16
COMPARED = 4  # buckets, from its own on, in which a new thought meets older ones
HITS = 40  # neighbours are read until there are as many thoughts
SAME_START = 0.6  # share of the words, from the first on, that a thought has in common with one that it contradicts
MERGE_AT = 0.85  # cosine
TUNABLES = {"BUCKETS": [4, 8, 16, 32, 64], "COMPARED": (1, 8), "SAME_START": (0.3, 1.0), "MERGE_AT": (0.6, 1.0)}

READ_CHARS = 3000
THOUGHT_CHARS = 400
FIRST_WAVE = 33  # the slowest waves put nearly all thoughts into three buckets

INSTRUCTION_KNOWLEDGE_ITEM = (
    "List the thoughts to keep from the episode: each one sentence that stands alone and says how something named "
    "relates to something else ('Anna works at the port')."
)
INSTRUCTION_QUERY = "Put the question as the statement that would answer it, with a gap for the answer."
INSTRUCTION_RESPONSE = "Answer from the thoughts. Work out dates from the date before a thought. Be brief."
ALWAYS_ON_KNOWLEDGE = "The memory holds thoughts drawn from what was said, not the words themselves."
POST_THINK = (
    "New thoughts:\n{new}\n\nThoughts already in memory, by number:\n{old}\n\nDecide what memory should hold. Reply "
    'with JSON only: {{"insert": ["new thoughts to keep, as they are"], "forget": [numbers of thoughts in memory '
    'that a new one contradicts], "merge": [{{"numbers": [thoughts in memory on one thing], "text": "one thought"}}]}}'
)


@dataclass
class KnowledgeItem:
    thoughts: list[str] = field(metadata={"description": "Facts that follow from the episode, a sentence each"})
    date: str = field(default="", metadata={"description": "When the episode took place, as written"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.thoughts = {}  # number -> (date, text, its words, embedding)
        self.buckets = {}  # bucket -> numbers
        self.count = 0

    def write(self, item, raw_text):
        new = cleaned(item.thoughts[:100])
        vectors = self.embed(new)
        old = sorted({number for vector in vectors for number in self.near(vector)})
        if not (old and self.post_think(new, old, item.date[:40])):
            for text, vector in zip(new, vectors, strict=True):
                self.insert_by_rule(text, vector, item.date[:40])

    def read(self, query):
        asked = self.embed([query.text])[0]
        found = []
        for bucket in ranked(asked):
            inside = [self.thoughts[number] for number in self.buckets.get(bucket, [])]
            found += sorted(inside, key=lambda thought: -(thought[3] @ asked))
        shown, room = [], READ_CHARS
        for date, text, *_ in found[:HITS]:
            line = f"[{date}] {text}" if date else text
            if len(line) < room:
                shown.append(line)
                room -= len(line) + 1
        return "\n".join(shown)

    def embed(self, texts):
        return self.toolkit.embed([" ".join(words_of(text)) for text in texts])

    def near(self, vector):
        """The numbers of the thoughts that a new one may be in the way of."""
        return [number for bucket in ranked(vector)[:COMPARED] for number in self.buckets.get(bucket, [])]

    def insert(self, text, vector, date):
        self.thoughts[self.count] = (date, text, words_of(text), vector)
        self.buckets.setdefault(ranked(vector)[0], []).append(self.count)
        self.count += 1

    def forget(self, number):
        self.buckets[ranked(self.thoughts.pop(number)[3])[0]].remove(number)

    def post_think(self, new, old, date):
        """Let the model insert, forget and merge; tell whether its answer was usable."""
        listed = "\n".join(f"{number}. {self.thoughts[number][1]}" for number in old)
        prompt = POST_THINK.format(new="\n".join(new), old=listed)
        try:
            reply = self.toolkit.llm_completion([{"role": "user", "content": prompt}])
            found = json.loads(re.search(r"\{.*\}", reply, re.DOTALL)[0])
            merges = [(set(entry["numbers"]) & set(old), entry["text"]) for entry in found.get("merge", [])]
            gone = set(found.get("forget", [])).intersection(old).union(*(numbers for numbers, _ in merges))
            texts = cleaned([*found["insert"], *(text for numbers, text in merges if numbers)])
        except Exception as error:
            self.toolkit.logger.debug(f"thoughts are managed by rule: {error}")
            return False
        for number in sorted(gone):
            self.forget(number)
        for text, vector in zip(texts, self.embed(texts), strict=True):
            self.insert(text, vector, date)
        return True

    def insert_by_rule(self, text, vector, date):
        """Insert a thought; forget what it contradicts, and take in what is nearly the same."""
        words = words_of(text)
        for number in self.near(vector):
            _, known, older, close = self.thoughts[number]
            if words[:1] != older[:1]:
                continue
            same = len(list(itertools.takewhile(lambda pair: pair[0] == pair[1], zip(words, older, strict=False))))
            if same >= SAME_START * max(len(words), len(older)):
                self.forget(number)
            elif close @ vector >= MERGE_AT and len(known) + len(text) + 2 <= THOUGHT_CHARS:
                text = f"{known}; {text}"
                self.forget(number)
        self.insert(text, self.embed([text])[0], date)


def cleaned(texts):
    """The texts on one line each, without empty and equal ones."""
    lines = (" ".join(text.replace("\0", " ").split())[:THOUGHT_CHARS] for text in texts)
    return list(dict.fromkeys(line for line in lines if line))


def words_of(text):
    """The words of a thought in small letters, without the number that a listed fact begins with."""
    return re.findall(r"\w+", re.sub(r"^\d+\.", "", text.lower()))


def ranked(vector):
    """The buckets from the one that an embedding falls into to the farthest."""
    places = np.arange(len(vector)) + 0.5
    waves = np.cos(np.pi / len(vector) * np.outer(places, np.arange(FIRST_WAVE, FIRST_WAVE + BUCKETS // 2)))
    along = vector @ waves
    return np.argsort(-np.concatenate([along, -along]), kind="stable").tolist()
