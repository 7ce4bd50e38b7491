"""The journal: what is appended is what is read, and only whole lines count."""

from __future__ import annotations

import json
import re
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolve.errors import RunFolderError
from evolve.events import (
    AttemptEnded,
    AttemptStarted,
    Clock,
    Event,
    Measured,
    RunStarted,
    RunStopped,
    Trial,
    WinnerChosen,
)
from evolve.journal import BLOCK, Journal, canonical

CLOCK = Clock("2026-01-02T03:04:05.678+00:00", 1.5, 0.25)
PARAMS = {"whole": 1, "real": 1.0, "flag": True, "word": "1", "none": None}
EVENTS: list[Event] = [
    RunStarted("run", "chronicle", "0" * 64, "extractive", "process", {"static": 3, "test": 0}, CLOCK),
    AttemptStarted(0, "seed", (), CLOCK),
    AttemptEnded(0, "c000", "seed", (), "a seed", "scored", CLOCK, source="x = 1\n", scores={"q1": 1.0, "q2": None}),
    AttemptStarted(1, "recombine", ("c000", "c001"), CLOCK),
    AttemptEnded(
        attempt=1,
        candidate="c001",
        operator="tune",
        parents=("c000",),
        note="naïve 東京 🙂 \u2028 \x00 \r",
        outcome="rejected",
        clock=CLOCK,
        reason="two\nlines",
        digest="d",
        behaviour="b",
        trials=(Trial(PARAMS, 0.5), Trial({}, None)),
        study="s",
        stale=2,
        commit="c",
    ),
    AttemptEnded(2, "c002", "tune", ("c000",), "", "void", CLOCK),
    Measured("c000", "test", {"q9": 0.0, "q8": None}, CLOCK, "c"),
    WinnerChosen("c000", CLOCK),
    RunStopped("interrupted", "why", CLOCK),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal that holds every kind of event."""
    path = tmp_path / "journal.jsonl"
    write(path, EVENTS)
    return path


def write(path: Path, events: list[Event]) -> None:
    journal = Journal(path)
    for event in events:
        journal.append(event)
    journal.close()


def read(path: Path) -> list[Event]:
    return list(Journal(path).read())


def test_what_is_appended_is_what_is_read(path: Path) -> None:
    assert read(path) == EVENTS
    assert len(path.read_bytes().split(b"\n")) == len(EVENTS) + 1


def test_types_are_kept(path: Path) -> None:
    ended = next(event for event in read(path) if isinstance(event, AttemptEnded) and event.trials)
    params = ended.trials[0].params
    assert {name: type(value) for name, value in params.items()} == {n: type(v) for n, v in PARAMS.items()}
    assert isinstance(ended.parents, tuple)
    assert isinstance(ended.trials, tuple)
    assert ended.source is None
    started = next(event for event in read(path) if isinstance(event, RunStarted))
    assert [type(count) for count in started.queries.values()] == [int, int]


scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(
    params=st.dictionaries(texts, scalars | texts, max_size=3),
    scores=st.dictionaries(texts, st.none() | st.floats(0, 1), max_size=3),
    note=texts,
)
def test_any_value_survives(
    tmp_path_factory: pytest.TempPathFactory, params: dict[str, object], scores: dict[str, float | None], note: str
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    trials = (Trial(params, 0.5),)  # type: ignore[arg-type]
    event = AttemptEnded(3, "c003", "tune", ("c001",), note, "scored", CLOCK, scores=scores, trials=trials)
    write(path, [event])
    (back,) = read(path)
    assert back == event
    assert isinstance(back, AttemptEnded)
    assert {k: type(v) for k, v in back.trials[0].params.items()} == {k: type(v) for k, v in params.items()}


def test_half_a_character_does_not_stop_the_run(tmp_path: Path) -> None:
    """A program that forges its reply can put half of a surrogate pair into the reason; no disk holds one."""
    path = tmp_path / "journal.jsonl"
    write(path, [AttemptEnded(0, "c000", "tune", (), "", "rejected", CLOCK, reason="raised: a\ud800b")])
    (event,) = read(path)
    assert isinstance(event, AttemptEnded)
    assert event.reason == "raised: a?b"


def test_a_journal_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read(tmp_path / "journal.jsonl") == []
    assert not (tmp_path / "journal.jsonl").exists()


@pytest.mark.parametrize("cut", [1, 10, -1])
def test_a_torn_last_line_is_no_event_and_is_cut(path: Path, cut: int) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3]) + lines[3][:cut])
    assert read(path) == EVENTS[:3]
    write(path, [EVENTS[7]])
    assert read(path) == [*EVENTS[:3], EVENTS[7]]


@pytest.mark.parametrize("length", [BLOCK - 1, BLOCK, 3 * BLOCK])
def test_a_long_torn_line_is_cut_where_it_begins(path: Path, length: int) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole + b"x" * length)
    write(path, [EVENTS[7]])
    assert path.read_bytes().startswith(whole)
    assert read(path) == [*EVENTS, EVENTS[7]]


def test_a_journal_of_one_torn_line_is_empty(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20])
    assert read(path) == []
    write(path, EVENTS[:1])
    assert read(path) == EVENTS[:1]


END = asdict(EVENTS[2])
BAD_LINES = [
    pytest.param({**END, "attempt": "many"}, "attempt", id="a wrong type"),
    pytest.param({**END, "outcome": "fine"}, "outcome", id="a wrong word"),
    pytest.param({**END, "scores": {"q1": "good"}}, "scores.q1", id="a wrong score"),
    pytest.param({k: v for k, v in END.items() if k != "note"}, "note", id="a missing field"),
    pytest.param({**END, "type": "party"}, "party", id="an unknown event"),
    pytest.param([], "object", id="no object"),
]


@pytest.mark.parametrize(("line", "names"), BAD_LINES)
def test_a_bad_line_names_file_line_and_field(path: Path, line: object, names: str) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:4], json.dumps(line).encode() + b"\n", *lines[4:]]))
    with pytest.raises(RunFolderError) as caught:
        read(path)
    message = str(caught.value)
    assert f"{path}, line 5" in message
    assert names in message
    assert "\n" not in message
    assert ": :" not in message


def test_a_damaged_line_in_the_middle_is_not_skipped(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"\xff\xfe\n" + lines[1])
    with pytest.raises(RunFolderError, match="line 2: Invalid JSON"):
        read(path)


def test_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    line = {**asdict(EVENTS[0]), "version": 2}
    path.write_bytes(json.dumps(line).encode() + b"\n")
    with pytest.raises(RunFolderError, match="format 2, this evolve reads 1"):
        read(path)


@contextmanager
def full(path: Path) -> Iterator[None]:
    """A file may grow by only 100 bytes more, which is part of a line: what a full disk does."""
    held = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, hard))
    try:
        yield
    finally:  # at once: the limit is also on the file that pytest may be writing to
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, held)


def test_no_room_is_said_and_leaves_no_part_of_a_line(path: Path) -> None:
    before = path.read_bytes()
    journal = Journal(path)
    errors: list[RunFolderError] = []
    with full(path):
        for _ in range(2):
            try:
                journal.append(EVENTS[4])
            except RunFolderError as error:
                errors.append(error)
    assert len(errors) == 2
    assert re.search(r"journal\.jsonl cannot be written .*make room", str(errors[0]))
    assert path.read_bytes() == before
    journal.close()
    assert read(path) == EVENTS


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="cannot be written"):
        Journal(tmp_path / "none" / "journal.jsonl").append(EVENTS[0])


def test_canonical_leaves_out_the_clock_and_nothing_else(path: Path) -> None:
    for event in read(path):
        assert canonical(event).keys() == asdict(event).keys() - {"clock", "commit"}
    early, late = WinnerChosen("c1", CLOCK), WinnerChosen("c1", Clock("later", 9.0))
    assert canonical(early) == canonical(late)
    assert canonical(early) != canonical(WinnerChosen("c2", CLOCK))
