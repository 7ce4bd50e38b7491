"""The whole episode of the most similar task is read, and cut by whole lines."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

MUG = (
    "Task: put a clean mug in coffeemachine.\nYou see a desk 2.\n> take mug 1 from desk 2\nOutcome: success in 4 steps"
)
LAMP = "Task: look at the pillow under the desklamp.\nYou see a bed 1.\n> take pillow 1 from bed 1\nOutcome: failure"


def test_reads_the_whole_episode_of_the_most_similar_task(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    module = seed("zoo/trajectory_retrieval")
    base = module.KnowledgeBase(new_toolkit())
    for text in (LAMP, MUG):
        base.write(module.KnowledgeItem(task="something else"), text)
    assert base.read(module.Query("Task: put a hot mug in cabinet. You are in a room with a bed and a pillow.")) == MUG
    assert base.read(module.Query("look at the bowl under the desklamp")) == LAMP


def test_the_task_agents_words_are_the_key_of_an_episode_without_a_task_line(
    seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]
):
    module = seed("zoo/trajectory_retrieval")
    base = module.KnowledgeBase(new_toolkit())
    base.write(module.KnowledgeItem(task="a talk about sailing"), "Ann: It was windy.")
    base.write(module.KnowledgeItem(task="a talk about cooking"), "Bob: It was salty.")
    assert base.read(module.Query("Who talked about sailing?")) == "Ann: It was windy."


def test_a_long_episode_is_cut_between_lines(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]):
    lines = [f"> go to shelf {number}" for number in range(400)]
    for left_out, last in (("end", "..."), ("middle", "> go to shelf 399")):
        module = seed("zoo/trajectory_retrieval", LEFT_OUT=left_out)
        base = module.KnowledgeBase(new_toolkit())
        base.write(module.KnowledgeItem(task="walk"), "\n".join(lines))
        found = base.read(module.Query("walk")).splitlines()
        assert found[0] == lines[0]
        assert found[-1] == last
        assert set(found) <= {*lines, "..."}
        assert 2900 < len("\n".join(found)) <= 3000
