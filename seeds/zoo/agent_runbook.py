"""Keeps three pools: raw states (a line with its neighbours), events (what changed a state), notes (how to, and hints).
Bets that questions about what was seen, what happened and what to do are each answered best from a pool of their own.

Source: AgentRunbook-R of LongMemEval-V2 (arXiv 2605.12493). In a trajectory an event is a command with what was seen
after it; elsewhere the task agent lists the events. It writes the notes too, and the searches for each pool, which are
fields of the query. The reranking is left out, so that the program itself calls no model. A task agent without a model
puts the same question to all three pools.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

RADIUS = 1  # lines to each side of a raw state
STATES = 6  # in all, shared by the searches for raw states
EVENTS = 3
NOTES = 3  # of each of the two types
TUNABLES = {"RADIUS": (0, 4), "STATES": (1, 40), "EVENTS": (0, 12), "NOTES": (0, 8)}

READ_CHARS = 3000
LINE_CHARS = 600  # longer lines are cut

INSTRUCTION_KNOWLEDGE_ITEM = (
    "List the events that changed something, each with what was so before and after. Write down the procedure that led "
    "to the goal or the course of the talk, and hints: traps, rules and particulars worth knowing next time."
)
INSTRUCTION_QUERY = (
    "Write searches: up to five for raw states as they were seen or said (one a line), one for an event that changed "
    "something, one for a procedure or hint."
)
INSTRUCTION_RESPONSE = "Answer from the notes, the events and the raw states. The raw states are verbatim: trust them."
ALWAYS_ON_KNOWLEDGE = "The memory holds raw states, events and notes of every episode."


@dataclass
class KnowledgeItem:
    procedure: str = field(default="", metadata={"description": "Summary of how it was done or went, in order"})
    hints: list[str] = field(default_factory=list, metadata={"description": "Lessons: traps, rules, particulars"})
    events: list[str] = field(default_factory=list, metadata={"description": "What changed, before and after"})
    date: str = field(default="", metadata={"description": "When the episode took place, as written"})


@dataclass
class Query:
    state_searches: str = field(metadata={"description": "Up to five searches for raw states, one search a line"})
    event_search: str = field(default="", metadata={"description": "The search for an event, as a question"})
    note_search: str = field(default="", metadata={"description": "The search for a procedure or hint"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.lines = []  # (episode, date, text), the raw states
        self.pools = {"state": [], "event": [], "procedure": [], "hint": []}  # text; of a state, its line's number
        self.keys = {}  # a matrix for each pool that is not empty

    def write(self, item, raw_text):
        episode = self.lines[-1][0] + 1 if self.lines else 0
        lines = [line[:LINE_CHARS].strip() for line in raw_text.splitlines() if line.strip(" \0")]
        # A command is one state with what was observed after it.
        taken = [i for i, line in enumerate(lines[:-1]) if line.startswith(">") and not lines[i + 1].startswith(">")]
        events = [f"{lines[i]} -> {lines[i + 1]}" for i in taken] or item.events
        windows = ["\n".join(lines[max(0, i - RADIUS) : i + RADIUS + 1]) for i in range(len(lines))]
        self.add("state", windows, range(len(self.lines), len(self.lines) + len(lines)))
        self.lines += [(episode, item.date, line) for line in lines]
        dated = f"[{item.date}] " if item.date else ""
        for pool, texts in (("event", events), ("procedure", [item.procedure]), ("hint", item.hints)):
            texts = [dated + " ".join(text.split())[:LINE_CHARS] for text in texts if text.strip()]
            self.add(pool, texts, texts)

    def add(self, pool, texts, kept):
        if texts:
            vectors = self.toolkit.embed(texts)
            self.keys[pool] = np.vstack([self.keys[pool], vectors]) if pool in self.keys else vectors
            self.pools[pool] += kept

    def find(self, pool, search, hits):
        """What a pool has closest to a search, best first."""
        if pool not in self.keys:
            return []
        scores = self.keys[pool] @ self.toolkit.embed([search])[0]
        # Rounded: what is equally close ties, and the earlier comes first.
        return [self.pools[pool][i] for i in np.argsort(-scores.round(6), kind="stable")[:hits]]

    def read(self, query):
        searches = [search for search in query.state_searches.splitlines() if search.strip()][:5]
        searches = searches or [query.event_search or query.note_search]
        each = max(1, STATES // len(searches)) if len(searches) <= 3 else 2
        note_search = query.note_search.strip() or searches[0]
        event_search = query.event_search.strip() or searches[0]
        notes = [note for pool in ("procedure", "hint") for note in self.find(pool, note_search, NOTES)]
        events = self.find("event", event_search, EVENTS)
        found = dict.fromkeys(line for search in searches for line in self.find("state", search, each))
        parts = []
        room = READ_CHARS
        for heading, texts in (("Notes:", notes), ("Events:", events), ("Raw states:", self.around(found))):
            shown = []
            for text in dict.fromkeys(texts):
                if len(text) + 1 + (0 if shown else len(heading) + 2) <= room:
                    room -= len(text) + 1 + (0 if shown else len(heading) + 2)
                    shown.append(text)
            if shown:
                parts.append("\n".join([heading, *shown]))
        return "\n\n".join(parts)

    def around(self, found):
        """The lines of raw states with those around them, no line twice, the best state first."""
        told, shown = set(), []
        for centre in found:
            episode, date, _ = self.lines[centre]
            near = range(max(0, centre - RADIUS), min(len(self.lines), centre + RADIUS + 1))
            new = [i for i in near if self.lines[i][0] == episode and i not in told]
            told.update(new)
            if new:
                shown.append("\n".join([f"[{date}]"] * bool(date) + [self.lines[i][2] for i in new]))
        return shown
