"""What is true in a life: who there is, when they talk, and every fact that a question may ask for.

A world is drawn before any word of it is told, so answers never come from reading text.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, TypeAlias

from evolve.tasks.families.chronicle.text import counting, latest, people, privacy, recall, stale, weekends

Subtask: TypeAlias = Literal["recall", "latest", "count", "temporal", "two_hop", "stale", "privacy"]
SUBTASKS: tuple[Subtask, ...] = ("recall", "latest", "count", "temporal", "two_hop")
"""Asked where nothing else is chosen."""
ALL_SUBTASKS: tuple[Subtask, ...] = (*SUBTASKS, "stale", "privacy")
ASKED_LIMIT = 6
"""Most questions of one sub-task that a life can answer."""
BACKGROUND = 2
"""Attributes and habits in a life that is not asked for any."""
TIMES = (7, 12)
"""Fewest and most times that a habit is told of."""
GAPS_WEEKS = (1, 1, 1, 2, 2, 3, 3, 4)


@dataclass(frozen=True, slots=True)
class Cast:
    """Who speaks."""

    person: str
    friend: str
    third: str


@dataclass(frozen=True, slots=True)
class History:
    """An attribute and its values in order; what was before the first change is `first`."""

    attribute: latest.Attribute
    first: str
    changes: tuple[tuple[int, str], ...]
    """Session and value; the last one holds today."""
    unused: tuple[str, ...]
    """Values that the person never had."""


@dataclass(frozen=True, slots=True)
class Habit:
    """An activity and the sessions in which one more time is told."""

    activity: counting.Activity
    sessions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """Something said once; `asked` where the friend asked for it."""

    kind: recall.Kind
    value: str
    session: int
    asked: bool


@dataclass(frozen=True, slots=True)
class Link:
    """An acquaintance: introduced in one session, known for a trait from a later one."""

    name: str
    meeting: people.Meeting
    met: int
    trait: people.Trait
    value: str
    told: int


@dataclass(frozen=True, slots=True)
class Shift:
    """A state, and what holds once something has ended it."""

    state: stale.State
    before: str
    said: int
    after: str
    ended: int


@dataclass(frozen=True, slots=True)
class Secret:
    """A private fact of the person, and the same kind of fact of the person of another life, who says it there."""

    matter: privacy.Matter
    value: str
    said: int
    other: str
    """The other person's name."""
    foreign: str
    """The other person's value."""
    told: int
    """The session in which the friend passes that on."""


@dataclass(frozen=True, slots=True)
class Life:
    """One world. Of every list the first `asked[subtask]` are asked for, the rest are there to be confused with."""

    name: str
    cast: Cast
    dates: tuple[datetime, ...]
    """Of the sessions: Sunday or Monday evenings."""
    facts: tuple[Fact, ...]
    histories: tuple[History, ...]
    habits: tuple[Habit, ...]
    outings: tuple[weekends.Outing, ...]
    """One for the weekend before each session."""
    links: tuple[Link, ...]
    shifts: tuple[Shift, ...]
    secrets: tuple[Secret, ...]
    asked: Mapping[Subtask, int]

    def saturday(self, session: int) -> date:
        """Return the Saturday of the weekend that the session looks back on."""
        day = self.dates[session].date()
        return day - timedelta(days=(day.weekday() - 5) % 7)


def cast(number: int, *, seed: str) -> Cast:
    """Return the speakers of one life; no person comes twice before all have been used."""
    rng = random.Random(f"{seed}:cast")
    pools = [rng.sample(names, len(names)) for names in (people.PERSONS, people.FRIENDS, people.THIRDS)]
    return Cast(*(pool[number % len(pool)] for pool in pools))


def live(number: int, name: str, *, sessions: int, asked: Mapping[Subtask, int], seed: str) -> Life:
    """Draw the life of that number, from 0; equal arguments give equal lives. `seed` is the task's."""

    def rng(part: str) -> random.Random:
        return random.Random(f"{seed}:{name}:{part}")

    return Life(
        name=name,
        cast=cast(number, seed=seed),
        dates=_dates(rng("dates"), sessions),
        facts=_facts(rng("recall"), sessions, asked["recall"] + 4),
        histories=_histories(rng("latest"), sessions, max(asked["latest"], BACKGROUND)),
        habits=_habits(rng("count"), sessions, max(asked["count"], BACKGROUND)),
        outings=tuple(rng("temporal").sample(weekends.OUTINGS, sessions)),
        links=_links(rng("two_hop"), sessions, asked["two_hop"] + 5),
        shifts=_shifts(rng("stale"), sessions, asked["stale"]),
        secrets=_secrets(rng("privacy"), sessions, asked["privacy"], number=number, seed=seed),
        asked=asked,
    )


def _dates(rng: random.Random, sessions: int) -> tuple[datetime, ...]:
    sunday = datetime(2022, 1, 2) + timedelta(weeks=rng.randrange(60))
    dates = []
    for _ in range(sessions):
        evening = timedelta(days=rng.choice((0, 0, 1)), hours=rng.randint(18, 21), minutes=rng.randrange(60))
        dates.append(sunday + evening)
        sunday += timedelta(weeks=rng.choice(GAPS_WEEKS))
    return tuple(dates)


def _facts(rng: random.Random, sessions: int, count: int) -> tuple[Fact, ...]:
    kinds = rng.sample(recall.KINDS, count)
    return tuple(
        Fact(kind, rng.choice(kind.values), rng.randrange(sessions), asked=number % 2 == 0)
        for number, kind in enumerate(kinds)
    )


def _histories(rng: random.Random, sessions: int, count: int) -> tuple[History, ...]:
    """Draw attributes that change 10 to 14 times, the last time some sessions before the end."""
    histories = []
    for attribute in rng.sample(latest.ATTRIBUTES, count):
        last = rng.randint(sessions * 3 // 4, sessions - 2)
        earlier = rng.sample(range(last), min(rng.randint(9, 13), last))
        values = rng.sample(attribute.values, len(attribute.values))
        when = [*sorted(earlier), last]
        changes = tuple(zip(when, values[1:], strict=False))
        histories.append(History(attribute, values[0], changes, tuple(values[1 + len(when) :])))
    return tuple(histories)


def _habits(rng: random.Random, sessions: int, count: int) -> tuple[Habit, ...]:
    return tuple(
        Habit(activity, tuple(sorted(rng.sample(range(sessions), rng.randint(*TIMES)))))
        for activity in rng.sample(counting.ACTIVITIES, count)
    )


def _links(rng: random.Random, sessions: int, count: int) -> tuple[Link, ...]:
    names = rng.sample(people.ACQUAINTANCES, count)
    meetings = rng.sample(people.MEETINGS, count)
    values = {trait: rng.sample(trait.values, len(trait.values)) for trait in people.TRAITS}
    traits = [trait for _ in range(count) for trait in rng.sample(people.TRAITS, len(people.TRAITS))]
    links = []
    for name, meeting, trait in zip(names, meetings, traits, strict=False):
        met = rng.randrange(sessions - 3)
        told = rng.randint(met + 2, sessions - 1)
        links.append(Link(name, meeting, met, trait, values[trait].pop(), told))
    return tuple(links)


def _shifts(rng: random.Random, sessions: int, count: int) -> tuple[Shift, ...]:
    """Draw states that are said in the first half and ended in the second."""
    shifts = []
    for state in rng.sample(stale.STATES, count):
        said, ended = rng.randrange(sessions // 2), rng.randrange(sessions // 2, sessions - 1)
        shifts.append(Shift(state, rng.choice(state.befores), said, rng.choice(state.afters), ended))
    return tuple(shifts)


def _secrets(rng: random.Random, sessions: int, count: int, *, number: int, seed: str) -> tuple[Secret, ...]:
    """Draw private facts: in all lives of the same kinds, in neighbouring ones of other values."""
    shared, other = random.Random(f"{seed}:privacy"), number - 1 if number else 1
    secrets = []
    for matter in shared.sample(privacy.MATTERS, count):
        values = shared.sample(matter.values, len(matter.values))
        value, foreign = (values[life % len(values)] for life in (number, other))
        said, told = rng.sample(range(sessions), 2)
        secrets.append(Secret(matter, value, said, cast(other, seed=seed).person, foreign, told))
    return tuple(secrets)
