"""The tests of an exported package: real cases of the run, with what its models replied, as plain pytest."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import chain, zip_longest
from pathlib import Path
from typing import TypeAlias, TypeVar

from evolve.errors import EvolveError, RunFolderError
from evolve.evaluation.splits import Work
from evolve.export.recorded import item_of, recorded_agent, recorded_ask, recorded_embed, splits_of, works_of
from evolve.folder import Run
from evolve.harness.base import Base
from evolve.harness.calls import Budget, Models
from evolve.harness.engine import Engine
from evolve.harness.limits import Limits
from evolve.harness.models import ask_of
from evolve.harness.program import Harness
from evolve.models.base import Purpose, Reply, Request
from evolve.plan import program_of
from evolve.population import Candidate
from evolve.types import JSON, Case

TEMPLATE = Path(__file__).with_name("templates_tests") / "test_regression.py.txt"
PACKAGE = "PACKAGE"
"""Stands in the template for the package's name."""
MOST_SCOPES, MOST_CASES = 2, 8
"""A sample that runs in seconds, and shows that scopes keep to themselves."""
RIGHT = 0.5
"""A case with this score or more was rather right than wrong."""
_FREE = Budget(None)
SHOWN = 40
"""Characters of two reads that are quoted where they begin to differ."""

_T = TypeVar("_T")
_Kind: TypeAlias = tuple[str, bool]
"""A category, and whether the case was right."""
Sample: TypeAlias = list[tuple[Work, list[Case]]]


def write_tests(run: Run, candidate: Candidate, harness: Harness, folder: Path, package: str) -> int:
    """Write `tests/cases.json` and `tests/test_regression.py` into a project, and return how many cases they hold.

    The cases are static ones, of the candidate; its memory is filled and read here first. One that is not read as in
    the run is named in `cases.json` and left to no test: on a processor of another kind sums of floats are rounded
    otherwise, and two passages with all but equal scores may change places. Raises EvolveError where that happens to
    more cases than not, RunFolderError where the run's record lacks a call or the task's data changed, and what loading
    the task raises.
    """
    cases = [case for case in run.cases(candidate.id) if case.outcome == "scored"]
    works = works_of(splits_of(run), cases) if cases else ()
    record = _Recorder(run, candidate, harness).record(sampled(works, {case.query: case for case in cases}))
    tests = folder / "tests"
    tests.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(record), ensure_ascii=False, indent=1)
    (tests / "cases.json").write_text(text + "\n", encoding="utf-8")
    template = TEMPLATE.read_text(encoding="utf-8")
    (tests / "test_regression.py").write_text(template.replace(PACKAGE, package), encoding="utf-8")
    return record.count


def sampled(works: Sequence[Work], cases: Mapping[str, Case]) -> Sample:
    """Return at most 2 scopes, each with its cases: one of every category, right and wrong, before the second of any.

    The scopes are those that have most kinds of cases to show; of equals, those with the least text.
    """
    left, seen = list(works), set[_Kind]()
    taken: Sample = []
    while left and len(taken) < MOST_SCOPES:
        best = max(left, key=lambda work: (len(_kinds(work, cases).keys() - seen), -_chars(work)))
        left.remove(best)
        kinds = _kinds(best, cases)
        in_turn = zip_longest(*(kinds[kind] for kind in sorted(kinds, key=lambda kind: kind in seen)))
        taken.append((best, [case for case in chain.from_iterable(in_turn) if case is not None]))
        seen |= kinds.keys()
    return taken


def _kinds(work: Work, cases: Mapping[str, Case]) -> dict[_Kind, list[Case]]:
    """Return a scope's cases by category, and by whether they were right."""
    kinds: dict[_Kind, list[Case]] = {}
    for query in work.queries:
        case = cases[query.id]
        kinds.setdefault((case.category, (case.score or 0.0) >= RIGHT), []).append(case)
    return kinds


def _chars(work: Work) -> int:
    return sum(len(episode.text) for episode in work.episodes)


@dataclass
class Record:
    """What `cases.json` holds."""

    run: str
    candidate: str
    embeds: bool
    """A provider's model embedded."""
    scopes: list[JSON] = field(default_factory=list)
    """Each with what was written in it, in order, and what was read then."""
    completions: dict[str, str] = field(default_factory=dict)
    """What was said, by the digest of the messages."""
    embeddings: dict[str, str] = field(default_factory=dict)
    """Vectors as 4-byte floats, which is what programs get, in base64, by the digest of the text."""
    left_out: list[str] = field(default_factory=list)
    """Cases that were not read as in the run when this was written, and where the reads begin to differ."""
    count: int = 0
    """Of the cases."""


class _Recorder:
    """Fills memories as the run did, and takes down what the program asks of models."""

    def __init__(self, run: Run, candidate: Candidate, harness: Harness) -> None:
        models = run.config.models
        self._record = Record(run.name, candidate.id, bool(harness.embedding))
        self._agent, self._program = recorded_agent(run), program_of(candidate)
        self._ask, self._vectors = recorded_ask(run), recorded_embed(run)
        asked = Models(
            self._completed if models.toolkit else None, self._embedded if harness.embedding else None, _FREE
        )
        self._engine = Engine(harness, Limits(), asked, isolated=False)
        self._failures: list[RunFolderError] = []
        """Calls that the run's record lacks: a program may hide that it was left without an answer."""

    def record(self, sample: Sample) -> Record:
        """Fill the memories of these scopes, and read their cases until there are enough."""
        for work, cases in sample:
            self._scope(work, cases, most=MOST_CASES // len(sample))
        record = self._record
        if len(record.left_out) > record.count:
            raise EvolveError(
                f"{record.candidate} does not read what it read in run {record.run!r}: {record.left_out[0]}; does it "
                "depend on chance or on the time of day?"
            )
        return record

    def _scope(self, work: Work, cases: Sequence[Case], *, most: int) -> None:
        writes: list[JSON] = []
        reads: list[JSON] = []
        base: Base = self._do("write", lambda: self._engine.base(None))
        with closing(base):
            for episode in work.episodes:
                item = item_of(self._agent, self._program, episode)
                self._do("write", partial(base.write, item, episode.text))
                writes.append({"text": episode.text, "item": item})
            for case in cases:
                if len(reads) < most:
                    found = self._do("read", partial(base.read, case.formulated))
                    if found == case.read:
                        reads.append(_described(case))
                    else:
                        self._record.left_out.append(f"{case.query}, {_difference(case.read, found)}")
        self._record.scopes.append({"scope": work.scope, "writes": writes, "reads": reads})
        self._record.count += len(reads)

    def _do(self, purpose: Purpose, act: Callable[[], _T]) -> _T:
        try:
            return self._engine.run(self._engine.calls(purpose), act)
        finally:
            if self._failures:
                raise self._failures[0]

    def _completed(self, request: Request) -> Reply:
        """Answer from the record, by way of a callable as a user may give one, which sees the messages alone."""
        with self._noticed():
            said = self._ask(request).text

        def spoken(messages: list[dict[str, str]]) -> str:
            self._record.completions[_digest(messages)] = said
            return said

        return ask_of(spoken)(request)

    def _embedded(self, texts: list[str]) -> Sequence[Sequence[float]]:
        with self._noticed():
            rows = self._vectors(texts)
        packed = [struct.pack(f"<{len(row)}f", *row) for row in rows]
        for text, data in zip(texts, packed, strict=True):
            self._record.embeddings[_digest(text)] = base64.b64encode(data).decode()
        return [struct.unpack(f"<{len(data) // 4}f", data) for data in packed]

    @contextmanager
    def _noticed(self) -> Iterator[None]:
        try:
            yield
        except RunFolderError as error:
            self._failures.append(error)
            raise


def _described(case: Case) -> dict[str, JSON]:
    return {
        "id": case.query,
        "category": case.category,
        "score": case.score,
        "question": case.question,
        "query": dict(case.formulated),
        "expected": case.read,
    }


def _digest(asked: object) -> str:
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _difference(was: str, now: str) -> str:
    """Say where two texts begin to differ."""
    at = next((place for place, (one, other) in enumerate(zip(was, now, strict=False)) if one != other), None)
    at = min(len(was), len(now)) if at is None else at
    return f"from character {at} on it was {was[at : at + SHOWN]!r} and is {now[at : at + SHOWN]!r}"
