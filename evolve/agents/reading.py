"""What the surface of a text shows without a model: speakers, names, dates, numbers, key words, weighty sentences."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?)"
)
_DATE = re.compile(
    rf"\d{{4}}-\d\d(?:-\d\d)?|\d{{1,2}}/\d{{1,2}}/\d{{2,4}}|(?:\d{{1,2}}(?:st|nd|rd|th)?\s+)?\b{_MONTH}\b\.?"
    r"(?:\s+\d{1,2}(?:st|nd|rd|th)?\b)?(?:,?\s+\d{4})?|\b(?:19|20)\d\d\b"
)
_DATE_LINE = re.compile(r"^(?:Date|Time|When|Timestamp)\s*:\s*(.+)$", re.MULTILINE | re.IGNORECASE)
_TURN = re.compile(r"^([^\W\d_][\w.'\u2019-]*(?: [^\W\d_][\w.'\u2019-]*){0,2}):[ \t]+(.*)$")
_STOP = ".!?\u3002\uff01\uff1f"
_SENTENCE = re.compile(rf"[^{_STOP}\n]+[{_STOP}]*[\"')\]]*")
_NAME = re.compile(r"\b[A-Z][\w'\u2019-]+(?: [A-Z][\w'\u2019-]+)*")
_POSSESSIVE = re.compile(r"['\u2019]s\b")
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:,\d{3})*(?:\.\d+)?(?!\w)")
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
_HEADINGS = frozenset(
    ("date", "time", "when", "timestamp", "note", "notes", "title", "source", "image", "https", "http")
)
_STOP_WORDS = """
a about above actually after again against all also am an and any are aren't as at awesome be because been before
being below between both but by bye can can't cannot come could did didn't do does doesn't doing don't down during each
even ever every few for from further get go going good gonna got great had has hasn't have haven't having he he's hello
her here hers hey hi him his how i i'd i'll i'm i've if in into is isn't it it's its just know let let's like lot made
make many maybe me might more most much must my no nor not now of off oh ok okay on once one only or other our out over
own please really same say see she she's should so some still such sure take than thank thanks that that's the their
them then there there's these they they're thing things think this those through to too totally under until up us very
was wasn't way we we're we've well were what what's when where which while who whom whose why will with won't would wow
yeah yes yet you you'd you'll you're you've your yours yourself
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
"""English words that carry no meaning by themselves, chat words among them."""


@dataclass(frozen=True)
class Reading:
    """A text and its findings, each made at first use and in order of the text unless it says otherwise."""

    text: str

    @cached_property
    def date(self) -> str:
        """The text's own date: what its `Date:` line says, or else the first date mentioned, or ""."""
        line = _DATE_LINE.search(self.text)
        return line[1].strip() if line else next(iter(self.dates), "")

    @cached_property
    def dates(self) -> list[str]:
        """Distinct dates mentioned, as written."""
        return list(dict.fromkeys(found.strip(" ,.") for found in _DATE.findall(self.text)))

    @cached_property
    def turns(self) -> list[tuple[str, str]]:
        """Lines as (speaker or "", what is said), without the date line and empty lines."""
        found = []
        for line in self.text.splitlines():
            turn = _TURN.match(line)
            if turn and turn[1].lower() not in _HEADINGS:
                found.append((turn[1], turn[2]))
            elif line.strip() and not _DATE_LINE.match(line):
                found.append(("", line.strip()))
        return found

    @cached_property
    def speakers(self) -> list[str]:
        """Who speaks, in order of appearance."""
        return list(dict.fromkeys(speaker for speaker, _ in self.turns if speaker))

    @cached_property
    def names(self) -> list[str]:
        """Speakers, then other capitalised names, most frequent first.

        A sentence starts with a capital too, so that its first words count only where the text is one sentence.
        """
        counts: Counter[str] = Counter()
        spans = [span for _, said in self.turns for span in _SENTENCE.findall(said)]
        for span in spans:
            start = len(span) - len(span.lstrip(" \"'(["))
            for found in _NAME.finditer(span):
                parts = [part for part in _POSSESSIVE.sub("", found[0]).split() if part.lower() not in STOP_WORDS]
                if parts and (len(spans) == 1 or found.start() > start or len(parts) > 1):
                    counts[" ".join(parts)] += 1
        names = [name for name, _ in counts.most_common() if not _DATE.fullmatch(name)]
        return list(dict.fromkeys([*self.speakers, *names]))

    @cached_property
    def numbers(self) -> list[float]:
        """Numbers written in digits outside the date line."""
        found = (float(number.replace(",", "")) for _, said in self.turns for number in _NUMBER.findall(said))
        return [number for number in found if math.isfinite(number)]

    @cached_property
    def counts(self) -> Counter[str]:
        """How often each content word occurs, speakers' names left out."""
        speakers = {part.lower() for speaker in self.speakers for part in speaker.split()}
        found = (word for _, said in self.turns for word in content_words(said))
        return Counter(word for word in found if word not in speakers)

    @cached_property
    def keywords(self) -> list[str]:
        """Content words, most frequent first."""
        return [word for word, _ in self.counts.most_common()]

    @cached_property
    def sentences(self) -> list[tuple[str, str, float]]:
        """(speaker, sentence, weight), the weight being how often its content words occur in the text.

        It is averaged over the sentence's words and damped, so that neither length nor brevity wins by itself.
        """
        found = []
        for speaker, said in self.turns:
            for sentence in _SENTENCE.findall(said):
                words = set(content_words(sentence))
                weight = sum(self.counts[word] for word in words) / (len(words) + 6)
                found.append((speaker, sentence.strip(), weight))
        return found

    @cached_property
    def facts(self) -> list[str]:
        """The 10 weightiest sentences with who said them, those with a number or another's name counting twice."""
        others = {part for name in self.names if name not in self.speakers for part in name.split()}
        others -= {part for speaker in self.speakers for part in speaker.split()}
        weights = [
            weight * (2 if _NUMBER.search(said) or not others.isdisjoint(_WORD.findall(said)) else 1)
            for _, said, weight in self.sentences
        ]
        ranked = sorted(range(len(weights)), key=lambda index: (-weights[index], index))
        chosen = (self.sentences[index] for index in sorted(ranked[:10]))
        return [f"{speaker}: {sentence}" if speaker else sentence for speaker, sentence, _ in chosen]

    @cached_property
    def summary(self) -> str:
        """The most central sentences in order of the text, up to about 500 characters."""
        ranked = sorted(range(len(self.sentences)), key=lambda index: (-self.sentences[index][2], index))
        chosen: list[int] = []
        length = 0
        for index in ranked:
            length += len(self.sentences[index][1]) + 1
            if chosen and length > 500:
                break
            chosen.append(index)
        return " ".join(self.sentences[index][1] for index in sorted(chosen)).strip()

    @cached_property
    def by_name(self) -> dict[str, str]:
        """Each speaker's weightiest sentence, and for lines without a speaker that of each name in them."""
        found: dict[str, str] = {}
        for speaker, sentence, _ in sorted(self.sentences, key=lambda item: -item[2]):
            keys = [speaker] if speaker else [name for name in self.names[:10] if name in sentence]
            for key in keys:
                found.setdefault(key, sentence)
        return found


def content_words(text: str) -> list[str]:
    """Return the words of 3 letters or more that are no stop words, in lower case and in order, repeats kept."""
    found = (_POSSESSIVE.sub("", word) for word in _WORD.findall(text.lower().replace("\u2019", "'")))
    return [word for word in found if len(word) > 2 and word not in STOP_WORDS]
