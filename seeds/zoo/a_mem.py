"""Keeps every line as a note, linked to its likes, which each new note gives new tags; reads the hits and their links.
Bets that notes are found by their neighbours: the line with the answer may not resemble the question, but one that is
linked to it does.
Source: A-Mem (2502.12110). Simplified: keywords, tags and context come from the task agent, once for all lines of an
episode; one call chooses links and new tags for all. Without a model, notes that are alike are linked, and the older
one is tagged with the keywords of the new."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass, field

import numpy as np

HITS = 10  # notes found by similarity, before their links
LINKS = 3  # of a new note at most (5 in the source)
LINK_FROM = 0.5  # least similarity of two linked notes
TAGS = 8  # of a note at most, the latest stay
CONTEXT_CHARS = 60  # of the episode's context in each note's embedding
TUNABLES = {"HITS": (1, 30), "LINKS": (1, 8), "LINK_FROM": (0.2, 0.9), "TAGS": (0, 20), "CONTEXT_CHARS": (0, 300)}

READ_CHARS = 3000
LINE_CHARS = 600
ASKED = 60  # pairs of notes that the model sees at a write
EVOLVE = """New notes:
{new}
Older notes like them, with their tags:
{old}
Say which new notes belong with which older ones, and give older notes new tags where the new notes show what they are
about. Reply with JSON only: {{"links": [[12, 3]], "tags": {{"3": ["violin", "teaching"]}}}}"""

INSTRUCTION_KNOWLEDGE_ITEM = (
    "Give the keywords that occur in the episode, the tags that it could be filed under, and its context: what it is "
    "about, in one sentence."
)
INSTRUCTION_QUERY = "Repeat the question, and add the keywords that a note holding the answer is likely to have."
INSTRUCTION_RESPONSE = "Answer from the notes; a note after an arrow is linked to the one before. Be brief."
ALWAYS_ON_KNOWLEDGE = "The memory is a network of notes, each a line that was said."


@dataclass
class KnowledgeItem:
    keywords: list[str] = field(metadata={"description": "Keywords that occur in the text"})
    context: str = field(default="", metadata={"description": "What the text is about, in one sentence"})
    tags: list[str] = field(default_factory=list, metadata={"description": "Tags to file the text under"})
    date: str = field(default="", metadata={"description": "When the episode took place, as written"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question, and keywords to look for"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.notes = []  # {"text", "date", "keywords", "tags", "context", "links"}
        self.vectors = np.zeros((0, 0), dtype=np.float32)

    def write(self, item, raw_text):
        lines = [line for line in raw_text.replace("\0", " ").splitlines() if not line.startswith("Date:")]
        new = [piece for line in lines for piece in textwrap.wrap(line, LINE_CHARS)]
        if not new:
            return
        first = len(self.notes)
        for text in new:
            keywords = [word for word in item.keywords if word.strip() and word.lower() in text.lower()]
            context = " ".join([item.context, *item.tags])[:CONTEXT_CHARS]
            note = {"text": text, "date": item.date, "keywords": keywords, "tags": [], "context": context, "links": []}
            self.notes.append(note)
        numbers = range(first, len(self.notes))
        rows = self.embed(numbers)
        self.vectors = np.vstack([self.vectors, rows]) if first else rows
        links, tags = self.evolve(self.nearest(first))
        for number, other in links:
            self.notes[number]["links"].append(other)
            self.notes[other]["links"].append(number)
        for number, added in tags.items():
            own = [tag for tag in self.notes[number]["tags"] if tag not in added]
            self.notes[number]["tags"] = [*own, *added][max(0, len(own) + len(added) - TAGS) :]
        if tags:
            self.vectors[list(tags)] = self.embed(tags)

    def embed(self, numbers):
        notes = [self.notes[number] for number in numbers]
        parts = [[note["text"], *note["keywords"], *note["tags"], note["context"]] for note in notes]
        return self.toolkit.embed([" ".join(part) for part in parts])

    def nearest(self, first):
        """(new note, older note) for the likes of each note from `first` on; one of the same episode may be older."""
        similar = self.vectors[first:] @ self.vectors.T
        similar[np.triu(np.ones(similar.shape, dtype=bool), k=first)] = -1
        found = []
        for row, likes in enumerate(np.argpartition(-similar, min(LINKS, len(self.vectors) - 1))[:, :LINKS].tolist()):
            likes.sort(key=lambda other: (-similar[row, other], other))
            found += [(first + row, other) for other in likes if similar[row, other] >= LINK_FROM]
        return found

    def evolve(self, pairs):
        """(links, new tags of older notes): what the model says of the first pairs, and for the rest what is alike."""
        answer = self.ask(pairs[:ASKED]) if pairs else None
        links, tags = answer or ([], {})
        for number, other in pairs[ASKED if answer else 0 :]:
            links.append((number, other))
            words = [word for word in self.notes[number]["keywords"] if word not in self.notes[other]["keywords"]]
            tags[other] = list(dict.fromkeys([*tags.get(other, []), *words]))
        return links, tags

    def ask(self, pairs):
        """(links, new tags of older notes) as the model has them; None where it has none to use."""
        links, tags = [], {}
        known = {str(number): number for pair in pairs for number in pair}
        new, old = (dict.fromkeys(numbers) for numbers in zip(*pairs, strict=True))
        try:
            texts = {
                n: f"{n}: {self.notes[n]['text']} (tags: {', '.join(self.notes[n]['tags'])})" for n in known.values()
            }
            prompt = EVOLVE.format(new="\n".join(texts[n] for n in new), old="\n".join(texts[n] for n in old))
            reply = self.toolkit.llm_completion([{"role": "user", "content": prompt}])
            answer = json.loads(reply[reply.index("{") : reply.rindex("}") + 1])
            for one, other in answer.get("links", []):
                if str(one) in known and str(other) in known and str(one) != str(other):
                    links.append((known[str(one)], known[str(other)]))
            for number, added in answer.get("tags", {}).items():
                if number in known and isinstance(added, list):
                    tags[known[number]] = [str(tag).replace("\0", " ")[:40] for tag in added]
        except Exception as error:
            self.toolkit.logger.debug(f"notes that are alike are linked, since no model chose: {error}")
            return (links, tags) if links or tags else None
        return links, tags

    def read(self, query):
        if not self.notes:
            return ""
        scores = self.vectors @ self.toolkit.embed([query.text])[0]
        hits = np.argsort(-scores, kind="stable")[:HITS].tolist()
        groups = {hit: [] for hit in hits}
        room = READ_CHARS
        linked = [(hit, other) for hit in hits for other in sorted(self.notes[hit]["links"], key=lambda n: -scores[n])]
        seen = set()
        for hit, number in [*zip(hits, hits, strict=True), *linked]:
            note = self.notes[number]
            line = "-> " * (hit != number) + (f"[{note['date']}] " if note["date"] else "") + note["text"]
            if number not in seen and len(line) < room:
                seen.add(number)
                room -= len(line) + 1
                groups[hit].append(line)
        return "\n".join(line for lines in groups.values() for line in lines)
