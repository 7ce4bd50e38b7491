"""Frames between a worker and a sandbox: a header of length (u32) and channel (u16), big-endian, then UTF-8 JSON.

Channel 0 is the runner itself; every other channel is one scope's process. An empty payload to a channel ends that
scope. The runner in `sandboxes/` speaks the same format and cannot import this module; a test holds them together.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from evolve.errors import WireError
from evolve.types import JSON

VERSION = 1
HEADER = struct.Struct("!IH")


@dataclass(frozen=True, slots=True)
class Frame:
    """One message; `payload` is still encoded, so that whoever reads it also owns its faults."""

    channel: int
    payload: bytes

    def decode(self) -> dict[str, JSON]:
        """Return the JSON object, or raise WireError."""
        try:
            message = json.loads(self.payload)
        except (ValueError, RecursionError) as error:
            raise WireError(f"a frame is not JSON: {error}") from None
        if not isinstance(message, dict):
            raise WireError(f"a frame holds a {type(message).__name__}, expected an object")
        return message


def encode(channel: int, message: dict[str, JSON] | None, *, limit: int) -> bytes:
    """Return the frame for a message, or the frame that ends the channel for None.

    Raises WireError where the payload is longer than `limit` bytes.
    """
    payload = b"" if message is None else json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass")
    if len(payload) > limit:
        raise WireError(f"a frame of {len(payload):,} bytes is over the limit of {limit:,}")
    return HEADER.pack(len(payload), channel) + payload


class Decoder:
    """Cuts a byte stream into frames."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that `data` completes.

        Raises WireError at the first oversized one; the stream is then lost.
        """
        self._buffer += data
        while len(self._buffer) >= HEADER.size:
            length, channel = HEADER.unpack_from(self._buffer)
            if length > self._limit:
                raise WireError(f"a frame of {length:,} bytes is over the limit of {self._limit:,}")
            end = HEADER.size + length
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[HEADER.size : end])
            del self._buffer[:end]
            yield Frame(channel, payload)
