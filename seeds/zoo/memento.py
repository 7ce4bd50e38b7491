"""Keeps cases: a task, how it was gone about, its reward, a win rate; reads good ones as examples, bad as warnings.
Bets that similar cases tell what to do, and that a case which helped before will help again.

Source: Memento (arXiv 2508.16153), without its trained retriever; win rates from MIA (arXiv 2604.04503). A
new episode first recalls the cases that reading would show for its task, and its outcome counts as a win or a loss of
theirs: this stands for the update after an answer, which a memory never sees. Of two cases of the same task a success
replaces a failure, and the shorter of two successes stays. The toolkit's call judges the episodes that have no
"Outcome:" line; without it they are successes, as the task agent sums them up. Of a trajectory the commands are kept.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

import numpy as np

POSITIVES = 4
NEGATIVES = 3
WIN_WEIGHT = 0.3  # of the win rate against similarity
SAME_COSINE = 0.9999  # tasks this similar are one
TUNABLES = {"POSITIVES": (1, 12), "NEGATIVES": (0, 6), "WIN_WEIGHT": (0.0, 1.0), "SAME_COSINE": (0.95, 0.9999)}

READ_CHARS = 3000

INSTRUCTION_KNOWLEDGE_ITEM = (
    "Name the task in one sentence, and sum up how it was gone about in at most 300 words: the plan, what was done and "
    "found, with names, numbers and dates."
)
INSTRUCTION_QUERY = "Name the task or subject in one sentence."
INSTRUCTION_RESPONSE = "Plan as the positive cases did; avoid what the negative cases did."
ALWAYS_ON_KNOWLEDGE = "The memory holds earlier cases, positive and negative ones."
JUDGE = """Did this episode reach its goal? Sum up how it was gone about in at most 300 words.
Reply with JSON: {{"success": true, "plan": "..."}}

Task: {task}
{text}"""


@dataclass
class KnowledgeItem:
    task: str = field(metadata={"description": "The task or subject in one sentence"})
    plan: str = field(metadata={"description": "The key steps: what was done, and what was found"})
    date: str = field(default="", metadata={"description": "When the episode took place, as written"})


@dataclass
class Query:
    task: str = field(metadata={"description": "The task, goal or question"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.cases = []  # dicts of task, plan, date, reward, uses, wins
        self.keys = []  # one vector a case

    def write(self, item, raw_text):
        if not raw_text.strip():
            return
        task = task_of(raw_text, item.task)
        outcome = re.search(r"^Outcome: *(\w+)", raw_text, re.MULTILINE)
        commands = re.findall(r"^> .+$", raw_text, re.MULTILINE)
        reward, plan = 1, "\n".join(commands) or item.plan
        if outcome:
            reward = 0 if re.match(r"fail|los|not", outcome[1].lower()) else 1
        else:
            reward, plan = self.judge(task, raw_text) or (reward, plan)
        key = self.toolkit.embed([task])[0]
        for i in self.recalled(key):
            self.cases[i]["uses"] += 1
            self.cases[i]["wins"] += reward
        case = {"task": task[:300], "plan": plan[:2000], "date": item.date, "reward": reward, "uses": 0, "wins": 0}
        same = next((i for i, known in enumerate(self.keys) if known @ key >= SAME_COSINE), None)
        if same is None:
            self.cases.append(case)
            self.keys.append(key)
        elif (reward, -len(plan)) > (self.cases[same]["reward"], -len(self.cases[same]["plan"])):
            self.cases[same] = case

    def judge(self, task, raw_text):
        """Reward and plan as the model sees them; None where it gives nothing usable."""
        try:
            prompt = JUDGE.format(task=task, text=raw_text[:8000])
            reply = self.toolkit.llm_completion([{"role": "user", "content": prompt}])
            found = json.loads(reply[reply.index("{") : reply.rindex("}") + 1])
            usable = isinstance(found["success"], bool) and isinstance(found["plan"], str)
        except Exception as error:
            self.toolkit.logger.debug(f"judged by rule: {error}")
            return None
        return (int(found["success"]), found["plan"]) if usable else None

    def recalled(self, key):
        """Numbers of the cases that go with a task: the best positives, then the best negatives."""
        if not self.keys:
            return []
        cosines = np.array(self.keys) @ key
        spread = np.ptp(cosines)
        similarity = (cosines - cosines.min()) / spread if spread else np.ones(len(cosines))
        # A case that was never used stands between one that always won and one that always lost.
        rates = np.array([(case["wins"] + 1) / (case["uses"] + 2) for case in self.cases])
        # Rounded: what is equally close ties, and the earlier comes first.
        ranked = np.argsort(-((1 - WIN_WEIGHT) * similarity + WIN_WEIGHT * rates).round(6), kind="stable")
        positives = [int(i) for i in ranked if self.cases[i]["reward"]]
        negatives = [int(i) for i in ranked if not self.cases[i]["reward"]]
        return positives[:POSITIVES] + negatives[:NEGATIVES]

    def read(self, query):
        parts = []
        room = READ_CHARS
        for i in self.recalled(self.toolkit.embed([task_of(query.task, query.task)])[0]):
            case = self.cases[i]
            dated = f" [{case['date']}]" if case["date"] else ""
            used = f", helped {case['wins']} of {case['uses']} times" if case["uses"] else ""
            shown = f"{'Positive' if case['reward'] else 'Negative'} case{dated}{used}: {case['task']}\n{case['plan']}"
            if len(shown) <= room:
                parts.append(shown)
                room -= len(shown) + 2
        return "\n\n".join(parts)


def task_of(text, otherwise):
    """The first sentence of a text's "Task:" line, or what is given for texts without one."""
    found = re.search(r"^Task: *(.+?)(?:\. |\.?$)", text, re.MULTILINE)
    return found[1] if found else otherwise[:1000]
