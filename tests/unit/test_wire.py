"""Frames: cut anywhere they arrive whole, and the runner in the box speaks the same ones."""

from __future__ import annotations

import importlib.util
import json
import struct
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolve import wire
from evolve.errors import WireError
from evolve.paths import sandboxes_dir

LIMIT = 1 << 16
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
messages = st.dictionaries(st.text(max_size=4), json_values, max_size=3)


def runner() -> ModuleType:
    """The runner's module, not run."""
    spec = importlib.util.spec_from_file_location("sandbox_runner", sandboxes_dir() / "runner.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@given(st.lists(st.tuples(st.integers(0, 2**16 - 1), messages), max_size=5), st.integers(1, 64))
def test_frames_arrive_whole_however_they_are_cut(sent: list[tuple[int, dict[str, object]]], piece: int) -> None:
    stream = b"".join(wire.encode(channel, message, limit=LIMIT) for channel, message in sent)  # type: ignore[arg-type]
    decoder = wire.Decoder(LIMIT)
    frames = [frame for at in range(0, len(stream), piece) for frame in decoder.feed(stream[at : at + piece])]
    assert [(frame.channel, frame.decode()) for frame in frames] == sent


def test_half_of_a_character_gets_across() -> None:
    (frame,) = wire.Decoder(LIMIT).feed(wire.encode(1, {"text": "a\ud800"}, limit=LIMIT))
    assert frame.decode() == {"text": "a\ud800"}


def test_none_is_the_frame_that_ends_a_channel() -> None:
    (frame,) = wire.Decoder(LIMIT).feed(wire.encode(7, None, limit=LIMIT))
    assert frame == wire.Frame(7, b"")


def test_the_limit_is_the_payload_in_bytes() -> None:
    exact = {"t": "é" * 10}
    size = len(json.dumps(exact, ensure_ascii=False).encode())
    data = wire.encode(1, exact, limit=size)
    assert [frame.decode() for frame in wire.Decoder(size).feed(data)] == [exact]
    with pytest.raises(WireError, match=f"a frame of {size} bytes is over the limit of {size - 1}"):
        wire.encode(1, exact, limit=size - 1)
    with pytest.raises(WireError, match="over the limit"):
        list(wire.Decoder(size - 1).feed(data))


def test_an_oversized_frame_is_refused_before_it_arrives() -> None:
    with pytest.raises(WireError, match="4,294,967,295 bytes"):
        list(wire.Decoder(LIMIT).feed(struct.pack("!IH", 2**32 - 1, 1)))


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"\xff", b"[]", b"1", b'"x"', b"null", b"[" * 200_000, b'{"n": ' + b"9" * 5_000 + b"}"]
)
def test_what_is_no_object_is_a_wire_error(payload: bytes) -> None:
    with pytest.raises(WireError):
        wire.Frame(1, payload).decode()


def test_the_runner_speaks_the_same_frames() -> None:
    spoken = runner()
    assert spoken.VERSION == wire.VERSION
    assert spoken.HEADER.format == wire.HEADER.format
    assert spoken.HEADER.size == wire.HEADER.size == 6


def test_the_runner_never_imports_evolve() -> None:
    for file in sandboxes_dir().glob("*.py"):
        words = file.read_text(encoding="utf-8")
        assert "import evolve" not in words
        assert "from evolve" not in words
