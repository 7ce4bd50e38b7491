"""Keeps insights drawn from one kind of task that ended well once and worse another time, with the record of each.
Bets that the difference between two outcomes says what decided them, and that a record tells the true insights apart.

Source: the memory bank of MEMO (arXiv 2603.09022), without its tournament of prompts and its replay. A new episode is
played with the insights that reading would give its task: its outcome goes on their record, and of each kind of task
those with the best are kept. Then it is contrasted with the most similar one of its kind that did better or worse (by
outcome, then by fewer commands), by the toolkit's call, or else by rule: the commands that only one of them had. An
episode without a counterpart gives the task agent's insights; one without "Outcome:" is a success.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

import numpy as np

HITS = 12
BANK = 30  # insights kept of each kind of task
RECORD_WEIGHT = 0.3  # of the record against similarity
KIND_COSINE = 0.8  # tasks this similar are of one kind, where no "Kind:" line says so
SAME_COSINE = 0.9  # two insights of a kind this similar are one
TUNABLES = {"HITS": (1, 40), "BANK": (2, 100), "RECORD_WEIGHT": (0.0, 1.0), "KIND_COSINE": (0.3, 0.98)}

READ_CHARS = 3000

INSTRUCTION_KNOWLEDGE_ITEM = (
    "Name the task in one sentence. List up to five insights that decided the outcome, or that a later task of this "
    "kind should know, one sentence each, standing alone."
)
INSTRUCTION_QUERY = "Name the task or subject in one sentence."
INSTRUCTION_RESPONSE = "Use the insights; those with the better record first."
ALWAYS_ON_KNOWLEDGE = "The memory holds insights from earlier tasks with their record."
CONTRAST = """Two attempts at one kind of task. What did the better one do that the other did not?
Reply with a JSON list of at most four insights, general sentences that stand alone: ["...", "..."]

Better:
{better}

Worse:
{worse}"""


@dataclass
class KnowledgeItem:
    task: str = field(metadata={"description": "The task or subject in one sentence"})
    insights: list[str] = field(metadata={"description": "What decided the outcome, or is worth knowing"})


@dataclass
class Query:
    task: str = field(metadata={"description": "The task, goal or question"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.episodes = []  # (kind, standing, text)
        self.keys = []  # one vector an episode
        self.insights = []  # dicts of text, kind, wins, games, vector

    def write(self, item, raw_text):
        if not raw_text.strip():
            return
        task = task_of(raw_text, item.task)
        success = not re.search(r"^Outcome: *(fail|los|not)", raw_text, re.MULTILINE | re.IGNORECASE)
        key = self.toolkit.embed([task])[0]
        # Rounded: what is equally close ties, and the earlier comes first.
        near = [int(i) for i in np.argsort(-(np.array(self.keys) @ key).round(6), kind="stable")] if self.keys else []
        told = re.search(r"^Kind: *(.+)$", raw_text, re.MULTILINE)
        kind = told[1].strip() if told else task
        if not told and near and self.keys[near[0]] @ key >= KIND_COSINE:
            kind = self.episodes[near[0]][0]
        for insight in self.chosen(key):
            if insight["kind"] == kind:
                insight["games"] += 1
                insight["wins"] += success
        # The better, the larger: a success first, then fewer commands.
        now = (kind, (success, -len(commands(raw_text))), raw_text[:8000].strip())
        rivals = [self.episodes[i] for i in near if self.episodes[i][0] == kind and self.episodes[i][1] != now[1]]
        contrast = self.contrast(max(now, rivals[0]), min(now, rivals[0])) if rivals else []
        for text in contrast or item.insights[:10]:
            self.add(" ".join(text.split())[:300], task, kind, key)
        # Of equal records the newer stays: the older had its chance.
        mine = [i for i, one in enumerate(self.insights) if one["kind"] == kind]
        lost = sorted(mine, key=lambda i: (-record(self.insights[i]), -i))[BANK:]
        self.insights = [one for i, one in enumerate(self.insights) if i not in lost]
        self.episodes.append(now)
        self.keys.append(key)

    def contrast(self, better, worse):
        """What made the difference, as the model sees it, or else the commands that only one of the two had."""
        try:
            prompt = CONTRAST.format(better=better[2], worse=worse[2])
            reply = self.toolkit.llm_completion([{"role": "user", "content": prompt}])
            found = json.loads(reply[reply.index("[") : reply.rindex("]") + 1])
            usable = [text for text in found[:4] if isinstance(text, str)]
        except Exception as error:
            self.toolkit.logger.debug(f"contrast by rule: {error}")
            usable = []
        one, other = commands(better[2]), commands(worse[2])
        helped = [one[form] for form in one if form not in other]
        # A slower success is nothing to avoid.
        harmed = [other[form] for form in other if form not in one and not worse[1][0]]
        return usable or [f"{word}: {'; '.join(told)}" for word, told in (("Do", helped), ("Avoid", harmed)) if told]

    def add(self, text, task, kind, key):
        vector = self.toolkit.embed([text])[0]
        same = [one for one in self.insights if one["kind"] == kind and one["vector"] @ vector >= SAME_COSINE]
        if text and not same:
            source = {"kind": kind, "task": task[:100], "key": key}
            self.insights.append({"text": text, "vector": vector, "wins": 0, "games": 0, **source})

    def chosen(self, key):
        """The insights that go with a task: close by what they say and where they are from, and of good record."""
        scores = []
        for one in self.insights:
            similarity = float(one["vector"] @ key + one["key"] @ key) / 2
            scores.append((1 - RECORD_WEIGHT) * similarity + RECORD_WEIGHT * record(one))
        return [self.insights[i] for i in np.argsort(-np.array(scores).round(6), kind="stable")[:HITS]]

    def read(self, query):
        lines = []
        room = READ_CHARS
        for one in self.chosen(self.toolkit.embed([task_of(query.task, query.task)])[0]):
            played = f" [helped {one['wins']} of {one['games']}]" if one["games"] else ""
            line = f"- {one['text']}{played} ({one['task']})"
            if len(line) + 1 <= room:
                lines.append(line)
                room -= len(line) + 1
        return "\n".join(lines)


def record(insight):
    """The share of its games that an insight won; one half before any, and nearly that after few."""
    return (insight["wins"] + 1) / (insight["games"] + 2)


def commands(text):
    """The commands of a trajectory by their form without numbers, because numbers differ from room to room."""
    return {re.sub(r" \d+", "", step): step for step in re.findall(r"^> *(.+)$", text, re.MULTILINE)}


def task_of(text, otherwise):
    """The first sentence of a text's "Task:" line, or what is given for texts without one."""
    found = re.search(r"^Task: *(.+?)(?:\. |\.?$)", text, re.MULTILINE)
    return found[1] if found else otherwise[:1000]
