"""Each failure stage, by a program or an agent that loses the answer exactly there, in a real sandbox."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolve.agents.extractive import ExtractiveAgent
from evolve.errors import AgentFailure, ProviderError
from evolve.evaluation.splits import Work
from evolve.evaluation.stages import SAMPLE, gold_text, is_cut
from evolve.models.base import Purpose, Reply, Usage
from evolve.program.interfaces import uses_raw_text
from evolve.scoring import SupportScorer
from evolve.testing.programs import program
from evolve.types import JSON, Episode, Evaluation, Evidence, Query

Measure = Callable[..., Evaluation]
Agent = Callable[..., Any]

REX = "Ann: I brought a small brown dog called Rex home from the shelter."
TOM = "Bob: Last week my sister Eve lent me her old red bicycle for the tour."
EPISODES = (
    Episode("e0", "s", f"Date: 1 May 2023\n{REX}\nBob: How nice."),
    Episode("e1", "s", f"Date: 9 May 2023\nAnn: Hello again.\n{TOM}"),
)
PET = Query("pet", "s", "Which pet has Ann?", "the dog Rex", (Evidence("e0", REX),))
BIKE = Query("bike", "s", "What was borrowed?", "a red bicycle", (Evidence("e1", TOM),))
WORK = Work("s", EPISODES, (PET,))

WORDS_OF_QUERY = """
    asked = {word.strip('.?,:') for word in query.text.lower().split() if len(word) > 4}
    lines = [line for text in self.seen for line in text.splitlines()]
    return '\\n'.join(line for line in lines if asked & {word.strip('.?,:') for word in line.lower().split()})
"""
BY_WORDS = program(read=WORDS_OF_QUERY)
ITEMS_ONLY = """
    from dataclasses import dataclass
    @dataclass
    class KnowledgeItem:
        text: str = ""
    @dataclass
    class Query:
        text: str = ""
    class KnowledgeBase:
        def __init__(self, toolkit):
            self.kept = []
        def write(self, item, raw_text):
            self.kept.append(item.text)
        def read(self, query):
            return '\\n'.join(self.kept)[:200]
"""


def indented(source: str) -> str:
    return "\n".join(line[4:] for line in source.splitlines())


def wrong(question: str, read: str) -> str:
    return "I do not know."


def stages(evaluation: Evaluation) -> list[str]:
    """And check what holds for all: a stage where points were lost, and only there."""
    for case in evaluation.cases:
        assert bool(case.stage) == (case.score is not None and case.score < 1)
    return [case.stage for case in evaluation.cases]


def test_not_among_the_episodes(measure: Measure, scripted: Agent) -> None:
    assert stages(measure(BY_WORDS, [Work("s", EPISODES[1:], (PET,))], scripted(responds=wrong))) == ["episodes"]


def test_not_extracted_and_the_text_is_not_looked_at(measure: Measure, scripted: Agent) -> None:
    agent = scripted(lambda text: {"text": "They talked."}, responds=wrong)
    assert stages(measure(indented(ITEMS_ONLY), [WORK], agent)) == ["extraction"]


def test_not_extracted_for_the_agents_failure(measure: Measure, scripted: Agent) -> None:
    def fails(text: str) -> dict[str, JSON]:
        raise AgentFailure("no JSON")

    evaluation = measure(indented(ITEMS_ONLY), [WORK], scripted(fails, responds=wrong))
    assert stages(evaluation) == ["extraction"]
    assert evaluation.writes[0].problem == "no JSON"


def test_extracted_and_not_written(measure: Measure, scripted: Agent) -> None:
    source = indented(ITEMS_ONLY).replace("self.kept.append(item.text)", "self.kept.append(item.text[:5])")
    assert stages(measure(source, [WORK], scripted(responds=wrong))) == ["write"]


def test_seen_as_text_and_not_written(measure: Measure, scripted: Agent) -> None:
    source = program(write="self.seen[-1] = raw_text.splitlines()[0]", read=WORDS_OF_QUERY)
    assert stages(measure(source, [WORK], scripted(responds=wrong))) == ["write"]


def test_missed_by_the_query_that_the_agent_formulated(measure: Measure, scripted: Agent) -> None:
    source = program(read="return self.seen[0] if 'pet' in query.text else ''")
    agent = scripted(formulates=lambda question: {"text": "animals"}, responds=wrong)
    assert stages(measure(source, [WORK], agent)) == ["query"]


def test_missed_by_the_read(measure: Measure, scripted: Agent) -> None:
    """No word of the question is in the line; the line's own words find it."""
    assert stages(measure(BY_WORDS, [WORK], scripted(responds=wrong))) == ["read"]


@pytest.mark.parametrize("width", [39, 36], ids=["between words", "in a word"])
def test_cut_short(measure: Measure, scripted: Agent, width: int) -> None:
    source = program(read=f"return '\\n'.join(line[:{width}] for text in self.seen for line in text.splitlines())")
    evaluation = measure(source, [WORK], scripted(responds=wrong))
    assert REX[:width] in evaluation.cases[0].read.splitlines()
    assert stages(evaluation) == ["truncated"]


def test_read_and_not_used_by_the_answer(measure: Measure, scripted: Agent) -> None:
    source = program(read="return '\\n'.join(self.seen)[:200]")
    assert stages(measure(source, [WORK], scripted(responds=wrong))) == ["answer"]


def test_evidence_in_other_words_counts_where_the_whole_answer_is_in_one_line(
    measure: Measure, scripted: Agent
) -> None:
    told = scripted(lambda text: {"text": "Rex, a dog, lives with Ann now."}, responds=wrong)
    assert stages(measure(indented(ITEMS_ONLY), [WORK], told)) == ["answer"]
    apart = scripted(lambda text: {"text": "A dog lives with Ann.\nRex is a name."}, responds=wrong)
    assert stages(measure(indented(ITEMS_ONLY), [WORK], apart)) == ["extraction"]


def test_the_agents_own_failure_and_the_programs(measure: Measure, scripted: Agent) -> None:
    def fails(question: str) -> dict[str, JSON]:
        raise AgentFailure("no JSON")

    assert stages(measure(BY_WORDS, [WORK], scripted(formulates=fails))) == ["agent"]
    assert stages(measure(program(read="return 1 / 0"), [WORK], scripted())) == ["program"]
    assert stages(measure(program(write="raise ValueError"), [WORK], scripted())) == ["program"]


def test_the_first_stage_of_several_evidences_counts(measure: Measure, scripted: Agent) -> None:
    both = replace(PET, evidence=PET.evidence + BIKE.evidence)
    source = program(write="self.seen[-1] = raw_text if 'Rex' in raw_text else ''", read=WORDS_OF_QUERY)
    assert stages(measure(source, [Work("s", EPISODES, (both,))], scripted(responds=wrong))) == ["write"]
    assert stages(measure(source, [Work("s", EPISODES[:1], (both,))], scripted(responds=wrong))) == ["episodes"]


# Without evidence


def test_the_words_of_the_gold_answer_stand_in_for_evidence(measure: Measure, scripted: Agent) -> None:
    query = replace(PET, evidence=(), answer="a brown dog")
    agent = scripted(responds=wrong)
    assert stages(measure(BY_WORDS, [Work("s", EPISODES, (query,))], agent)) == ["read"]
    assert stages(measure(BY_WORDS, [Work("s", EPISODES[1:], (query,))], agent)) == ["episodes"]
    everything = program(read="return '\\n'.join(self.seen)[:200]")
    assert stages(measure(everything, [Work("s", EPISODES, (query,))], agent)) == ["answer"]


def test_an_answer_that_says_nothing_cannot_be_followed(measure: Measure, scripted: Agent) -> None:
    query = replace(PET, evidence=(), answer="Yes.")
    assert stages(measure(BY_WORDS, [Work("s", EPISODES, (query,))], scripted(responds=wrong))) == ["unknown"]


# Probes


@pytest.mark.parametrize("trouble", ["raise KeyError", "while True: pass", "__import__('os')._exit(1)"])
def test_a_probe_that_fails_costs_no_case_anything(measure: Measure, scripted: Agent, trouble: str) -> None:
    """The evidence's own words, which only a probe asks with, are the program's undoing."""
    source = program(read=f"if 'shelter' in query.text:\n    {trouble}\nreturn ''")
    agent = scripted(responds=lambda question, read: "a red bicycle")
    evaluation = measure(source, [Work("s", EPISODES, (PET, BIKE))], agent)
    assert [(case.outcome, case.score) for case in evaluation.cases] == [("scored", 0.0), ("scored", 1.0)]
    assert stages(evaluation) == ["unknown", ""]


COMPLETES = program(read="self.toolkit.llm_completion([])\n" + WORDS_OF_QUERY.replace("\n    ", "\n"))


def test_a_probe_makes_no_completion_unless_the_oracle_may_ask(measure: Measure, scripted: Agent) -> None:
    calls: list[object] = []

    def complete(messages: list[JSON], kwargs: dict[str, JSON], purpose: Purpose) -> Reply:
        calls.append(messages)
        return Reply("yes", Usage(), 0.0)

    def told(question: str, read: str) -> str:
        return "the dog Rex" if "shelter" in read else "I do not know."

    evaluation = measure(COMPLETES, [WORK], scripted(responds=told), complete=complete)
    assert stages(evaluation) == ["unknown"]
    assert len(calls) == 1
    evaluation = measure(COMPLETES, [WORK], scripted(responds=told), complete=complete, oracle=True)
    assert stages(evaluation) == ["read"]
    assert len(calls) == 3


def test_probes_of_an_agent_without_a_model_are_a_sample(measure: Measure) -> None:
    """Reads are counted by the embeddings that they ask for."""
    lines = [f"Ann: the colour of the room number {n} in the old north tower is {n} shades of grey." for n in range(30)]
    told = Episode("e0", "s", "\n".join(lines))
    asked = tuple(Query(f"q{n}", "s", "What?", "grey", (Evidence("e0", lines[n]),)) for n in range(30))
    reads: list[str] = []

    def embed(texts: list[str]) -> list[list[float]]:
        reads.extend(texts)
        return [[1.0] for _ in texts]

    def measured(source: str) -> list[str]:
        reads.clear()
        work = [Work("s", (told,), asked)]
        return stages(measure(source, work, ExtractiveAgent(), SupportScorer(), call_embed=embed))

    finds = "lines = [line for text in self.seen for line in text.splitlines() if line in query.text]"
    asks = f"self.toolkit.embed(['read'])\n{finds}\nreturn '|'.join(lines)"
    assert measured(program(read=asks)) == ["read"] * 30
    assert len(reads) == 30 + SAMPLE
    forgets = "if 'number 1' in raw_text: self.seen[-1] = raw_text.replace('number 1', 'number x')"
    found = measured(program(write=forgets, read=asks))
    assert found == ["write" if n in (1, *range(10, 20)) else "read" for n in range(30)]
    assert len(reads) == 30 + 30


def test_points_read_in_part_by_an_agent_without_a_model_are_cut_short(measure: Measure) -> None:
    source = program(read="return self.seen[0].split('home')[0]")
    evaluation = measure(source, [WORK], ExtractiveAgent(), SupportScorer())
    assert evaluation.cases[0].score == pytest.approx(6 / 10)
    assert stages(evaluation) == ["truncated"]


def test_the_points_lost_are_the_points_of_the_stages(measure: Measure, scripted: Agent) -> None:
    queries = (PET, BIKE, replace(PET, id="yes", evidence=(), answer="yes"))
    agent = scripted(responds=lambda question, read: "a red bicycle")
    evaluation = measure(BY_WORDS, [Work("s", EPISODES, queries)], agent)
    lost: Counter[str] = Counter()
    for case, stage in zip(evaluation.cases, stages(evaluation), strict=True):
        assert case.score is not None
        lost[stage] += int(1 - case.score)
    assert lost == {"read": 1, "unknown": 1, "": 0}


# The oracle


@pytest.mark.parametrize(
    ("told", "stage"), [("I do not know.", "answer"), ("the dog Rex", "read"), (AgentFailure("no"), "answer")]
)
def test_the_oracle_tells_an_agent_that_would_fail_anyway(
    measure: Measure, scripted: Agent, told: str | Exception, stage: str
) -> None:
    reads: list[str] = []

    def respond(question: str, read: str) -> str:
        reads.append(read)
        if "shelter" not in read:
            return "I do not know."
        if isinstance(told, Exception):
            raise told
        return told

    evaluation = measure(BY_WORDS, [WORK], scripted(responds=respond), oracle=True)
    assert reads == ["", f"[1 May 2023] {REX}"]
    assert stages(evaluation) == [stage]
    assert evaluation.cases[0].answer == "I do not know."
    assert evaluation.cases[0].read == ""


def test_an_oracle_that_nobody_answers_changes_nothing(measure: Measure, scripted: Agent) -> None:
    def respond(question: str, read: str) -> str:
        if "shelter" in read:
            raise ProviderError("nobody answers")
        return "I do not know."

    evaluation = measure(BY_WORDS, [WORK], scripted(responds=respond), oracle=True)
    assert stages(evaluation) == ["read"]


# Text alone


def test_gold_text_is_dated() -> None:
    both = replace(PET, evidence=PET.evidence + BIKE.evidence)
    assert gold_text(both, EPISODES) == f"[1 May 2023] {REX}\n[9 May 2023] {TOM}"
    assert gold_text(replace(PET, evidence=()), EPISODES) == ""


LINE = st.lists(st.sampled_from(TOM.split()), max_size=8).map(" ".join)


@given(before=st.lists(LINE, max_size=3), cut=st.integers(0, len(TOM)), after=st.lists(LINE, max_size=3))
def test_a_line_that_breaks_off_is_cut_and_a_whole_one_is_not(before: list[str], cut: int, after: list[str]) -> None:
    read = "\n".join([*before, f"[1 May] {TOM[:cut]}", *after])
    words = len(TOM[:cut].split())
    if 5 < words < len(TOM.split()):
        assert is_cut(TOM, read)
    assert not is_cut(TOM, f"{read}\n{TOM}")


def test_what_breaks_off_elsewhere_is_not_cut() -> None:
    assert not is_cut(TOM, "Bob: Last week my sister Eve came to see me.")
    assert not is_cut(TOM, "")
    assert not is_cut("Hello again.", "Hello")


@pytest.mark.parametrize(
    ("write", "uses"),
    [("pass", False), ("print(raw_text)", True), ("self.keep(lambda: raw_text)", True), ('"raw_text"', False)],
)
def test_whether_write_looks_at_the_text_is_read_off_the_program(write: str, uses: bool) -> None:
    source = indented(ITEMS_ONLY).replace("self.kept.append(item.text)", write)
    assert uses_raw_text(source) is uses
    assert uses_raw_text(source.replace("raw_text", "episode")) is uses
