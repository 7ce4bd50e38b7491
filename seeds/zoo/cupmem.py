"""Keeps a profile of slots; a new value makes the old one stale and puts in doubt what hangs on it; reads the values
that hold, with what they replaced, and says which to doubt.
Bets that memories fail by what is no longer true: "I moved" also ends a way to work that nobody mentions.
Source: CUPMem (STALE, 2605.06527). Simplified: a fixed table says which slots hang on which; one call names the slots
that an episode sets, and more of those in doubt. Without a model patterns find the slots of the table, and any other
subject with a relation ("my car is") is a slot of its own. Lines that set no slot are kept as they are."""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass, field

import numpy as np

HITS = 40
PROPAGATE = "yes"  # "no" doubts nothing that was not contradicted
BEFORE = 1  # earlier values that are shown with the one that holds
KNOWN = 100  # slots that the model sees, the latest
TUNABLES = {"HITS": (5, 80), "PROPAGATE": ["yes", "no"], "BEFORE": (0, 3), "KNOWN": (10, 300)}

READ_CHARS = 3000
LINE_CHARS = 600
SLOTS = {
    "home": r"\b(?:live|living|moved|moving) (?:in|to)\b|\bmy (?:home|flat|house) is\b",
    "job": r"\bI(?:'m| am)? (?:work|working) (?:at|for|as)\b|\bI (?:got|started|quit|lost) (?:a|my) (?:new )?job\b",
    "family": r"\b(?:I|we)(?: am|'m| are|'re| got)? (?:single|engaged|married|divorced)\b",
    "health": r"\bI (?:broke|hurt) my\b|\b(?:diagnosed with|allergic to|pregnant)\b",
    "commute": r"\b(?:commute|(?:cycle|drive|walk|train|bus|tram) to (?:work|the office))\b",
    "schedule": r"\bI (?:get up|start work|finish) at\b|\bmy (?:shift|schedule|alarm) is\b",
    "sport": r"\bI (?:run|swim|train|play (?:football|tennis)|go to the gym) (?:at|in|every|on|with)\b",
}
HANGS_ON = {"commute": "home job", "schedule": "job family", "sport": "home health", "home": "family"}
LINK = r"(?:as|at|by|for|from|in|of|on|to|with)\b(?: the [a-z]+ of\b)?"
IS = rf".*\b(?:is|are|was|were)\b(?: (?:an? |the )?[a-z]+ {LINK})?"
GIVES = rf"({IS}|.*? [a-z]+(?:s|ed) (?:{LINK}|the [a-z]+ of\b)|.*\b(?:live|work|drive|study)(?: {LINK})?) \S"
# What somebody says of an "it", or in the past tense, is undone by no later line.
UNCLEAR = r"(?i)^(?:he|here|how|it|it's|she|th(?:at|is|ese|ose|ere|ey)|we|wh\w+|you)\b|\b(?:was|were|\w{2,}ed)\b"
CLASSIFY = """Slots known so far:\n{known}\nStatements:\n{new}
Which statements set a slot (home, job, family, health, commute, schedule, sport, or one that you name) of whom to which
value, and which known slots do they put in doubt without naming them? Reply with JSON only:
{{"set": [{{"statement": 0, "slot": "anna home", "value": "Ghent"}}], "doubt": ["anna commute"]}}"""

INSTRUCTION_KNOWLEDGE_ITEM = "List what holds or happened, by name, who and what. Numbered facts are kept without you."
INSTRUCTION_QUERY = "Repeat the question in full, and say which state of whom it takes for granted."
INSTRUCTION_RESPONSE = "Answer from what holds. Say so if the question takes for granted what held before. Be brief."
ALWAYS_ON_KNOWLEDGE = "The memory holds a profile: values that hold, those they replaced, and those to doubt."


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
        self.evidence = []  # (text, date, the slots that it sets)
        self.slots = {}  # slot -> [(value, number of its evidence)], the last one holds
        self.doubts = {}  # slot -> why its value is in doubt
        self.vectors = np.zeros((0, 0), dtype=np.float32)

    def write(self, item, raw_text):
        numbered = re.findall(r"(?m)^\d+[.)]\s.*\S", raw_text)
        lines = [line.replace("\0", " ") for line in numbered or item.statements]
        new = [piece for line in lines for piece in textwrap.wrap(line, LINE_CHARS)]
        if not new:
            return
        rows = self.toolkit.embed(new)
        self.vectors = np.vstack([self.vectors, rows]) if self.evidence else rows
        found, doubted = (None, []) if numbered else self.classify(new)
        for i, text in enumerate(new):
            slots = slots_of(text) if found is None else found.get(i, {})
            self.evidence.append((text, item.date, list(slots)))
            for slot, value in slots.items():
                self.set(slot, value, item.date)
        self.doubts.update(dict.fromkeys(doubted, f"since {item.date}" if item.date else "lately"))

    def set(self, slot, value, date):
        """Give a slot the value of the last evidence; if it is a new one, put in doubt the slots that hang on it."""
        values = self.slots.setdefault(slot, [])
        changed = values and values[-1][0].lower() != value.lower()
        values.append((value, len(self.evidence) - 1))
        self.doubts.pop(slot, None)
        person, _, name = slot.rpartition(" ")
        for other, causes in HANGS_ON.items():
            if changed and PROPAGATE == "yes" and name in causes.split() and f"{person} {other}" in self.slots:
                self.doubts[f"{person} {other}"] = f"{name} changed" + f" on {date}" * bool(date)

    def classify(self, new):
        """({statement: {slot: value}}, slots in doubt) as the model has them; None first where it has none."""
        known = "\n".join(f"{slot}: {values[-1][0]}" for slot, values in list(self.slots.items())[-KNOWN:])
        prompt = CLASSIFY.format(known=known, new="\n".join(f"{i}: {text}" for i, text in enumerate(new)))
        found = {}
        try:
            reply = self.toolkit.llm_completion([{"role": "user", "content": prompt}])
            answer = json.loads(reply[reply.index("{") : reply.rindex("}") + 1])
            for entry in answer["set"]:
                found.setdefault(int(entry["statement"]), {})[str(entry["slot"]).lower()] = str(entry["value"])
            return found, [str(slot) for slot in answer.get("doubt", []) if str(slot) in self.slots]
        except Exception as error:
            self.toolkit.logger.debug(f"patterns find the slots, since no model did: {error}")
            return None, []

    def read(self, query):
        scores = self.vectors @ self.toolkit.embed([query.text])[0] if self.evidence else np.zeros(0)
        shown = {}
        for number in np.argsort(-scores, kind="stable")[:HITS].tolist():
            slots = self.evidence[number][2]
            # What no longer holds is shown only beside what does.
            for current in dict.fromkeys(self.slots[slot][-1][1] for slot in slots) if slots else [number]:
                shown.setdefault(current, self.line(current))
        text = ""
        for line in shown.values():
            text += f"{line}\n" if len(text) + len(line) < READ_CHARS else ""
        return text[:-1]

    def line(self, number):
        text, date, slots = self.evidence[number]
        text = f"[{date}] {text}" if date else text
        for slot in slots:
            earlier = {value.lower(): value for value, _ in self.slots[slot]}
            earlier.pop(self.slots[slot][-1][0].lower())
            if earlier and BEFORE and self.slots[slot][-1][1] == number:
                text += f" (before: {', '.join(list(earlier.values())[-BEFORE:])[:100]})"
            if slot in self.doubts:
                text += f" (in doubt: {self.doubts[slot]})"
        return text


def slots_of(text):
    """{slot: value} of each clause: "Anna: My car is a Jazz." sets "anna my car is" to "a Jazz"."""
    speaker, said = re.match(r"(?:\d+[.)]\s+)?(?:([^\W\d_][^:\n]{0,30}):\s)?(.*)", text).groups(default="")
    said = re.sub(r"(?i)\b(?:and|but|currently|now|so|still) ", "", said)
    slots = {}
    for clause in re.split(r"(?<=[.!?;,])\s", said) if speaker else [said]:
        names = [name for name, pattern in SLOTS.items() if speaker and re.search(f"(?i){pattern}", clause)]
        given = re.search(f"(?i)({SLOTS[names[0]]})", clause) if names else re.match(GIVES, clause)
        if given and not clause.endswith("?") and (names or not (speaker and re.search(UNCLEAR, given[1]))):
            name = names[0] if names else " ".join(re.findall(r"[\w']+", given[1].lower()))
            slots[f"{speaker.lower()} {name}"] = clause[given.end(1) :].strip(" .,;!") or "?"
    return slots
