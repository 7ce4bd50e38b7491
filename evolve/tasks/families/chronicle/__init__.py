"""Chronicle: generated lives told in many small chats, with kinds of question that need different kinds of memory.

- `recall`: a fact said once, among the same kind of fact about other people.
- `latest`: an attribute that changes ten times and more; only the last statement counts.
- `count`: something done again and again, a short line each time; every time counts.
- `temporal`: what was done on a given date, where only the session's first line has the date.
- `two_hop`: a fact about somebody whom the question describes and another session names.

Two more are asked where they are chosen; what they forbid must not be read:

- `stale`: a state that something else has ended since; what held before must not come back.
- `privacy`: a private fact of one's own, asked together with somebody else's, which must not come back.

Nothing is downloaded, equal options give equal tasks, and the answers are computed, not annotated.
"""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field

from evolve.models.base import Ask
from evolve.scoring import F1Scorer, Scorer, SupportScorer
from evolve.tasks.base import Options, hold_out, make_task
from evolve.tasks.families.chronicle.guard import Guarded
from evolve.tasks.families.chronicle.questions import ask
from evolve.tasks.families.chronicle.script import write
from evolve.tasks.families.chronicle.world import ALL_SUBTASKS, ASKED_LIMIT, SUBTASKS, Subtask, live
from evolve.tasks.family import Family
from evolve.traits import SCORERS, Traits
from evolve.types import JSON, Episode, Query, Task

_GUARDED = "A case that {given} what its question forbids (a state that has ended, another person's secret) scores 0."


class ChronicleOptions(Options):
    """Options of the task `chronicle`."""

    lives: int = Field(default=6, ge=1, le=200)
    """Number of lives, a scope each; 1 to 200."""
    sessions: int = Field(default=24, ge=16, le=48)
    """Chats in each life; 16 to 48."""
    turns: int = Field(default=14, ge=8, le=100)
    """Turns that small talk fills a chat up to; a chat with much to tell has more; 8 to 100."""
    seed: int = 0
    """Draws everything; any whole number."""
    subtasks: list[Subtask] = Field(default=list(SUBTASKS), min_length=1)
    """Which questions to ask; a list out of recall, latest, count, temporal, two_hop, stale, privacy; all but the last
    two."""
    queries: int = Field(default=20, ge=2, le=30)
    """Questions for each life, spread evenly over the sub-tasks, at most 6 of one; 2 to 30."""


class Chronicle(Family[ChronicleOptions]):
    """Questions about generated lives."""

    name = "chronicle"
    options_model = ChronicleOptions
    traits = Traits(
        scorers={
            name: replace(SCORERS[name], says=f"{SCORERS[name].says} {_GUARDED.format(given=given)}")
            for name, given in (("f1", "answers with"), ("support", "returns"))
        }
    )

    def load(self) -> Task:
        """Generate the lives.

        Held out: the later half of the lives, whole; of a single life, a seeded half of its queries.
        """
        chosen = self.options
        wanted = [subtask for subtask in ALL_SUBTASKS if subtask in chosen.subtasks]
        asked = dict.fromkeys(ALL_SUBTASKS, 0)
        for place, subtask in enumerate(wanted):
            even = chosen.queries // len(wanted) + (place < chosen.queries % len(wanted))
            asked[subtask] = min(even, ASKED_LIMIT)
        episodes: list[Episode] = []
        queries: list[Query] = []
        names = [f"life-{number}" for number in range(1, chosen.lives + 1)]
        for number, name in enumerate(names):
            seed = f"chronicle:{chosen.seed}"
            life = live(number, name, sessions=chosen.sessions, asked=asked, seed=seed)
            lived, evidence = write(life, turns=chosen.turns, seed=f"{seed}:{name}")
            episodes += lived
            queries += ask(life, evidence, seed=f"{seed}:{name}")
        if chosen.lives > 1:
            later = names[-(chosen.lives // 2) :]
            held_out = frozenset(query.id for query in queries if query.scope in later)
        else:
            held_out = hold_out(queries, seed=chosen.seed)
        resolved: dict[str, JSON] = {**chosen.model_dump(), "subtasks": list(wanted)}
        return make_task("chronicle", options=resolved, episodes=episodes, queries=queries, held_out=held_out)

    def scorer(self, name: str, ask: Ask | None) -> Scorer:
        """Return token F1 or support; either is lost where what a query forbids comes back."""
        return Guarded(F1Scorer(), reads=False) if name == "f1" else Guarded(SupportScorer(), reads=True)
