"""Keeps three stores, raw lines, facts and episode summaries, and reads first from the one that suits the question.
Bets that a count or a date stands in a fact, a reason in a summary and somebody's words in a raw line.
Source: AMA (arXiv 2601.20352). Simplified: every session is an episode, the constructor is the task agent's fields,
the intent of a question is told by its words, and the judge is a threshold: where the store's best hit is poor, raw
lines come first. The refresher's call names the facts that new ones overrule; without it a fact overrules those
of the same subject and predicate.
"""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass, field

import numpy as np

ROUTED_SHARE = 0.6  # of what is read; the other stores share the rest
RELEVANT_COSINE = 0.4  # a store whose best hit is below it is not trusted
RIVALS = 10  # known facts that new ones are compared with
RAW_CUES = "said say says tell told exactly word words mention mentioned quote"
EPISODE_CUES = "why describe summarize feel felt think happened happen relationship"
TUNABLES = {
    "ROUTED_SHARE": (0.2, 1.0),
    "RELEVANT_COSINE": (0.0, 0.9),
    "RIVALS": (1, 30),
}

READ_CHARS = 3000
STATEMENT = re.compile(
    r"(.+? (?:is|are|was|were|has|have|had|likes?|loves?|works?|lives?|owns?|wants?)"
    r"(?:(?: [a-z']+){0,3}? (?:of|in|by|to|for|as|with|at|on|from|called|named))?) (.+)"
)
PROMPT = """Known facts:
{known}

New facts:
{new}

Which known facts are wrong or out of date if the new facts hold? Answer with JSON only: {{"overruled": [numbers]}}"""

INSTRUCTION_KNOWLEDGE_ITEM = (
    'Give the date as it is written. List facts as "subject | predicate | object, with place and time", the same thing '
    "always in the same words. Summarise the episode in two or three sentences: what happened, why, and who felt what."
)
INSTRUCTION_QUERY = "Repeat the question in full, with names in place of pronouns."
INSTRUCTION_RESPONSE = "Answer from the facts, summaries and lines of memory; among facts the later one holds."
ALWAYS_ON_KNOWLEDGE = "The memory holds current facts, a summary of every episode, and every line that was said."


@dataclass
class KnowledgeItem:
    date: str = field(default="", metadata={"description": "When the episode took place, as written"})
    facts: list[str] = field(default_factory=list, metadata={"description": "Facts: subject | predicate | object"})
    summary: str = field(default="", metadata={"description": "What happened and why"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question in full"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.stores = {"raw": [], "fact": [], "episode": []}
        self.vectors = {name: np.zeros((0, 1), dtype=np.float32) for name in self.stores}
        self.keys = []  # of the facts, one each

    def write(self, item, raw_text):
        date = f"[{item.date}] " if item.date else ""
        lines = [line for line in raw_text.replace("\0", " ").splitlines() if not line.startswith("Date: ")]
        self.add("raw", [date + piece for line in lines for piece in textwrap.wrap(line, 600)])
        self.add("episode", [date + text for text in [tidy(item.summary, 1000)] if text])
        facts = [text for fact in item.facts if (text := tidy(fact, 600))]
        if facts:
            self.refresh(facts)
            self.add("fact", [date + fact for fact in facts])
            self.keys += [key(fact) for fact in facts]

    def add(self, name, texts):
        if texts:
            vectors = self.toolkit.embed(texts)
            self.vectors[name] = np.vstack([self.vectors[name], vectors]) if self.stores[name] else vectors
            self.stores[name] += texts

    def refresh(self, facts):
        """Delete the known facts that the new ones overrule."""
        cosines = self.vectors["fact"] @ self.toolkit.embed(facts).T if self.keys else np.zeros((0, 1))
        rivals = np.argsort(-cosines.max(axis=1), kind="stable")[:RIVALS].tolist()
        try:
            known = "\n".join(f"{number}. {self.stores['fact'][i]}" for number, i in enumerate(rivals))
            content = PROMPT.format(known=known or "(none)", new="\n".join(f"- {fact}" for fact in facts))
            reply = self.toolkit.llm_completion([{"role": "user", "content": content}])
            numbers = json.loads(reply[reply.index("{") : reply.rindex("}") + 1])["overruled"]
            overruled = {rivals[number] for number in numbers if 0 <= number < len(rivals)}
        except Exception as error:
            self.toolkit.logger.debug(f"refreshing by subject and predicate: {error}")
            new = {key(fact) for fact in facts} - {""}
            overruled = {i for i, held in enumerate(self.keys) if held in new}
        kept = [i for i in range(len(self.keys)) if i not in overruled]
        self.stores["fact"] = [self.stores["fact"][i] for i in kept]
        self.vectors["fact"] = self.vectors["fact"][kept]
        self.keys = [self.keys[i] for i in kept]

    def read(self, query):
        vector = self.toolkit.embed([query.text])[0]
        cosines = {name: self.vectors[name] @ vector for name, texts in self.stores.items() if texts}
        first = route(query.text)
        if first not in cosines or cosines[first].max() < RELEVANT_COSINE:
            first = "raw"
        order = [name for name in (first, "raw", "fact", "episode") if name in cosines]
        parts, free = [], READ_CHARS
        for place, name in enumerate(dict.fromkeys(order)):
            room = free if place else int(READ_CHARS * ROUTED_SHARE)
            # The second store leaves room for the third.
            room = free * 2 // 3 if place == 1 else room
            for i in np.argsort(-cosines[name], kind="stable"):
                text = self.stores[name][i][:READ_CHARS]
                if len(text) < room and text not in parts:
                    parts.append(text)
                    room -= len(text) + 1
                    free -= len(text) + 1
        return "\n".join(parts)


def route(question):
    """The store that a question asks for."""
    asked = set(re.findall(r"\w+", question.lower()))
    if asked & set(RAW_CUES.split()):
        return "raw"
    return "episode" if asked & set(EPISODE_CUES.split()) else "fact"


def key(fact):
    """Subject and predicate; "" where the fact shows none."""
    if fact.count("|") > 1:
        return " | ".join(part.strip().lower() for part in fact.split("|")[:2])
    found = STATEMENT.fullmatch(fact)
    return found[1].lower() if found else ""


def tidy(text, limit):
    return " ".join(text.replace("\0", " ").split())[:limit]
