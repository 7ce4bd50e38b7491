"""LoCoMo: ten very long conversations between two friends, and 1,540 questions about them.

Source: Maharana et al., "Evaluating Very Long-Term Conversational Memory of LLM Agents" (ACL 2024), the published
`locomo10.json`. A scope is a conversation, an episode one of its sessions. Category 5, the adversarial questions, is
left out by default, as in most published results.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from evolve.errors import ConfigError
from evolve.models.base import Ask
from evolve.scoring import GenerousJudge, Judge, Scorer, SupportScorer, Verdict, recall
from evolve.scoring.answers import token_f1
from evolve.scoring.official_f1 import ADVERSARIAL, TEMPORAL, UNANSWERABLE, OfficialF1, official_score
from evolve.tasks.base import Options, hold_out, make_task
from evolve.tasks.data import Source, data_file
from evolve.tasks.family import Family
from evolve.tasks.published import Record, find_file, list_of, read_records, text_of, wrong
from evolve.traits import SCORERS, ScorerTraits, Traits
from evolve.types import JSON, Episode, Evidence, Query, Task

SOURCE = Source(
    path="locomo/locomo10.json",
    url="https://raw.githubusercontent.com/snap-research/locomo/main/data/locomo10.json",
    sha256="79fa87e90f04081343b8c8debecb80a9a6842b76a7aa537dc9fdf651ea698ff4",
    licence="CC BY-NC 4.0",
)
AUDIT = Source(
    path="locomo/errors_audit.json",
    url="https://raw.githubusercontent.com/dial481/locomo-audit/9493fb4b4af4256ed17a18e8fd0b3cfdeec29539/errors.json",
    sha256="f298ef46263fada20688a1d672be37d4f488c6da3b19343eea55ae5c1b5fe55e",
    licence="CC BY-NC 4.0",
)
PUBLISHED: Mapping[str, Source] = {"locomo10": SOURCE}

CATEGORIES: Mapping[int, str] = {
    number: f"{number} {name}"
    for number, name in enumerate(("multi_hop", "temporal", "open_domain", "single_hop", "adversarial"), start=1)
}
"""By the numbers in the file, for others give the names in another order; the names are the published code's."""
DATE_HINT = "Use DATE of CONVERSATION to answer with an approximate date."
"""What the published code adds to the questions of category 2."""

_SESSION = re.compile(r"session_(\d+)")
_TURN = re.compile(r"D:?(\d+):(\d+)")
_SPAN = re.compile(r"(\d+)-(\d+)")
_AUDITED = re.compile(r"locomo_(\d+)_qa(\d+)")
_RIGHT_ANSWER = "WRONG_CITATION"
"""The kind of error that leaves the released answer right; the audit's other kinds replace it."""
Corrections = Mapping[int, Record]
"""The audit's records of one conversation, by the question's place in the file from 0."""


def _known(*, adversarial: bool) -> list[int]:
    return [number for number in CATEGORIES if number != ADVERSARIAL or adversarial]


class LocomoOptions(Options):
    """Options of the task `locomo`."""

    file: str = "locomo10"
    """The published file, locomo10, or the path of another file of its shape, .gz too."""
    conversations: list[str | int] | str = Field(default_factory=list)
    """A list of sample ids ("conv-26") or numbers from 1, or a span such as "1-5"; an empty list for all."""
    adversarial: bool = False
    """true to ask the questions of category 5 too, or false."""
    categories: list[str | int] = Field(default_factory=list)
    """A list of 1 multi_hop, 2 temporal, 3 open_domain, 4 single_hop and, where adversarial = true, 5 adversarial, each
    as number or name; an empty list for all."""
    gold: Literal["released", "corrected"] = "released"
    """Right answers and evidence: "released", as published, or "corrected" by an audit of the published file."""
    questions: Literal["plain", "official"] = "plain"
    """"plain", as in the file, or "official", as the published code asks them: with a hint to look at dates in category
    2, and as a choice of two answers in category 5."""

    @field_validator("categories")
    @classmethod
    def _by_number(cls, given: list[str | int], info: ValidationInfo) -> list[str | int]:
        known = _known(adversarial=info.data.get("adversarial", False))
        numbers = {spelt: n for n in known for spelt in (n, str(n), CATEGORIES[n], CATEGORIES[n].split()[1])}
        if any(isinstance(each, bool) or each not in numbers for each in given):
            raise ValueError("unknown category")
        return [number for number in known if number in {numbers[each] for each in given}]


class Locomo(Family[LocomoOptions]):
    """Questions about ten very long conversations."""

    name = "locomo"
    options_model = LocomoOptions
    traits = Traits(
        scorers={
            "official_f1": ScorerTraits(
                "A case scores 0 to 1: F1 over the stems of the words that the agent's answer and the gold answer "
                'share, without case, punctuation, articles and "and". Gold answers are short, so every needless word '
                "costs; a list with commas is compared item by item where a question asks for several things. A case "
                'of category 5, where there are any, scores 1 where the answer says "not mentioned", else 0.',
                "Official F1 is LoCoMo's own score: F1 over stemmed words, by the rules of each category. It pays "
                "neither for words that are missing nor for words too many.",
            ),
            "judge": SCORERS["judge"],
            "judge_generous": ScorerTraits(
                "A case scores 1 where a judge finds that the agent's answer touches on the topic of the gold answer, "
                "else 0.",
                "Judge_generous is the share of answers that a model found to touch on the gold answer's topic, as in "
                "most published LoCoMo results; it takes many vague answers for right ones.",
                judge_calls=1,
            ),
            "support": SCORERS["support"],
        }
    )
    sources = (SOURCE, AUDIT)

    def load(self) -> Task:
        """Load the chosen file, downloading the published one once if needed.

        Held out: the later half of the chosen conversations, whole; of a single conversation, a seeded half of its
        queries.
        """
        audit = data_file(AUDIT) if self.options.gold == "corrected" else None
        return load_file(find_file(self.options.file, PUBLISHED, task=self.name), self.options, audit=audit)

    def scorer(self, name: str, ask: Ask | None) -> Scorer:
        """Return a scorer with further measures of the same answer beside it."""
        if name == "support":
            return Measured(SupportScorer(), answered=False)
        if name == "official_f1":
            return Measured(OfficialF1(), answered=True)
        assert ask is not None, "a configuration with a judge has a broker"
        return Measured(Judge(ask) if name == "judge" else GenerousJudge(ask), answered=True)

    def notes(self) -> tuple[str, ...]:
        """Say what makes figures incomparable with published ones."""
        chosen = self.options
        notes = (
            (
                chosen.gold == "corrected",
                "Gold answers and evidence are corrected by an audit of the released file "
                "(dial481/locomo-audit): not comparable with figures on the released ones.",
            ),
            (chosen.adversarial, "Category 5 is among the questions; most published figures leave it out."),
            (chosen.questions == "official", "Questions are asked as LoCoMo's own code asks them."),
            (chosen.file not in PUBLISHED, f"The questions are those of {chosen.file}, not of the published file."),
        )
        return tuple(note for holds, note in notes if holds)


class Measured:
    """A scorer, and what else can be measured of the same answer without a model.

    "recall" is the share of the evidence turns that stand whole in what was read. Where an answer was given,
    "official_f1" is LoCoMo's own score and "f1" SQuAD's, which adversarial questions do not have.
    """

    def __init__(self, scorer: Scorer, *, answered: bool) -> None:
        self.name = scorer.name
        self._scorer = scorer
        self._answered = answered

    def score(self, query: Query, read: str, answer: str) -> Verdict:
        """Return the scorer's verdict with the measures; raises what the scorer raises."""
        verdict, measures = self._scorer.score(query, read, answer), {}
        if self._answered:
            if self.name != OfficialF1.name:
                measures["official_f1"] = official_score(query, answer)
            if query.category != CATEGORIES[ADVERSARIAL]:
                measures["f1"] = max(token_f1(answer, gold) for gold in (query.answer, *query.aliases))
        if (found := recall(query, read)) is not None:
            measures["recall"] = found
        return replace(verdict, measures=measures)


def load_file(path: Path, options: LocomoOptions, *, audit: Path | None = None) -> Task:
    """Load any file of LoCoMo's shape; raises `DataError` naming the file, the record, the field and what is wrong.

    `audit` is the file of corrections where the options ask for them.
    """
    records = list(read_records(path))
    names = [text_of(record, "sample_id", where=f"{path.name}, record {n}") for n, record in enumerate(records, 1)]
    corrected = _corrections(audit) if audit else {}
    kept = _conversations(options.conversations, names)
    categories = [int(n) for n in options.categories] or _known(adversarial=options.adversarial)
    episodes: list[Episode] = []
    queries: list[Query] = []
    for number, (name, record) in enumerate(zip(names, records, strict=True)):
        if name in kept:
            where = f"{path.name}, sample {name!r}"
            lived, turns = _sessions(record, name, where=where)
            episodes += lived
            official = options.questions == "official"
            reader = _Questions(name, turns, corrected.get(number, {}), frozenset(categories), official=official)
            queries += reader.read(record, where=where)
    if len(kept) > 1:
        later = kept[-(len(kept) // 2) :]
        held_out = frozenset(query.id for query in queries if query.scope in later)
    else:
        held_out = hold_out(queries)
    resolved: dict[str, JSON] = {
        **options.model_dump(),
        "conversations": list(kept),
        "categories": [CATEGORIES[n] for n in categories],
    }
    return make_task("locomo", options=resolved, episodes=episodes, queries=queries, held_out=held_out)


def _conversations(given: list[str | int] | str, names: Sequence[str]) -> list[str]:
    """Resolve the option to sample ids, in the file's order."""
    good = f"good values: 1 to {len(names)}, {', '.join(names)}, or a span such as '1-{len(names)}'"
    items: Sequence[str | int] = given if isinstance(given, list) else [given]
    if isinstance(given, str) and (span := _SPAN.fullmatch(given)):
        items = range(int(span[1]), int(span[2]) + 1) if len(span[2]) < 6 else [given]
    if not items and isinstance(given, list):
        return list(names)
    chosen: set[str] = set()
    for item in items:
        number = int(item) if isinstance(item, str) and item.isdecimal() and len(item) < 6 else item
        name = names[number - 1] if isinstance(number, int) and 1 <= number <= len(names) else number
        if name not in names:
            raise ConfigError(f"Task 'locomo', option 'conversations': no conversation {item!r}; {good}.")
        chosen.add(str(name))
    if not chosen:
        raise ConfigError(f"Task 'locomo', option 'conversations': found {given!r}, which selects nothing; {good}.")
    return [name for name in names if name in chosen]


def _sessions(record: Record, name: str, *, where: str) -> tuple[list[Episode], dict[str, Evidence]]:
    """Return one episode a session in numeric order, and each turn by its id ("D3:11")."""
    conversation = record.get("conversation")
    if not isinstance(conversation, dict):
        raise wrong(where, "conversation", conversation, "an object")
    episodes: list[Episode] = []
    turns: dict[str, Evidence] = {}
    # Some samples give dates of sessions that do not exist, so only keys that hold a list count.
    listed = [_SESSION.fullmatch(key) for key, value in conversation.items() if isinstance(value, list)]
    for number in sorted(int(match[1]) for match in listed if match):
        key, episode = f"session_{number}", f"{name}/session_{number}"
        lines = [f"Date: {text_of(conversation, f'{key}_date_time', where=where)}"]
        session = conversation[key]
        assert isinstance(session, list)
        for n, turn in enumerate(session, start=1):
            here = f"{where}, {key}, turn {n}"
            if not isinstance(turn, dict):
                raise wrong(here, "turn", turn, "an object")
            said = _said(turn, where=here)
            lines.append(f"{text_of(turn, 'speaker', where=here)}: {said}")
            turns[text_of(turn, "dia_id", where=here)] = Evidence(episode=episode, text=said)
        episodes.append(Episode(id=episode, scope=name, text="\n".join(lines)))
    if not episodes:
        raise wrong(where, "conversation", sorted(conversation), "at least one list of turns named session_<number>")
    return episodes, turns


def _said(turn: Record, *, where: str) -> str:
    """Return the turn on one line, with the caption of its image: some gold answers are only in the caption."""
    said = " ".join(_text(turn, "text", where=where).split())
    if "blip_caption" in turn:
        said += f" [image: {' '.join(_text(turn, 'blip_caption', where=where).split())}]"
    if not said:
        raise wrong(where, "text", turn["text"], "some text or an image")
    return said.strip()


@dataclass(frozen=True, slots=True)
class _Questions:
    """Reads the questions of one conversation."""

    name: str
    turns: Mapping[str, Evidence]
    corrections: Corrections
    categories: frozenset[int]
    official: bool
    """Whether they are asked as the published code asks them."""

    def read(self, record: Record, *, where: str) -> list[Query]:
        """Return those of the categories, in the file's order."""
        queries: list[Query] = []
        for n, entry in enumerate(list_of(record, "qa", where=where)):
            here = f"{where}, qa {n + 1}"
            if not isinstance(entry, dict):
                raise wrong(here, "qa", entry, "an object")
            category = entry.get("category")
            if not isinstance(category, int) or category not in CATEGORIES:
                raise wrong(here, "category", category, "a number from 1 to 5")
            if category in self.categories:
                queries.append(self._query(entry, n, category, where=here))
        return queries

    def _query(self, entry: Record, place: int, category: int, *, where: str) -> Query:
        name, cited = f"{self.name}/q{place + 1}", entry.get("evidence")
        text = text_of(entry, "question", where=where).strip()
        answer = UNANSWERABLE if category == ADVERSARIAL else _answer(entry, "answer", where=where)
        details: dict[str, JSON] = {}
        if self.official and category == TEMPORAL:
            text += f" {DATE_HINT}"
        if self.official and category == ADVERSARIAL:
            choices = _choices(_answer(entry, "adversarial_answer", where=where), seed=name)
            text += f" Select the correct answer: (a) {choices['a']} (b) {choices['b']}."
            details["choices"] = choices
        if correction := self.corrections.get(place):
            if correction.get("question") != entry["question"]:
                raise wrong(where, "question", text, f"the audit's question, {correction.get('question')!r}")
            cited = correction.get("correct_evidence") or cited
            if correction.get("error_type") != _RIGHT_ANSWER:
                answer = _answer(correction, "correct_answer", where=f"the audit of {where}")
        return Query(
            id=name,
            scope=self.name,
            text=text,
            answer=answer,
            evidence=_evidence(cited, self.turns, where=where),
            category=CATEGORIES[category],
            details=details,
        )


def _answer(record: Record, field: str, *, where: str) -> str:
    answer = record.get(field)
    if isinstance(answer, int) and not isinstance(answer, bool):
        answer = str(answer)
    if not isinstance(answer, str) or not answer.strip():
        raise wrong(where, field, answer, "a string or a whole number")
    return answer


def _choices(tempting: str, *, seed: str) -> dict[str, JSON]:
    """Return the two answers that an adversarial question offers, in an order drawn by its id."""
    texts: list[JSON] = [UNANSWERABLE, tempting.strip()]
    random.Random(f"locomo:{seed}").shuffle(texts)
    return dict(zip("ab", texts, strict=True))


def _corrections(path: Path) -> dict[int, dict[int, Record]]:
    """Read the audit: its records by conversation and by question, both by their place in the published file."""
    found: dict[int, dict[int, Record]] = {}
    for n, record in enumerate(read_records(path), start=1):
        where = f"{path.name}, record {n}"
        match = _AUDITED.fullmatch(text_of(record, "question_id", where=where))
        if not match:
            raise wrong(where, "question_id", record["question_id"], "an id such as 'locomo_0_qa12'")
        found.setdefault(int(match[1]), {})[int(match[2])] = record
    return found


def _evidence(listed: JSON, turns: Mapping[str, Evidence], *, where: str) -> tuple[Evidence, ...]:
    """Resolve ids of turns; the published file has "D8:6; D9:17", "D", "D:11:26", "D30:05", and ids of no turn."""
    if not isinstance(listed, list):
        raise wrong(where, "evidence", listed, "a list of turn ids")
    found: dict[str, Evidence] = {}
    for entry in listed:
        if not isinstance(entry, str):
            raise wrong(where, "evidence", entry, "a turn id such as 'D3:11'")
        for part in re.split(r"[;,\s]+", entry):
            if match := _TURN.fullmatch(part):
                turn = f"D{int(match[1])}:{int(match[2])}"
                if turn in turns:
                    found[turn] = turns[turn]
    return tuple(found.values())


def _text(record: Mapping[str, JSON], field: str, *, where: str) -> str:
    """Return a field that must hold a string, be it empty."""
    value = record.get(field)
    if not isinstance(value, str):
        raise wrong(where, field, value, "a string")
    return value
