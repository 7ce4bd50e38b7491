"""Keeps one fact a line and holds every new one against its like: add, update, delete or leave; reads the closest.
Bets that a memory stays short and true if facts that disagree meet when they are written, not when they are read.
Source: Mem0 (2504.19413). Simplified: one call decides for all facts of an episode; no rolling summary, no triples. A
list of numbered facts is taken as it stands. Where no model decides, rules do: words that are there already NOOP, a new
value of the same subject and relation UPDATE, "no longer" DELETE, the rest ADD. Without extraction a line is a fact."""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass, field

import numpy as np

HITS = 30
SIMILAR = 5  # known facts that the model sees beside each new one (10 in the source)
ASKED = 20  # new facts that it decides on at most, those closest to a known one first
DENIED = 0.5  # least similarity of the fact that a "no longer" takes back
TUNABLES = {"HITS": (5, 60), "SIMILAR": (1, 20), "ASKED": (5, 100), "DENIED": (0.3, 0.9)}

READ_CHARS = 3000
LINE_CHARS = 600
CHANGES = ("UPDATE", "DELETE")
LINK = r"(?:as|at|by|for|from|in|of|on|to|with)\b(?: the [a-z]+ of\b)?"
IS = rf".*\b(?:is|are|was|were)\b(?: (?:an? |the )?[a-z]+ {LINK})?"
GIVES = rf"({IS}|.*? [a-z]+(?:s|ed) (?:{LINK}|the [a-z]+ of\b)|.*\b(?:live|work|drive|study)(?: {LINK})?) \S"
# What somebody says of an "it", or in the past tense, is undone by no later line.
UNCLEAR = r"(?i)^(?:he|here|how|it|it's|she|th(?:at|is|ese|ose|ere|ey)|we|wh\w+|you)\b|\b(?:was|were|\w{2,}ed)\b"
DECIDE = """Known facts:
{known}
New facts:
{new}

Decide for every new fact: ADD (something new), UPDATE (it changes or completes the known fact id; give the text that
now holds), DELETE (it says that the known fact id no longer holds) or NOOP (known already). Reply with JSON only:
{{"operations": [{{"fact": 0, "operation": "UPDATE", "id": 3, "text": "..."}}]}}"""

INSTRUCTION_KNOWLEDGE_ITEM = (
    "List what is worth keeping as statements that stand alone: who (by name) did, has, likes or plans what."
    " Leave out lists of numbered facts: they are kept as they are."
)
INSTRUCTION_QUERY = "Put the question as one sentence that names the person and the subject."
INSTRUCTION_RESPONSE = "Answer from the facts, each with the date on which it was said. Be brief."
ALWAYS_ON_KNOWLEDGE = "The memory holds facts one by one, and of facts that disagree the latest."


@dataclass
class KnowledgeItem:
    statements: list[str] = field(metadata={"description": "Each thing worth keeping, as one full sentence"})
    date: str = field(default="", metadata={"description": "When the episode took place, as written"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question in one sentence"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.facts = []  # "" where one was deleted
        self.dates = {}
        self.vectors = np.zeros((0, 0), dtype=np.float32)
        self.places = {}  # what a fact gives a value for -> number of the fact that gave it last

    def write(self, item, raw_text):
        lines = re.findall(r"(?m)^\d+[.)]\s.*\S", raw_text) or item.statements
        new = [piece for line in lines for piece in textwrap.wrap(line.replace("\0", " "), LINE_CHARS)]
        if not new:
            return
        vectors = self.toolkit.embed(new)
        similar = vectors @ self.vectors.T if self.facts else np.zeros((len(new), 0))
        decided = self.ask(new, similar) if self.facts else {}
        changed = set()
        for i, text in enumerate(new):
            operation, number, text = decided.get(i) or (*self.rule(text, similar[i]), text)
            if operation == "DELETE":
                self.facts[number] = ""
            elif operation != "NOOP":
                if operation == "ADD":
                    number = len(self.facts)
                    self.facts.append("")
                self.facts[number], self.dates[number] = text, item.date
                self.places.update(dict.fromkeys(states(text), number))
                changed.add(number)
        missing = np.zeros((len(self.facts) - similar.shape[1], vectors.shape[1]), dtype=np.float32)
        self.vectors = np.vstack([self.vectors, missing]) if similar.shape[1] else missing
        self.vectors[sorted(changed)] = self.toolkit.embed([self.facts[number] for number in sorted(changed)])

    def ask(self, new, similar):
        """The operations that the model chose: number of the new fact -> (operation, number of the known one, text)."""
        asked = np.argsort(-similar.max(axis=1), kind="stable")[:ASKED].tolist()
        nearest = np.argsort(-similar[asked], axis=1, kind="stable")[:, :SIMILAR]
        shown = [number for number in np.unique(nearest).tolist() if self.facts[number]]
        known = "\n".join(f"{number}: {self.facts[number]}" for number in shown)
        prompt = DECIDE.format(known=known, new="\n".join(f"{i}: {new[i]}" for i in sorted(asked)))
        decided = {}
        try:
            reply = self.toolkit.llm_completion([{"role": "user", "content": prompt}])
            listed = json.loads(reply[reply.index("{") : reply.rindex("}") + 1])["operations"]
            for entry in [entry for entry in listed if isinstance(entry, dict)]:
                i, operation, number = entry.get("fact"), entry.get("operation"), entry.get("id")
                known = type(number) is int and number in shown
                if type(i) is int and i in asked and (operation in ("ADD", "NOOP") or (operation in CHANGES and known)):
                    text = " ".join(str(entry.get("text") or new[i]).replace("\0", " ").split())
                    decided[i] = operation, number, text[:LINE_CHARS] or new[i]
        except Exception as error:
            self.toolkit.logger.debug(f"rules decide, since the model did not: {error}")
        return decided

    def rule(self, text, similar):
        """(operation, number of the known fact) by the words of the fact alone."""
        for key, value in states(text).items():
            number = self.places.get(key)
            known = states(self.facts[number]) if number is not None else {}
            if not value and key in known:
                return "NOOP", number
            if known.get(key, value) != value:
                return "UPDATE", number
        if re.search(r"(?i)\b(?:no longer|any ?more)\b", text) and similar.max(initial=0) >= DENIED:
            return "DELETE", int(similar.argmax())
        return "ADD", None

    def read(self, query):
        if not self.facts:
            return ""
        scores = self.vectors @ self.toolkit.embed([query.text])[0]
        kept = [number for number in np.argsort(-scores, kind="stable").tolist() if self.facts[number]]
        shown = ""
        for number in kept[:HITS]:
            line = (f"[{self.dates[number]}] " if self.dates[number] else "") + self.facts[number]
            if len(shown) + len(line) < READ_CHARS:
                shown += line + "\n"
        return shown[:-1]


def states(text):
    """{key: value}: the line's words with "", then what each clause gives a value for, with the value.

    "Anna: My car is a Jazz." gives "anna my car is": "a jazz", and every later line about that car the same key."""
    speaker, said = re.match(r"(?:\d+[.)]\s+)?(?:([^\W\d_][^:\n]{0,30}):\s)?(.*)", text).groups(default="")
    said = re.sub(r"(?i)\b(?:and|but|currently|now|so|still) ", "", said)
    found = {" ".join(re.findall(r"[\w']+", f"{speaker} {said}".lower())): ""}
    for clause in re.split(r"(?<=[.!?;,])\s", said) if speaker else [said]:
        given = re.match(GIVES, clause)
        if given and not (speaker and re.search(UNCLEAR, given[1])) and not clause.endswith("?"):
            key = " ".join(re.findall(r"[\w']+", f"{speaker} {given[1]}".lower()))
            found[key] = clause[given.end(1) :].strip(" .,;!").lower() or "?"
    return found
