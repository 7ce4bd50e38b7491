"""One candidate's box: the worker's side of the frames, and the place where time limits and faults are decided."""

from __future__ import annotations

import contextlib
import itertools
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn, Protocol

from evolve import wire
from evolve.errors import ProgramFault, RequestRefused, SandboxError, WireError
from evolve.types import JSON

if TYPE_CHECKING:
    from evolve.config import Limits

KILL_SECONDS = 8.0
"""How long the runner may take to confirm that a scope is dead before the whole box is killed."""
BACKLOG = 1_000
"""Frames of one scope that may wait unread; a scope that floods its channel is ended."""
LOG_LINES = 200
"""Log lines kept of one scope."""
NUMBER_BYTES = 32
"""Longest number of a vector in JSON, separator included."""

CallLLM = Callable[[list[JSON], dict[str, JSON]], str]
"""Answers a program's `llm_completion(messages, **kwargs)`; raises ProgramFault where the program may not have one."""
CallEmbed = Callable[[list[str]], Sequence[Sequence[float]]]
"""Answers a program's `embed(texts)` with one vector a text; raises ProgramFault where it may not have them."""


class Transport(Protocol):
    """A running runner: bytes in, bytes out, and a kill that works."""

    def send(self, data: bytes) -> None:
        """Write all of it; raises OSError when the runner is gone."""
        ...

    def receive(self) -> bytes:
        """Block for the next bytes; b"" at the end."""
        ...

    def kill(self) -> str:
        """End the runner and everything below it, and return how it had ended, for a message. Safe to call twice."""
        ...


class Box:
    """A runner that loads one candidate's program once per scope, each in a process of its own."""

    def __init__(self, transport: Transport, limits: Limits) -> None:
        self._transport = transport
        self.limits = limits
        self._sending = threading.Lock()
        self._channels: dict[int, queue.Queue[wire.Frame | dict[str, JSON]]] = {0: queue.Queue()}
        self._numbers = itertools.count(1)
        self.ended = False
        threading.Thread(target=self._listen, daemon=True, name="evolve-box").start()

    def wait_ready(self, seconds: float) -> None:
        """Wait for the runner's hello; raises SandboxError when it does not come, or speaks another version."""
        try:
            hello = self._channels[0].get(timeout=seconds)
        except queue.Empty:
            how = self._transport.kill()
            raise SandboxError(f"the sandbox did not start within {seconds:.0f} s ({how})") from None
        message = hello.decode() if isinstance(hello, wire.Frame) else hello
        if message.get("version") != wire.VERSION:
            how = self._transport.kill()
            raise SandboxError(f"the sandbox ended before it was ready ({how})")

    def open(self, source: str, *, call_llm: CallLLM, call_embed: CallEmbed | None = None) -> Scope:
        """Load the program into a fresh process for one scope; without `call_embed` it embeds with the weights there.

        Raises ProgramFault where the program does not load, SandboxError where the box is gone, and what the calls
        raise.
        """
        channel = next(self._numbers)
        self._channels[channel] = queue.Queue(BACKLOG)
        scope = Scope(self, channel, self._channels[channel], call_llm, call_embed)
        scope.load(source)
        return scope

    def close(self) -> None:
        """Kill the runner and all scopes."""
        self.ended = True
        self._transport.kill()

    def send(self, channel: int, message: dict[str, JSON] | None) -> None:
        """Send one frame; raises SandboxError where the box is gone, WireError where the message is too long."""
        data = wire.encode(channel, message, limit=self.limits.frame_bytes)
        try:
            with self._sending:
                self._transport.send(data)
        except OSError:
            self.ended = True
            raise SandboxError(f"the sandbox is gone ({self._transport.kill()})") from None

    def end_channel(self, channel: int) -> None:
        """Have the runner kill one scope; where it does not confirm in time, kill the whole box."""
        with contextlib.suppress(SandboxError):
            self.send(channel, None)
        if self.ended:
            return
        frames = self._channels[channel]
        deadline = time.monotonic() + KILL_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                if isinstance(frames.get(timeout=left), dict):
                    return
        self.close()

    def why_gone(self) -> str:
        """Kill what is left of the box, and say how it had ended."""
        return self._transport.kill()

    def _listen(self) -> None:
        decoder = wire.Decoder(self.limits.frame_bytes)
        try:
            while data := self._transport.receive():
                for frame in decoder.feed(data):
                    self._deliver(frame)
        except (OSError, ValueError, WireError):  # ValueError: Python's word for a pipe that was closed meanwhile
            pass  # either way the stream is lost: the box is over
        self.ended = True
        for frames in list(self._channels.values()):
            _put(frames, {"event": "gone"})

    def _deliver(self, frame: wire.Frame) -> None:
        if frame.channel == 0:
            event = frame.decode()
            channel = event.get("channel")
            target = self._channels.get(channel) if isinstance(channel, int) else None
            _put(target or self._channels[0], event)
        elif (frames := self._channels.get(frame.channel)) is not None:
            try:
                frames.put_nowait(frame)
            except queue.Full:
                with contextlib.suppress(SandboxError):
                    self.send(frame.channel, None)


def _put(frames: queue.Queue[wire.Frame | dict[str, JSON]], event: dict[str, JSON]) -> None:
    """Deliver an event of the runner even to a full channel: it matters more than what the scope still had to say."""
    while True:
        try:
            frames.put_nowait(event)
            return
        except queue.Full:
            with contextlib.suppress(queue.Empty):
                frames.get_nowait()


class Scope:
    """One knowledge base in a process of its own. Used by one thread at a time.

    What its calls raise besides ProgramFault and RequestRefused passes through to the caller, and ends the scope: its
    program was left without an answer.
    """

    def __init__(
        self,
        box: Box,
        channel: int,
        frames: queue.Queue[wire.Frame | dict[str, JSON]],
        call_llm: CallLLM,
        call_embed: CallEmbed | None,
    ) -> None:
        self._box = box
        self._channel = channel
        self._frames = frames
        self._call_llm = call_llm
        self._call_embed = call_embed
        self._requests = itertools.count(1)
        self._over: ProgramFault | None = None
        self._used_seconds = 0.0
        self._call_seconds = 0.0
        self.log: list[str] = []
        """What the program logged, oldest first, at most 200 lines."""

    def load(self, source: str) -> None:
        """Run the program's module and construct its KnowledgeBase."""
        embed = self._call_embed is not None
        self._request({"op": "load", "source": source, "embed": embed}, self._box.limits.load_seconds)

    def write(self, item: dict[str, JSON], raw_text: str) -> None:
        """Call `write` with a KnowledgeItem of these fields. Raises ProgramFault, SandboxError."""
        self._request({"op": "write", "item": item, "raw_text": raw_text}, self._box.limits.write_seconds)

    def read(self, query: dict[str, JSON]) -> str:
        """Call `read` with a Query of these fields and return its text. Raises ProgramFault, SandboxError."""
        text = self._request({"op": "read", "query": query}, self._box.limits.read_seconds)
        limit = self._box.limits.read_chars
        if not isinstance(text, str):
            raise ProgramFault("protocol", f"read returned {type(text).__name__}, expected a string")
        if len(text) > limit:
            raise ProgramFault("read_chars", f"read returned {len(text):,} characters, at most {limit:,} are allowed")
        return text

    def probe(self, query: dict[str, JSON]) -> str:
        """As `read`, but what it takes is not counted to the time that the scope has in all."""
        used = self._used_seconds
        try:
            return self.read(query)
        finally:
            self._used_seconds = used

    @property
    def fault(self) -> ProgramFault | None:
        """Why it takes no more requests; None as long as it does."""
        return self._over

    def close(self) -> None:
        """End the scope's process; nothing of it is left."""
        if self._over is None:
            self._over = ProgramFault("died", "the scope is closed")
            self._box.end_channel(self._channel)

    def _request(self, message: dict[str, JSON], seconds: float) -> JSON:
        if self._over is not None:
            raise self._over
        began, calls = time.monotonic(), self._call_seconds
        try:
            return self._exchange(message, min(seconds, max(0.0, self._box.limits.scope_seconds - self._used_seconds)))
        finally:
            self._used_seconds += time.monotonic() - began - (self._call_seconds - calls)

    def _exchange(self, message: dict[str, JSON], seconds: float) -> JSON:
        number = next(self._requests)
        try:
            self._box.send(self._channel, {**message, "id": number})
        except WireError as error:
            raise ProgramFault("protocol", f"{message['op']}: {error}") from None
        deadline = time.monotonic() + seconds
        completions = 0
        while True:
            reply = self._next(deadline, f"{message['op']} took longer than {seconds:g} s")
            if reply.get("call") in ("llm", "embed"):
                began = time.monotonic()
                completions += reply["call"] == "llm"
                self._answer(reply, completions)
                took = time.monotonic() - began
                self._call_seconds += took
                deadline += took  # a slow provider is not the program's fault
            elif reply.get("call") == "log":
                if len(self.log) < LOG_LINES:
                    self.log.append(str(reply.get("message")))
            elif reply.get("id") != number:
                self._fail("protocol", f"{message['op']}: an unexpected reply")
            elif "error" in reply:
                raise ProgramFault("raised", str(reply["error"]))
            else:
                return reply.get("value")

    def _next(self, deadline: float, too_late: str) -> dict[str, JSON]:
        try:
            frame = self._frames.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            if self._box.ended:
                raise SandboxError(f"the sandbox ended while a program was running ({self._box.why_gone()})") from None
            self._fail("timeout", too_late)
        if isinstance(frame, wire.Frame):
            try:
                return frame.decode()
            except WireError as error:
                self._fail("protocol", str(error))
        self._ended(frame)

    def _ended(self, event: dict[str, JSON]) -> NoReturn:
        """Turn the runner's word on how the scope ended into a fault of the right party."""
        if event.get("event") != "exit":
            raise SandboxError(f"the sandbox ended while a program was running ({self._box.why_gone()})")
        cause, status = event.get("cause"), event.get("status")
        if cause == "memory":
            message = f"the kernel ended it over the limit of {self._box.limits.memory_mb} MB"
        elif cause == "oversized":
            cause, message = "protocol", f"it sent a frame over {self._box.limits.frame_bytes:,} bytes"
        elif cause == "ended":
            cause, message = "protocol", "it flooded its channel"
        else:
            message = f"its process ended with status {status}"
        self._over = ProgramFault(str(cause), message)
        raise self._over

    def _fail(self, kind: str, message: str) -> NoReturn:
        self._over = ProgramFault(kind, message)
        self._box.end_channel(self._channel)
        raise self._over

    def _answer(self, request: dict[str, JSON], completions: int) -> None:
        try:
            replies = self._embedded(request) if request["call"] == "embed" else [self._completed(request, completions)]
        except (ProgramFault, RequestRefused) as refusal:
            replies = [{"error": refusal.message if isinstance(refusal, ProgramFault) else str(refusal)}]
        except BaseException:
            self.close()
            raise
        for reply in replies:
            try:
                self._box.send(self._channel, reply)
            except WireError as error:
                self._box.send(self._channel, {"error": str(error)})
                return

    def _completed(self, request: dict[str, JSON], completions: int) -> dict[str, JSON]:
        messages, kwargs = request.get("messages"), request.get("kwargs")
        allowed = self._box.limits.llm_calls
        if completions > allowed:
            raise ProgramFault("raised", f"only {allowed} completions are allowed per write or read")
        if not isinstance(messages, list) or not isinstance(kwargs, dict):
            raise ProgramFault("raised", "messages must be a list of {role, content}")
        return {"text": self._call_llm(messages, kwargs)}

    def _embedded(self, request: dict[str, JSON]) -> list[dict[str, JSON]]:
        """Return the rows in as many frames as they need; each says how many rows are still to come."""
        texts = request.get("texts")
        if self._call_embed is None:
            raise ProgramFault("raised", "this run has no embedding model")
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts) or not texts:
            raise ProgramFault("raised", "texts must be a list of strings")
        rows = self._call_embed([str(text) for text in texts])
        size = max(1, self._box.limits.frame_bytes // (NUMBER_BYTES * (len(rows[0]) + 2)))
        return [
            {"rows": [list(row) for row in rows[start : start + size]], "left": max(0, len(rows) - start - size)}
            for start in range(0, len(rows), size)
        ]
