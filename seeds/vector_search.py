"""Cuts every episode into overlapping chunks and reads back those whose embeddings are closest to the question.
Bets that the answer stands, in similar words, in a few consecutive sentences somewhere (M*'s vector search seed)."""

from __future__ import annotations

from dataclasses import dataclass, field

CHUNK_CHARS = 500
OVERLAP_CHARS = 0
HITS = 10
ORDER = "rank"  # "time" = as the chunks were written
TUNABLES = {
    "CHUNK_CHARS": (100, 1000),
    "OVERLAP_CHARS": (0, 90),
    "HITS": (1, 30),
    "ORDER": ["rank", "time"],
}

READ_CHARS = 3000

INSTRUCTION_KNOWLEDGE_ITEM = "Give the date on which the episode took place, as it is written there."
INSTRUCTION_QUERY = "Put the question in words that the passage holding the answer is likely to use."
INSTRUCTION_RESPONSE = "Answer from the passages of memory. Work out dates from the date before a passage. Be brief."
ALWAYS_ON_KNOWLEDGE = "The memory holds the full text of every episode."


@dataclass
class KnowledgeItem:
    date: str = field(default="", metadata={"description": "When the episode took place, as written"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question, or the words to look for"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.notes = toolkit.chroma.get_or_create_collection("notes", metadata={"hnsw:space": "cosine"})

    def write(self, item, raw_text):
        starts = range(0, len(raw_text), CHUNK_CHARS - OVERLAP_CHARS)
        chunks = [chunk for start in starts if (chunk := raw_text[start : start + CHUNK_CHARS].strip())]
        if chunks:
            date = f"[{item.date}] " if item.date else ""
            first = self.notes.count()
            self.notes.add(
                ids=[str(first + i) for i in range(len(chunks))],
                documents=chunks,
                metadatas=[{"number": first + i, "shown": date + chunk} for i, chunk in enumerate(chunks)],
            )

    def read(self, query):
        count = self.notes.count()
        if not count:
            return ""
        found = self.notes.query(query_texts=[query.text], n_results=min(HITS, count))
        # Equal chunks are equally close: the number decides, not the index.
        ranked = sorted(
            zip(found["distances"][0], found["metadatas"][0], strict=True), key=lambda hit: (hit[0], hit[1]["number"])
        )
        hits = []
        room = READ_CHARS
        for _, note in ranked:
            # The last chunk is cut to what still fits, if that is more than a few words.
            if room < 50:
                break
            shown = note["shown"][:room]
            room -= len(shown) + 2
            hits.append((note["number"], shown))
        if ORDER == "time":
            hits.sort()
        return "\n\n".join(shown for _, shown in hits)
