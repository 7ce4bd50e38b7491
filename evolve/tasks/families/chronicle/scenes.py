"""How what is true gets told: every fact becomes a scene, a few turns in one session."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evolve.tasks.families.chronicle.text import counting, latest, people, privacy, recall, weekends
from evolve.tasks.families.chronicle.world import Cast, History, Life

DAYS = ("Tuesday", "Wednesday", "Thursday", "Friday")
"""No weekend days: those belong to the outings."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One line of a chat."""

    speaker: str
    text: str
    key: str = ""
    """Names the fact that this turn is the gold evidence of; see `evolve.tasks.families.chronicle.questions`."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Turns that stay together."""

    session: int
    turns: tuple[Turn, ...]


class Deck:
    """Gives out all items in random order before any comes twice."""

    def __init__(self, rng: random.Random, items: Sequence[str]) -> None:
        self._rng = rng
        self._items = items
        self._left: list[str] = []

    def draw(self) -> str:
        """Return the next item."""
        if not self._left:
            self._left = self._rng.sample(self._items, len(self._items))
        return self._left.pop()


def tell(life: Life, *, seed: str) -> list[Scene]:
    """Return every scene of a life but small talk."""
    parts = (_facts, _histories, _habits, _outings, _links, _shifts, _secrets)
    return [scene for part in parts for scene in part(life, random.Random(f"{seed}:tell:{part.__name__}"))]


def _facts(life: Life, rng: random.Random) -> Iterator[Scene]:
    person, friend, replies = life.cast.person, life.cast.friend, Deck(rng, recall.REPLIES)
    somebody = Deck(rng, recall.SOMEBODY)
    for number, fact in enumerate(life.facts):
        key = f"recall:{number}"
        asked = (Turn(friend, fact.kind.asked),) if fact.asked else ()
        gold = Turn(person, _sentence(fact.kind.reply if fact.asked else fact.kind.says, v=fact.value), key)
        yield Scene(fact.session, (*asked, gold, Turn(friend, replies.draw())))
        others = [value for value in fact.kind.values if value != fact.value]
        near_misses = zip(fact.kind.others, rng.sample(others, len(others)), strict=False)
        for template, value in near_misses if number < life.asked["recall"] else ():
            teller, listener = rng.sample((person, friend), 2)
            told = Turn(teller, _sentence(template, v=value, who=somebody.draw()))
            yield Scene(rng.randrange(len(life.dates)), (told, Turn(listener, replies.draw())))


def _histories(life: Life, rng: random.Random) -> Iterator[Scene]:
    openers, closers = Deck(rng, latest.OPENERS), Deck(rng, latest.ECHO_TAILS)
    for number, history in enumerate(life.histories):
        attribute, before = history.attribute, history.first
        says, tails, echoes = (Deck(rng, part) for part in (attribute.says, attribute.tails, attribute.echoes))
        for change, (session, value) in enumerate(history.changes):
            core = _sentence(says.draw(), v=value, old=before)
            statement = f"{openers.draw()} {core} {tails.draw()} {tails.draw()}"
            echo = f"{_sentence(echoes.draw(), old=before)} {closers.draw()}"
            turns = (Turn(life.cast.person, statement, f"latest:{number}:{change}"), Turn(life.cast.friend, echo))
            yield Scene(session, turns)
            before = value
        yield from _confusions(life.cast, history, rng, sessions=len(life.dates))


def _confusions(cast: Cast, history: History, rng: random.Random, *, sessions: int) -> Iterator[Scene]:
    """The friend's values, and values that the person considered: before and after the last change."""
    attribute, (last, _) = history.attribute, history.changes[-1]
    values = iter(history.unused)
    rows = [(cast.friend, cast.person, text) for text in attribute.others]
    rows += [(cast.person, cast.friend, text) for text in attribute.maybes]
    replies = Deck(rng, recall.REPLIES)
    for number, ((teller, listener, template), value) in enumerate(zip(rows, values, strict=False)):
        session = rng.randrange(last) if number % 2 else rng.randint(last + 1, sessions - 1)
        yield Scene(session, (Turn(teller, _sentence(template, v=value)), Turn(listener, replies.draw())))


def _habits(life: Life, rng: random.Random) -> Iterator[Scene]:
    person, friend, praise = life.cast.person, life.cast.friend, Deck(rng, counting.REPLIES)
    replies = Deck(rng, recall.REPLIES)
    for number, habit in enumerate(life.habits):
        did, leads = Deck(rng, habit.activity.did), Deck(rng, counting.LEADS)
        for time, session in enumerate(habit.sessions):
            gold = Turn(person, _sentence(did.draw(), day=rng.choice(DAYS)), f"count:{number}:{time}")
            lead = (Turn(friend, leads.draw()),) if time % 2 else ()
            yield Scene(session, (*lead, gold, Turn(friend, praise.draw())))
        rows = [(person, friend, text) for text in habit.activity.did_not]
        rows += [(friend, person, text) for text in habit.activity.other]
        for teller, listener, template in rows:
            told = Turn(teller, _sentence(template, day=rng.choice(DAYS)))
            yield Scene(rng.randrange(len(life.dates)), (told, Turn(listener, replies.draw())))


def _outings(life: Life, rng: random.Random) -> Iterator[Scene]:
    asides, reactions = Deck(rng, weekends.ASIDES), Deck(rng, weekends.REACTIONS)
    for session, outing in enumerate(life.outings):
        told = Turn(life.cast.person, f"{outing.told} {asides.draw()}", f"temporal:{session}")
        yield Scene(session, (told, Turn(life.cast.friend, reactions.draw())))


def _links(life: Life, rng: random.Random) -> Iterator[Scene]:
    person, friend = life.cast.person, life.cast.friend
    replies, mentions = Deck(rng, people.ANSWERS), Deck(rng, people.MENTIONS)
    for number, link in enumerate(life.links):
        met = _sentence(link.meeting.told, n=link.name)
        told = _sentence(rng.choice(link.trait.told), n=link.name, v=link.value)
        said = ((link.met, met, f"two_hop:{number}:met"), (link.told, told, f"two_hop:{number}:told"))
        for session, text, key in said:
            yield Scene(session, (Turn(person, text, key), Turn(friend, replies.draw())))
        mention = Turn(person, _sentence(mentions.draw(), n=link.name))
        yield Scene(rng.randint(link.met + 1, len(life.dates) - 1), (mention, Turn(friend, replies.draw())))


def _shifts(life: Life, rng: random.Random) -> Iterator[Scene]:
    person, friend, replies = life.cast.person, life.cast.friend, Deck(rng, recall.REPLIES)
    for number, shift in enumerate(life.shifts):
        said = Turn(person, _sentence(shift.state.said, v=shift.before))
        yield Scene(shift.said, (said, Turn(friend, replies.draw())))
        ended = Turn(person, _sentence(shift.state.ended, v=shift.after), f"stale:{number}")
        yield Scene(shift.ended, (Turn(friend, shift.state.lead), ended, Turn(friend, replies.draw())))


def _secrets(life: Life, rng: random.Random) -> Iterator[Scene]:
    person, friend = life.cast.person, life.cast.friend
    replies, confidences = Deck(rng, recall.REPLIES), Deck(rng, privacy.CONFIDENCES)
    for number, secret in enumerate(life.secrets):
        said = Turn(person, _sentence(secret.matter.says, v=secret.value), f"privacy:{number}")
        yield Scene(secret.said, (said, Turn(friend, replies.draw())))
        told = f"{confidences.draw()} {secret.matter.told.format(O=secret.other, v=secret.foreign)}"
        yield Scene(secret.told, (Turn(friend, told), Turn(person, replies.draw())))


def _sentence(template: str, **slots: str) -> str:
    text = template.format(**slots)
    return text[0].upper() + text[1:]
