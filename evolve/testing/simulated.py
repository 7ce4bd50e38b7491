"""A provider that takes its time, in a process of its own: OpenAI's chat completions with latencies drawn beforehand.

For measuring how fast a run is. It answers the task agent's prompts with words from what it is shown, the reflector
with the rewrites of `evolve.testing.planned`, and writes down when each call came and went. How long a call takes is
drawn from its words, for the n-th rewrite from n, so that equal runs meet equal latencies. A request that it has no
words for gets a 400, and `Simulated.calls` raises.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal, Self, TypeAlias, cast

from evolve.testing.planned import rewrite

Kind: TypeAlias = Literal["extract", "formulate", "answer", "rewrite", "preflight"]
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_EPISODE = re.compile(r"<episode>\n(.*)\n</episode>", re.DOTALL)
_QUESTION = re.compile(r"The question:\n\n(.*?)(?:\n\n|$)", re.DOTALL)
_MEMORY = re.compile(r"<memory>\n(.*)\n</memory>", re.DOTALL)
_KINDS: Mapping[str, Kind] = {
    "You write the memory": "extract",
    "You search the memory": "formulate",
    "You answer a question": "answer",
}
ANSWER_CHARS = 60
SENTENCES = 3
"""In a field that takes several."""


@dataclass(frozen=True, slots=True)
class Latency:
    """How long calls take: `task` seconds for a call of the task agent, `rewrite` for one of the reflector."""

    task: float = 0.5
    rewrite: float = 20.0
    spread: float = 0.4
    """Each call takes between 1 - spread and 1 + spread times as long, uniformly."""

    def of(self, kind: Kind, text: str) -> float:
        """Return the seconds that a call takes, drawn from its text."""
        share = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
        mean = self.rewrite if kind == "rewrite" else self.task
        return mean * (1 + self.spread * (2 * share - 1))


@dataclass(frozen=True, slots=True)
class Served:
    """One call that was answered."""

    kind: Kind
    arrived: float
    """When it had come whole, on this machine's monotonic clock."""
    latency: float
    """Seconds that were drawn for it."""
    ended: float
    """When the answer was handed to the connection."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the model says."""

    kind: Kind
    text: str
    drawn_from: str
    """What its latency is drawn from."""


class Simulated:
    """The provider, up while the context lasts; `openai` is its base_url."""

    def __init__(self, latency: Latency) -> None:
        numbers = map(str, (latency.task, latency.rewrite, latency.spread))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "evolve.testing.simulated", *numbers],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.address = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        self.openai = f"{self.address}/v1"
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.communicate("")
        self._process.wait()

    def calls(self) -> tuple[Served, ...]:
        """Return what was answered so far, in the order of arrival. Raises AssertionError for unscripted requests."""
        with urllib.request.urlopen(f"{self.address}/log") as reply:
            log = json.load(reply)
        if log["problems"]:
            raise AssertionError(f"{len(log['problems'])} unscripted requests; the first: {log['problems'][0]}")
        return tuple(sorted((Served(*entry) for entry in log["calls"]), key=lambda call: call.arrived))


def said(body: Mapping[str, Any], number: Callable[[], int]) -> Said | None:
    """Return what a model says to a chat; None where there are no words. `number` counts the rewrites."""
    turns: Sequence[Mapping[str, str]] = body["messages"]
    system, asked = turns[0]["content"], turns[-1]["content"]
    prompt = "".join(turn["content"] for turn in turns)
    kind = next((kind for opening, kind in _KINDS.items() if system.startswith(opening)), None)
    if kind == "answer":
        return Said(kind, _answered(asked), prompt)
    if kind is not None:
        shown = _EPISODE.search(asked) or _QUESTION.search(asked)
        assert shown is not None
        schema = body["response_format"]["json_schema"]["schema"]
        return Said(kind, json.dumps(_filled(schema, shown[1], _drawn(prompt))), prompt)
    if asked == "Reply with one word: ready":
        return Said("preflight", "ready", prompt)
    if asked.startswith("Reply with this JSON object:"):
        return Said("preflight", '{"ok": true}', prompt)
    if "memory program" not in system or len(turns) < 2:
        return None
    taken = number()
    reply = rewrite(turns[1]["content"], taken)
    return None if reply is None else Said("rewrite", reply, f"rewrite {taken}")


def _drawn(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def _filled(schema: Mapping[str, Any], text: str, drawn: int) -> dict[str, Any]:
    """Fill the fields with sentences of the text; another prompt about the same text picks others."""
    sentences = [each.strip() for each in re.split(r"(?<=[.?!])\s|\n", text) if len(each) > 12] or [text]
    picked = [sentences[(drawn + place * 7) % len(sentences)] for place in range(SENTENCES)]
    values: dict[str, Any] = {
        "string": picked[0] if len(sentences) > 1 else f"{text} {text.split()[drawn % len(text.split())]}",
        "array": picked,
        "integer": drawn % 100,
        "number": drawn % 100 / 10,
        "boolean": True,
        "object": {"of": picked[0]},
    }
    kinds = {name: (shape.get("anyOf") or [shape])[0]["type"] for name, shape in schema["properties"].items()}
    return {name: values[kind] for name, kind in kinds.items()}


def _answered(asked: str) -> str:
    """Return the line of the memory that shares most words with the question."""
    memory, question = _MEMORY.search(asked), _QUESTION.search(asked)
    assert memory is not None
    assert question is not None
    wanted = set(question[1].lower().split())
    line = max(memory[1].split("\n"), key=lambda line: len(wanted & set(line.lower().split())))
    return line[:ANSWER_CHARS].strip() or "unknown"


class _Site:
    """What the connections share."""

    def __init__(self, latency: Latency) -> None:
        self.latency = latency
        self.calls: list[tuple[Kind, float, float, float]] = []
        self.problems: list[str] = []
        self._rewrites = count()

    def log(self) -> bytes:
        """Return a response with all that was answered."""
        return _response("200 OK", {"calls": self.calls, "problems": self.problems})

    def plan(self, raw: bytes) -> tuple[Kind, float, bytes]:
        """Return what is asked, the seconds it takes, and the response. Raises for what it has no words for."""
        body = json.loads(raw)
        answer = said(body, lambda: next(self._rewrites))
        if answer is None:
            raise ValueError(f"no words for {body['messages'][-1]['content'][:200]!r}")
        sizes = sum(len(turn["content"]) for turn in body["messages"]) // 4, len(answer.text) // 4
        completion = {
            "id": f"chatcmpl-{len(self.calls)}",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [
                {"index": 0, "message": {"role": "assistant", "content": answer.text}, "finish_reason": "stop"}
            ],
            "usage": {"prompt_tokens": sizes[0], "completion_tokens": sizes[1], "total_tokens": sum(sizes)},
        }
        return answer.kind, self.latency.of(answer.kind, answer.drawn_from), _response("200 OK", completion)


class _Connection(asyncio.Protocol):
    """One connection of a client: one request after the other."""

    def __init__(self, site: _Site) -> None:
        self._site = site
        self._unread = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._unread += data
        head = self._unread.find(b"\r\n\r\n")
        if head < 0:
            return
        length = _LENGTH.search(self._unread, 0, head)
        end = head + 4 + (int(length[1]) if length else 0)
        if len(self._unread) < end:
            return
        line, raw = bytes(self._unread[:head]), bytes(self._unread[head + 4 : end])
        del self._unread[:end]
        self._serve(raw, log=line.startswith(b"GET /log "))

    def _serve(self, raw: bytes, *, log: bool) -> None:
        arrived = time.monotonic()
        if log:
            self._transport.write(self._site.log())
            return
        try:
            kind, seconds, response = self._site.plan(raw)
        except Exception as error:  # whatever it is, the measurement is worth nothing: the bench must hear of it
            self._site.problems.append(f"{type(error).__name__}: {error}")
            self._transport.write(_response("400 Bad Request", {"error": {"message": str(error)}}))
            return
        if seconds:
            asyncio.get_running_loop().call_later(seconds, self._reply, kind, arrived, seconds, response)
        else:
            self._reply(kind, arrived, seconds, response)

    def _reply(self, kind: Kind, arrived: float, seconds: float, response: bytes) -> None:
        self._transport.write(response)
        self._site.calls.append((kind, arrived, seconds, time.monotonic()))


def _response(status: str, content: object) -> bytes:
    body = json.dumps(content).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _serve(latency: Latency) -> None:
    """Serve until stdin ends; the first line of stdout is the port."""
    site = _Site(latency)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(site), "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(_serve(Latency(*map(float, sys.argv[1:]))))
