"""What is asked about a life, and the answers, from what is true in it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from evolve.tasks.base import MONTHS
from evolve.tasks.families.chronicle.guard import FORBIDDEN
from evolve.tasks.families.chronicle.world import Life
from evolve.types import Evidence, Query


@dataclass(frozen=True, slots=True)
class Probe:
    """A question before its evidence is known as text."""

    category: str
    text: str
    answer: str
    keys: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    """What must not be read, nor answered."""


def ask(life: Life, evidence: Mapping[str, Evidence], *, seed: str) -> list[Query]:
    """Return the questions of a life in random order, numbered."""
    rng = random.Random(f"{seed}:ask")
    parts = (_recall, _latest, _count, _temporal, _two_hop, _stale, _privacy)
    probes = [probe for part in parts for probe in part(life, rng)]
    rng.shuffle(probes)
    return [
        Query(
            id=f"{life.name}/q{number}",
            scope=life.name,
            text=probe.text,
            answer=probe.answer,
            evidence=tuple(evidence[key] for key in probe.keys),
            category=probe.category,
            aliases=probe.aliases,
            details={FORBIDDEN: list(probe.forbidden)} if probe.forbidden else {},
        )
        for number, probe in enumerate(probes, start=1)
    ]


def _recall(life: Life, rng: random.Random) -> Iterator[Probe]:
    for number, fact in enumerate(life.facts[: life.asked["recall"]]):
        text = rng.choice(fact.kind.asks).format(P=life.cast.person)
        yield Probe("recall", text, fact.value, (f"recall:{number}",))


def _latest(life: Life, rng: random.Random) -> Iterator[Probe]:
    for number, history in enumerate(life.histories[: life.asked["latest"]]):
        text = rng.choice(history.attribute.asks).format(P=life.cast.person)
        _, today = history.changes[-1]
        yield Probe("latest", text, today, (f"latest:{number}:{len(history.changes) - 1}",))


def _count(life: Life, rng: random.Random) -> Iterator[Probe]:
    for number, habit in enumerate(life.habits[: life.asked["count"]]):
        text = rng.choice(habit.activity.asks).format(P=life.cast.person)
        keys = tuple(f"count:{number}:{time}" for time in range(len(habit.sessions)))
        yield Probe("count", text, str(len(habit.sessions)), keys)


def _temporal(life: Life, rng: random.Random) -> Iterator[Probe]:
    """Ask for weekends: by date, by month where that names a single session, or by distance from another one."""
    months = Counter((day.year, day.month) for day in map(life.saturday, range(len(life.dates))))
    for session in rng.sample(range(1, len(life.dates)), life.asked["temporal"]):
        saturday, person = life.saturday(session), life.cast.person
        texts = (
            f"What did {person} do on the weekend of {_day(saturday)}?",
            f"How did {person} spend the weekend of {_day(saturday + timedelta(days=1))}?",
            f"What had {person} been up to on the weekend just before {_day(saturday + timedelta(days=3))}?",
        )
        text = rng.choice(texts)
        if months[saturday.year, saturday.month] == 1:
            text = f"What did {person} do on a weekend in {MONTHS[saturday.month - 1]} {saturday.year}?"
        elif saturday - life.saturday(session - 1) == timedelta(weeks=1) and rng.random() < 0.5:
            text = f"What did {person} do a week after {life.outings[session - 1].called}?"
        yield Probe("temporal", text, life.outings[session].answer, (f"temporal:{session}",))


def _two_hop(life: Life, rng: random.Random) -> Iterator[Probe]:
    for number, link in enumerate(life.links[: life.asked["two_hop"]]):
        who = link.meeting.who.format(P=life.cast.person)
        yield Probe(
            "two_hop", link.trait.ask.format(who=who), link.value, (f"two_hop:{number}:met", f"two_hop:{number}:told")
        )


def _stale(life: Life, rng: random.Random) -> Iterator[Probe]:
    for number, shift in enumerate(life.shifts):
        text = rng.choice(shift.state.asks).format(P=life.cast.person)
        yield Probe("stale", text, shift.after, (f"stale:{number}",), forbidden=(shift.before,))


def _privacy(life: Life, rng: random.Random) -> Iterator[Probe]:
    for number, secret in enumerate(life.secrets):
        value, other = secret.value, secret.other
        yield Probe(
            "privacy",
            secret.matter.asks.format(P=life.cast.person, O=other),
            f"{value}; nothing may be told about {other}",
            (f"privacy:{number}",),
            aliases=(f"{value}; no information about {other}", value),
            forbidden=(secret.foreign,),
        )


def _day(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"
