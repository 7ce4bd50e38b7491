"""Chronicle: the generated lives are repeatable, right about themselves, and fair."""

from __future__ import annotations

import re
import time
from collections import Counter
from datetime import date, timedelta

import pytest

from evolve.tasks import load
from evolve.tasks.base import MONTHS
from evolve.tasks.families.chronicle.text.chat import EXCHANGES, GOODBYES, GREETINGS, JOINED
from evolve.tasks.families.chronicle.text.counting import ACTIVITIES
from evolve.tasks.families.chronicle.text.latest import ATTRIBUTES
from evolve.tasks.families.chronicle.text.people import ACQUAINTANCES, FRIENDS, PERSONS, THIRDS
from evolve.tasks.families.chronicle.text.recall import KINDS
from evolve.tasks.families.chronicle.text.weekends import OUTINGS
from evolve.tasks.families.chronicle.world import SUBTASKS
from evolve.types import Query, Task

GOLDEN = "d9ed47476d682df66611799bfb6c3f1885565377fe173f00c1052389c7fd925e"
COMMON = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be by did do does for from go had has have he her his how i in is it me my of on or our "
        "she so that the to was we what when where which who with you your",
    )
)


@pytest.fixture(scope="module")
def task() -> Task:
    return load("chronicle", {})


def of(task: Task, category: str) -> list[Query]:
    return [query for query in task.queries if query.category == category]


def said(task: Task, scope: str) -> list[tuple[str, str]]:
    """Return every turn of a life in order, as speaker and text."""
    texts = [episode.text for episode in task.episodes if episode.scope == scope]
    turns = [line.split(": ", 1) for text in texts for line in text.split("\n")[1:]]
    return [(speaker, text) for speaker, text in turns]


def person(task: Task, scope: str) -> str:
    """Return whose life it is: the name in every question."""
    names = [set(re.findall(r"[A-Z][a-z]+", query.text)) for query in task.queries if query.scope == scope]
    (found,) = {name for name in PERSONS if all(name in each for each in names)}
    return found


def test_equal_seeds_give_equal_tasks_and_others_give_others(task: Task) -> None:
    assert load("chronicle", {}) == task
    assert load("chronicle", {"seed": 1}).digest != task.digest


def test_the_published_task_has_not_changed(task: Task) -> None:
    # Scores are compared between versions and machines: whoever changes a word of the default task must mean to.
    assert task.digest == GOLDEN


def test_more_lives_leave_the_first_ones_as_they_are(task: Task) -> None:
    more = load("chronicle", {"lives": 8})
    assert more.episodes[: len(task.episodes)] == task.episodes
    assert more.queries[: len(task.queries)] == task.queries


def test_the_defaults_make_six_lives_of_twenty_questions_in_half_a_second() -> None:
    start = time.perf_counter()
    task = load("chronicle", {"seed": 5})
    assert time.perf_counter() - start < 2.0, "half a second on a quiet machine"
    assert len({episode.scope for episode in task.episodes}) == 6
    assert len(task.episodes) == 6 * 24
    assert Counter((query.scope, query.category) for query in task.queries) == {
        (f"life-{n}", category): 4 for n in range(1, 7) for category in SUBTASKS
    }


def test_the_later_half_of_the_lives_is_held_out(task: Task) -> None:
    tested = {query.scope for query in task.queries if query.id in task.held_out}
    assert tested == {"life-4", "life-5", "life-6"}
    assert len(task.held_out) == 60
    assert len(load("chronicle", {"lives": 1}).held_out) == 10


def test_subtasks_and_their_share_can_be_chosen() -> None:
    task = load("chronicle", {"lives": 2, "subtasks": ["two_hop", "latest"], "queries": 7})
    assert Counter(query.category for query in task.queries) == {"latest": 8, "two_hop": 6}
    assert task.options["subtasks"] == ["latest", "two_hop"]
    alone = load("chronicle", {"lives": 2, "subtasks": ["count"]})
    assert Counter(query.category for query in alone.queries) == {"count": 12}, "at most 6 of one"


@pytest.mark.parametrize(
    "options", [{"sessions": 16}, {"sessions": 48}, {"turns": 60}, {"queries": 30}, {"queries": 2}]
)
def test_every_size_makes_a_task(options: dict[str, int]) -> None:
    task = load("chronicle", {"lives": 3, **options})
    per_scope = Counter(episode.scope for episode in task.episodes)
    assert set(per_scope.values()) == {options.get("sessions", 24)}
    assert all(episode.text.count("\n") >= options.get("turns", 14) for episode in task.episodes)


def test_sessions_read_as_dated_chats_between_two_or_three(task: Task) -> None:
    for episode in task.episodes:
        head, *turns = episode.text.split("\n")
        assert re.fullmatch(rf"Date: \d+:\d\d pm on \d+ ({'|'.join(MONTHS)}), 202\d", head)
        speakers = {turn.split(": ", 1)[0] for turn in turns}
        assert 2 <= len(speakers) <= 3
        assert not re.search(r"[{}]", episode.text), "a slot was left open"
        assert all(turn.split(": ", 1)[1][0].isupper() or not turn.split(": ", 1)[1][0].isalpha() for turn in turns)


def test_a_life_is_far_larger_than_what_can_be_read(task: Task) -> None:
    for scope in {episode.scope for episode in task.episodes}:
        assert sum(len(episode.text) for episode in task.episodes if episode.scope == scope) >= 8 * 3000


def test_evidence_is_a_whole_turn_of_the_person_said_once(task: Task) -> None:
    turns = {scope: said(task, scope) for scope in {query.scope for query in task.queries}}
    texts = {episode.id: episode.text for episode in task.episodes}
    for query in task.queries:
        assert query.evidence
        speaker = person(task, query.scope)
        for evidence in query.evidence:
            assert f"\n{speaker}: {evidence.text}" in texts[evidence.episode]
            assert [text for _, text in turns[query.scope]].count(evidence.text) == 1


def test_latest_asks_for_the_last_value_stated(task: Task) -> None:
    for query in of(task, "latest"):
        name = person(task, query.scope)
        (attribute,) = (a for a in ATTRIBUTES if query.text in {ask.format(P=name) for ask in a.asks})
        patterns = [re.escape(s).replace(r"\{v\}", "(?P<v>.+?)").replace(r"\{old\}", ".+?") for s in attribute.says]
        stated = []
        for speaker, text in said(task, query.scope):
            for pattern in patterns:
                if speaker == name and (match := re.search(pattern, text, re.IGNORECASE)):
                    stated.append((match["v"], text))
        assert 8 <= len(stated) <= 15
        assert stated[-1] == (query.answer, query.evidence[0].text)
        assert len({value for value, _ in stated}) == len(stated)
        assert sum(len(text) for _, text in stated) > 2500
        texts = [episode.text for episode in task.episodes if episode.scope == query.scope]
        after = "\n".join(texts[1 + next(n for n, text in enumerate(texts) if query.evidence[0].text in text) :])
        assert query.answer not in after, "only the statement gives the answer"


def test_counts_are_those_of_the_events_told(task: Task) -> None:
    for query in of(task, "count"):
        name = person(task, query.scope)
        (activity,) = (a for a in ACTIVITIES if query.text in {ask.format(P=name) for ask in a.asks})
        patterns = [re.escape(template).replace(r"\{day\}", r"\w+day") for template in activity.did]
        told = [
            text
            for speaker, text in said(task, query.scope)
            if speaker == name and any(re.fullmatch(pattern, text) for pattern in patterns)
        ]
        assert query.answer == str(len(told))
        assert 5 <= len(told) <= 12
        assert sorted(evidence.text for evidence in query.evidence) == sorted(told)
        assert len({evidence.episode for evidence in query.evidence}) == len(told)


def test_dates_in_questions_lead_to_the_session_right_after(task: Task) -> None:
    heads = {episode.id: episode.text.split("\n")[0] for episode in task.episodes}
    pattern = rf"(\d+) ({'|'.join(MONTHS)}),? (\d{{4}})"
    dated = 0
    for query in of(task, "temporal"):
        asked, told = re.search(pattern, query.text), re.search(pattern, heads[query.evidence[0].episode])
        assert told
        day = date(int(told[3]), MONTHS.index(told[2]) + 1, int(told[1]))
        assert day.weekday() in (0, 6), "talks are on Sundays and Mondays"
        if asked:
            dated += 1
            wanted = date(int(asked[3]), MONTHS.index(asked[2]) + 1, int(asked[1]))
            assert abs(day - wanted) <= timedelta(days=2)
            closest = min(abs(wanted - other).days for other in _days(task, query.scope))
            assert abs(day - wanted).days == closest, "no other session is nearer"
    assert dated > len(of(task, "temporal")) / 2


def _days(task: Task, scope: str) -> list[date]:
    found = []
    for episode in task.episodes:
        if episode.scope == scope:
            day, month, year = episode.text.split("\n")[0].split(" on ")[1].replace(",", "").split()
            found.append(date(int(year), MONTHS.index(month) + 1, int(day)))
    return found


def test_a_month_or_a_week_after_names_one_weekend() -> None:
    task = load("chronicle", {"lives": 20, "subtasks": ["temporal"]})
    months, relative = 0, 0
    for query in task.queries:
        evidence = query.evidence[0]
        ids = [episode.id for episode in task.episodes if episode.scope == query.scope]
        saturdays = [day - timedelta(days=(day.weekday() - 5) % 7) for day in _days(task, query.scope)]
        at = ids.index(evidence.episode)
        if match := re.search(rf"weekend in ({'|'.join(MONTHS)}) (\d+)", query.text):
            months += 1
            wanted = (int(match[2]), MONTHS.index(match[1]) + 1)
            assert [n for n, day in enumerate(saturdays) if (day.year, day.month) == wanted] == [at]
        if match := re.search(r"a week after (.+)\?", query.text):
            relative += 1
            (outing,) = (outing for outing in OUTINGS if outing.called == match[1])
            before = next(episode for episode in task.episodes if episode.id == ids[at - 1])
            assert outing.told in before.text
            assert saturdays[at] - saturdays[at - 1] == timedelta(days=7)
    assert months > 5
    assert relative > 5


def test_two_hops_are_needed(task: Task) -> None:
    for query in of(task, "two_hop"):
        first, second = query.evidence
        (name,) = (name for name in ACQUAINTANCES if re.search(rf"\b{name}\b", first.text))
        assert re.search(rf"\b{name}\b", second.text)
        assert name not in query.text
        assert query.answer in second.text
        assert query.answer not in first.text
        assert first.episode != second.episode
        assert not content(query.text) & content(second.text)


def test_recall_has_the_same_kind_of_fact_about_others(task: Task) -> None:
    for query in of(task, "recall"):
        (kind,) = (k for k in KINDS if query.text in {ask.format(P=person(task, query.scope)) for ask in k.asks})
        patterns = [re.escape(t).replace(r"\{v\}", ".+").replace(r"\{who\}", "(.+)") for t in kind.others]
        confusing = [text for _, text in said(task, query.scope) if any(re.fullmatch(p, text) for p in patterns)]
        assert len(confusing) >= 3
        assert not any(re.search(rf"\b{re.escape(query.answer)}\b", text) for text in confusing)
        assert query.answer.lower() in query.evidence[0].text.lower()


@pytest.mark.parametrize(
    ("category", "most"), [("recall", 0.35), ("latest", 0.6), ("count", 0.6), ("temporal", 0.1), ("two_hop", 0.5)]
)
def test_questions_use_other_words_than_the_evidence(category: str, most: float) -> None:
    task = load("chronicle", {"lives": 12, "seed": 2})
    shares = []
    for query in of(task, category):
        asked = content(query.text) - {person(task, query.scope).lower()}
        shares += [len(asked & content(evidence.text)) / len(asked) for evidence in query.evidence]
    assert sum(shares) / len(shares) <= most


def content(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", text.lower().replace("'s", ""))) - COMMON


def test_small_talk_is_not_said_twice_in_a_row_of_sessions(task: Task) -> None:
    exchanges = {row[0][3:] for row in EXCHANGES}
    for scope in {episode.scope for episode in task.episodes}:
        counts = Counter(text for _, text in said(task, scope) if text in exchanges)
        assert max(counts.values()) == 1


def test_the_banks_are_large_enough_and_free_of_doubles() -> None:
    assert all(len(set(a.values)) == len(a.values) >= 1 + 14 + len(a.others + a.maybes) - 1 for a in ATTRIBUTES)
    assert all(len(set(a.did)) == len(a.did) == 12 for a in ACTIVITIES)
    assert len({outing.told for outing in OUTINGS}) == len(OUTINGS) >= 48
    assert all(len(set(kind.values)) == len(kind.values) > len(kind.others) for kind in KINDS)
    names = [*PERSONS, *FRIENDS, *THIRDS, *ACQUAINTANCES]
    assert len(set(names)) == len(names)
    talk = [row for rows in (GREETINGS, EXCHANGES, JOINED, GOODBYES) for row in rows]
    assert all(re.match(r"[PFT]: \S", line) for row in talk for line in row)
    assert len(set(talk)) == len(talk)
