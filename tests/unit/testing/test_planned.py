"""The rewrites by plan hold, differ, and change what they say."""

from __future__ import annotations

import pytest

from evolve.config import Limits
from evolve.evaluation.evaluate import no_completions
from evolve.evaluation.gauge import Completions
from evolve.operators.change import read_change
from evolve.paths import seeds_dir
from evolve.program import load, parse
from evolve.sandbox import open_sandbox
from evolve.testing.planned import PLAN, rewrite
from evolve.types import Program

SEEDS = ("vector_search", "summarizer", "experience")


def changed(program: Program, number: int) -> Program:
    """The child that the reply makes of a program, as the operator reads it."""
    reply = rewrite(f"# The program\n\n<program>\n{program.source}</program>\n", number)
    assert reply is not None
    return parse(read_change(reply).apply(program.source))


@pytest.mark.parametrize("seed", SEEDS)
def test_forty_rewrites_of_one_another_all_hold_and_all_differ(seed: str) -> None:
    programs = [load(seeds_dir() / f"{seed}.py")]
    for number in range(40):
        programs.append(changed(programs[-1], number))
    assert len({program.digest for program in programs}) == 41


@pytest.mark.parametrize("seed", SEEDS)
def test_each_rewrite_changes_what_its_title_says_and_nothing_else(seed: str) -> None:
    parent = load(seeds_dir() / f"{seed}.py")
    kinds = {
        "Read otherwise": set[str](),
        "Answer otherwise": {"INSTRUCTION_RESPONSE"},
        "Extract otherwise": {"INSTRUCTION_KNOWLEDGE_ITEM"},
        "Ask the memory otherwise": {"INSTRUCTION_QUERY"},
        "Keep one thing more": {"item"},
        "Keep another thing in mind": {"ALWAYS_ON_KNOWLEDGE"},
        "Ask the memory for one thing more": {"query"},
    }
    for number, (title, _) in enumerate(PLAN):
        child = changed(parent, number)
        differ = {name for name, words in child.instructions.items() if words != parent.instructions[name]}
        differ |= {name for name in ("item", "query") if getattr(child, name) != getattr(parent, name)}
        assert differ == kinds[title], title


def test_a_memory_that_was_rewritten_often_still_writes_and_reads() -> None:
    program = load(seeds_dir() / "summarizer.py")
    for number in range(10):
        program = changed(program, number)
    sandbox = open_sandbox("process", Limits(), warm=0)
    try:
        memory = sandbox.start().open(program.source, call_llm=Completions(no_completions))
        memory.write({"summary": "Ada moved to Rome."}, "Ada: I moved to Rome.")
        read = memory.read({"text": "Where does Ada live?"})
    finally:
        sandbox.close()
    assert read.startswith("As of remark 7:\nAs of remark 5:\nAs of remark 3:\nAs of remark 0:\n")
    assert read.endswith("Ada moved to Rome.")


def test_a_prompt_without_a_program_has_no_rewrite() -> None:
    assert rewrite("Reply with one word: ready", 0) is None
