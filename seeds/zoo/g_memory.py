"""Keeps tasks with their key steps in a graph of similar tasks, and above it insights that tasks vote on.
Bets that a task is best helped by its neighbours in that graph, failures too, and by the insights that these share.

Source: G-Memory (arXiv 2506.07398). A task that ends well adds 1 to the insights that its neighbours support, a failure
takes 2, and at 0 an insight goes. Every few tasks the toolkit's call revises the insights; without it, those that the
task agent wrote down since are added, or agree with one that says the same. The merging of insights by clusters and the
reranking by a model are left out. An episode without "Outcome:" is a success.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

import numpy as np

LINK_COSINE = 0.7  # two tasks this similar are linked
SAME_COSINE = 0.8  # two insights this similar say the same
EVERY = 5  # tasks from one revision of the insights to the next
HITS = 2  # tasks found by similarity, before their neighbours are added
SUCCESSES = 3  # shown
FAILURES = 1
TUNABLES = {"LINK_COSINE": (0.3, 0.95), "EVERY": (1, 10), "HITS": (1, 6), "SUCCESSES": (1, 6), "FAILURES": (0, 3)}

READ_CHARS = 3000

INSTRUCTION_KNOWLEDGE_ITEM = (
    "Name the task. List the key steps: those without which it would have ended differently, or what mattered in a "
    "talk. Add insights: rules that would help with other tasks, one sentence each."
)
INSTRUCTION_QUERY = "Name the task or subject in one sentence."
INSTRUCTION_RESPONSE = "Use the insights and what worked in similar tasks; do not repeat what failed."
ALWAYS_ON_KNOWLEDGE = "The memory holds tasks with their key steps, linked where similar, and insights that they share."
REVISE = """Revise the insights in the light of these tasks. Reply with a JSON list of operations:
{{"op": "ADD", "text": "..."}}, {{"op": "EDIT", "id": 0, "text": "..."}}, {{"op": "AGREE", "id": 0}},
{{"op": "REMOVE", "id": 0}}. Insights are general: they name no particular object.

Insights:
{insights}

Tasks:
{tasks}"""


@dataclass
class KnowledgeItem:
    task: str = field(metadata={"description": "The task or subject in one sentence"})
    key_steps: list[str] = field(metadata={"description": "The key steps, or what mattered, one sentence each"})
    insights: list[str] = field(default_factory=list, metadata={"description": "Rules that would help in other tasks"})


@dataclass
class Query:
    task: str = field(metadata={"description": "The task, goal or question"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.tasks = []  # dicts of task, steps, text, success, insights, links
        self.keys = []  # one vector a task
        self.insights = []  # dicts of text, score, tasks, vector

    def write(self, item, raw_text):
        if not raw_text.strip():
            return
        task = task_of(raw_text, item.task)
        success = not re.search(r"^Outcome: *(fail|los|not)", raw_text, re.MULTILINE | re.IGNORECASE)
        steps = re.findall(r"^> .+$", raw_text, re.MULTILINE) or item.key_steps
        steps = [" ".join(step.split())[:200] for step in steps[:20] if step.strip()]
        key = self.toolkit.embed([task])[0]
        near = {i for i in self.nearest(key)[:10] if self.keys[i] @ key >= LINK_COSINE}
        number = len(self.tasks)
        for neighbour in near:
            self.tasks[neighbour]["links"].add(number)
        for insight in self.insights:
            if insight["tasks"] & near:
                insight["score"] += 1 if success else -2
        self.insights = [insight for insight in self.insights if insight["score"] > 0]
        node = {"task": task, "steps": steps, "text": raw_text[:8000].strip(), "success": success, "links": near}
        self.tasks.append({**node, "insights": item.insights[:5]})
        self.keys.append(key)
        if len(self.tasks) % EVERY == 0:
            self.revise(range(len(self.tasks) - EVERY, len(self.tasks)))

    def nearest(self, key):
        # Rounded: what is equally close ties, and the earlier comes first.
        return [int(i) for i in np.argsort(-(np.array(self.keys) @ key).round(6), kind="stable")] if self.keys else []

    def revise(self, batch):
        insights = "\n".join(f"{i}. {insight['text']}" for i, insight in enumerate(self.insights)) or "none yet"
        tasks = "\n\n".join("\n".join([self.heading(i), *self.tasks[i]["steps"]])[:2000] for i in batch)
        try:
            prompt = REVISE.format(insights=insights, tasks=tasks)
            reply = self.toolkit.llm_completion([{"role": "user", "content": prompt}])
            found = json.loads(reply[reply.index("[") : reply.rindex("]") + 1])
            operations = [one for one in found if isinstance(one, dict)][:10]
            before = list(self.insights)
            for operation in operations:
                text, number = operation.get("text"), operation.get("id")
                known = before[number] if isinstance(number, int) and 0 <= number < len(before) else None
                self.apply(operation.get("op"), known, text if isinstance(text, str) else "", set(batch))
        except Exception as error:
            self.toolkit.logger.debug(f"insights by rule: {error}")
            for number in batch:
                for text in self.tasks[number]["insights"]:
                    vector = self.toolkit.embed([text])[0]
                    same = [known for known in self.insights if known["vector"] @ vector >= SAME_COSINE]
                    self.apply("AGREE" if same else "ADD", same[0] if same else None, text, {number})
        self.insights = [insight for insight in self.insights if insight["score"] > 0]

    def apply(self, operation, known, text, tasks):
        text = " ".join(text.split())[:300]
        if operation == "ADD" and text:
            vector = self.toolkit.embed([text])[0]
            self.insights.append({"text": text, "score": 2, "tasks": set(tasks), "vector": vector})
        elif operation in ("AGREE", "EDIT") and known:
            known["score"] += 1
            known["tasks"] |= tasks
            if operation == "EDIT" and text:
                known.update(text=text, vector=self.toolkit.embed([text])[0])
        elif operation == "REMOVE" and known:
            known["score"] = 0

    def heading(self, number):
        return f"Task: {self.tasks[number]['task'][:300]} ({'success' if self.tasks[number]['success'] else 'failure'})"

    def read(self, query):
        ranked = self.nearest(self.toolkit.embed([task_of(query.task, query.task)])[0])
        hits = ranked[:HITS]
        linked = set().union(*(self.tasks[i]["links"] for i in hits))
        related = hits + [i for i in ranked[HITS:] if i in linked]
        shared = [(len(insight["tasks"] & set(related)), insight) for insight in self.insights]
        shared.sort(key=lambda pair: (-pair[0], -pair[1]["score"]))
        lines = [f"- {insight['text']}" for support, insight in shared if support][:10]
        shown = [i for i in related if self.tasks[i]["success"]][:SUCCESSES]
        shown += [i for i in related if not self.tasks[i]["success"]][:FAILURES]
        for i in shown:
            lines += [self.heading(i), *self.tasks[i]["steps"]]
        for i in shown:
            lines += [f"In full: {self.tasks[i]['task'][:300]}", *self.tasks[i]["text"].splitlines()]
        text = "\n".join(lines)
        return text if len(text) <= READ_CHARS else text[: READ_CHARS + 1].rpartition("\n")[0] or text[:READ_CHARS]


def task_of(text, otherwise):
    """The first sentence of a text's "Task:" line, or what is given for texts without one."""
    found = re.search(r"^Task: *(.+?)(?:\. |\.?$)", text, re.MULTILINE)
    return found[1] if found else otherwise[:1000]
