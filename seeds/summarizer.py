"""Keeps the task agent's summary of each episode, not the episode; reads the newest and the most relevant that fit.
Bets that what matters later can be told at the time it happens (M*'s summariser seed)."""

from __future__ import annotations

from dataclasses import dataclass, field

NEWEST = 1  # summaries that are shown whatever the question is
HITS = 20
KEY = "summary"  # "topics" searches by the topics instead, "both" by both
TUNABLES = {"NEWEST": (0, 5), "HITS": (1, 40), "KEY": ["summary", "topics", "both"]}

READ_CHARS = 3000

INSTRUCTION_KNOWLEDGE_ITEM = (
    "Summarise the episode in at most 120 words: who did, said, planned, felt or decided what, with names, numbers and "
    "dates. List its topics."
)
INSTRUCTION_QUERY = "Put the question as one sentence that names the people and the subject."
INSTRUCTION_RESPONSE = "Answer from the summaries, which are in order of time; the later one holds where two disagree."
ALWAYS_ON_KNOWLEDGE = "The memory holds one short summary of every episode."


@dataclass
class KnowledgeItem:
    summary: str = field(metadata={"description": "What happened, with names, numbers and dates"})
    topics: list[str] = field(default_factory=list, metadata={"description": "Topics of the episode"})
    date: str = field(default="", metadata={"description": "When the episode took place, as written"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question in one sentence"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.notes = toolkit.chroma.get_or_create_collection("notes", metadata={"hnsw:space": "cosine"})

    def write(self, item, raw_text):
        shown = f"[{item.date}] {item.summary}" if item.date else item.summary
        topics = ", ".join(item.topics)
        key = {"summary": item.summary, "topics": topics}.get(KEY) or f"{item.summary} {topics}"
        if item.summary.strip():
            number = self.notes.count()
            self.notes.add(ids=[str(number)], documents=[key], metadatas=[{"number": number, "shown": shown}])

    def read(self, query):
        count = self.notes.count()
        if not count:
            return ""
        newest = self.notes.get(where={"number": {"$gte": count - NEWEST}})["metadatas"]
        found = self.notes.query(query_texts=[query.text], n_results=min(HITS, count))["metadatas"][0]
        chosen = {}
        room = READ_CHARS
        for note in [*newest, *found]:
            shown = note["shown"][:READ_CHARS]
            if note["number"] not in chosen and len(shown) <= room:
                chosen[note["number"]] = shown
                room -= len(shown) + 1
        return "\n".join(chosen[number] for number in sorted(chosen))
