"""Keeps lines in a graph with the phrases they hold, reads the lines that a walk from the question visits most.
Bets that an answer may share no word with its question, but a third line or name that leads from one to the other.
Source: HippoRAG (2405.14831) and HippoRAG 2 (2502.14802): phrases joined by facts, by synonymy and by the passages that
hold them; personalised PageRank from the question's names and the facts nearest to it, or the nearest lines if no fact
is left. Facts are a field of the knowledge item; one call at reading drops those that do not bear on the question;
without a model those much farther than the nearest are dropped. Simplified: the words of a line are phrases too."""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass, field

import numpy as np

DAMPING = 0.5  # chance to walk on rather than to start anew
PASSAGE_WEIGHT = 0.05  # of starting in a line, times its cosine; a phrase that one line alone holds has 1
FACTS = 5  # nearest facts, to start from
NEAR = 0.7  # without a model, a fact needs this share of the best cosine
SYNONYM = 0.8  # phrases with this cosine are joined
TUNABLES = {"DAMPING": (0.1, 0.9), "PASSAGE_WEIGHT": (0.0, 1.0), "FACTS": (1, 20), "SYNONYM": (0.6, 1.0)}

READ_CHARS = 3000
LINE_CHARS = 600  # longer lines are cut into pieces
PHRASES = 12  # of a line
FUNCTION_WORDS = " and are but did does for from had has have the that was were what when where which who why with you "

INSTRUCTION_KNOWLEDGE_ITEM = (
    "List the facts of the episode as triples 'subject | relation | object', with full names, one name for one thing."
)
INSTRUCTION_QUERY = "Repeat the question in full, with the names in it."
INSTRUCTION_RESPONSE = "Answer from the lines of memory; combine lines where no single one has the answer. Be brief."
ALWAYS_ON_KNOWLEDGE = "The memory holds every line, and joins lines that speak of the same things."
RECOGNISE = (
    'Question: {question}\nWhich of these facts help to answer it? Reply with JSON only: {{"facts": [numbers]}}; the '
    "list is empty where none does.\n\n{facts}"
)


@dataclass
class KnowledgeItem:
    facts: list[str] = field(metadata={"description": "Facts as triples 'subject | relation | object'"})
    date: str = field(default="", metadata={"description": "When the episode took place, as written"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question in full"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.passages = []  # lines as they are shown
        self.vectors = np.zeros((0, 0))
        self.facts = []  # (text, numbers of its phrases)
        self.fact_vectors = np.zeros((0, 0))
        self.phrases = {}  # phrase -> number
        self.phrase_vectors = np.zeros((0, 0))
        self.held = []  # (passage, phrase)
        self.joined = []  # (phrase, phrase), by a fact or by synonymy

    def write(self, item, raw_text):
        lines = [line for line in raw_text.replace("\0", " ").splitlines() if not line.startswith("Date:")]
        pieces = [piece for line in lines for piece in textwrap.wrap(line, LINE_CHARS)]
        if not pieces:
            return
        vectors = self.toolkit.embed(pieces)
        first, known = len(self.passages), len(self.phrases)
        held = {(first + i, self.number(phrase)) for i, piece in enumerate(pieces) for phrase in phrases_of(piece)}
        facts = [fact[:LINE_CHARS] for fact in item.facts[:100] if fact.strip()]
        fact_vectors = self.toolkit.embed(facts)
        for fact, vector in zip(facts, fact_vectors, strict=True):
            triple = re.fullmatch(r"\s*([^|]*\w)\s*\|[^|]+\|\s*([^|]*\w)\W*", fact.lower())
            numbers = [self.number(phrase) for phrase in (triple.groups() if triple else phrases_of(fact))]
            held.update((first + int(np.argmax(vectors @ vector)), number) for number in numbers)
            self.joined += [tuple(numbers)] if triple else []
            self.facts.append((fact, numbers))
        self.held += sorted(held)
        self.join_synonyms(list(self.phrases)[known:])
        self.fact_vectors = stacked(self.fact_vectors, fact_vectors)
        self.vectors = stacked(self.vectors, vectors)
        self.passages.extend((f"[{item.date[:40]}] " if item.date else "") + piece for piece in pieces)

    def read(self, query):
        if not self.passages:
            return ""
        asked = self.toolkit.embed([query.text])[0]
        scores = np.maximum(self.vectors @ asked, 0)
        facts = self.recognised(query.text, self.fact_vectors @ asked) if self.facts else []
        if facts:
            own = {self.phrases[phrase] for phrase in phrases_of(query.text) if phrase in self.phrases}
            scores = self.walk(own.union(*(self.facts[fact][1] for fact in facts)), scores)
        shown, room = [], READ_CHARS
        for i in np.argsort(-scores, kind="stable"):
            if len(self.passages[i]) < room:
                shown.append(self.passages[i])
                room -= len(self.passages[i]) + 1
        return "\n".join(shown)

    def number(self, phrase):
        return self.phrases.setdefault(phrase, len(self.phrases))

    def join_synonyms(self, new):
        known, vectors = len(self.phrases) - len(new), self.toolkit.embed(new)
        self.phrase_vectors = stacked(self.phrase_vectors, vectors)[:3000]
        close = np.argwhere(vectors @ self.phrase_vectors.T >= SYNONYM) if new else np.zeros((0, 2), dtype=int)
        self.joined += [(known + i, j) for i, j in close.tolist() if j < known + i]

    def recognised(self, question, cosines):
        """The facts to start from: the model's choice among the nearest, or else those nearly as near as the best."""
        nearest = [int(i) for i in np.argsort(-cosines, kind="stable")[:FACTS]]
        listed = "\n".join(f"{n}. {self.facts[i][0]}" for n, i in enumerate(nearest, 1))
        prompt = RECOGNISE.format(question=question[:LINE_CHARS], facts=listed)
        try:
            reply = self.toolkit.llm_completion([{"role": "user", "content": prompt}])
            numbers = [int(number) for number in json.loads(re.search(r"\{.*\}", reply, re.DOTALL)[0])["facts"]]
            return [i for n, i in enumerate(nearest, 1) if n in numbers]
        except Exception as error:
            self.toolkit.logger.debug(f"facts are chosen by cosine: {error}")
            return [i for i in nearest if cosines[i] > NEAR * cosines[nearest[0]]]

    def walk(self, phrases, cosines):
        """How often each line is visited by a walk that starts in some phrases, rare ones first, or in a near line."""
        lines, count = len(self.passages), len(self.passages) + len(self.phrases)
        held, joined = (np.array(pairs, dtype=int).reshape(-1, 2) for pairs in (self.held, self.joined))
        pairs = np.vstack([held + np.array([0, lines]), joined + lines])
        start, end = np.vstack([pairs, pairs[:, ::-1]]).T
        share = 1 / np.bincount(start, minlength=count)[start]
        rarity = 1 / np.maximum(1, np.bincount(held[:, 1], minlength=len(self.phrases)))
        reset = np.concatenate([PASSAGE_WEIGHT * cosines, np.zeros(len(self.phrases))])
        chosen = np.array(sorted(phrases), dtype=int)
        reset[lines + chosen] = rarity[chosen]
        visits = reset
        for _ in range(20):
            visits = (1 - DAMPING) * reset + DAMPING * np.bincount(end, share * visits[start], minlength=count)
        return visits[:lines]


def phrases_of(text):
    """The longer names and the longest words of a text, in small letters."""
    names = [name.lower() for name in re.findall(r"[A-Z]\w+(?: [A-Z]\w+)+", text)]
    words = dict.fromkeys(re.findall(r"[^\W\d_]\w\w+", text.lower()))
    longest = sorted((word for word in words if f" {word} " not in FUNCTION_WORDS), key=len, reverse=True)
    return list(dict.fromkeys(names + longest))[:PHRASES]


def stacked(rows, new):
    return np.vstack([rows, new]) if len(rows) else new
