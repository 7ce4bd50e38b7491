"""Keeps workflows: the steps of successful episodes with {placeholders} for the things that change; reads the nearest.
Bets that tasks of one kind share their steps, and that only names, numbers and places differ from one to the next.

Source: Agent Workflow Memory, online form (arXiv 2409.07429). The toolkit's call induces up to three workflows with the
nearest existing ones in view. Without it, the episode's own commands (or the steps that the task agent lists) become
one workflow: things get numbered placeholders, commands on things that did not serve the task are left out, and equal
workflows are one, with the concrete steps of its nearest uses beside it. An episode without "Outcome:" is a success.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

import numpy as np

WORKFLOWS = 5  # read at most
EXAMPLES = 2  # concrete uses shown beside each step
SHORTEST = 2  # steps that a workflow has at least
DETOURS = "drop"  # "keep" leaves in the commands that did not serve the task
TUNABLES = {"WORKFLOWS": (1, 20), "EXAMPLES": (0, 6), "SHORTEST": (1, 4), "DETOURS": ["drop", "keep"]}

READ_CHARS = 3000
THING = re.compile(r"\b[a-z]+ \d+\b")  # in a command: "mug 1"
# In a sentence: speakers, names (a capital after a small letter starts no sentence) and numbers.
NAME = re.compile(r"\b[A-Z]\w+(?=:)|(?<=[a-z,] )[A-Z]\w+|\b\d+\b")

INSTRUCTION_KNOWLEDGE_ITEM = "Name the task, and list the steps that led to its goal, in order, one sentence each."
INSTRUCTION_QUERY = "Name the task or subject in one sentence."
INSTRUCTION_RESPONSE = "Follow the workflow that fits, with the things at hand in place of its {placeholders}."
ALWAYS_ON_KNOWLEDGE = "The memory holds workflows of tasks that succeeded."
INDUCE = """A task succeeded. Induce at most three reusable workflows from it: common sub-routines of two or more steps.
Put {{placeholders}} for everything that will differ next time. Do not repeat the existing workflows.
Reply with a JSON list: [{{"description": "...", "steps": ["...", "..."]}}]

Existing workflows:
{existing}

Task: {task}
{text}"""


@dataclass
class KnowledgeItem:
    task: str = field(metadata={"description": "The task or subject in one sentence"})
    steps: list[str] = field(metadata={"description": "Steps that led to the goal, in order, one sentence each"})


@dataclass
class Query:
    task: str = field(metadata={"description": "The task, goal or question"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.workflows = []  # steps with placeholders
        self.uses = []  # (number of the workflow, what it was used for, its steps as they were taken)
        self.keys = []  # one vector a use

    def write(self, item, raw_text):
        if not raw_text.strip() or re.search(r"^Outcome: *(fail|los|not)", raw_text, re.MULTILINE | re.IGNORECASE):
            return
        task = task_of(raw_text, item.task)
        commands = re.findall(r"^> *(.+)$", raw_text, re.MULTILINE)
        taken = useful(commands, task) if commands else item.steps
        taken = [" ".join(step.split())[:200] for step in taken[:30] if step.strip()]
        induced = self.induce(task, raw_text)
        by_rule = [(task, abstract(taken, THING if commands else NAME), taken)]
        for description, steps, concrete in by_rule if induced is None else induced:
            if len(steps) < SHORTEST:
                continue
            if steps not in self.workflows:
                self.workflows.append(steps)
            self.uses.append((self.workflows.index(steps), description[:300], concrete))
            self.keys.append(self.toolkit.embed([description])[0])

    def induce(self, task, raw_text):
        """The model's workflows in the form of (description, steps, []); None where it gives nothing usable."""
        existing = "\n".join(self.show(number, uses) for number, uses in self.nearest(task)[:5])
        prompt = INDUCE.format(existing=existing or "none", task=task, text=raw_text[:8000])
        try:
            reply = self.toolkit.llm_completion([{"role": "user", "content": prompt}])
            found = json.loads(reply[reply.index("[") : reply.rindex("]") + 1])
            usable = [
                (new["description"], [step[:200] for step in new["steps"] if isinstance(step, str)], [])
                for new in found[:3]
                if isinstance(new["description"], str) and isinstance(new["steps"], list)
            ]
        except Exception as error:
            self.toolkit.logger.debug(f"workflow by rule: {error}")
            return None
        return usable if usable or not found else None

    def nearest(self, task):
        """(number of a workflow, its uses from near to far), the workflow with the nearest use first."""
        if not self.keys:
            return []
        found = {}
        # Rounded: what is equally close ties, and the earlier comes first.
        for i in np.argsort(-(np.array(self.keys) @ self.toolkit.embed([task])[0]).round(6), kind="stable"):
            number, *use = self.uses[i]
            found.setdefault(number, []).append(use)
        return list(found.items())

    def show(self, number, uses):
        lines = [uses[0][0] + (f" ({len(uses)} uses)" if len(uses) > 1 else "")]
        for i, step in enumerate(self.workflows[number]):
            seen = list(dict.fromkeys(taken[i] for _, taken in uses[:EXAMPLES] if taken and taken[i] != step))
            lines.append(f"{i + 1}. {step}" + (f" ({'; '.join(seen)})" if seen else ""))
        return "\n".join(lines)

    def read(self, query):
        shown = [self.show(number, uses) for number, uses in self.nearest(task_of(query.task, query.task))[:WORKFLOWS]]
        text = "\n\n".join(shown)
        return text if len(text) <= READ_CHARS else text[: READ_CHARS + 1].rpartition("\n")[0] or text[:READ_CHARS]


def task_of(text, otherwise):
    """The first sentence of a text's "Task:" line, or what is given for texts without one."""
    found = re.search(r"^Task: *(.+?)(?:\. |\.?$)", text, re.MULTILINE)
    return found[1] if found else otherwise[:1000]


def useful(commands, task):
    """The commands on things of the kinds that the task names, and on what these were used together with."""
    words = {form for word in re.findall(r"[a-z]+", task.lower()) for form in (word, word.rstrip("s"))}
    things = [set(THING.findall(command)) for command in commands]
    serving = set().union(*(names for names in things if any(name.split()[0] in words for name in names)))
    kept = [command for command, names in zip(commands, things, strict=True) if names <= serving]
    return kept if DETOURS == "drop" and serving else commands


def abstract(steps, pattern):
    """The steps with a numbered placeholder for each thing or name, the same one wherever it comes again."""
    numbers = {}
    return [pattern.sub(lambda found: f"{{{numbers.setdefault(found[0], len(numbers) + 1)}}}", step) for step in steps]
