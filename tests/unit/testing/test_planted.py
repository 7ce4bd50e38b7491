"""The scripted models of the planted searches, and programs in this process as against the sandbox."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evolve.agents.extractive import ExtractiveAgent
from evolve.config import Config, Limits
from evolve.errors import ProgramFault
from evolve.events import Event
from evolve.models.base import Call, Message
from evolve.operators.change import read_change
from evolve.population import Population
from evolve.program import parse
from evolve.sandbox import open_sandbox
from evolve.testing.planted.inside import Inside
from evolve.testing.planted.models import PLANTED, PlantedProvider
from evolve.testing.planted.optimum import rewritten
from evolve.testing.planted.reflector import answer, joined
from evolve.testing.planted.rewrites import LIBRARY
from evolve.testing.planted.start import START
from evolve.testing.planted.swift import calls, swift
from evolve.types import Episode

LINES, ROOM, LATER, EARLIER = (
    "Keep every line that was said",
    "Return as much as fits",
    "Prefer what was said last",
    "Prefer what was said first",
)


def has(source: str) -> set[str]:
    """Titles of what a program was given."""
    return {each.title for each in LIBRARY if each.present(source) and not each.present(START)}


def provider(*children: str) -> PlantedProvider:
    table = Config.checked({"task": "chronicle", "models": {"agent": PLANTED}}).resolved().models.by_role["agent"]
    return PlantedProvider(table, print, children=children)


def test_a_merge_adds_what_the_first_lacks_and_undoes_nothing_of_it() -> None:
    assert has(joined(rewritten([LINES]), rewritten([ROOM]))) == {LINES, ROOM}
    assert has(joined(rewritten([LINES, LATER]), rewritten([ROOM, EARLIER]))) == {LINES, LATER, ROOM}
    assert joined(rewritten([LINES]), START) == rewritten([LINES])


def test_a_prompt_to_merge_is_answered_with_the_joined_program() -> None:
    one, other = rewritten([LINES]), rewritten([ROOM])
    programs = {"first": one, "second": other}
    prompt = "".join(f"# The {which} program: c001\n\n<program>\n{it}</program>\n" for which, it in programs.items())
    assert read_change(answer([prompt])).apply(one) == joined(one, other)
    assert has(read_change(answer([prompt, "again", "broken"])).apply(one)) != {LINES, ROOM}, "it repeated itself"


def test_rewording_extracts_all_episodes_anew_and_changes_nothing_else() -> None:
    lost = "- Points lost by failure stage: extraction 1.0 in 1 case."
    prompt = f"# The program: c001\n\n<program>\n{START}</program>\n{lost}\n"
    plain, reworded = (read_change(answer([prompt], rewords=rewords)) for rewords in (False, True))
    assert plain.message == reworded.message
    before, after = plain.apply(START).splitlines(), reworded.apply(START).splitlines()
    differ = [line for line in after if line not in before]
    assert len(differ) == 1
    assert differ[0].startswith("INSTRUCTION_KNOWLEDGE_ITEM = ")


def test_the_task_agent_says_what_the_extractive_agent_would() -> None:
    text = "Ann: We moved to Lisbon on 3 May 2023.\nBob: The harbour there is beautiful."
    schema = {"type": "object"}
    asked = Call((Message("system", "..."), Message("user", f"<episode>\n{text}\n</episode>")), 100, schema)
    expected = ExtractiveAgent().extract(parse(START), Episode("e", "s", text))
    assert json.loads(provider().complete(asked).text) == expected
    read = Call((Message("user", "<memory>\nwhat was read\n</memory>\n\nThe question:\n\nWhere?"),), 100)
    assert provider().complete(read).text == "what was read"


def test_children_that_are_given_come_in_their_order() -> None:
    given = [rewritten([LINES]), rewritten([ROOM])]
    model = provider(*given)
    asked = Call((Message("user", f"# The program: c000\n\n<program>\n{START}</program>\n"),), 100)
    assert [read_change(model.complete(asked).text).apply(START) for _ in given] == given


@pytest.mark.slow
@pytest.mark.parametrize("titles", [(LINES, ROOM), (LINES, ROOM, LATER, "Return everything")])
def test_programs_read_here_what_they_read_in_a_sandbox(titles: tuple[str, ...]) -> None:
    source, limits = rewritten(titles), Limits()
    found = []
    for sandbox in (Inside(limits), open_sandbox("process", limits, warm=0)):
        box = sandbox.start()
        memory = box.open(source, call_llm=lambda messages, kwargs: "", call_embed=None)
        for number in range(200):
            memory.write({"topics": "boats"}, f"Ann: In year {number} I saw a boat.\nBob: It was number {number}.")
        try:
            found.append(memory.read({"text": "Which boat did Ann see in year 7?"}))
        except ProgramFault as fault:
            found.append(str(fault))
        box.close()
        sandbox.close()
    assert found[0] == found[1]
    assert ("at most" in found[0]) == ("Return everything" in titles)


@pytest.mark.slow
def test_a_swift_search_is_a_whole_run_whose_calls_are_counted(tmp_path: Path) -> None:
    start = tmp_path / "start.py"
    start.write_text(rewritten([LINES]), encoding="utf-8")
    table = {
        "task": "chronicle",
        "task_options": {"lives": 4, "sessions": 16, "turns": 8, "queries": 10},
        "models": {"agent": PLANTED},
        "search": {"operators": ["reflect"], "seeds": [str(start)]},
        "evaluation": {"static": 8, "train_ratio": 0, "test": 4, "scorer": "support"},
        "budget": {"candidates": 3},
    }
    spent = 0

    def observe(event: Event, population: Population) -> None:
        nonlocal spent
        spent += calls(event)

    task = swift(Config.checked(table).resolved())
    population = task.run(task.config, tmp_path / "run", observer=observe, enough=lambda population: False, final=True)
    assert population.children == 3
    assert population.best is not None
    assert population.best.test.keys() == {query.id for query in task.splits.test}
    once = len(task.splits.episodes) + len(task.splits.static)
    assert spent >= once, "every episode is extracted and every question formulated at least once"
    seed = population.candidates["c000"]
    assert sum(seed.scores.values()) / len(seed.scores) == pytest.approx(
        task.measure(rewritten([LINES]), task.splits.static, tmp_path / "again.sqlite").mean
    )
