"""Keeps what each person prefers, with a strength that grows when it is said again and falls when it is contradicted,
until the preference is revised; reads the preferences that fit, then lines. Bets that likes decide what helps.
Source: the preference memory of PEARL (arXiv 2601.11957). Simplified: nothing is trained, and preferences come from
what is said, not from decisions. The one call matches new preferences with those known; without it a pattern finds
likes, dislikes and favourites, and two are about the same thing when their embeddings agree.
"""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass, field

import numpy as np

REPEATED = 1.0  # added to the strength of a preference that is said again
CONTRADICTED = 2.0  # taken from it when the opposite is said; with nothing left the opposite holds
SAME_COSINE = 0.85  # of two things that count as one
PREFERENCES = 10  # read at most
TUNABLES = {"REPEATED": (0.1, 3.0), "CONTRADICTED": (0.1, 5.0), "SAME_COSINE": (0.5, 1.0), "PREFERENCES": (1, 30)}

READ_CHARS = 3000
AGAINST = r"hate|dislike|can't stand|cannot stand|went off|gave up on|gave up|tired of|sick of"
OPINION = re.compile(
    r"\b(?P<who>I|[Ww]e|[A-Z]\w+)(?:'m|'re| am| is| are)?(?P<how>(?: (?:really|still|also|just|always|do|does|don't|"
    rf"doesn't|not|never|no longer|a|big))*) (?P<cue>{AGAINST}|love|like|enjoy|prefer|fan of|into)s? (?P<about>.+)"
)
FAVOURITE = re.compile(r"\b(?P<about>favou?rite [^,]{2,40}?)(?: now)? (?:is|are|was)(?: now)? (?P<value>.+)")
PROMPT = """Known preferences:
{known}
An episode, and the preferences noted in it:
{said}
For each preference shown give the number of the known one that it repeats or contradicts, or null, the person, what it
is about, and the value: "likes", "dislikes" or what is preferred; a known value that still holds in the same words.
Answer with a JSON list only: [{{"known": null, "person": "", "about": "", "value": ""}}]"""

INSTRUCTION_KNOWLEDGE_ITEM = 'Give the date, and each preference as "person | about what | likes, dislikes or choice".'
INSTRUCTION_QUERY = "Repeat the question in full: who, and about what."
INSTRUCTION_RESPONSE = "Answer from the preferences, the stronger first, and from the lines after them. Be brief."
ALWAYS_ON_KNOWLEDGE = "The memory holds the preferences of each person as they are now, and what was said."


@dataclass
class KnowledgeItem:
    date: str = field(default="", metadata={"description": "When the episode took place, as written"})
    preferences: list[str] = field(default_factory=list, metadata={"description": "person | about | value"})


@dataclass
class Query:
    text: str = field(metadata={"description": "The question in full"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.preferences = []  # (person, about, value, strength, since, value before)
        self.lines = []
        self.vectors = {"preferences": np.zeros((0, 1)), "lines": np.zeros((0, 1))}

    def write(self, item, raw_text):
        lines = [line for line in raw_text.replace("\0", " ").splitlines() if not line.startswith("Date: ")]
        lines = [piece for line in lines for piece in textwrap.wrap(line, 600)]
        if lines:
            for known, person, about, value in self.shown(lines, item.preferences):
                self.revise(known, person, about, value, item.date)
            self.add("lines", lines)
            self.lines += [f"[{item.date}] {line}" if item.date else line for line in lines]

    def add(self, name, texts):
        vectors = self.toolkit.embed([text.lower() for text in texts])
        self.vectors[name] = np.vstack([self.vectors[name], vectors]) if len(self.vectors[name]) else vectors

    def shown(self, lines, noted):
        """What an episode shows: (number of the known preference or None, person, about, value) of each."""
        said = "\n".join([*lines, *noted])
        try:
            known = "\n".join(f"{i}. {self.show(i)}" for i, _ in self.closest("preferences", said)[:30])
            content = PROMPT.format(known=known or "(none)", said=said)
            reply = self.toolkit.llm_completion([{"role": "user", "content": content}])
            found = json.loads(reply[reply.index("[") : reply.rindex("]") + 1])
            return [(one["known"], *(one[part][:200] for part in ("person", "about", "value"))) for one in found]
        except Exception as error:
            self.toolkit.logger.debug(f"finding preferences by pattern: {error}")
        triples = [[part.strip()[:200] for part in note.split("|")] for note in noted if note.count("|") == 2]
        return [(None, *triple) for triple in triples or (one for line in lines for one in opinions(line))]

    def revise(self, known, person, about, value, date):
        """Strengthen the preference that is repeated, weaken or replace the one that is contradicted, or add one."""
        known = known if known in range(len(self.preferences)) else self.same(person, about)
        if known is None:
            self.add("preferences", [about])
            self.preferences.append((person, about, value, 1.0, date, ""))
            return
        person, about, held, strength, since, before = self.preferences[known]
        if held.lower() == value.lower():
            strength += REPEATED
        elif strength > CONTRADICTED:
            strength -= CONTRADICTED
        else:
            held, strength, since, before = value, 1.0, date, held
        self.preferences[known] = (person, about, held, strength, since, before)

    def same(self, person, about):
        """The number of the known preference of a person about the same thing, or None."""
        near = [i for i, cosine in self.closest("preferences", about) if cosine >= SAME_COSINE]
        return next((i for i in near if self.preferences[i][0].lower() == person.lower()), None)

    def closest(self, name, text):
        """The rows of a store with their cosines, the closest first."""
        held = self.vectors[name]
        cosines = held @ self.toolkit.embed([text.lower()])[0] if len(held) else np.zeros(0)
        return [(i, cosines[i]) for i in np.argsort(-cosines, kind="stable").tolist()]

    def read(self, query):
        asked = set(re.findall(r"\w+", query.text.lower()))
        of_asked = {i for i, held in enumerate(self.preferences) if asked & set(held[0].lower().split())}
        ranked = sorted(self.closest("preferences", query.text), key=lambda hit: hit[0] not in of_asked)
        best = sorted(ranked[:PREFERENCES], key=lambda hit: -self.preferences[hit[0]][3])
        parts, room = [], READ_CHARS
        for part in [self.show(i) for i, _ in best] + [self.lines[i] for i, _ in self.closest("lines", query.text)]:
            room -= len(part) + 1
            if room < -1:
                break
            parts.append(part)
        return "\n".join(parts)

    def show(self, number):
        person, about, value, strength, since, before = self.preferences[number]
        since = (f", since {since}" if since else "") + (f", before: {before}" if before else "")
        return f"{person} | {about} | {value} (strength {strength:g}{since})"


def opinions(line):
    """Yield (person, about, value) for every like, dislike and favourite that a line shows."""
    speaker, said = re.match(r"(?:([^\W\d_][^:\n]{0,30}):\s)?(.*)", line).groups()
    for sentence in re.split(r"[.!?;]\s*", said):
        if found := FAVOURITE.search(sentence):
            yield speaker or "", found["about"], thing(found["value"])
        elif (found := OPINION.search(sentence)) and found["who"] not in ("He", "She", "They", "You", "It", "Who"):
            against = found["cue"] in AGAINST.split("|") or re.search(r"n't|not|never|no longer", found["how"])
            person = (speaker or "") if found["who"] in ("I", "we", "We") else found["who"]
            yield person, thing(found["about"]), "dislikes" if against else "likes"


def thing(text):
    # What comes after these words is said on top of it.
    core = re.split(r",|\b(?:and|but|because|so|when|now|any ?more|very|a lot|too)\b", text)[0].split()
    return " ".join(word for word in core[:6] if word.lower() not in ("a", "an", "the", "my"))
