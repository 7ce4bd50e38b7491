"""`reflect`: what the model is shown, what is taken from its reply, and how a broken change is mended."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from evolve.config import Config
from evolve.errors import BudgetSpent, ProviderError, RequestRefused
from evolve.models.base import Reply, Usage
from evolve.operators import OPERATORS
from evolve.operators.base import Parent, Tried
from evolve.operators.evidence import choose
from evolve.operators.prompt.budget import TOKEN_CHARS
from evolve.operators.prompt.contract import RESERVED, constant_part
from evolve.operators.prompt.sections import STAGES
from evolve.operators.reflect import Reflect, reflect_prompt
from evolve.program import parse
from evolve.types import Case

LINEAGE = (
    Tried("c000", (), "seed", "Bets on words", 0.40, None),
    Tried("c002", ("c000",), "reflect", "Stem words", 0.45, 0.05, diff="changed KnowledgeBase.write()"),
)
CHILDREN = (
    Tried("c005", ("c004",), "tune", "changed HITS: 60 -> 30", 0.42, -0.03),
    Tried("c006", ("c004",), "reflect", "Add dates", None, None, "behaves like c004 on every query of the cheap rung"),
)


def case(number: int, score: float | None) -> Case:
    return Case(f"q{number}", "s", "", "scored" if score is not None else "infrastructure", score, "?")


def test_low_scores_are_more_likely_to_be_shown() -> None:
    cases = [case(0, 0.0), case(1, 0.5), case(2, 0.9), case(3, 0.9), case(4, 0.9), case(5, 1.0), case(6, None)]
    seen: Counter[str] = Counter()
    for seed in range(400):
        failed, success = choose(cases, Random(seed))
        assert len({each.query for each in failed}) == 3
        assert success is not None
        assert success not in failed
        seen.update(each.query for each in failed)
    assert seen["q0"] > seen["q1"] > seen["q2"] > 0
    assert seen["q5"] == seen["q6"] == 0


def test_the_first_of_the_failures_is_drawn_in_proportion_to_what_it_lost() -> None:
    """The largest key belongs to case i with probability w_i / sum(w)."""
    cases = [case(0, 0.25), case(1, 0.75)]
    first = [choose(cases, Random(seed))[0][0].query for seed in range(2000)]
    assert 0.71 < first.count("q0") / len(first) < 0.79


def test_a_case_that_went_badly_is_no_success() -> None:
    assert choose([case(number, 0.2) for number in range(6)], Random(0))[1] is None


def test_more_queries_are_drawn_until_two_lost_points(kit: Any) -> None:
    for failing, draws in (({0, 1}, None), (set(), 3)):
        traces = kit.traces(lambda program, query, f=failing: 0.0 if int(query.id[1:]) in f else 1.0)
        reflect_prompt(kit.ground(traces=traces))
        asked = [id for _, ids in traces.calls for id in ids]
        assert len(set(asked)) == len(asked)
        assert all(len(ids) == 5 for _, ids in traces.calls)
        assert draws is None or len(traces.calls) == draws
    always = kit.traces(lambda program, query: 0.5)
    reflect_prompt(kit.ground(traces=always))
    assert len(always.calls) == 1


def test_the_child_carries_its_critique(kit: Any) -> None:
    script = kit.script(kit.good)
    proposal = Reflect().propose(kit.ground(script))
    assert proposal.program is not None
    assert proposal.program.source == kit.bm25.source.replace("READ_CHARS = 3000", "READ_CHARS = 2000")
    assert proposal.note == "Rank whole episodes"
    assert proposal.critique is not None
    assert proposal.critique.diagnosis == "It looks at single lines."
    (only,) = proposal.critique.rounds
    assert (only.reply, only.problem) == (kit.good, "")
    assert all(message.text in only.prompt for message in script.requests[0].messages)
    assert [(message.role, message.constant) for message in script.requests[0].messages] == [
        ("system", True),
        ("user", False),
    ]
    assert script.requests[0].role == "reflector"


def test_the_prompt_shows_program_lineage_and_raw_traces(kit: Any) -> None:
    script = kit.script(kit.good)
    parent = Parent("c004", kit.bm25, 0.4, 0.45, LINEAGE, CHILDREN, {"q1": 1.0, "q2": 0.0, "q3": 0.5})
    Reflect().propose(kit.ground(script, parents=(parent,), reference=Parent("c009", kit.vector, 0.5, 0.52)))
    prompt = script.prompt
    assert kit.bm25.source.strip() in prompt
    assert kit.vector.source.strip() in prompt
    assert "c004, mean score 0.450 over 3 questions (1 score 1, 1 score 0)" in prompt
    assert "- c002 (reflect of c000): Stem words [changed KnowledgeBase.write()]. Score 0.450 (+0.050)\n" in prompt
    assert "- c005 (tune of c004): changed HITS: 60 -> 30. Score 0.420 (-0.030) REGRESSION\n" in prompt
    assert "Add dates. No score: behaves like c004 on every query of the cheap rung\n" in prompt
    shown = re.findall(r"^Question: QUESTION-(\d\d)\?", prompt, re.MULTILINE)
    assert len(shown) == 3
    for number in shown:
        for wanted in ("READ-r", "ANSWER-r", "FORMULATED-r", "GOLD-", "EVIDENCE-"):
            assert f"{wanted}{number}" in prompt
    assert prompt.count(f"Failure stage: read ({STAGES['read']}).") == 3
    assert "Points lost by failure stage: read 5.00 in 5 cases." in prompt
    assert re.search(r"Points lost by category: .*temporal \d\.00 in \d case", prompt)
    assert prompt.count("LOG-r") == prompt.count("ITEM-r") == 1


def test_the_write_is_one_that_a_failure_rests_on(kit: Any) -> None:
    script = kit.script(kit.good)
    traces = kit.traces(lambda program, query: 0.0)
    Reflect().propose(kit.ground(script, traces))
    written = re.search(r"ITEM-r(\d\d)", script.prompt)
    shown = re.findall(r"^Question: QUESTION-(\d\d)\?", script.prompt, re.MULTILINE)
    kept = [id[1:] for _, ids in traces.calls for id in ids[:3]]
    assert written
    assert written[1] == next(number for number in shown if number in kept)


def test_gold_is_only_that_of_the_queries_drawn(kit: Any) -> None:
    for seed in range(10):
        script, traces = kit.script(kit.good), kit.traces(lambda program, query: 0.2)
        Reflect().propose(kit.ground(script, traces, draw=f"0:{seed}"))
        drawn = {id[1:] for _, ids in traces.calls for id in ids}
        told = set(re.findall(r"(?:GOLD|EVIDENCE)-(\d\d)", script.prompt))
        assert told
        assert told <= drawn


def test_a_case_of_another_query_is_never_shown(kit: Any) -> None:
    """Even where a measurement returns more than was asked for."""
    script = kit.script(kit.good)
    traces = kit.traces(lambda program, query: 0.0)

    def more(program: Any, queries: Any) -> Any:
        evaluation = traces(program, queries)
        stranger = replace(evaluation.cases[0], query="static-1", question="STRANGER", answer="STRANGER")
        return replace(evaluation, cases=(stranger, *evaluation.cases))

    Reflect().propose(kit.ground(script, more))
    assert "STRANGER" not in script.prompt


def test_traces_can_be_left_out(kit: Any) -> None:
    script = kit.script(kit.good)
    parent = replace(kit.parent, ancestry=LINEAGE)
    Reflect().propose(kit.ground(script, parents=(parent,), settings={"search": {"reflect": {"traces": "none"}}}))
    for word in ("GOLD-", "EVIDENCE-", "QUESTION-", "READ-", "ITEM-", "LOG-"):
        assert word not in script.prompt
    assert "Stem words" in script.prompt
    assert kit.bm25.source.strip() in script.prompt


def test_stages_can_be_left_out(kit: Any) -> None:
    script = kit.script(kit.good)
    Reflect().propose(kit.ground(script, settings={"search": {"reflect": {"stages": False}}}))
    assert "stage" not in script.prompt.lower()
    assert not any(meaning in script.prompt for meaning in STAGES.values())
    assert "GOLD-" in script.prompt


def test_without_rotating_queries_scores_and_lineage_remain(kit: Any) -> None:
    script = kit.script(kit.good)
    assert Reflect().propose(kit.ground(script, rotating=())).program is not None
    assert "No question could be traced" in script.prompt


def test_infrastructure_faults_are_no_failures(kit: Any) -> None:
    script, traces = kit.script(kit.good), kit.traces(lambda program, query: None)
    Reflect().propose(kit.ground(script, traces))
    assert len(traces.calls) == 3
    assert "GOLD-" not in script.prompt


@pytest.mark.parametrize("tokens", [4_000, 5_000, 8_000, 24_000])
def test_the_prompt_keeps_to_its_budget(kit: Any, tokens: int) -> None:
    """Traces of a megabyte, a lineage of a hundred attempts: the constant part and the program stay whole."""
    script = kit.script(kit.good)
    many = tuple(replace(tried, note="note " * 200, reason="reason " * 200) for tried in CHILDREN * 50)
    parent = Parent("c004", kit.bm25, 0.4, 0.45, LINEAGE * 50, many)
    ground = kit.ground(
        script,
        kit.traces(lambda program, query: 0.1 if int(query.id[1:]) % 2 else 0.8, read="word " * 200_000),
        parents=(parent,),
        reference=Parent("c009", kit.vector, 0.5, 0.52),
        settings={"search": {"reflect": {"tokens": tokens}}},
    )
    constant, rest = reflect_prompt(ground)
    never_cut = len(constant) + len(kit.bm25.source) + 1_000
    assert len(constant) + len(rest) <= max(tokens * TOKEN_CHARS, never_cut)
    assert kit.bm25.source.strip() in rest
    if tokens >= 8_000:
        assert rest.count("# Failure ") == 3
        assert "characters left out ...]" in rest
    if tokens == 24_000:
        assert len(constant) + len(rest) > 0.95 * tokens * TOKEN_CHARS
        assert "# A success" in rest
        assert "# A write" in rest
        assert kit.vector.source.strip() in rest


def test_the_constant_part_is_no_larger_than_it_says(kit: Any) -> None:
    for freeze, scorer, follows in itertools.product(
        ("", "instructions", "code"), ("f1", "exact", "judge", "support"), (True, False)
    ):
        settings: dict[str, Any] = {"search": {"freeze": freeze}, "evaluation": {"scorer": scorer}}
        for models in ({"agent": "openai:none"}, {"reflector": "openai:none"}):
            if "agent" not in models and (scorer != "support" or freeze == "code"):
                continue
            config = kit.ground(settings={**settings, "models": models}).config
            assert len(constant_part(config, follows_instructions=follows)) <= RESERVED * TOKEN_CHARS


def test_the_constant_part_says_what_this_run_allows(kit: Any) -> None:
    limits = {"read_chars": 1234, "write_seconds": 7.5, "llm_calls": 3}
    config = kit.ground(settings={"sandbox": {"limits": limits}}).config
    text = constant_part(config, follows_instructions=True)
    for wanted in (
        "1,234 characters",
        "7.5 s a write",
        "at most 3 in one write or read",
        "Another part of the search tunes",
    ):
        assert wanted in text
    assert "does not read the instruction constants" not in text
    assert "does not read the instruction constants" in constant_part(config, follows_instructions=False)
    keyless = kit.ground(settings={"models": {"reflector": "openai:none"}}, follows=False).config
    assert "this run has no model for programs" in constant_part(keyless, follows_instructions=False)


def test_the_page_in_the_docs_begins_as_prompts_do_today() -> None:
    page = Path(__file__).parents[3].joinpath("docs", "reflect-prompt.md").read_text(encoding="utf-8")
    table = {"task": "locomo", "search": {"operators": ["tune"]}}
    assert constant_part(Config.checked(table).resolved(), follows_instructions=False) in page


def test_what_the_constant_part_says_of_the_contract_is_so(kit: Any) -> None:
    """A program of all the field types and all the imports that the text names passes the real check."""
    text = constant_part(kit.ground().config, follows_instructions=True)
    types = re.search(r"Field types: (.*?)\. `field", text)
    imports = re.search(r"Imports only from: (.*?)\. There", text)
    methods = re.findall(r"`(def \w+\(self[^`]*)`", text)
    instructions = re.search(r"^- (`INSTRUCTION.*?): string literals", text, re.MULTILINE)
    tunables = re.search(r"`(TUNABLES = .*?)`: ranges", text)
    assert types
    assert imports
    assert instructions
    assert tunables
    kinds = (
        types[1]
        .replace(", or Optional[...] of one of these", "")
        .replace("dict[str, str]", "dict[str;str]")
        .split(", ")
    )
    kinds = [kind.replace(";", ", ") for kind in kinds]
    assert len(kinds) == 6
    fields = [f"    f{n}: {kind}" for n, kind in enumerate(kinds + [f"Optional[{kind}]" for kind in kinds])]
    fields.append('    last: list[str] = field(default_factory=list, metadata={"description": "..."})')
    source = "\n".join(
        [
            "from dataclasses import dataclass, field",
            "from typing import Optional",
            *(f"import {name}" for name in imports[1].split(", ") if name != "__future__"),
            "K = 3",
            'MODE = "a"',
            tunables[1],
            *(f'{name.strip("`")} = ""' for name in instructions[1].split(", ")),
            *("@dataclass", "class KnowledgeItem:", *fields, "@dataclass", "class Query:", *fields),
            "class KnowledgeBase:",
            *(f"    {method}:\n        pass" for method in methods),
        ]
    )
    program = parse(source)
    assert len(program.item.fields) == 13
    assert len(program.tunables) == 2


def test_a_broken_change_goes_back_with_its_reason(kit: Any) -> None:
    broken = kit.reply(kit.patch("-READ_CHARS = 4000", "+READ_CHARS = 2000"))
    script = kit.script(broken, "I cannot think of anything.", kit.good)
    proposal = Reflect().propose(kit.ground(script))
    assert proposal.program is not None
    assert proposal.critique is not None
    assert [len(request.messages) for request in script.requests] == [2, 4, 6]
    assert script.requests[2].messages[:4] == script.requests[1].messages
    assert "GOLD-" in script.requests[2].messages[1].text
    assert "`READ_CHARS = 4000` is not in the program" in script.requests[1].messages[-1].text
    first, second, third = proposal.critique.rounds
    assert first.problem in second.prompt
    assert "GOLD-" not in second.prompt
    assert "holds no change" in second.problem
    assert third.problem == ""
    assert proposal.critique.diagnosis == "It looks at single lines."


def test_after_three_rounds_the_last_reason_stands(kit: Any) -> None:
    script = kit.script("no", "no", kit.reply("```python\nimport os\nclass KnowledgeBase: pass\n```"))
    proposal = Reflect().propose(kit.ground(script))
    assert proposal.program is None
    assert proposal.note.startswith(
        "no usable change in 3 rounds: It breaks the contract: program.py, line 1: found import"
    )
    assert "\n" not in proposal.note
    assert proposal.critique is not None
    assert len(proposal.critique.rounds) == 3
    assert proposal.idea, "the next attempt should be told what did not work"
    assert not script.replies


def test_problems_are_told_as_they_are(kit: Any) -> None:
    no_read = kit.bm25.source.replace("def read(", "def rede(")
    comment = kit.reply(kit.patch(" READ_CHARS = 3000", "+# a comment"))
    for reply, reason in (
        (kit.reply(f"```python\n{no_read}\n```"), "no KnowledgeBase.read"),
        (comment, "leaves the program as it was"),
        (Reply(kit.good, Usage(), 0.0, truncated=True), "broke off at its longest length"),
    ):
        script = kit.script(reply, kit.good)
        assert Reflect().propose(kit.ground(script)).program is not None
        assert reason in script.requests[1].messages[-1].text


def test_a_program_that_fails_its_smoke_test_goes_back_with_the_error(kit: Any) -> None:
    tried: list[str] = []

    def smoke(program: Any) -> str:
        tried.append(program.digest)
        return "raised: " + "frame\n" * 5_000 + "KeyError: 'date'" if len(tried) == 1 else ""

    other = kit.reply(kit.patch("-READ_CHARS = 3000", "+READ_CHARS = 1000"))
    script = kit.script(kit.good, other)
    proposal = Reflect().propose(kit.ground(script, smoke=smoke))
    assert proposal.program is not None
    assert tried == [parse(kit.bm25.source.replace("3000", size)).digest for size in ("2000", "1000")]
    told = script.requests[1].messages[-1].text
    assert "KeyError: 'date'" in told
    assert len(told) < 3_000


def test_a_program_that_the_run_has_is_not_taken(kit: Any) -> None:
    known = frozenset({parse(kit.bm25.source.replace("3000", "2000")).digest})
    script = kit.script(kit.good, kit.good, kit.good)
    proposal = Reflect().propose(kit.ground(script, known=known))
    assert proposal.program is None
    assert "measured or rejected before" in proposal.note


def test_a_refused_request_is_a_reason_and_other_faults_are_raised(kit: Any) -> None:
    proposal = Reflect().propose(kit.ground(kit.script(RequestRefused("longer than 8,192 tokens"))))
    assert proposal.program is None
    assert "longer than 8,192 tokens" in proposal.note
    assert proposal.critique is not None
    assert proposal.critique.rounds[0].reply == ""
    for fault in (ProviderError("gone"), BudgetSpent("$1")):
        with pytest.raises(type(fault)):
            Reflect().propose(kit.ground(kit.script(fault)))


def test_an_empty_reply_is_answered_without_an_empty_message(kit: Any) -> None:
    script = kit.script("", kit.good)
    Reflect().propose(kit.ground(script))
    assert all(message.text.strip() for message in script.requests[1].messages)


def test_without_a_message_the_note_says_what_changed(kit: Any) -> None:
    proposal = Reflect().propose(kit.ground(kit.script(kit.patch("-READ_CHARS = 3000", "+READ_CHARS = 2000"))))
    assert proposal.note == "changed READ_CHARS: 3000 -> 2000"


def test_equal_chance_asks_the_same(kit: Any) -> None:
    prompts = [reflect_prompt(kit.ground(draw=draw)) for draw in ("0:1", "0:1", "0:2")]
    assert prompts[0] == prompts[1]
    assert prompts[0] != prompts[2]


def test_both_take_any_program(kit: Any) -> None:
    for name, arity in (("reflect", 1), ("merge", 2)):
        assert OPERATORS[name].arity == arity
        assert OPERATORS[name].applies(kit.bm25, kit.ground().config)
