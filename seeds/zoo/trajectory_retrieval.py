"""Keeps every episode whole under the task it was about; reads the one whose task is most similar, cut to fit.
Bets that the next task is close to an earlier one, and that seeing that one from start to end beats any digest of it.

Source: the trajectory retrieval baseline of M* (arXiv 2604.11811). The task is the episode's "Task:" line, or else what
the task agent says the episode was about. Nothing is judged: failures are kept and read as well. Calls no model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

KEPT_CHARS = 8000  # of each episode
EPISODES = 1
KEY = "task"  # "text" searches by the whole text instead, "both" by both
LEFT_OUT = "end"  # "middle": of an episode that is too long, its start and its end are shown
TUNABLES = {
    "KEPT_CHARS": (1000, 20000),
    "EPISODES": (1, 5),
    "KEY": ["task", "text", "both"],
    "LEFT_OUT": ["end", "middle"],
}

READ_CHARS = 3000

INSTRUCTION_KNOWLEDGE_ITEM = "Say in one sentence what task, goal or subject the episode was about, and how it ended."
INSTRUCTION_QUERY = "Say in one sentence which task, goal or subject the question or goal is about."
INSTRUCTION_RESPONSE = "The memory shows how the most similar earlier task went. Follow what worked; adapt the rest."
ALWAYS_ON_KNOWLEDGE = "The memory holds earlier episodes in full."


@dataclass
class KnowledgeItem:
    task: str = field(metadata={"description": "The task, goal or subject of the episode in one sentence"})


@dataclass
class Query:
    task: str = field(metadata={"description": "The task, goal or question"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.trajectories = []
        self.keys = []

    def write(self, item, raw_text):
        kept = raw_text[:KEPT_CHARS].strip()
        if not kept:
            return
        task = task_of(raw_text, item.task)
        key = {"task": task, "text": kept}.get(KEY) or f"{task}\n{kept}"
        self.keys.append(self.toolkit.embed([key])[0])
        self.trajectories.append(kept)

    def read(self, query):
        if not self.keys:
            return ""
        asked = self.toolkit.embed([task_of(query.task, query.task)])[0]
        parts = []
        room = READ_CHARS
        # Rounded: what is equally close ties, and the earlier comes first.
        for i in np.argsort(-(np.array(self.keys) @ asked).round(6), kind="stable")[:EPISODES]:
            # Less than a few lines of another episode would only confuse.
            if room < 200:
                break
            parts.append(cut(self.trajectories[i], room))
            room -= len(parts[-1]) + 2
        return "\n\n".join(parts)


def task_of(text, otherwise):
    """The first sentence of a text's "Task:" line, or what is given for texts without one."""
    found = re.search(r"^Task: *(.+?)(?:\. |\.?$)", text, re.MULTILINE)
    return found[1] if found else otherwise[:1000]


def cut(text, room):
    """The whole lines of a text that fit; a line of dots stands for the lines left out."""
    if len(text) <= room:
        return text
    head = room - 4 if LEFT_OUT == "end" else room // 2
    start = text[:head].rpartition("\n")[0] or text[:head]
    if LEFT_OUT == "end":
        return f"{start}\n..."
    tail = text[len(text) - (room - head - 5) :]
    return f"{start}\n...\n{tail.partition(chr(10))[2] or tail}"
