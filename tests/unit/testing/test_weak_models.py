"""The weak models: what they say is what the prompts of the real agent and the real reflector ask for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evolve.agents.llm import LLMAgent
from evolve.errors import EvolveError, ProgramError
from evolve.models.base import Reply, Request, Usage
from evolve.operators.change import read_change
from evolve.paths import seeds_dir
from evolve.program import load, parse
from evolve.tasks import load as load_task
from evolve.testing import weak_reflector
from evolve.testing.diary import write_diary
from evolve.testing.joining import join
from evolve.testing.model_server import Asked, Turn, Unscripted
from evolve.testing.rewrites import REWRITES, Rewrite, with_error, with_system, without_read
from evolve.testing.weak_agent import answer
from evolve.testing.weak_models import speak
from evolve.types import Episode

SEEDS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(seeds_dir().glob("*.py"))}
EPISODE = Episode("1", "ada", "Date: 4 March 2024\nAda: The code of my violin is 3141.\nBen: What was it? I forgot.")


def asked(request: Request) -> Asked:
    """The request as a server would see it."""
    system = "\n\n".join(message.text for message in request.messages if message.role == "system")
    turns = tuple(Turn(message.role, message.text) for message in request.messages if message.role != "system")
    return Asked("chat", "m", system, turns, request.schema, None, None, None, {})


def ask(request: Request) -> Reply:
    return Reply(speak(asked(request)), Usage(), 0.0)


def reflect(prompt: str, *replies: str) -> str:
    turns = [Turn("user", prompt)]
    for reply in replies:
        turns += [Turn("assistant", reply), Turn("user", "Your change cannot be taken: try again.")]
    words = weak_reflector.say(
        Asked("chat", "m", "You improve memory programs.", tuple(turns), None, None, None, None, {})
    )
    assert words is not None
    return words


@pytest.mark.parametrize("seed", SEEDS)
def test_the_weak_agent_fills_every_seeds_fields_and_answers(seed: str) -> None:
    program, agent = load(seeds_dir() / f"{seed}.py"), LLMAgent(ask)
    item = agent.extract(program, EPISODE)
    query = agent.formulate(program, "What is the code of Ada's violin?")
    assert set(item) == {field.name for field in program.item.fields}
    assert "What is the code of Ada's violin?" in query.values()
    assert agent.respond(program, "What is the code of Ada's violin?", EPISODE.text) == "3141"


def test_the_weak_agent_answers_from_the_line_that_shares_most_words() -> None:
    memory = "[4 March] Ada: The code of my tent is 99.\nAda: The code of my violin is 3141.\nBen: Was the code 5 or 6?"
    assert answer(memory, "What is the code of Ada's violin?") == "3141"
    assert answer("Nothing of the kind.", "What is the code of Ada's violin?") == "unknown"


def test_what_nobody_asks_has_no_words() -> None:
    with pytest.raises(Unscripted):
        speak(Asked("chat", "m", "", (Turn("user", "Tell me a joke."),), None, None, None, None, {}))


@pytest.mark.parametrize("rewrite", REWRITES, ids=lambda rewrite: rewrite.title)
def test_every_rewrite_is_the_same_program_in_every_form(rewrite: Rewrite) -> None:
    fitting = {seed: new for seed, old in SEEDS.items() if (new := rewrite.apply(old, 3)) is not None}
    forms = [weak_reflector.as_patch, weak_reflector.as_blocks, lambda old, new: weak_reflector.as_whole(new)]
    for seed, new in fitting.items():
        wanted = parse(new)
        assert wanted.digest != parse(SEEDS[seed]).digest
        for form in forms:
            change = read_change(f"## Diagnosis\nd\n\n## Commit message\nm\n\n## Change\n{form(SEEDS[seed], new)}")
            assert parse(change.apply(SEEDS[seed])).digest == wanted.digest
    assert fitting or rewrite.title == "Return another number of the lines with rare words"


def test_rewrites_build_on_each_other() -> None:
    source = SEEDS["vector_search"]
    for rewrite in REWRITES:
        changed = rewrite.apply(source, 9)
        if changed is not None:
            assert parse(changed).digest != parse(source).digest
            source = changed
    assert re.search(r"EXTRA_LINES = \d", source)


def test_broken_programs_are_broken_where_they_should_be() -> None:
    for seed in SEEDS.values():
        with pytest.raises(ProgramError, match="read"):
            parse(without_read(seed))
        with pytest.raises(ProgramError, match="os"):
            parse(with_system(seed))
        assert parse(with_error(seed))


@pytest.mark.parametrize("first", SEEDS)
@pytest.mark.parametrize("second", SEEDS)
def test_two_programs_are_joined_into_one_with_the_fields_of_both(first: str, second: str) -> None:
    child = parse(join(SEEDS[first], SEEDS[second]))
    for parent in (parse(SEEDS[first]), parse(SEEDS[second])):
        assert {field.name for field in parent.item.fields} <= {field.name for field in child.item.fields}
        assert {field.name for field in parent.query.fields} <= {field.name for field in child.query.fields}
        assert child.digest != parent.digest
    assert parse(join(child.source, SEEDS[first])).digest != child.digest


def test_the_weak_reflector_answers_alike_and_mends_what_comes_back() -> None:
    source = SEEDS["bm25"]
    outcomes = set()
    for number in range(100):
        prompt = f"# The program: c{number}\n\n<program>\n{source}</program>\n"
        first = reflect(prompt)
        assert reflect(prompt) == first
        outcomes.add((taken(source, first), taken(source, reflect(prompt, first))))
    assert outcomes >= {(True, True), (False, True), (False, False)}


def taken(source: str, reply: str) -> bool:
    try:
        parse(read_change(reply).apply(source))
    except EvolveError:
        return False
    return True


def test_the_weak_reflector_joins_two_parents() -> None:
    one, two = SEEDS["bm25"], SEEDS["summarizer"]
    prompt = f"# The first program: a\n\n<program>\n{one}</program>\n\n"
    prompt += f"# The second program: b\n\n<program>\n{two}</program>\n"
    replies = [reflect(f"{prompt}{number}") for number in range(10)]
    children = {read_change(reply).apply(one) for reply in replies if taken(one, reply)}
    wanted = {parse(join(one, two, lines=lines)).digest for lines in range(20, 60)}
    assert len(wanted & {parse(child).digest for child in children}) > 3


def test_the_diary_is_a_task_whose_gold_marks_stand_in_no_episode(tmp_path: Path) -> None:
    marks = write_diary(tmp_path / "diary", scopes=4, sessions=16, queries=10)
    task = load_task(str(tmp_path / "diary"), {})
    assert (len(task.episodes), len(task.queries), len(task.held_out)) == (64, 40, 20)
    for query, mark in zip(task.queries, marks, strict=True):
        assert query.answer.endswith(mark)
        assert query.answer.split()[0] in query.evidence[0].text
        assert not any(mark in episode.text for episode in task.episodes)
    whole = {scope: "\n".join(e.text for e in task.episodes if e.scope == scope) for scope in ("Ada", "Ben")}
    found = [answer(whole[query.scope], query.text) == query.answer.split()[0] for query in task.queries[:20]]
    assert sum(found) >= 15
