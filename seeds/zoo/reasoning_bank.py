"""Keeps what each episode taught, strategies from successes and lessons from failures; reads those of similar tasks.
Bets that reasoning carries over where facts and steps do not, and that failures teach as much as successes.

Source: ReasoningBank (arXiv 2509.25140). The toolkit's call distils up to three items of title, description and content
with a prompt of its own for successes and for failures, and judges the episodes that have no "Outcome:" line; the bank
only grows. Without a model such an episode is a success, and the task agent's lessons are the items. They are found by
the task they came from; the paper reads those of one task, M* of three, as here. Comparing attempts (MaTTS) is out.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

import numpy as np

TASKS = 3  # earlier tasks whose items are read
ITEMS = 5  # of each
TUNABLES = {"TASKS": (1, 15), "ITEMS": (1, 10)}

READ_CHARS = 3000

INSTRUCTION_KNOWLEDGE_ITEM = (
    "Name the task in one sentence. List up to five lessons that carry over to other tasks: why it worked, or why it "
    "failed and how to prevent that."
)
INSTRUCTION_QUERY = "Name the task or subject in one sentence."
INSTRUCTION_RESPONSE = "Apply the strategies that fit, and heed the lessons of failures, when you work out the answer."
ALWAYS_ON_KNOWLEDGE = "The memory holds strategies from successes and lessons from failures."
SUCCESS = "The agent succeeded. Say why it worked, as strategies that carry over to other tasks."
FAILURE = "The agent failed. Say what went wrong, as lessons that prevent the same failure in other tasks."
UNKNOWN = "Judge first whether this succeeded. Then say why it worked, or what went wrong and how to prevent it."
DISTIL = """{request} At most three items; they name no particular site, object or person.
Reply with JSON: {{"success": true, "items": [{{"title": "...", "description": "one sentence: when it applies",
"content": "one to three sentences"}}]}}

Task: {task}
{text}"""


@dataclass
class KnowledgeItem:
    task: str = field(metadata={"description": "The task or subject in one sentence"})
    lessons: list[str] = field(metadata={"description": "Why it worked, or why it failed; one sentence each"})


@dataclass
class Query:
    task: str = field(metadata={"description": "The task, goal or question"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.bank = []  # (task, success, items)
        self.keys = []  # one vector a task

    def write(self, item, raw_text):
        if not raw_text.strip():
            return
        task = task_of(raw_text, item.task)
        outcome = re.search(r"^Outcome: *(\w+)", raw_text, re.MULTILINE)
        success = not re.match(r"fail|los|not", outcome[1].lower()) if outcome else None
        judged, items = self.distil(task, raw_text, success)
        if items is None:
            items = [" ".join(lesson.split())[:400] for lesson in item.lessons if lesson.strip()]
        if items:
            self.bank.append((task, judged if success is None else success, items))
            self.keys.append(self.toolkit.embed([task])[0])

    def distil(self, task, raw_text, success):
        """The model's judgement and items; True and None where it gives nothing usable."""
        request = {True: SUCCESS, False: FAILURE}.get(success, UNKNOWN)
        prompt = DISTIL.format(request=request, task=task, text=raw_text[:8000])
        try:
            reply = self.toolkit.llm_completion([{"role": "user", "content": prompt}])
            found = json.loads(reply[reply.index("{") : reply.rindex("}") + 1])
            entries = [entry for entry in found["items"][:3] if isinstance(entry, dict) and entry.get("content")]
            names = ("title", "description", "content")
            items = [" - ".join(str(entry[name]) for name in names if name in entry) for entry in entries]
        except Exception as error:
            self.toolkit.logger.debug(f"items by rule: {error}")
            return True, None
        return found.get("success") is not False, [" ".join(text.split())[:600] for text in items] or None

    def read(self, query):
        if not self.keys:
            return ""
        scores = np.array(self.keys) @ self.toolkit.embed([task_of(query.task, query.task)])[0]
        lines = []
        # Rounded: what is equally close ties, and the earlier comes first.
        for i in np.argsort(-scores.round(6), kind="stable")[:TASKS]:
            task, success, items = self.bank[i]
            lines.append(f"From {'a success' if success else 'a failure, to be avoided'}: {task[:200]}")
            lines += [f"- {text}" for text in items[:ITEMS]]
        text = "\n".join(lines)
        return text if len(text) <= READ_CHARS else text[: READ_CHARS + 1].rpartition("\n")[0]


def task_of(text, otherwise):
    """The first sentence of a text's "Task:" line, or what is given for texts without one."""
    found = re.search(r"^Task: *(.+?)(?:\. |\.?$)", text, re.MULTILINE)
    return found[1] if found else otherwise[:1000]
