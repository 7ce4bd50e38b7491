"""Keeps what was said as nodes of a task: each sets slots and depends on the nodes whose values it names; an update
replaces a node, keeps its history and makes its dependants stale; reads hits with what they hang on.
Bets that a change has consequences, and that an answer needs the chain of values that leads to it.
Source: Task Memory Engine. Simplified: the root is the memory, so that paths are chains of dependencies; one call finds
updates and dependencies, beside the rules: a new value of the same subject and relation updates, a question is a check,
which is not kept, and naming a value is to depend on it. Numbered facts never go stale."""

from __future__ import annotations

import contextlib
import json
import re
import textwrap
from dataclasses import dataclass, field

import numpy as np

HITS = 30  # nodes that are read, and older ones that the model sees at a write
LINKS = 2  # dependencies and dependants shown with a hit, each
COMMON = 20  # a name that more values hold links nothing
TUNABLES = {"HITS": (5, 80), "LINKS": (0, 8), "COMMON": (2, 100)}

READ_CHARS = 3000
LINE_CHARS = 600
LINK = r"(?:as|at|by|for|from|in|of|on|to|with)\b(?: the [a-z]+ of\b)?"
IS = rf".*\b(?:is|are|was|were)\b(?: (?:an? |the )?[a-z]+ {LINK})?"
GIVES = rf"({IS}|.*? [a-z]+(?:s|ed) (?:{LINK}|the [a-z]+ of\b)|.*\b(?:live|work|drive|study)(?: {LINK})?) \S"
UNCLEAR = r"(?i)^(?:he|here|how|it|it's|she|th(?:at|is|ese|ose|ere|ey)|we|wh\w+|you)\b|\b(?:was|were|\w{2,}ed)\b"
PLAN = """{nodes}
The nodes from {first} on are new. Which update an older node (what that says has changed), and which depend on an older
one (would be wrong if it changed)? Reply with JSON only: {{"updates": [[12, 3]], "depends": [[14, 5]]}}"""

INSTRUCTION_KNOWLEDGE_ITEM = "List what was decided, holds or happened, who and what. Numbered facts are kept anyway."
INSTRUCTION_QUERY = "Repeat the question in full, and name the step or state that it starts from."
INSTRUCTION_RESPONSE = "Answer from the lines; follow the indented ones from value to value. Beware of what is stale."
ALWAYS_ON_KNOWLEDGE = "The memory holds states with what they replaced and what they depend on."


@dataclass
class KnowledgeItem:
    statements: list[str] = field(metadata={"description": "Each thing worth keeping, as one full sentence"})
    date: str = field(default="", metadata={"description": "When the episode took place, as written"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question in full"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.nodes = []  # {"text", "date", "slots", "sets", "about", "was", "stale", "active"}
        self.slots = {}  # slot -> number of the node that set it last
        self.index = {"sets": {}, "about": {}}  # name -> numbers of the nodes with it in a value; elsewhere
        self.vectors = np.zeros((0, 0), dtype=np.float32)

    def write(self, item, raw_text):
        numbered = re.findall(r"(?m)^\d+[.)]\s.*\S", raw_text)
        lines = [line.replace("\0", " ") for line in numbered or item.statements]
        nodes = [node_of(piece, item.date) for line in lines for piece in textwrap.wrap(line, LINE_CHARS)]
        nodes = [node for node in nodes if node["slots"] or not node["text"].endswith("?")]
        rows = self.toolkit.embed([node["text"] for node in nodes])
        self.vectors = np.vstack([self.vectors, rows]) if self.nodes else rows
        self.nodes += nodes
        plan = {"updates": [], "depends": []}
        if nodes and not numbered:
            self.ask(plan, len(self.nodes) - len(nodes), rows)
        for number, node in enumerate(nodes, len(self.nodes) - len(nodes)):
            known = [(self.slots[slot], slot) for slot in node["slots"] if slot in self.slots]
            changed = [old for old, slot in known if self.nodes[old]["slots"].get(slot) != node["slots"][slot]]
            for old in dict.fromkeys(changed + [old for new, old in plan["updates"] if new == number]):
                self.replace(old, number)
            self.slots.update(dict.fromkeys(node["slots"], number))
            for old in [old for new, old in plan["depends"] if new == number]:
                node["about"].append(self.nodes[old]["text"])
            for part, index in self.index.items():
                for name in node[part]:
                    index.setdefault(name, []).append(number)

    def replace(self, old, new):
        """Put a node in the place of another, and make stale what was built on that one, and what on that again."""
        self.nodes[new]["was"] += [*self.nodes[old]["was"], self.nodes[old]["text"]]
        self.nodes[old]["active"] = False
        waiting = [old]
        for at in waiting:
            for number in self.linked(at, "sets", "about"):
                node = self.nodes[number]
                if at < number < new and not node["stale"] and not node["text"][0].isdigit():
                    node["stale"] = f" (stale since: {self.nodes[new]['text'][:150]})"
                    waiting.append(number)

    def linked(self, number, part, other):
        """Active nodes that have in the other part a name which this one has in the first."""
        found = [self.index[other].get(name, []) for name in self.nodes[number][part]]
        numbers = dict.fromkeys(number for numbers in found if len(numbers) <= COMMON for number in numbers)
        return [number for number in numbers if self.nodes[number]["active"]]

    def ask(self, plan, first, rows):
        """Add to the plan the pairs of a new and an older node that the model has for it."""
        older = np.argsort(-(rows @ self.vectors[:first].T).max(axis=0), kind="stable")[:HITS].tolist()
        known = {str(number): number for number in [*sorted(older), *range(first, len(self.nodes))]}
        shown = "\n".join(f"{n}: {self.nodes[known[n]]['text']}" for n in known)
        with contextlib.suppress(Exception):
            reply = self.toolkit.llm_completion([{"role": "user", "content": PLAN.format(nodes=shown, first=first)}])
            answer = json.loads(reply[reply.index("{") : reply.rindex("}") + 1])
            for name, found in plan.items():
                for pair in [pair for pair in answer.get(name, []) if isinstance(pair, list) and len(pair) == 2]:
                    new, old = (known.get(str(number), -1) for number in pair)
                    found += [(new, old)] if new > old >= 0 else []

    def read(self, query):
        scores = self.vectors @ self.toolkit.embed([query.text])[0] if self.nodes else np.zeros(0)
        hits = [number for number in np.argsort(-scores, kind="stable").tolist() if self.nodes[number]["active"]]
        lines = {}
        for hit in hits[:HITS]:
            lines.setdefault(hit, self.line(hit))
            for number in self.linked(hit, "about", "sets")[:LINKS] + self.linked(hit, "sets", "about")[:LINKS]:
                lines.setdefault(number, "  " + self.line(number))
        text = ""
        for line in lines.values():
            text += f"{line}\n" if len(text) + len(line) < READ_CHARS else ""
        return text[:-1]

    def line(self, number):
        node = self.nodes[number]
        was = "".join(f" (was: {text[:150]})" for text in node["was"][-1:])
        return (f"[{node['date']}] " if node["date"] else "") + node["text"] + was + node["stale"]


def node_of(text, date):
    """The node of a line: "Anna: My car is a Jazz." sets the slot "anna my car is" to "a Jazz"."""
    speaker, said = re.match(r"(?:\d+[.)]\s+)?(?:([^\W\d_][^:\n]{0,30}):\s)?(.*)", text).groups(default="")
    said = re.sub(r"(?i)\b(?:and|but|currently|now|so|still) ", "", said)
    slots, rest = {}, []
    for clause in re.split(r"(?<=[.!?;,])\s", said) if speaker else [said]:
        given = re.match(GIVES, clause)
        if given and not (speaker and re.search(UNCLEAR, given[1])) and not clause.endswith("?"):
            key = " ".join(re.findall(r"[\w']+", f"{speaker} {given[1]}".lower()))
            slots[key] = clause[given.end(1) :].strip(" .,;!") or "?"
        rest.append(given[1] if given else clause)
    # The whole text is a name too, by which the model's dependencies are kept.
    name = r"[A-Z]\w+(?: [A-Z]\w+)*|\d+"
    sets, about = (list(dict.fromkeys(re.findall(name, "\n".join(parts)))) for parts in (slots.values(), rest))
    node = {"text": text, "date": date, "slots": slots, "sets": [*sets, text], "about": about}
    return {**node, "was": [], "stale": "", "active": True}
