"""Puts scenes and small talk together into the sessions of a life."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from evolve.tasks.base import date_line
from evolve.tasks.families.chronicle.scenes import Scene, Turn, tell
from evolve.tasks.families.chronicle.text import chat
from evolve.tasks.families.chronicle.world import Cast, Life
from evolve.types import Episode, Evidence

THIRD_JOINS = 0.35
"""Share of the sessions in which a third person speaks."""


def write(life: Life, *, turns: int, seed: str) -> tuple[list[Episode], dict[str, Evidence]]:
    """Return one episode a session, each of about `turns` turns or more, and the evidence by its key."""
    rng = random.Random(f"{seed}:script")
    scenes: list[list[Scene]] = [[] for _ in life.dates]
    for scene in tell(life, seed=seed):
        scenes[scene.session].append(scene)
    talk = _SmallTalk(life.cast, rng)
    episodes: list[Episode] = []
    evidence: dict[str, Evidence] = {}
    for number, date in enumerate(life.dates, start=1):
        episode = f"{life.name}/session_{number}"
        lines = [date_line(date)]
        for turn in _session(scenes[number - 1], talk, rng, turns=turns):
            lines.append(f"{turn.speaker}: {turn.text}")
            if turn.key:
                evidence[turn.key] = Evidence(episode=episode, text=turn.text)
        episodes.append(Episode(id=episode, scope=life.name, text="\n".join(lines)))
    return episodes, evidence


class _SmallTalk:
    """Greetings, exchanges and goodbyes for one cast, each list used up before anything comes twice."""

    def __init__(self, cast: Cast, rng: random.Random) -> None:
        self._names = {"P": cast.person, "F": cast.friend, "T": cast.third}
        self._rng = rng
        self._left: dict[int, list[tuple[str, ...]]] = {}

    def draw(self, rows: Sequence[tuple[str, ...]]) -> list[Turn]:
        left = self._left.setdefault(id(rows), [])
        if not left:
            left.extend(self._rng.sample(rows, len(rows)))
        return [Turn(self._names[line[0]], line[3:].format(**self._names)) for line in left.pop()]


def _session(scenes: Iterable[Scene], talk: _SmallTalk, rng: random.Random, *, turns: int) -> list[Turn]:
    """Greeting, then scenes and small talk in random order, then a goodbye."""
    greeting, goodbye = talk.draw(chat.GREETINGS), talk.draw(chat.GOODBYES)
    parts = [list(scene.turns) for scene in scenes]
    if rng.random() < THIRD_JOINS:
        parts.append(talk.draw(chat.JOINED))
    parts.append(talk.draw(chat.EXCHANGES))
    while sum(map(len, parts)) + len(greeting) + len(goodbye) < turns:
        parts.append(talk.draw(chat.EXCHANGES))
    rng.shuffle(parts)
    return [*greeting, *(turn for part in parts for turn in part), *goodbye]
