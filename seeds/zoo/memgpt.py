"""Keeps a small core that is always read, a log of all messages that is searched by words, and an archive by meaning.
Bets that memory is like that of a computer: what is in use stays close, the rest is paged out and found again.
Source: MemGPT/Letta (2310.08560). Simplified: one call edits the core and archives what messages that leave the queue
have to say, in place of tool calls and a recursive summary; the queue itself is not read. Without a model people's
statements of themselves go into the core, where a new value of the same subject replaces the old one and the oldest go
into the archive for lack of room; messages that leave the queue are archived as they are."""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass, field

import numpy as np

CORE_CHARS = 500  # 2,000 a block in the source, which reads more
QUEUE = 40  # messages before the older half is paged out
PASSAGE_CHARS = 400  # of the archive
ARCHIVAL = 5  # passages read
TUNABLES = {"CORE_CHARS": (0, 1500), "QUEUE": (4, 200), "PASSAGE_CHARS": (100, 1000), "ARCHIVAL": (0, 10)}

READ_CHARS = 3000
LINE_CHARS = 600
OWN = r"(?i)\b(?:I am|I'm|I have|I've|I live|I work|I love|I like|I prefer|my)\b"
LINK = r"(?:as|at|by|for|from|in|of|on|to|with)\b(?: the [a-z]+ of\b)?"
IS = rf".*\b(?:is|are|was|were)\b(?: (?:an? |the )?[a-z]+ {LINK})?"
GIVES = rf"({IS}|.*? [a-z]+(?:s|ed) (?:{LINK}|the [a-z]+ of\b)|.*\b(?:live|work|drive|study)(?: {LINK})?) \S"
# What somebody says of an "it", or in the past tense, is undone by no later line.
UNCLEAR = r"(?i)^(?:he|here|how|it|it's|she|th(?:at|is|ese|ose|ere|ey)|we|wh\w+|you)\b|\b(?:was|were|\w{2,}ed)\b"
EDIT = """Core memory (at most {size} characters):\n{core}\nNew messages:\n{new}\nMessages that leave the queue:\n{old}
Edit the core, line by line ("old" is "" for a line more, "new" is "" for a line less), and archive what will be needed
of the messages that leave. Reply with JSON only:
{{"core": [{{"old": "...", "new": "..."}}], "archive": ["..."]}}"""

INSTRUCTION_KNOWLEDGE_ITEM = "Give the date on which the episode took place, as it is written there."
INSTRUCTION_QUERY = "Repeat the question, and add words that the message holding the answer is likely to contain."
INSTRUCTION_RESPONSE = "Answer from the core, which is up to date, the archive and the messages. Be brief."
ALWAYS_ON_KNOWLEDGE = "The memory holds a core, an archive, and a log of all messages."


@dataclass
class KnowledgeItem:
    date: str = field(default="", metadata={"description": "When the episode took place, as written"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question, and words to look for"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.toolkit.db.execute("CREATE VIRTUAL TABLE messages USING fts5(text)")
        self.core = []  # lines
        self.queue = []
        self.archive = []
        self.vectors = np.zeros((0, 0), dtype=np.float32)

    def write(self, item, raw_text):
        said = [line for line in raw_text.replace("\0", " ").splitlines() if not line.startswith("Date:")]
        new = [piece for line in said for piece in textwrap.wrap(line, LINE_CHARS)]
        if not new:
            return
        logged = [f"[{item.date}] {message}" if item.date else message for message in new]
        self.toolkit.db.executemany("INSERT INTO messages (text) VALUES (?)", [(message,) for message in logged])
        self.queue += logged
        leaving = len(self.queue) - QUEUE // 2 if len(self.queue) > QUEUE else 0
        paged_out, self.queue = self.queue[:leaving], self.queue[leaving:]
        told = self.edit(new, paged_out)
        if told is None:
            told = textwrap.wrap("\n".join(paged_out), PASSAGE_CHARS, replace_whitespace=False)
            for message in new:
                self.replace(message)
        while len("\n".join(self.core)) > CORE_CHARS:
            told.append(self.core.pop(0))
        self.archive += told
        if told:
            rows = self.toolkit.embed(told)
            self.vectors = np.vstack([self.vectors, rows]) if len(self.vectors) else rows

    def replace(self, message):
        """Put what somebody says of themselves into the core, in the place of what it changes."""
        new = states(message)
        changed = [
            line for line in self.core if any(states(line).get(key, value) != value for key, value in new.items())
        ]
        if changed or (re.search(OWN, message) and not message.endswith("?")):
            self.core = [line for line in self.core if line not in (*changed, message)] + [message]

    def edit(self, new, paged_out):
        """Let the model edit the core; what it archives, or None where it has nothing of use."""
        prompt = EDIT.format(size=CORE_CHARS, core="\n".join(self.core), new="\n".join(new), old="\n".join(paged_out))
        try:
            reply = self.toolkit.llm_completion([{"role": "user", "content": prompt}])
            answer = json.loads(reply[reply.index("{") : reply.rindex("}") + 1])
            edits = [(str(edit["old"]).strip(), " ".join(str(edit["new"]).split())) for edit in answer["core"]]
            told = [" ".join(str(insight).split())[:LINE_CHARS] for insight in answer.get("archive", [])]
        except Exception as error:
            self.toolkit.logger.debug(f"the core takes what people say of themselves, no model edits: {error}")
            return None
        for old, text in edits:
            at = self.core.index(old) if old in self.core else len(self.core)
            self.core[at : at + 1] = [text] if text else []
        return told

    def read(self, query):
        ranked = np.zeros(0)
        if self.archive:
            ranked = np.argsort(-(self.vectors @ self.toolkit.embed([query.text])[0]), kind="stable")
        match = " OR ".join(f'"{term}"' for term in dict.fromkeys(re.findall(r"\w+", query.text.lower())[:64]))
        found = "SELECT text FROM messages WHERE messages MATCH ? ORDER BY bm25(messages), rowid LIMIT 60"
        passages = [self.archive[number] for number in ranked[:ARCHIVAL]]
        messages = [text for (text,) in self.toolkit.db.execute(found, (match,))] if match else []
        text = ""
        for heading, lines in (("Core:", self.core), ("Archive:", passages), ("Messages:", messages)):
            for line in [heading, *lines] if lines else []:
                if line not in text and len(text) + len(line) < READ_CHARS:
                    text += line + "\n"
        return text[:-1]


def states(text):
    """{key: value}: "Anna: My car is a Jazz." gives "anna my car is": "a jazz", and so does each clause of a line."""
    speaker, said = re.match(r"(?:\d+[.)]\s+)?(?:([^\W\d_][^:\n]{0,30}):\s)?(.*)", text).groups(default="")
    said = re.sub(r"(?i)\b(?:and|but|currently|now|so|still) ", "", said)
    found = {}
    for clause in re.split(r"(?<=[.!?;,])\s", said) if speaker else [said]:
        given = re.match(GIVES, clause)
        if given and not (speaker and re.search(UNCLEAR, given[1])) and not clause.endswith("?"):
            key = " ".join(re.findall(r"[\w']+", f"{speaker} {given[1]}".lower()))
            found[key] = clause[given.end(1) :].strip(" .,;!").lower() or "?"
    return found
