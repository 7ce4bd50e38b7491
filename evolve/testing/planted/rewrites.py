"""Rewrites of the planted program, each a true edit of its source: some help, some harm, some change nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from evolve.types import FailureStage

Worth: TypeAlias = Literal["good", "bad", "neutral"]


@dataclass(frozen=True, slots=True)
class Edit:
    """Whole lines that come into the program, instead of others or beside a line that stays."""

    text: str
    instead_of: tuple[str, ...] = ()
    """Lines that go, whichever of these the program has."""
    after: str = ""
    before: str = ""

    def place(self, source: str) -> tuple[str, str]:
        """Return the lines that this edit looks for in the source and what they become. Raises ValueError."""
        for old in (*self.instead_of, *filter(None, (self.after, self.before))):
            if source.count(old) == 1:
                if self.instead_of:
                    return old, self.text
                return old, old + self.text if self.after else self.text + old
        raise ValueError(f"the program has no place for {self.text.strip().splitlines()[0]!r}")


@dataclass(frozen=True, slots=True)
class Rewrite:
    """One idea of what to change."""

    title: str
    """Its commit message, which no other rewrite's contains."""
    worth: Worth
    """"good" where it belongs to the best program of some sub-task."""
    stages: tuple[FailureStage, ...]
    """The failures that it is believed to mend."""
    edits: tuple[Edit, ...]

    def present(self, source: str) -> bool:
        """Tell whether the program has it already."""
        return all(edit.text in source for edit in self.edits)

    def changes(self, source: str) -> list[tuple[str, str]]:
        """Return the old and the new lines of each edit. Raises ValueError where one has no place."""
        return [edit.place(source) for edit in self.edits]

    def apply(self, source: str) -> str:
        """Return the changed source. Raises ValueError where an edit has no place."""
        for old, new in self.changes(source):
            source = source.replace(old, new)
        return source


def _one_of(*texts: str) -> dict[str, Edit]:
    """Edits that replace each other."""
    return {text: Edit(text, instead_of=tuple(other for other in texts if other != text)) for text in texts}


_TOPICS, _LINES, _LAST, _LOUD = (
    "        texts = [item.topics]\n",
    '        texts = [line for line in raw_text.splitlines() if line.strip() and not line.startswith("Date:")]\n',
    "        texts = raw_text.splitlines()[-2:]\n",
    '        texts = [line for line in raw_text.splitlines() if line.endswith("!")]\n',
)
_KEEP = _one_of(_TOPICS, _LINES, _LAST, _LOUD)
_NOTE_CHARS = _one_of(*(f"NOTE_CHARS = {size}\n" for size in (80, 30, 2000)))
_READ_CHARS = _one_of(*(f"READ_CHARS = {size}\n" for size in (800, 100, 2800, 100000)))
_DAYS = '''\
def days(text):
    """The days that a text names, in months of 31 days; a month without a day counts as its middle."""
    months = "January February March April May June July August September October November December".split()
    found = re.findall(rf"(\\d+ )?({'|'.join(months)}),? (\\d{{4}})", text)
    return [int(year) * 372 + months.index(month) * 31 + int(day or 15) for day, month, year in found]


'''
_NEAREST = """\
        if days(asked):
            scores, weights = -np.abs(np.array(self.days) - days(asked)[0]), 1.0
"""
_ALIKE, _LATER, _EARLIER = (
    "        weights = np.ones(len(self.notes))\n",
    "        weights = 0.5 ** ((self.episodes[-1] - np.array(self.episodes)) / 2)\n",
    "        weights = 0.5 ** (np.array(self.episodes) / 2)\n",
)
_WEIGHTS = _one_of(_ALIKE, _LATER, _EARLIER)
_ORDER = '        order = list(np.argsort(-scores * weights, kind="stable"))\n'
_LINKED = """\
        common = Counter(re.findall("[a-z]+", " ".join(self.notes).lower()))
        names = [name for n in order[:6] for name in re.findall(r"\\b[A-Z][a-z]{3,}\\b", self.notes[n])]
        rare = sorted(dict.fromkeys(names), key=lambda name: common[name.lower()])[:8]
        held = [(n, note) for n, note in enumerate(self.notes) if any(name in note for name in rare)]
        linked = [n for name in rare for n, note in held if re.search(rf"\\b{name}\\b", note)]
        found = list(dict.fromkeys([*order[:6], *linked, *order]))
"""
_AROUND = """\
        near = [m for n in order for m in (n - 1, n, n + 1) if 0 <= m < len(self.notes)]
        found = list(dict.fromkeys(near))
"""
_ALONE = "        found = order\n"
_FOUND = _one_of(_ALONE, _AROUND, _LINKED)
_ROOM_LOOP, _LEFT_LOOP = (
    f"""\
        {name} = READ_CHARS
        for n in found:
            {name} -= len(self.notes[n]) + 1
            if {name} < 0:
"""
    for name in ("room", "left")
)
_BET = '"""Remembers the topics of each episode, and finds those that share words with the question."""\n'
_NOTES = "        self.notes += [text[:NOTE_CHARS] for text in texts]\n"
_EMPTY = "        if not self.notes:\n"
_BY_DAYS = (
    Edit(_DAYS, before="class KnowledgeBase:\n"),
    Edit("        self.days = []\n", after="        self.toolkit = toolkit\n"),
    Edit("        self.days += [(days(raw_text.partition('\\n')[0]) or [0])[0]] * len(texts)\n", before=_NOTES),
    Edit(_NEAREST, before=_ORDER),
)
_BLANK = "        texts = [text for text in texts if text.strip()]\n"
_NOTED = "        self.episodes += [self.episodes[-1] + 1 if self.episodes else 0] * len(texts)\n"
_LOG = '        self.toolkit.logger.debug(f"{len(texts)} notes kept")\n'
_TWICE = '        asked = f"{asked} {asked}"\n'
_OTHER_BET = '"""Bets that the words of a question lead to its answer."""\n'

_STORED: tuple[FailureStage, ...] = ("extraction", "write")
_SHORT: tuple[FailureStage, ...] = ("truncated",)
_READ: tuple[FailureStage, ...] = ("read",)

LIBRARY: tuple[Rewrite, ...] = (
    # What is kept.
    Rewrite("Keep every line that was said", "good", _STORED, (_KEEP[_LINES],)),
    Rewrite("Keep the last lines, where all is settled", "bad", _STORED, (_KEEP[_LAST],)),
    Rewrite("Keep what was said with feeling", "bad", _STORED, (_KEEP[_LOUD],)),
    Rewrite("Leave out empty notes", "neutral", _STORED, (Edit(_BLANK, before=_NOTED),)),
    Rewrite("Log what is written", "neutral", _STORED, (Edit(_LOG, after=_NOTES),)),
    Rewrite("Say everything twice when asking", "neutral", ("query",), (Edit(_TWICE, before=_EMPTY),)),
    # What is cut off.
    Rewrite("Keep notes at their full length", "good", ("write", *_SHORT), (_NOTE_CHARS["NOTE_CHARS = 2000\n"],)),
    Rewrite("Shorten notes, so that more of them fit", "bad", _SHORT, (_NOTE_CHARS["NOTE_CHARS = 30\n"],)),
    Rewrite("Call the room by what it is", "neutral", _SHORT, (Edit(_LEFT_LOOP, instead_of=(_ROOM_LOOP,)),)),
    Rewrite("Return as much as fits", "good", (*_SHORT, *_READ), (_READ_CHARS["READ_CHARS = 2800\n"],)),
    Rewrite("Return the best note alone", "bad", _SHORT, (_READ_CHARS["READ_CHARS = 100\n"],)),
    Rewrite("Return everything", "bad", _SHORT, (_READ_CHARS["READ_CHARS = 100000\n"],)),
    # What is found.
    Rewrite("Return the lines around each match", "good", _READ, (_FOUND[_AROUND],)),
    Rewrite("Prefer what was said last", "good", _READ, (_WEIGHTS[_LATER],)),
    Rewrite("Go by the dates in the question", "good", _READ, _BY_DAYS),
    Rewrite("Search again for the names that were found", "good", _READ, (_FOUND[_LINKED],)),
    Rewrite("Prefer what was said first", "bad", _READ, (_WEIGHTS[_EARLIER],)),
    Rewrite("Return matches alone", "neutral", _READ, (_FOUND[_ALONE],)),
    Rewrite("Weigh old and new alike", "neutral", _READ, (_WEIGHTS[_ALIKE],)),
    Rewrite("State the bet of the program", "neutral", _SHORT, (Edit(_OTHER_BET, instead_of=(_BET,)),)),
)
"""What the scripted reflector knows to do."""
