"""Keeps a core paragraph, facts, and dated events; reads the core always, and the facts and events that BM25 finds.
Bets that what holds, what happened and who it is about are best kept apart, each with a size and a search of its own.
Source: Mem-alpha (2509.25911). Simplified: one prompt in place of the policy trained by reinforcement; the task agent
extracts facts and events, the call edits what is there. Without a model a line in the past tense or with a word of time
is an event, any other a fact, and the core holds what people last said of themselves, the oldest going first."""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass, field

CORE_CHARS = 600  # about 2,000 in the source, which reads more
HITS = 20  # of each of the two searched memories
SHARE = 0.5  # of the room after the core that events may take before facts do
SHOWN = 20  # latest entries of each memory that the model sees
TUNABLES = {"CORE_CHARS": (0, 2000), "HITS": (5, 60), "SHARE": (0.0, 1.0), "SHOWN": (5, 60)}

READ_CHARS = 3000
LINE_CHARS = 600
PAST = r"(?i)\b(?:ago|did|gave|got|had|last|made|met|saw|today|told|took|was|went|were|yesterday|\w{2,}ed)\b"
SELF = r"(?i)\b(?:I am|I'm|I have|I've|I live|I work|I love|I like|my)\b"
EDIT = """Core memory, a paragraph on who this is about (at most {size} characters):
{core}
Memories (S = facts, E = events):
{old}
New, stored below the numbers shown:
{new}
Rewrite the core if the new text changes it, correct entries that no longer hold, delete those that are wrong or told
twice. Reply with JSON only: {{"core": "...", "update": {{"3": "..."}}, "delete": [4]}}"""

INSTRUCTION_KNOWLEDGE_ITEM = (
    "List, each as one sentence that names everybody, the facts that hold (who people are, have, like, plan) and the "
    "events of the episode. Begin an event with 'On', the day and a comma."
)
INSTRUCTION_QUERY = "Repeat the question, and add words that the line holding the answer is likely to contain."
INSTRUCTION_RESPONSE = "Answer from the core, the facts and the dated events. Be brief."
ALWAYS_ON_KNOWLEDGE = "The memory holds a core paragraph, facts that hold, and events with their dates."


@dataclass
class KnowledgeItem:
    statements: list[str] = field(metadata={"description": "Each thing that holds or took place, as one full sentence"})
    date: str = field(default="", metadata={"description": "When the episode took place, as written"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question, and words to look for"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.db = toolkit.db
        self.db.execute("CREATE VIRTUAL TABLE entries USING fts5(text)")
        self.events = {}  # number -> text, as of `facts`; no number is in both
        self.facts = {}
        self.core = []  # lines
        self.written = 0

    def write(self, item, raw_text):
        known = {*self.events.values(), *self.facts.values()}
        shown = [*list(self.facts)[-SHOWN:], *list(self.events)[-SHOWN:]]
        new = {}
        for statement in item.statements:
            for text in textwrap.wrap(statement.replace("\0", " "), LINE_CHARS):
                event = re.search(PAST, text)
                if event and item.date and text[:3] != "On ":
                    text = f"At {item.date}, {text}"
                if text not in known:
                    known.add(text)
                    self.written += 1
                    new[self.written] = text
                    (self.events if event else self.facts)[self.written] = text
        self.db.executemany("INSERT INTO entries (rowid, text) VALUES (?, ?)", new.items())
        if new and not self.edit(shown, new):
            own = [text for text in new.values() if re.search(SELF, text) and not text.endswith("?")]
            self.core = [line for line in self.core if line not in own] + own
            while self.core and len("\n".join(self.core)) > CORE_CHARS:
                del self.core[0]

    def edit(self, shown, new):
        """Let the model rewrite the core and correct or delete entries; tell whether it did."""
        entries = {str(number): number for number in [*shown, *new]}
        lines = {
            n: f"{'E' if n in self.events else 'S'} {n}: {self.events.get(n) or self.facts[n]}"
            for n in entries.values()
        }
        old, added = "\n".join(lines[n] for n in shown), "\n".join(lines[n] for n in new)
        prompt = EDIT.format(size=CORE_CHARS, core="\n".join(self.core), old=old, new=added)
        try:
            reply = self.toolkit.llm_completion([{"role": "user", "content": prompt}])
            answer = json.loads(reply[reply.index("{") : reply.rindex("}") + 1])
            core, updates, deleted = answer["core"], answer.get("update") or {}, answer.get("delete") or []
            if not (isinstance(core, str) and isinstance(updates, dict) and isinstance(deleted, list)):
                raise TypeError(f"the reply is {answer}")
        except Exception as error:
            self.toolkit.logger.debug(f"the core keeps what people say of themselves, no model edits: {error}")
            return False
        self.core = [" ".join(core.replace("\0", " ").split())[:CORE_CHARS]] if core.strip() else []
        for number, text in [*updates.items(), *((str(number), "") for number in deleted)]:
            if number in entries:
                self.replace(entries[number], " ".join(str(text).replace("\0", " ").split())[:LINE_CHARS])
        return True

    def replace(self, number, text):
        """Set the text of an entry; "" deletes it."""
        memory = self.events if number in self.events else self.facts
        self.db.execute("DELETE FROM entries WHERE rowid = ?", (number,))
        memory.pop(number, None)
        if text:
            memory[number] = text
            self.db.execute("INSERT INTO entries (rowid, text) VALUES (?, ?)", (number, text))

    def read(self, query):
        core = "\n".join(self.core)
        terms = list(dict.fromkeys(re.findall(r"\w+", query.text.lower())))[:64]
        # Quoted, a term is a plain string to FTS5, whatever it contains.
        match = " OR ".join(f'"{term}"' for term in terms)
        found = "SELECT rowid FROM entries WHERE entries MATCH ? ORDER BY bm25(entries), rowid"
        hits = [number for (number,) in self.db.execute(found, (match,))] if terms else []
        facts = [self.facts[number] for number in hits if number in self.facts][:HITS]
        events = [self.events[number] for number in hits if number in self.events][:HITS]
        room = READ_CHARS - len(core) - len("\n\nEvents:\n\nFacts:\n") - 2
        shown = fitting(events, int(room * SHARE))
        facts = fitting(facts, room - size(shown))
        events = fitting(events, room - size(facts))
        parts = [
            core,
            "\n".join(["Facts:", *facts] if facts else []),
            "\n".join(["Events:", *events] if events else []),
        ]
        return "\n\n".join(part for part in parts if part)


def fitting(lines, room):
    """The lines, from the first on, that fit into so many characters."""
    kept = []
    for line in lines:
        if size([*kept, line]) <= room:
            kept.append(line)
    return kept


def size(lines):
    return sum(len(line) + 1 for line in lines)
