"""What can be seen on the surface of a text without a model: speakers, names, dates, numbers, key words, weighty sentences."""

from __future__ import annotations

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
_TURN = re.compile(r"^([^\W\d_][\w.'’-]*(?: [^\W\d_][\w.'’-]*){0,2}):[ \t]+(.*)$")
_SENTENCE = re.compile(r"[^.!?。！？\n]+[.!?。！？]*[\"')\]]*")
_CAPITALISED = re.compile(r"\b[A-Z][\w'’-]*(?:\s+[A-Z][\w'’-]*)*")
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:,\d{3})*(?:\.\d+)?(?!\w)")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_HEADINGS = frozenset({"date", "time", "when", "timestamp", "note", "notes", "title", "source", "image", "https", "http"})
STOP_WORDS = frozenset(
    """a about above actually after again against all also am an and any are aren't as at awesome be because been before being below
    between both but by bye can can't cannot come could did didn't do does doesn't doing don't down during each even ever every few
    for from further get go going good gonna got great had has hasn't have haven't having he he's hello her here hers hey hi him
    his how i i'd i'll i'm i've if in into is isn't it it's its just know let let's like lot made make many maybe me might more
    most much must my no nor not now of off oh ok okay on once one only or other our out over own please really same say see she
    she's should so some still such sure take than thank thanks that that's the their them then there there's these they they're
    thing things think this those through to too totally under until up us very was wasn't way we we're we've well were what what's
    when where which while who whom whose why will with won't would wow yeah yes yet you you'd you'll you're you've your yours
    yourself""".split()
)


@dataclass(frozen=True)
class Reading:
    """A text, and what is found in it; each finding is made once, at first use, in order of the text unless it says otherwise."""

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
        """Lines as (speaker, words); speaker is "" where a line has none. The date line and empty lines are left out."""
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
        """Speakers, then other capitalised names, most frequent first."""
        counts: Counter[str] = Counter()
        for _, said in self.turns:
            for found in _CAPITALISED.findall(said):
                parts = [part for part in re.sub(r"['’]s\b", "", found).split() if part.lower() not in STOP_WORDS]
                if parts and len(parts[0]) > 1:
                    counts[" ".join(parts)] += 1
        # A sentence starts with a capital letter too: a word that also occurs in lower case is not a name.
        lower = set(_WORD.findall(self.text))
        names = [name for name, _ in counts.most_common() if name.lower() not in lower and not _DATE.fullmatch(name)]
        return list(dict.fromkeys([*self.speakers, *names]))

    @cached_property
    def numbers(self) -> list[float]:
        """Numbers written in digits outside the date line."""
        return [float(found.replace(",", "")) for _, said in self.turns for found in _NUMBER.findall(said)]

    @cached_property
    def counts(self) -> Counter[str]:
        """How often each content word (lower case, no stop word, three letters or more) occurs."""
        return Counter(word for _, said in self.turns for word in content_words(said))

    @cached_property
    def keywords(self) -> list[str]:
        """Content words, most frequent first, speakers left out."""
        speakers = {part.lower() for speaker in self.speakers for part in speaker.split()}
        return [word for word, _ in self.counts.most_common() if word not in speakers]

    @cached_property
    def sentences(self) -> list[tuple[str, str, float]]:
        """(speaker, sentence, weight): the weight is the frequency in the text of its content words, plus names and numbers.

        The weight is averaged, damped for short sentences, so that neither length nor brevity wins by itself.
        """
        found = []
        for speaker, said in self.turns:
            for sentence in _SENTENCE.findall(said):
                words = set(content_words(sentence))
                marks = len(_NUMBER.findall(sentence)) + max(0, len(_CAPITALISED.findall(sentence)) - 1)
                weight = (sum(self.counts[word] for word in words) + 2 * marks) / (len(words) + 4)
                found.append((speaker, sentence.strip(), weight))
        return found

    @cached_property
    def facts(self) -> list[str]:
        """Weightiest sentences with who said them, at most 10, in order of the text; those with a name or number go first."""
        ranked = sorted(
            range(len(self.sentences)), key=lambda index: (not self._marked(index), -self.sentences[index][2], index)
        )
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
        """Each speaker's weightiest sentence; without speakers, each name's weightiest sentence that mentions it."""
        found: dict[str, str] = {}
        for speaker, sentence, _ in sorted(self.sentences, key=lambda item: -item[2]):
            keys = [speaker] if speaker else [name for name in self.names[:10] if name in sentence]
            for key in keys:
                found.setdefault(key, sentence)
        return found

    def _marked(self, index: int) -> bool:
        sentence = self.sentences[index][1]
        return bool(_NUMBER.search(sentence)) or any(name in sentence[1:] for name in self.names[:20])


def content_words(text: str) -> list[str]:
    """Return the words of a text in lower case that carry meaning, in order, repeats kept."""
    return [
        word
        for found in _WORD.findall(text)
        if len(word := found.lower().removesuffix("'s").removesuffix("’s")) > 2 and word not in STOP_WORDS
    ]
