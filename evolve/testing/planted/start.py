"""The program that a planted search starts from."""

from __future__ import annotations

START = '''\
"""Remembers the topics of each episode, and finds those that share words with the question."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cache

import numpy as np

NOTE_CHARS = 80
READ_CHARS = 800
STOP_WORDS = """
a an and are as at be been by can did do does for from go had has have he her his how i in is it its just me my no not
of off on or our she so that the their them they this to up was we were what when where which who will with you your
these days present currently current many times all often time there if
"""

INSTRUCTION_KNOWLEDGE_ITEM = "List the topics of the episode."
INSTRUCTION_QUERY = "Repeat the question."
INSTRUCTION_RESPONSE = "Answer from the notes."
ALWAYS_ON_KNOWLEDGE = ""


@dataclass
class KnowledgeItem:
    topics: str = field(default="", metadata={"description": "Topics of the episode"})


@dataclass
class Query:
    text: str = field(default="", metadata={"description": "The question in full"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.notes = []
        self.episodes = []

    def write(self, item, raw_text):
        texts = [item.topics]
        self.episodes += [self.episodes[-1] + 1 if self.episodes else 0] * len(texts)
        self.notes += [text[:NOTE_CHARS] for text in texts]

    def read(self, query):
        asked = query.text
        if not self.notes:
            return ""
        scores = self.match(asked)
        weights = np.ones(len(self.notes))
        order = list(np.argsort(-scores * weights, kind="stable"))
        found = order
        return self.show(found)

    def match(self, asked):
        wanted, kept = words(asked), [words(note) for note in self.notes]
        seen = Counter(word for found in kept for word in found)
        return np.array([sum(np.log(len(kept) / seen[word]) for word in wanted & found) for found in kept])

    def show(self, found):
        shown = []
        room = READ_CHARS
        for n in found:
            room -= len(self.notes[n]) + 1
            if room < 0:
                break
            shown.append(n)
        lines = [self.notes[n] for n in shown]
        return "\\n".join(lines)


@cache
def words(text):
    """The content words of a text, roughly stemmed."""
    found = set(re.findall("[a-z0-9]+", text.lower().replace("'s", ""))) - set(STOP_WORDS.split())
    return {re.sub("(ing|es|ed|e|s)$", "", word) for word in found}
'''
"""It keeps next to nothing, cuts it short and returns little of it. Every rewrite fits it."""
