"""HotpotQA: questions whose answer follows from two Wikipedia paragraphs among others that look alike.

Source: Yang et al., "HotpotQA: A Dataset for Diverse, Explainable Multi-hop Question Answering" (EMNLP 2018), the
distractor setting. A scope is one question with its ten paragraphs, or a corpus that all questions share; an episode is
a paragraph, its title in the first line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from evolve.errors import ConfigError
from evolve.tasks.base import Options, hold_out, make_task
from evolve.tasks.data import Source
from evolve.tasks.family import Family
from evolve.tasks.published import Record, find_file, list_of, read_object, read_records, text_of, wrong
from evolve.traits import ScorerTraits, Traits
from evolve.types import JSON, Episode, Evidence, Query, Task

if TYPE_CHECKING:
    from evolve.models.base import Ask
    from evolve.scoring.base import Scorer

PUBLISHED = "dev_distractor"
SOURCE = Source(
    path="hotpotqa/hotpot_dev_distractor_v1.json",
    url="http://curtis.ml.cmu.edu/datasets/hotpot/hotpot_dev_distractor_v1.json",
    sha256="4e9ecb5c8d3b719f624d66b60f8d56bf227f03914f5f0753d6fa1b359d7104ea",
    licence="CC BY-SA 4.0",
)
TYPES = ("bridge", "comparison")
CORPUS = "corpus"
"""The scope of a shared corpus."""
Paragraphs = Mapping[str, Sequence[str]]
"""Sentences by title."""


class HotpotOptions(Options):
    """Options of the task `hotpotqa`."""

    file: str = PUBLISHED
    """"dev_distractor" for the published file, or the path of a file of that shape."""
    corpus: str = ""
    """The path of an object of {title: sentences} that all questions share as one scope, or empty for a scope each."""
    questions: int = Field(default=500, ge=0)
    """How many questions, those that come first in the file; 0 for all."""
    types: list[Literal["bridge", "comparison"]] = Field(default_factory=list)
    """A list out of bridge, comparison; an empty list for both."""


class HotpotQA(Family[HotpotOptions]):
    """Questions that take two paragraphs to answer."""

    name = "hotpotqa"
    options_model = HotpotOptions
    sources = (SOURCE,)
    traits = Traits(
        whole=True,
        scorers={
            "official_f1": ScorerTraits(
                "A case scores 0 to 1: F1 over the words that the agent's answer and the gold answer share, without "
                "case, punctuation and articles; where either is yes or no, 1 if both are the same, else 0. Gold "
                "answers are short, so every needless word costs.",
                "Official F1 is the measure of HotpotQA's own script: F1 of the answers' words, where yes and no earn "
                "nothing unless both say it.",
            )
        },
    )

    def load(self) -> Task:
        """Load the questions, downloading the published file once if needed.

        Held out: half of the questions with their paragraphs; with a corpus, half of the questions about it.
        """
        chosen = self.options
        path = find_file(chosen.file, {PUBLISHED: SOURCE}, task=self.name)
        shared = self._corpus()
        episodes = list(_episodes(CORPUS, shared)) if shared else []
        queries: list[Query] = []
        records = (record for record in read_records(path) if not chosen.types or record.get("type") in chosen.types)
        for record in islice(records, chosen.questions or None):
            name = text_of(record, "_id", where=f"{path.name}, a record")
            where = f"{path.name}, question {name!r}"
            own = shared or _context(record, where=where)
            if not shared:
                episodes += _episodes(name, own)
            queries.append(_query(record, name, CORPUS if shared else name, own, where=where))
        if not queries:
            raise ConfigError(f"Task 'hotpotqa', option 'types': {path.name} has no question of {list(chosen.types)}.")
        return make_task(
            self.name, options=chosen.model_dump(), episodes=episodes, queries=queries, held_out=hold_out(queries)
        )

    def scorer(self, name: str, ask: Ask | None) -> Scorer:
        """Return "official_f1"."""
        from evolve.scoring.hotpotqa import HotpotScorer

        return HotpotScorer()

    def notes(self) -> tuple[str, ...]:
        """Return what keeps a figure from being compared with a published one."""
        if self.options.corpus:
            return ("All questions share one corpus: neither the distractor nor the full-wiki setting of the paper.",)
        return ("The gold paragraphs are among ten: figures of the full-wiki setting are harder to reach.",)

    def _corpus(self) -> dict[str, list[str]]:
        if not self.options.corpus:
            return {}
        path = find_file(self.options.corpus, {}, task=self.name, option="corpus")
        found = {
            title: _sentences(text, where=f"{path.name}, title {title!r}") for title, text in read_object(path).items()
        }
        if not found:
            raise wrong(path.name, "corpus", {}, "at least one paragraph")
        return found


def _episodes(scope: str, paragraphs: Paragraphs) -> list[Episode]:
    """Return an episode a paragraph; one without a word but its title is one as well."""
    return [
        Episode(f"{scope}/{place}", scope, f"{title}\n{''.join(sentences).strip()}".strip())
        for place, (title, sentences) in enumerate(paragraphs.items(), start=1)
    ]


def _query(record: Record, name: str, scope: str, paragraphs: Paragraphs, *, where: str) -> Query:
    kind = record.get("type")
    if kind not in TYPES:
        raise wrong(where, "type", kind, f"one of {', '.join(TYPES)}")
    return Query(
        id=name,
        scope=scope,
        text=text_of(record, "question", where=where).strip(),
        answer=text_of(record, "answer", where=where).strip(),
        evidence=_evidence(list_of(record, "supporting_facts", where=where), scope, paragraphs, where=where),
        category=str(kind),
    )


def _evidence(facts: Sequence[JSON], scope: str, paragraphs: Paragraphs, *, where: str) -> tuple[Evidence, ...]:
    """Return the supporting sentences; a few published facts name a sentence that the paragraph does not have."""
    places = {title: place for place, title in enumerate(paragraphs, start=1)}
    found = []
    for fact in facts:
        if not isinstance(fact, list) or len(fact) != 2:
            raise wrong(where, "supporting_facts", fact, "a title and the number of a sentence")
        title, number = fact
        if not isinstance(title, str) or not isinstance(number, int) or number < 0:
            raise wrong(where, "supporting_facts", fact, "a title and the number of a sentence")
        sentence = "".join(paragraphs.get(title, ())[number : number + 1]).strip()
        if sentence:
            found.append(Evidence(f"{scope}/{places[title]}", sentence))
    return tuple(dict.fromkeys(found))


def _context(record: Record, *, where: str) -> dict[str, list[str]]:
    """Return the question's own paragraphs in the file's order."""
    found: dict[str, list[str]] = {}
    for paragraph in list_of(record, "context", where=where):
        if not isinstance(paragraph, list) or len(paragraph) != 2 or not isinstance(paragraph[0], str):
            raise wrong(where, "context", paragraph, "a title and a list of sentences")
        found[paragraph[0]] = _sentences(paragraph[1], where=where)
    if not found:
        raise wrong(where, "context", [], "at least one paragraph")
    return found


def _sentences(text: JSON, *, where: str) -> list[str]:
    if not isinstance(text, list) or not all(isinstance(sentence, str) for sentence in text):
        raise wrong(where, "context", text, "a list of sentences")
    return [str(sentence) for sentence in text]
