"""PRBench: questions to professionals in finance and law, whose answer is judged by the points of an expert's rubric.

Source: "PRBench: Large-Scale Expert Rubrics for Evaluating High-Stakes Professional Reasoning" (arXiv 2511.11562), data
ScaleAI/PRBench, scoring as in scaleapi/PRBench. It has no answers by experts: the replies in its conversations are
those of models. So what is remembered of a task is its conversation with the rubric by which answers to it are judged,
as a reviewer's notes; what is asked are other tasks.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

from pydantic import Field, field_validator

from evolve.errors import ConfigError, DataError, PrerequisiteError
from evolve.models.base import Ask
from evolve.scoring.base import Scorer
from evolve.scoring.rubric import (
    GRADINGS,
    Criterion,
    RubricScorer,
    criteria_of,
    rubric_details,
    rubric_traits,
    share_of_range,
)
from evolve.tasks.base import Options, hold_out, make_task
from evolve.tasks.data import Source
from evolve.tasks.family import Family
from evolve.tasks.published import Record, find_file, list_of, read_records, text_of, wrong
from evolve.traits import Traits
from evolve.types import JSON, Episode, Query, Task

_REVISION = "https://huggingface.co/datasets/ScaleAI/PRBench/resolve/01947c6ef913df518e6e52626a7b29f132b12d4f/data"
HARD = ("finance_hard", "legal_hard")
"""Parts of the other two files."""
PUBLISHED: Mapping[str, Source] = {
    name: Source(
        path=f"prbench/{name}-00000-of-00001.parquet",
        url=f"{_REVISION}/{name}-00000-of-00001.parquet",
        sha256="",  # no published checksum is known; the address names a revision that does not change
        licence="CC BY 4.0",
    )
    for name in ("finance", "legal", *HARD)
}
FIELDS = ("finance", "legal")
WEIGHT_CLASSES = (
    *("critically important", "important", "slightly important"),
    *("slightly detrimental", "detrimental", "critically detrimental"),
)
TURNS = 10
SCOPE = "prbench"
"""All tasks share one memory."""
NOTES = "What reviewers looked for in the answer, with the points that it earns or costs:"

_MSTAR_WEIGHTS = dict(zip(WEIGHT_CLASSES, (10, 5, 2, -2, -5, -10), strict=True))
"""What M*'s code puts where a criterion has no weight of its class; PRBench has no such weights."""


class PRBenchOptions(Options):
    """Options of the task `prbench`."""

    file: str | list[str] = Field(default_factory=lambda: ["finance", "legal"])
    """Published files (finance, legal, finance_hard, legal_hard) or paths of files of that shape: one, or a list."""
    fields: list[str] = Field(default_factory=list)
    """A list of finance, legal; an empty list for both."""
    train_share: float = Field(default=0.4, gt=0, lt=1)
    """Share of the tasks that are remembered; between 0 and 1."""
    test_share: float = Field(default=0.5, gt=0, lt=1)
    """Share of the other tasks that is held out for the final test; between 0 and 1."""
    seed: int = 0
    """Draws what is remembered and what is held out; any whole number."""
    compat: Literal["", "mstar"] = ""
    """"mstar" to read, to split and to score the data as M*'s code does; empty for the official way."""

    @field_validator("fields")
    @classmethod
    def _known(cls, given: list[str]) -> list[str]:
        if any(name not in FIELDS for name in given):
            raise ValueError("unknown field")
        return [name for name in FIELDS if name in given]

    @property
    def files(self) -> list[str]:
        """The files, always as a list."""
        return [self.file] if isinstance(self.file, str) else self.file


class PRBench(Family[PRBenchOptions]):
    """An answer to a professional's question, judged by an expert's rubric."""

    name = "prbench"
    options_model = PRBenchOptions
    traits = Traits(scorers=rubric_traits(whose="a rubric by experts", criteria=17), answers=False)
    sources = (PUBLISHED["finance"], PUBLISHED["legal"])

    def load(self) -> Task:
        """Load published files, or others of their shape.

        Held out: a seeded `test_share` of the tasks that are not remembered.
        """
        named = list(self.options.files)
        if self.options.compat == "mstar":  # which tasks are hard is told by the files of the hard ones alone
            named += [f"{name}_hard" for name in named if f"{name}_hard" in PUBLISHED]
        return load_files([find_file(name, PUBLISHED, task=self.name) for name in named], self.options)

    def scorer(self, name: str, ask: Ask | None) -> Scorer:
        """Return the scorer that judges in so many calls as its name says."""
        assert ask is not None, "a rubric is judged by a model"
        grading = next(each for each in GRADINGS if each == name)
        return RubricScorer(
            ask, grading=grading, measure=_normalized, shows_points=False, clip=self.options.compat == "mstar"
        )

    def oracle(self, query: Query) -> str | None:
        """Return all that the rubric wants said."""
        return "\n".join(criterion.text for criterion in criteria_of(query) if criterion.points > 0)

    def notes(self) -> tuple[str, ...]:
        """Say which data was used, and whose way of reading and scoring it, where they are not the official ones."""
        notes = []
        if set(self.options.files) != {"finance", "legal"}:
            names = ", ".join(Path(name).name for name in self.options.files)
            notes.append(f"Measured on {names}, not on all of PRBench.")
        if self.options.compat == "mstar":
            notes.append(
                "compat = 'mstar': the judge was shown the rationale of each criterion instead of the criterion, of "
                "each conversation the first message alone and no reference texts; what is remembered as an expert's "
                "answer is a model's, or the word None; criteria without a weight were given one; hard tasks are left "
                "out; and every case is clipped to 0 to 1."
            )
        return tuple(notes)


@dataclass(frozen=True, slots=True)
class Job:
    """One task of the benchmark, as it is remembered and as it is asked."""

    id: str
    field: str
    hard: bool
    text: str
    """What is asked."""
    memory: str
    """What is remembered instead."""
    criteria: tuple[Criterion, ...]

    @property
    def told(self) -> set[str]:
        """What a memory of the task tells of others that have it too."""
        return {self.text, *(" ".join(each.text.split()).casefold() for each in self.criteria)}

    @property
    def episode(self) -> Episode:
        """The task as experience."""
        return Episode(self.id, SCOPE, self.memory)

    @property
    def query(self) -> Query:
        """The task as a question, and its rubric."""
        return Query(self.id, SCOPE, self.text, answer="", category=self.field, details=rubric_details(self.criteria))


def load_files(paths: Sequence[Path], options: PRBenchOptions) -> Task:
    """Load any files of PRBench's shape; raises `DataError` naming the file, the record, the field and the fault.

    A task that several files have is taken from the first. Left out are tasks whose criteria have no positive points,
    because they have no score.
    """
    jobs: dict[str, Job] = {}
    hard: set[str] = set()
    for path in paths:
        for job in _jobs(path, mstar=options.compat == "mstar"):
            jobs.setdefault(job.id, job)
            hard |= {job.id} if job.hard else set()
    chosen = [
        job
        for job in jobs.values()
        if (not options.fields or job.field in options.fields) and any(each.points > 0 for each in job.criteria)
    ]
    if options.compat == "mstar":
        chosen = [job for job in chosen if job.id not in hard]
    remembered, asked = _split(chosen, options)
    if not remembered or len(asked) < 2:
        without = "; compat = 'mstar' leaves hard tasks out" if options.compat else ""
        raise ConfigError(
            f"Task 'prbench': {len(chosen)} of {len(jobs)} tasks in {', '.join(path.name for path in paths)} fit the "
            f"options; {len(remembered)} are to be remembered and {len(asked)} to be asked, expected at least 1 and 2"
            f"{without}. Their fields: {', '.join(sorted({job.field for job in jobs.values()}))}; train_share is "
            f"{options.train_share:g}."
        )
    queries = [job.query for job in asked]
    return make_task(
        "prbench",
        options={**options.model_dump(), "file": list(options.files), "fields": list(options.fields or FIELDS)},
        episodes=[job.episode for job in remembered],
        queries=queries,
        held_out=hold_out(queries, share=options.test_share, seed=options.seed),
    )


def _normalized(criteria: Sequence[Criterion], met: Sequence[bool]) -> dict[str, float]:
    """Return PRBench's other score, which is 0 for the worst answer that the rubric knows."""
    share = share_of_range(criteria, met)
    return {} if share is None else {"normalized": share}


def _split(jobs: Sequence[Job], options: PRBenchOptions) -> tuple[list[Job], list[Job]]:
    """Return what is remembered and what is asked.

    A task is not asked where a remembered one has the same conversation, or shares a criterion with it: its own rubric
    would be among what is remembered.
    """
    if options.compat == "mstar":
        drawn = list(jobs)
        Random(options.seed).shuffle(drawn)
        count = int(len(drawn) * options.train_share)
        return drawn[:count], drawn[count:]
    drawn = sorted(jobs, key=lambda job: hashlib.sha256(f"{options.seed}:{job.id}".encode()).digest())
    count = round(len(drawn) * options.train_share)
    seen = {text for job in drawn[:count] for text in job.told}
    return drawn[:count], [job for job in drawn[count:] if seen.isdisjoint(job.told)]


def _jobs(path: Path, *, mstar: bool) -> Iterator[Job]:
    numbers: dict[str, int] = {}
    for number, record in enumerate(_records(path), start=1):
        where = f"{path.name}, record {number}"
        job = _job(record, where=where, mstar=mstar)
        if job.id in numbers:
            raise wrong(where, "task", job.id, f"an id of its own; record {numbers[job.id]} has it already")
        numbers[job.id] = number
        yield job


def _records(path: Path) -> Iterator[Record]:
    """Yield the records of a Parquet file, of a JSON list, or of JSON lines."""
    if path.suffix == ".parquet":
        yield from _parquet(path)
        return
    if ".json" in path.suffixes:
        yield from read_records(path)
        return
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    record = json.loads(line.decode("utf-8-sig"))
                    if not isinstance(record, dict):
                        raise wrong(f"{path.name}, line {number}", "record", record, "an object")
                    yield record
    except (ValueError, EOFError, OSError, RecursionError) as error:
        raise error if isinstance(error, DataError) else DataError(f"{path.name}: not JSON lines: {error}.") from None


def _parquet(path: Path) -> list[Record]:
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise PrerequisiteError(
            f"{path.name} is a Parquet file, which needs pyarrow: pip install pyarrow, or name a file of JSON lines "
            "with task_options.file."
        ) from None
    try:
        records: list[Record] = parquet.read_table(path).to_pylist()
    except (ValueError, OSError) as error:
        raise DataError(f"{path.name}: not a Parquet file: {' '.join(str(error).split())[:200]}.") from None
    return records


def _job(record: Record, *, where: str, mstar: bool) -> Job:
    field = text_of(record, "field", where=where).lower()
    if field not in FIELDS:
        raise wrong(where, "field", record["field"], "Finance or Legal")
    criteria = _criteria(record, where=where, mstar=mstar)
    name, subset = text_of(record, "task", where=where), record.get("subset") or record.get("canary") or ""
    if mstar:
        if "conversation" in record:
            raise wrong(where, "prompt_0", None, "the published columns, because compat = 'mstar' reads these")
        text = text_of(record, "prompt_0", where=where)
        reply = str(record.get("response_0", ""))  # null becomes the word None
        memory = f"Task:\n{text}\n\nExpert response:\n{reply}" if reply else text
    else:
        text = _conversation(record, where=where)
        listed = "\n".join(f"[{each.points:+g}] {' '.join(each.text.split())}" for each in criteria)
        memory = f"{text}\n\n{NOTES}\n{listed}"
    return Job(name, field, any(each in str(subset).split(":") for each in HARD), text, memory, criteria)


def _conversation(record: Record, *, where: str) -> str:
    """Return all turns up to the last question, each question after its reference texts."""
    said = []
    if "conversation" in record:  # the columns put together already
        for number, message in enumerate(list_of(record, "conversation", where=where), start=1):
            here = f"{where}, message {number}"
            if not isinstance(message, dict):
                raise wrong(here, "conversation", message, "an object with role and content")
            said.append(f"{text_of(message, 'role', where=here)}: {text_of(message, 'content', where=here)}")
    for turn in range(TURNS):
        if _column(record, f"prompt_{turn}", where=where):
            said.append(f"user: {_references(record, turn, where=where)}{record[f'prompt_{turn}']}")
        if reply := _column(record, f"response_{turn}", where=where):
            said.append(f"assistant: {reply}")
    if not said or not said[-1].startswith("user: "):
        raise wrong(where, "prompt_0", record.get("prompt_0"), "turns whose last one is the user's")
    return "\n\n".join(said)


def _column(record: Record, name: str, *, where: str) -> str:
    """Return the text of a column, "" where there is none."""
    value = record.get(name)
    if value is not None and not isinstance(value, str):
        raise wrong(where, name, value, "a string or null")
    return value if value and value.strip() else ""


def _references(record: Record, turn: int, *, where: str) -> str:
    listed: JSON = record.get(f"reference_texts_{turn}")
    if listed is None:
        return ""
    if not isinstance(listed, list):
        raise wrong(where, f"reference_texts_{turn}", listed, "a list of strings or null")
    return "".join(f"Reference Text {number}:\n{text}\n\n" for number, text in enumerate(listed))


def _criteria(record: Record, *, where: str, mstar: bool) -> tuple[Criterion, ...]:
    criteria = []
    for number, entry in enumerate(list_of(record, "rubric", where=where), start=1):
        here = f"{where}, criterion {number}"
        if not isinstance(entry, dict):
            raise wrong(here, "rubric", entry, "an object")
        if mstar:
            criteria += _mstar_criterion(entry)
        elif "annotations" in entry:
            criteria.append(_criterion(entry, where=here))
        else:  # with its weight worked out already
            points = _number(entry.get("points"), "points", where=here)
            criteria.append(
                Criterion(text_of(entry, "criterion", where=here), points, str(entry.get("category") or ""))
            )
    return tuple(criteria)


def _criterion(entry: Record, *, where: str) -> Criterion:
    """Return the criterion with the weight of its class; weights of other classes are left from earlier edits."""
    notes = entry["annotations"]
    if not isinstance(notes, dict):
        raise wrong(where, "annotations", notes, "an object")
    weight_class = notes.get("weight_class")
    if weight_class not in WEIGHT_CLASSES:
        raise wrong(where, "weight_class", weight_class, f"one of {', '.join(WEIGHT_CLASSES)}")
    name = f"{str(weight_class).replace(' ', '_')}_weight"
    points = _number(notes.get(name), name, where=where)
    return Criterion(text_of(entry, "title", where=where), points, str(notes.get("criteria_category") or ""))


def _number(value: JSON, name: str, *, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise wrong(where, name, value, "a number such as 7 or -5")
    return float(value)


def _mstar_criterion(entry: Record) -> list[Criterion]:
    """Return the criterion as M*'s code reads it, or none: its rationale, and a weight in any case."""
    notes = entry.get("annotations")
    notes = notes if isinstance(notes, dict) else entry
    text, weight_class = notes.get("criteria_description"), str(notes.get("weight_class", "important"))
    if not isinstance(text, str) or not text.strip():
        return []
    weight = notes.get(f"{weight_class.replace(' ', '_')}_weight")
    if not isinstance(weight, int | float) or weight == 0:
        return [Criterion(text.strip(), _MSTAR_WEIGHTS.get(weight_class, 2))]
    points = int(weight)
    return [Criterion(text.strip(), -abs(points) if "detrimental" in weight_class else points)]
