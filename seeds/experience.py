"""Keeps what each episode taught and the situation it was learned in; reads the lessons of the most similar situations.
Bets that the next task resembles an earlier one, and that its lessons carry over (M*'s experience learner seed)."""

from __future__ import annotations

from dataclasses import dataclass, field

HITS = 8
LESSONS = 5  # of each situation
KEY = "situation"  # "lessons" searches by the lessons instead, "both" by both
SHOW_SITUATION = "yes"
TUNABLES = {
    "HITS": (1, 20),
    "LESSONS": (1, 10),
    "KEY": ["situation", "lessons", "both"],
    "SHOW_SITUATION": ["yes", "no"],
}

READ_CHARS = 3000

INSTRUCTION_KNOWLEDGE_ITEM = (
    "Describe the situation in one or two sentences: who, what goal or subject, under which conditions. List the "
    "lessons: facts learned, what worked and why, what failed and how to prevent it, each a sentence that stands alone."
)
INSTRUCTION_QUERY = "Describe the situation that the question or goal puts you in."
INSTRUCTION_RESPONSE = "Use the lessons from similar situations; ignore those that do not apply."
ALWAYS_ON_KNOWLEDGE = "The memory holds lessons from earlier situations."


@dataclass
class KnowledgeItem:
    situation: str = field(metadata={"description": "The situation in one or two sentences"})
    lessons: list[str] = field(metadata={"description": "Facts learned, what worked, what failed; one sentence each"})


@dataclass
class Query:
    situation: str = field(metadata={"description": "The question, or the situation at hand"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.notes = toolkit.chroma.get_or_create_collection("notes", metadata={"hnsw:space": "cosine"})

    def write(self, item, raw_text):
        lessons = [lesson for lesson in item.lessons[:LESSONS] if lesson.strip()]
        if not lessons:
            return
        heading = [f"Situation: {item.situation}"] if SHOW_SITUATION == "yes" else []
        shown = "\n".join(heading + [f"- {lesson}" for lesson in lessons])
        key = {"situation": item.situation, "lessons": " ".join(lessons)}.get(KEY) or shown
        number = self.notes.count()
        self.notes.add(ids=[str(number)], documents=[key], metadatas=[{"number": number, "shown": shown}])

    def read(self, query):
        count = self.notes.count()
        if not count:
            return ""
        found = self.notes.query(query_texts=[query.situation], n_results=min(HITS, count))["metadatas"][0]
        parts = []
        room = READ_CHARS
        for note in found:
            shown = note["shown"][:READ_CHARS]
            if len(shown) <= room:
                parts.append(shown)
                room -= len(shown) + 2
        return "\n\n".join(parts)
