"""Keeps one fact a line by ADD, UPDATE, DELETE or NOOP; looks at many of each speaker's facts and reads the useful few.
Bets that a wide search and a strict filter read better than a narrow search.
Source: Memory-R1 (2508.19828). Simplified: prompts, not policies trained by reward; one call manages all facts of an
episode, one distils at a read. Where no model decides, every line is a fact: words that are there already NOOP, a new
value of the same subject and relation UPDATE, "no longer" DELETE; and useful is what shares a rare word with the
question, or is nearly as close to it as the closest."""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass, field

import numpy as np

CANDIDATES = 30  # facts of each speaker that the distillation sees
CLOSE = 0.9  # least similarity of a useful fact, as a share of the best one's
RARE = 0.05  # a word tells something if no more than this share of the candidates has it
ASKED = 30  # known facts that the model sees at a write
DENIED = 0.5  # least similarity of the fact that a "no longer" takes back
TUNABLES = {"CANDIDATES": (5, 60), "CLOSE": (0.5, 1.0), "RARE": (0.01, 1.0), "ASKED": (5, 60), "DENIED": (0.3, 0.9)}

READ_CHARS = 3000
LINE_CHARS = 600
SPEAKER = r"(?:\d+[.)]\s+)?(?:([^\W\d_][^:\n]{0,30}):\s)?(.*)"
LINK = r"(?:as|at|by|for|from|in|of|on|to|with)\b(?: the [a-z]+ of\b)?"
IS = rf".*\b(?:is|are|was|were)\b(?: (?:an? |the )?[a-z]+ {LINK})?"
GIVES = rf"({IS}|.*? [a-z]+(?:s|ed) (?:{LINK}|the [a-z]+ of\b)|.*\b(?:live|work|drive|study)(?: {LINK})?) \S"
# What somebody says of an "it", or in the past tense, is undone by no later line.
UNCLEAR = r"(?i)^(?:he|here|how|it|it's|she|th(?:at|is|ese|ose|ere|ey)|we|wh\w+|you)\b|\b(?:was|were|\w{2,}ed)\b"
MANAGE = """Known facts:\n{known}\nNew facts:\n{new}
Decide for every new fact: ADD (something new), UPDATE (it changes or completes the known fact id; give the text that
now holds), DELETE (it says that the known fact id no longer holds) or NOOP (known already). Reply with JSON only:
{{"operations": [{{"fact": 0, "operation": "UPDATE", "id": 3, "text": "..."}}]}}"""
DISTIL = """Memories:\n{known}\nQuestion: {question}
Which memories help to answer it? Reply with JSON only, the most useful first: {{"useful": [12, 3]}}"""

INSTRUCTION_KNOWLEDGE_ITEM = "List who (by name) did, has, likes or plans what. Numbered facts are kept without you."
INSTRUCTION_QUERY = "Put the question as one sentence that names the person and the subject."
INSTRUCTION_RESPONSE = "Answer from the memories, which were chosen for this question. Be brief."
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
        self.facts = []  # [text, date]; the text is "" where one was deleted
        self.vectors = []  # of each fact
        self.places = {}  # what a fact gives a value for -> number of the fact that gave it last

    def write(self, item, raw_text):
        lines = re.findall(r"(?m)^\d+[.)]\s.*\S", raw_text) or item.statements
        new = [piece for line in lines for piece in textwrap.wrap(line.replace("\0", " "), LINE_CHARS)]
        if not new:
            return
        similar = self.toolkit.embed(new) @ np.array(self.vectors).T if self.facts else np.zeros((len(new), 0))
        nearest = np.argsort(-similar.max(axis=0), kind="stable")[:ASKED].tolist() if self.facts else []
        known = {str(number): number for number in sorted(nearest) if self.facts[number][0]}
        shown = "\n".join(f"{number}: {self.facts[number][0]}" for number in known.values())
        prompt = MANAGE.format(known=shown, new="\n".join(f"{i}: {text}" for i, text in enumerate(new)))
        entries = [entry for entry in self.ask(prompt, "operations") if isinstance(entry, dict)] if known else []
        chosen = {str(entry.get("fact")): entry for entry in entries}
        for i, text in enumerate(new):
            entry = chosen.get(str(i), {})
            operation, number = entry.get("operation"), known.get(str(entry.get("id")))
            if operation not in ("ADD", "NOOP") and (operation not in ("UPDATE", "DELETE") or number is None):
                entry, (operation, number) = {}, self.rule(text, similar[i])
            if operation == "DELETE":
                self.facts[number][0] = ""
            elif operation != "NOOP":
                if operation == "ADD":
                    number = len(self.facts)
                    self.facts.append([])
                    self.vectors.append([])
                told = " ".join(str(entry.get("text") or text).replace("\0", " ").split())[:LINE_CHARS]
                self.facts[number] = [told, item.date]
                self.vectors[number] = self.toolkit.embed([told])[0]
                self.places.update(dict.fromkeys(states(told), number))

    def ask(self, prompt, name):
        """The list of that name in the model's reply, [] where there is none: then rules decide."""
        try:
            reply = self.toolkit.llm_completion([{"role": "user", "content": prompt}])
            return list(json.loads(reply[reply.index("{") : reply.rindex("}") + 1])[name])
        except Exception:
            return []

    def rule(self, text, similar):
        """(operation, number of the known fact) by the words of the fact alone."""
        for key, value in states(text).items():
            number = self.places.get(key)
            known = states(self.facts[number][0]) if number is not None else {}
            if key in known and known[key] == value == "":
                return "NOOP", number
            if known.get(key, value) != value:
                return "UPDATE", number
        if re.search(r"(?i)\b(?:no longer|any ?more)\b", text) and similar.max(initial=0) >= DENIED:
            return "DELETE", int(similar.argmax())
        return "ADD", None

    def read(self, query):
        if not any(text for text, _ in self.facts):
            return ""
        scores = np.array(self.vectors) @ self.toolkit.embed([query.text])[0]
        ranked = [number for number in np.argsort(-scores, kind="stable").tolist() if self.facts[number][0]]
        speakers = {}
        for number in ranked:
            speakers.setdefault(re.match(SPEAKER, self.facts[number][0])[1], []).append(number)
        candidates = sorted((n for said in speakers.values() for n in said[:CANDIDATES]), key=ranked.index)
        shown = "\n".join(f"{number}: {': '.join(self.facts[number][::-1])}" for number in candidates)
        chosen = self.ask(DISTIL.format(known=shown, question=query.text[:READ_CHARS]), "useful")
        useful = [number for one in chosen for number in candidates if str(number) == str(one)]
        text = ""
        for number in dict.fromkeys(useful or self.distil(query.text, candidates, scores)):
            line = f"[{self.facts[number][1]}] {self.facts[number][0]}".removeprefix("[] ")
            text += f"{line}\n" if len(text) + len(line) < READ_CHARS else ""
        return text[:-1]

    def distil(self, question, candidates, scores):
        """What stands in for the model: the candidates that share a rare word with the question, or are close to it."""
        words = [set(re.findall(r"\w+", self.facts[number][0].lower())) for number in candidates]
        asked = set(re.findall(r"\w+", question.lower()))
        rare = {word for word in asked if sum(word in own for own in words) <= max(1, RARE * len(words))}
        least = CLOSE * scores[candidates[0]]
        return [number for number, own in zip(candidates, words, strict=True) if own & rare or scores[number] >= least]


def states(text):
    """{key: value}: the line's words with "", then of each clause that gives something a value all but it with it."""
    speaker, said = re.match(SPEAKER, text).groups(default="")
    said = re.sub(r"(?i)\b(?:and|but|currently|now|so|still) ", "", said)
    found = {" ".join(re.findall(r"[\w']+", f"{speaker} {said}".lower())): ""}
    for clause in re.split(r"(?<=[.!?;,])\s", said) if speaker else [said]:
        given = re.match(GIVES, clause)
        if given and not (speaker and re.search(UNCLEAR, given[1])) and not clause.endswith("?"):
            key = " ".join(re.findall(r"[\w']+", f"{speaker} {given[1]}".lower()))
            found[key] = clause[given.end(1) :].strip(" .,;!").lower() or "?"
    return found
