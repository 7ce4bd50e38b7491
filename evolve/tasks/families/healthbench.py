"""HealthBench: health conversations whose next answer is judged by the points of a rubric that physicians wrote.

Source: Arora et al., "HealthBench: Evaluating Large Language Models Towards Improved Human Health" (arXiv 2505.08775),
published with openai/simple-evals. As in M* (arXiv 2604.11811), part of the conversations are remembered, each with the
answer that a physician wrote for it, and the others are asked. The data carries a canary: do not publish examples.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal

from pydantic import Field, field_validator

from evolve.errors import ConfigError, DataError
from evolve.models.base import Ask
from evolve.scoring.base import Scorer
from evolve.scoring.rubric import (
    GRADINGS,
    Criterion,
    RubricScorer,
    criteria_of,
    rubric_details,
    rubric_traits,
    shares_by_kind,
)
from evolve.tasks.base import Options, hold_out, make_task
from evolve.tasks.data import Source
from evolve.tasks.family import Family
from evolve.tasks.published import Record, find_file, list_of, text_of, wrong
from evolve.traits import Traits
from evolve.types import JSON, Episode, Query, Task

_FOLDER = "https://openaipublic.blob.core.windows.net/simple-evals/healthbench"
_FILES = {
    "all": (
        "2025-05-07-06-14-12_oss_eval.jsonl",
        "e99dd3c6372c10d6fcc5e385c5fae69d0dd40392dae56836ef9493ae324ecd2f",
    ),
    "hard": ("hard_2025-05-08-21-00-10.jsonl", "b0320430e5cd974e746585594c1dd10b5a3fc2aff9c72b26106c2c4a069d74e9"),
    "consensus": (
        "consensus_2025-05-09-20-00-46.jsonl",
        "fabe37553327238928b05357d8b309737b5d426d6dee432a3376da618d0969d6",
    ),
}
PUBLISHED: Mapping[str, Source] = {
    name: Source(path=f"healthbench/{file}", url=f"{_FOLDER}/{file}", sha256=sha256, licence="MIT")
    for name, (file, sha256) in _FILES.items()
}
THEMES = (
    *("context_seeking", "global_health", "hedging", "communication", "emergency_referrals"),
    *("complex_responses", "health_data_tasks"),
)
SCOPE = "healthbench"
"""All conversations share one memory."""
IDEAL = "Ideal answer, written by a physician:"


class HealthBenchOptions(Options):
    """Options of the task `healthbench`."""

    file: str = "all"
    """A published file (all, hard or consensus), or the path of a file of that shape."""
    themes: list[str] = Field(
        default_factory=list, description=f"A list of {', '.join(THEMES)}; an empty list for all."
    )
    train_share: float = Field(default=0.54, gt=0, lt=1)
    """Share of the conversations that are remembered, where so many have an ideal answer; between 0 and 1."""
    test_share: float = Field(default=0.5, gt=0, lt=1)
    """Share of the other conversations that is held out for the final test; between 0 and 1."""
    seed: int = 0
    """Draws what is remembered and what is held out; any whole number."""
    compat: Literal["", "mstar"] = ""
    """"mstar" to split and to clip every case as M*'s code does; empty for the official way."""

    @field_validator("themes")
    @classmethod
    def _known(cls, given: list[str]) -> list[str]:
        if any(theme not in THEMES for theme in given):
            raise ValueError("unknown theme")
        return [theme for theme in THEMES if theme in given]


class HealthBench(Family[HealthBenchOptions]):
    """The next answer in a health conversation, judged by a physician's rubric."""

    name = "healthbench"
    options_model = HealthBenchOptions
    traits = Traits(scorers=rubric_traits(whose="a rubric by physicians", criteria=10), answers=False)
    sources = (PUBLISHED["all"],)

    def load(self) -> Task:
        """Load a published file, downloading it once if needed, or another one of its shape.

        Held out: a seeded `test_share` of the conversations that are not remembered.
        """
        return load_file(find_file(self.options.file, PUBLISHED, task=self.name), self.options)

    def scorer(self, name: str, ask: Ask | None) -> Scorer:
        """Return the scorer that judges in so many calls as its name says."""
        assert ask is not None, "a rubric is judged by a model"
        grading = next(each for each in GRADINGS if each == name)
        return RubricScorer(ask, grading=grading, measure=shares_by_kind, clip=self.options.compat == "mstar")

    def oracle(self, query: Query) -> str | None:
        """Return all that the rubric wants said."""
        return "\n".join(criterion.text for criterion in criteria_of(query) if criterion.points > 0)

    def notes(self) -> tuple[str, ...]:
        """Say which data was used, and whose way of scoring, where they are not the official ones."""
        notes = []
        if self.options.file != "all":
            notes.append(f"Measured on {Path(self.options.file).name!r}, not on all of HealthBench.")
        if self.options.compat == "mstar":
            notes.append(
                "compat = 'mstar': every case is clipped to 0 to 1 before the mean is taken, where HealthBench clips "
                "the mean alone, so that this figure is higher; and conversations without an ideal answer are "
                "remembered too."
            )
        return tuple(notes)


@dataclass(frozen=True, slots=True)
class Example:
    """One record of the file."""

    id: str
    conversation: str
    theme: str
    criteria: tuple[Criterion, ...]
    ideal: str
    """Empty where no physician wrote an answer."""

    @property
    def episode(self) -> Episode:
        """The conversation, and how a physician would have gone on."""
        text = f"{self.conversation}\n\n{IDEAL}\n{self.ideal}" if self.ideal else self.conversation
        return Episode(self.id, SCOPE, text)

    @property
    def query(self) -> Query:
        """The conversation, and the rubric for its next answer."""
        details = rubric_details(self.criteria)
        return Query(self.id, SCOPE, self.conversation, answer="", category=self.theme, details=details)


def load_file(path: Path, options: HealthBenchOptions) -> Task:
    """Load any file of HealthBench's shape; raises `DataError` naming the file, the line, the field and the fault.

    Left out are records whose criteria have no positive points, because they have no score.
    """
    examples = list(_examples(path))
    chosen = [example for example in examples if not options.themes or example.theme in options.themes]
    scored = [example for example in chosen if any(criterion.points > 0 for criterion in example.criteria)]
    remembered, asked = _split(scored, options)
    if not remembered or len(asked) < 2:
        themes = sorted({example.theme for example in examples})
        raise ConfigError(
            f"Task 'healthbench': {len(scored)} of the {len(examples)} records of {path.name} fit the options; "
            f"{len(remembered)} are to be remembered and {len(asked)} to be asked, expected at least 1 and 2. Its "
            f"themes: {', '.join(themes)}; train_share is {options.train_share:g}."
        )
    queries = [example.query for example in asked]
    return make_task(
        "healthbench",
        options={**options.model_dump(), "themes": list(options.themes or THEMES)},
        episodes=[example.episode for example in remembered],
        queries=queries,
        held_out=hold_out(queries, share=options.test_share, seed=options.seed),
    )


def _split(examples: Sequence[Example], options: HealthBenchOptions) -> tuple[list[Example], list[Example]]:
    """Return what is remembered and what is asked; a conversation that is remembered is not asked under another id."""
    if options.compat == "mstar":
        drawn = list(examples)
        Random(options.seed).shuffle(drawn)
        count = int(len(drawn) * options.train_share)
        return drawn[:count], drawn[count:]
    drawn = sorted(examples, key=lambda example: hashlib.sha256(f"{options.seed}:{example.id}".encode()).digest())
    remembered = [example for example in drawn if example.ideal][: round(len(drawn) * options.train_share)]
    seen = {example.conversation for example in remembered}
    return remembered, [example for example in drawn if example.conversation not in seen]


def _examples(path: Path) -> Iterator[Example]:
    lines: dict[str, int] = {}
    for number, record in _records(path):
        where = f"{path.name}, line {number}"
        example = _example(record, where=where)
        if example.id in lines:
            raise wrong(where, "prompt_id", example.id, f"an id of its own; line {lines[example.id]} has it already")
        lines[example.id] = number
        yield example


def _records(path: Path) -> Iterator[tuple[int, Record]]:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    record = json.loads(line.decode("utf-8-sig"))
                    if not isinstance(record, dict):
                        raise wrong(f"{path.name}, line {number}", "record", record, "an object")
                    yield number, record
    except (ValueError, EOFError, OSError, RecursionError) as error:
        raise error if isinstance(error, DataError) else DataError(f"{path.name}: not JSON lines: {error}.") from None


def _example(record: Record, *, where: str) -> Example:
    theme = _tag(record, "example_tags", "theme:")
    if not theme:
        raise wrong(where, "example_tags", record.get("example_tags"), "a list with a tag such as 'theme:hedging'")
    return Example(
        id=text_of(record, "prompt_id", where=where),
        conversation=_conversation(record, where=where),
        theme=theme,
        criteria=_criteria(record, where=where),
        ideal=_ideal(record, where=where),
    )


def _conversation(record: Record, *, where: str) -> str:
    """Return the messages as the official grader is shown them."""
    messages = list_of(record, "prompt", where=where)
    said = []
    for number, message in enumerate(messages, start=1):
        if not isinstance(message, dict):
            raise wrong(f"{where}, message {number}", "prompt", message, "an object with role and content")
        here, content = f"{where}, message {number}", message.get("content")
        if not isinstance(content, str):
            raise wrong(here, "content", content, "a string")
        said.append(f"{text_of(message, 'role', where=here)}: {content}")
    if not said:
        raise wrong(where, "prompt", messages, "at least one message")
    return "\n\n".join(said)


def _criteria(record: Record, *, where: str) -> tuple[Criterion, ...]:
    criteria = []
    for number, entry in enumerate(list_of(record, "rubrics", where=where), start=1):
        here = f"{where}, rubric {number}"
        if not isinstance(entry, dict):
            raise wrong(here, "rubrics", entry, "an object with criterion and points")
        points = entry.get("points")
        if isinstance(points, bool) or not isinstance(points, int | float) or not -100 <= points <= 100:
            raise wrong(here, "points", points, "a number such as 5 or -8")
        criteria.append(Criterion(text_of(entry, "criterion", where=here), float(points), _tag(entry, "tags", "axis:")))
    return tuple(criteria)


def _ideal(record: Record, *, where: str) -> str:
    data: JSON = record.get("ideal_completions_data")
    if data is None:
        return ""
    if not isinstance(data, dict) or not isinstance(ideal := data.get("ideal_completion"), str):
        raise wrong(where, "ideal_completions_data", data, "null, or an object with a string ideal_completion")
    return ideal.strip()


def _tag(record: Record, field: str, prefix: str) -> str:
    """Return what follows the prefix in the first such tag, or ""."""
    tags = record.get(field)
    listed = tags if isinstance(tags, list) else []
    return next((tag.removeprefix(prefix) for tag in listed if isinstance(tag, str) and tag.startswith(prefix)), "")
