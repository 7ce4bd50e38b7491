"""Keeps tagged memories in three places: the latest ones at work, the long term, and what is known of each user; reads
the working set first, then what matches the question by tags and meaning.
Bets that memory is a resource to manage: what comes in again is merged, what is not used is archived first.
Source: MemOS (2507.03724). Simplified: plain text only, no activations or weights; the working set is the latest
memories (5, not 20, for 3,000 characters), not the last search result; use is counted when a like memory is written.
The call merges, archives and tags likes. Without a model those that say the same are merged, and likes share tags."""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass, field

import numpy as np

WORKING = 5
LONG_TERM = 1500  # memories at most; beyond, the least used and oldest are archived
USER = 480
RELATE = 0.7  # least similarity of likes (0.8 in the source, with other embeddings)
MERGE = 0.9  # least similarity of memories that may say the same (0.92)
TAG_WEIGHT = 0.3  # of the share of the question's tags that a memory has, beside its similarity
HITS = 20
TUNABLES = {"WORKING": (0, 20), "RELATE": (0.5, 0.95), "MERGE": (0.8, 1.0), "TAG_WEIGHT": (0.0, 1.0), "HITS": (5, 60)}

READ_CHARS = 3000
LINE_CHARS = 600
TAGS = 10  # of a memory
LIKES = 3  # of a new memory
OWN = r"(?i)\b(?:I am|I'm|I have|I've|I live|I work|I love|I like|I prefer|my)\b"
REORGANISE = """Memories that have likes among them, with their tags, the older first:
{memories}
Merge those that say the same (give the text that holds both), archive those that a later one made untrue, and add tags
by which they will be looked for. Reply with JSON only:
{{"merge": [{{"ids": [3, 12], "text": "..."}}], "archive": [4], "tags": {{"12": ["travel"]}}}}"""

INSTRUCTION_KNOWLEDGE_ITEM = (
    "List what is worth keeping, each as one sentence that names everybody, and the tags (topics, people, places) by "
    "which it will be looked for; a tag is one word."
)
INSTRUCTION_QUERY = "Repeat the question, and list the tags (topics, people, places) that a memory of the answer has."
INSTRUCTION_RESPONSE = "Answer from the memories; the first are the latest ones. Be brief."
ALWAYS_ON_KNOWLEDGE = "The memory holds tagged memories: the latest, the long term, and what is known of each user."


@dataclass
class KnowledgeItem:
    statements: list[str] = field(metadata={"description": "Each thing worth keeping, as one full sentence"})
    tags: list[str] = field(default_factory=list, metadata={"description": "Tags of one word"})
    date: str = field(default="", metadata={"description": "When the episode took place, as written"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question in full"})
    tags: list[str] = field(default_factory=list, metadata={"description": "Tags to look for, of one word"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.memories = []  # {"text", "date", "tags", "place", "used", "active"}
        self.vectors = np.zeros((0, 0), dtype=np.float32)

    def write(self, item, raw_text):
        new = [piece for text in item.statements for piece in textwrap.wrap(text.replace("\0", " "), LINE_CHARS)]
        if not new:
            return
        first = len(self.memories)
        for text in new:
            tags = {tag.lower() for tag in item.tags if tag.strip()} & set(re.findall(r"\w+", text.lower()))
            place = "user" if re.search(OWN, text) and not text.endswith("?") else "long term"
            memory = {"text": text, "date": item.date, "tags": sorted(tags), "place": place, "used": 0, "active": True}
            self.memories.append(memory)
        rows = self.toolkit.embed(new)
        self.vectors = np.vstack([self.vectors, rows]) if first else rows
        similar = rows @ self.vectors.T
        similar[np.triu(np.ones(similar.shape, dtype=bool), k=first)] = -1
        pairs = []
        for row, likes in enumerate(np.argpartition(-similar, min(LIKES, len(self.vectors) - 1))[:, :LIKES].tolist()):
            for other in sorted(likes):
                if similar[row, other] >= RELATE and self.memories[other]["active"]:
                    self.memories[other]["used"] += 1
                    pairs.append((other, first + row, float(similar[row, other])))
        if pairs and not self.reorganise(pairs):
            for older, newer, alike in pairs:
                self.relate(older, newer, alike)
        for place, limit in (("long term", LONG_TERM), ("user", USER)):
            active = [memory for memory in self.memories if memory["active"] and memory["place"] == place]
            for memory in sorted(active, key=lambda memory: memory["used"])[: max(0, len(active) - limit)]:
                memory["active"] = False

    def relate(self, older, newer, alike):
        """What stands in for the model: likes share their tags; one that the newer says whole is archived."""
        old, new = self.memories[older], self.memories[newer]
        old["tags"] = new["tags"] = list(dict.fromkeys([*old["tags"], *new["tags"]]))[:TAGS]
        said, again = (set(re.findall(r"\w+", memory["text"].lower())) for memory in (old, new))
        if alike >= MERGE and said <= again:
            old["active"] = False
            new["used"] += old["used"]

    def reorganise(self, pairs):
        """Let the model merge, archive and tag the likes; tell whether it did."""
        known = {str(number): number for number in sorted({number for pair in pairs for number in pair[:2]})}
        shown = [f"{n}: {self.memories[n]['text']} ({', '.join(self.memories[n]['tags'])})" for n in known.values()]
        try:
            prompt = REORGANISE.format(memories="\n".join(shown))
            reply = self.toolkit.llm_completion([{"role": "user", "content": prompt}])
            answer = json.loads(reply[reply.index("{") : reply.rindex("}") + 1])
            merges = [(list(map(str, merge["ids"])), str(merge["text"])) for merge in answer.get("merge", [])]
            archived = [known[str(number)] for number in answer.get("archive", []) if str(number) in known]
            tags = {known[n]: list(map(str, added)) for n, added in answer.get("tags", {}).items() if n in known}
        except Exception as error:
            self.toolkit.logger.debug(f"likes share tags, since no model reorganises: {error}")
            return False
        for ids, text in merges:
            numbers = sorted(known[number] for number in ids if number in known)
            text = " ".join(text.replace("\0", " ").split())[:LINE_CHARS]
            if len(numbers) > 1 and text:
                archived += numbers[:-1]
                self.memories[numbers[-1]]["text"] = text
                self.vectors[numbers[-1]] = self.toolkit.embed([text])[0]
        for number in archived:
            self.memories[number]["active"] = False
        for number, added in tags.items():
            own = [*self.memories[number]["tags"], *(tag.lower() for tag in added)]
            self.memories[number]["tags"] = list(dict.fromkeys(own))[:TAGS]
        return True

    def read(self, query):
        active = [number for number, memory in enumerate(self.memories) if memory["active"]]
        if not active:
            return ""
        asked = {tag.lower() for tag in query.tags} | set(re.findall(r"\w+", query.text.lower()))
        shared = np.array([len(asked.intersection(self.memories[number]["tags"])) for number in active])
        scores = self.vectors[active] @ self.toolkit.embed([query.text])[0]
        scores += TAG_WEIGHT * shared / max(1, shared.max())
        found = [active[i] for i in np.argsort(-scores, kind="stable")[:HITS]]
        text = ""
        for number in dict.fromkeys([*active[len(active) - min(WORKING, len(active)) :], *found]):
            memory = self.memories[number]
            line = (f"[{memory['date']}] " if memory["date"] else "") + memory["text"]
            if len(text) + len(line) < READ_CHARS:
                text += line + "\n"
        return text[:-1]
