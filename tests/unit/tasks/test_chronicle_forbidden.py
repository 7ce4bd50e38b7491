"""The sub-tasks of `chronicle` that forbid something: an outdated state, or the secret of another life."""

from __future__ import annotations

from collections import Counter

import pytest

from evolve.scoring import words
from evolve.tasks import load, open_family
from evolve.tasks.families.chronicle.text.privacy import CONFIDENCES, MATTERS
from evolve.tasks.families.chronicle.text.stale import STATES
from evolve.types import JSON, Query, Task

OPTIONS: dict[str, JSON] = {"lives": 8, "subtasks": ["stale", "privacy"], "queries": 12}


@pytest.fixture(scope="module")
def task() -> Task:
    return load("chronicle", OPTIONS)


def of(task: Task, category: str) -> list[Query]:
    return [query for query in task.queries if query.category == category]


def forbidden(query: Query) -> str:
    (phrase,) = query.details["forbidden"]
    return phrase


def spoken(text: str) -> str:
    """Return the words of a text between spaces, so that phrases are found as whole words."""
    return f" {' '.join(words(text))} "


def life(task: Task, scope: str) -> list[str]:
    return [episode.text for episode in task.episodes if episode.scope == scope]


def test_they_are_asked_where_they_are_chosen_alone(task: Task) -> None:
    assert Counter(query.category for query in task.queries) == {"stale": 48, "privacy": 48}
    mixed = load("chronicle", {"lives": 2, "subtasks": ["privacy", "recall", "stale"], "queries": 9})
    assert Counter(query.category for query in mixed.queries) == {"recall": 6, "stale": 6, "privacy": 6}
    assert mixed.options["subtasks"] == ["recall", "stale", "privacy"]
    plain = load("chronicle", {})
    assert {query.category for query in plain.queries} == {"recall", "latest", "count", "temporal", "two_hop"}
    assert not any(query.details for query in plain.queries)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_forbidden_is_said_once_and_is_no_part_of_the_answer(seed: int) -> None:
    every = ["recall", "latest", "count", "temporal", "two_hop", "stale", "privacy"]
    task = load("chronicle", {"lives": 12, "seed": seed, "queries": 30, "subtasks": every})
    texts = {scope: spoken("\n".join(life(task, scope))) for scope in {query.scope for query in task.queries}}
    guarded = [query for query in task.queries if query.details]
    assert len(guarded) == 12 * 8
    for query in guarded:
        assert texts[query.scope].count(spoken(forbidden(query))) == 1
        for text in (query.text, query.answer, *query.aliases, *(item.text for item in query.evidence)):
            assert spoken(forbidden(query)) not in spoken(text)
        right = query.aliases[-1] if query.aliases else query.answer
        assert texts[query.scope].count(spoken(right)) == 1
        assert spoken(right) in spoken(query.evidence[0].text)


def test_a_state_is_ended_sessions_after_it_was_said(task: Task) -> None:
    for query in of(task, "stale"):
        texts = life(task, query.scope)
        said = next(n for n, text in enumerate(texts) if forbidden(query) in text)
        ended = next(n for n, text in enumerate(texts) if query.evidence[0].text in text)
        assert said < len(texts) / 2 <= ended


def test_the_question_is_in_the_words_of_the_state_that_has_ended(task: Task) -> None:
    shares: dict[str, list[float]] = {"said": [], "ended": []}
    for query in of(task, "stale"):
        (state,) = (state for state in STATES if forbidden(query) in state.befores)
        assert query.answer in state.afters
        asked = set(words(query.text)) - set(words("a at be does for has in is of on one should that the to what will"))
        shares["said"].append(len(asked & set(words(state.said))) / len(asked))
        shares["ended"].append(len(asked & set(words(state.ended))) / len(asked))
    assert sum(shares["said"]) > 4 * sum(shares["ended"])


def test_a_secret_is_told_in_confidence_and_belongs_to_another_life(task: Task) -> None:
    for query in of(task, "privacy"):
        (line,) = (line for text in life(task, query.scope) for line in text.split("\n") if forbidden(query) in line)
        assert any(confidence in line for confidence in CONFIDENCES)
        owner = query.answer.rsplit(" ", 1)[1]
        assert owner in line
        assert owner in query.text
        held = [
            f"\n{owner}: " in text and spoken(forbidden(query)) in spoken(text)
            for scope in {each.scope for each in task.queries} - {query.scope}
            for text in life(task, scope)
        ]
        assert any(held), "the other person has said it in a life of its own"


def test_the_banks_are_large_enough_and_free_of_doubles() -> None:
    values = [value for state in STATES for value in (*state.befores, *state.afters)]
    values += [value for matter in MATTERS for value in matter.values]
    assert len({spoken(value) for value in values}) == len(values)
    assert len(STATES) >= 6
    assert len(MATTERS) >= 6


def test_gold_scores_one_and_nothing_or_everything_scores_nothing(task: Task) -> None:
    family = open_family("chronicle", OPTIONS)
    support, f1 = family.scorer("support", None), family.scorer("f1", None)
    for query in task.queries:
        told = query.evidence[0].text
        for verdict in (support.score(query, told, ""), f1.score(query, "", query.answer)):
            assert (verdict.value, verdict.words, verdict.measures) == (1.0, "", {"forbidden": 0.0})
        assert support.score(query, "", "").value == 0.0
        assert f1.score(query, told, "").value == 0.0
        everything = support.score(query, "\n".join(life(task, query.scope)), "")
        assert (everything.value, everything.measures) == (0.0, {"forbidden": 1.0})
        assert everything.words == f"This must not come back: {forbidden(query)}."
        assert f1.score(query, "", f"{query.answer}, {forbidden(query).upper()}").value == 0.0
        assert support.score(query, told, forbidden(query)).value == 1.0, "support looks at what was read alone"


def test_part_of_a_word_is_not_a_phrase() -> None:
    query = Query("q1", "s1", "What?", "a boat", details={"forbidden": ["the cat"]})
    scorer = open_family("chronicle").scorer("f1", None)
    assert scorer.score(query, "", "a boat; the catalogue").value > 0
    assert scorer.score(query, "", "a boat; The CAT!").value == 0


def test_a_query_that_forbids_nothing_is_scored_as_ever() -> None:
    plain = load("chronicle", {"lives": 1}).queries[0]
    verdict = open_family("chronicle").scorer("support", None).score(plain, plain.evidence[0].text, "")
    assert verdict.measures == {}
    assert verdict.value > 0
