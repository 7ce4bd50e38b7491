"""Keeps insights that every episode votes on, and the episodes; reads the insights and the most similar successes.
Bets that rules which hold again and again gather votes, and that an example shows what a rule cannot say.

Source: ExpeL (arXiv 2308.10144). An insight starts with 2 votes; AGREE and EDIT add one, DISAGREE takes one, at 0 it
goes. The toolkit's call votes, with the most similar episode of the other outcome in view. Without it the task agent's
insights vote on the one that says the same: a success agrees, or edits where it says more, a failure disagrees; others
are added. Retrying tasks is left out: episodes come as they are, and without "Outcome:" they are successes.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

import numpy as np

START_VOTES = 2
LIST_SIZE = 20  # insights; where there are more, those with the fewest votes go
SAME_COSINE = 0.8  # two insights this similar say the same
INSIGHT_CHARS = 1200  # of what is read; the rest is for episodes
EPISODES = 2
TUNABLES = {
    "START_VOTES": (1, 4),
    "LIST_SIZE": (5, 60),
    "SAME_COSINE": (0.5, 0.98),
    "INSIGHT_CHARS": (0, 3000),
    "EPISODES": (1, 6),
}

READ_CHARS = 3000

INSTRUCTION_KNOWLEDGE_ITEM = (
    "Name the task in one sentence. List up to five insights: general rules about what helps and what harms, one "
    "sentence each, useful for other tasks too."
)
INSTRUCTION_QUERY = "Name the task or subject in one sentence."
INSTRUCTION_RESPONSE = "Keep to the insights, those with more votes first; use the earlier episodes as examples."
ALWAYS_ON_KNOWLEDGE = "The memory holds a list of insights with votes, and earlier episodes."
VOTE = """Improve the list of insights by at most four operations on the evidence below. Insights are general rules.
Reply with a JSON list: {{"op": "ADD", "text": "..."}}, {{"op": "EDIT", "id": 0, "text": "..."}},
{{"op": "AGREE", "id": 0}} (the evidence supports it), {{"op": "DISAGREE", "id": 0}} (it contradicts it).

Insights:
{insights}

{outcome}: {task}
{text}
{contrast}"""


@dataclass
class KnowledgeItem:
    task: str = field(metadata={"description": "The task or subject in one sentence"})
    insights: list[str] = field(metadata={"description": "General rules on what helps and what harms"})


@dataclass
class Query:
    task: str = field(metadata={"description": "The task, goal or question"})


class KnowledgeBase:
    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.insights = []  # dicts of text, votes, vector
        self.trajectories = []  # (text, success)
        self.keys = []  # one vector an episode

    def write(self, item, raw_text):
        if not raw_text.strip():
            return
        task = task_of(raw_text, item.task)
        success = not re.search(r"^Outcome: *(fail|los|not)", raw_text, re.MULTILINE | re.IGNORECASE)
        key = self.toolkit.embed([task])[0]
        operations = self.ask(task, raw_text, success, self.similar(key, not success)[:1])
        for operation, number, text in self.by_rule(item.insights, success) if operations is None else operations:
            self.vote(operation, number, " ".join(text.split())[:300])
        living = [insight for insight in self.insights if insight["votes"] > 0]
        best = sorted(range(len(living)), key=lambda i: (-living[i]["votes"], -i))[:LIST_SIZE]
        self.insights = [living[i] for i in sorted(best)]
        self.trajectories.append((raw_text[:8000].strip(), success))
        self.keys.append(key)

    def similar(self, key, success):
        """Texts of the episodes with this outcome, the most similar task first."""
        # Rounded: what is equally close ties, and the earlier comes first.
        ranked = np.argsort(-(np.array(self.keys) @ key).round(6), kind="stable") if self.keys else []
        return [self.trajectories[i][0] for i in ranked if self.trajectories[i][1] == success]

    def ask(self, task, raw_text, success, contrast):
        """The model's (operation, number of an insight, text); None where it gives nothing usable."""
        insights = "\n".join(f"{i}. {one['text']} ({one['votes']} votes)" for i, one in enumerate(self.insights))
        other = f"\nOther outcome, similar task:\n{contrast[0][:4000]}" if contrast else ""
        outcome = "Success" if success else "Failure"
        try:
            prompt = VOTE.format(
                insights=insights or "none", outcome=outcome, task=task, text=raw_text[:6000], contrast=other
            )
            reply = self.toolkit.llm_completion([{"role": "user", "content": prompt}])
            found = json.loads(reply[reply.index("[") : reply.rindex("]") + 1])
            usable = [one for one in found if isinstance(one, dict) and isinstance(one.get("text", ""), str)]
            return [(one.get("op"), one.get("id"), one.get("text", "")) for one in usable[:4]] or None
        except Exception as error:
            self.toolkit.logger.debug(f"votes by rule: {error}")
            return None

    def by_rule(self, insights, success):
        """One operation for each insight of the task agent's, worked out when its turn comes."""
        for text in insights[:5]:
            vector = self.toolkit.embed([text])[0]
            cosines = [float(one["vector"] @ vector) for one in self.insights]
            number = int(np.argmax(cosines)) if cosines else 0
            if not cosines or cosines[number] < SAME_COSINE:
                yield "ADD", None, text
            elif not success:
                yield "DISAGREE", number, ""
            else:
                more = set(text.lower().split()) > set(self.insights[number]["text"].lower().split())
                yield "EDIT" if more else "AGREE", number, text

    def vote(self, operation, number, text):
        if operation == "ADD" and text:
            self.insights.append({"text": text, "votes": START_VOTES, "vector": self.toolkit.embed([text])[0]})
        elif isinstance(number, int) and 0 <= number < len(self.insights):
            self.insights[number]["votes"] += {"AGREE": 1, "EDIT": 1, "DISAGREE": -1}.get(operation, 0)
            if operation == "EDIT" and text:
                self.insights[number].update(text=text, vector=self.toolkit.embed([text])[0])

    def read(self, query):
        ranked = sorted(self.insights, key=lambda one: -one["votes"])
        parts = [fitting("\n".join(f"- {one['text']} ({one['votes']} votes)" for one in ranked), INSIGHT_CHARS)]
        key = self.toolkit.embed([task_of(query.task, query.task)])[0]
        for text in self.similar(key, success=True)[:EPISODES]:
            room = READ_CHARS - sum(len(part) + 2 for part in parts)
            # Less than a few lines of another episode would only confuse.
            parts.append(fitting(text, room) if room >= 200 else "")
        return "\n\n".join(part for part in parts if part)


def fitting(text, room):
    """The whole lines that fit; a first line that does not is cut."""
    return text if len(text) <= room else text[: room + 1].rpartition("\n")[0] or text[:room]


def task_of(text, otherwise):
    """The first sentence of a text's "Task:" line, or what is given for texts without one."""
    found = re.search(r"^Task: *(.+?)(?:\. |\.?$)", text, re.MULTILINE)
    return found[1] if found else otherwise[:1000]
