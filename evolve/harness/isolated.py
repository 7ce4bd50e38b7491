"""A knowledge base in a process of its own, and that process: `python -m` this module, started by `IsolatedBase`."""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import os
import pickle
import resource
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Literal, TypeAlias

from evolve.harness.base import Answers, LocalBase
from evolve.harness.errors import ProgramFailed, TookTooLong
from evolve.harness.limits import Limits
from evolve.harness.program import Harness
from evolve.types import JSON

MEMORY_MB = 2048
"""How much the process may grow once it has started; beyond it, allocations fail."""
START_SECONDS = 60.0
"""For the process to come up: an interpreter with this package, nothing of the program's yet."""

_HEAD = struct.Struct("!IQ")
_PIECE = 1 << 20
_PR_SET_PDEATHSIG = 1
_Doing: TypeAlias = Literal["start", "__init__", "write", "read", "snapshot"]


class IsolatedBase:
    """Implements `Base` by a `LocalBase` in a child process, one for each open base.

    It protects this process from a program that hangs, crashes or eats the memory: the child, and what it started, is
    killed when its time is over, and whatever ends it is an error here. It does not protect from a program that means
    harm: the code is trusted, and can read your files and open connections as you can.

    What the program asks of models is answered here, in the thread that writes or reads, and that time does not count.
    One thread is served at a time, as in the sandbox. What the program prints goes nowhere.
    """

    def __init__(self, harness: Harness, answers: Answers, *, limits: Limits, snapshot: bytes | None = None) -> None:
        """Start the child, with an empty knowledge base or the one of the snapshot; it has the time of a write.

        Raises ProgramFailed; there is no process then.
        """
        self._answers = answers
        self._limits = limits
        self._turn = threading.Lock()
        try:
            self._child = _Child()
        except OSError as error:
            raise ProgramFailed(f"the program's process cannot be started: {error}.") from None
        try:
            self._do("start", START_SECONDS)
            given = pickle.dumps((replace(harness, instructions=dict(harness.instructions)), snapshot))
            self._do("__init__", limits.write_seconds, blob=given)
        except BaseException:
            self.close()
            raise

    def write(self, item: Mapping[str, JSON], text: str) -> None:
        """Call the program's `write`. Raises ProgramFailed, TookTooLong where the child is no more."""
        self._do("write", self._limits.write_seconds, item=dict(item), text=text)

    def read(self, query: Mapping[str, JSON]) -> str:
        """Call the program's `read`. Raises ProgramFailed, TookTooLong where the child is no more."""
        return str(self._do("read", self._limits.read_seconds, query=dict(query))[0])

    def dump(self) -> bytes | None:
        """Return a snapshot, made in the child in the time of a write; None where the state cannot be taken."""
        return self._do("snapshot", self._limits.write_seconds)[1] or None

    def close(self) -> None:
        """Kill the child, whatever it is doing, and what it started; nothing of it is left on return."""
        self._child.kill()
        with self._turn:  # who was at work with it has noticed
            self._child.hang_up()

    def _do(self, doing: _Doing, seconds: float, *, blob: bytes = b"", **given: JSON) -> tuple[JSON, bytes]:
        """Have the child do something, and return the value and the bytes that it returns."""
        with self._turn, self._killed_unless_answered(doing, seconds):
            until = time.monotonic() + seconds
            if doing != "start":  # of its own accord
                self._child.link.send({"do": doing, **given}, blob, until=until)
            while True:
                reply, data = self._child.link.receive(until=until)
                if "ask" not in reply:
                    break
                began = time.monotonic()
                answer = self._answer(reply)
                until += time.monotonic() - began
                self._child.link.send(answer, until=until)
        if "failed" in reply:
            raise ProgramFailed(str(reply["failed"]))
        return reply.get("value"), data

    def _answer(self, asked: Mapping[str, Any]) -> dict[str, JSON]:
        try:
            return {"value": self._answers(asked["ask"], asked["request"])}
        except Exception as error:  # the program is to see it
            return {"error": str(error)}

    @contextmanager
    def _killed_unless_answered(self, doing: _Doing, seconds: float) -> Iterator[None]:
        """Kill a child with which something is left unfinished: nothing it sends could be told apart any more."""
        try:
            yield
        except TimeoutError:
            self._child.kill()
            said = f"the program's {doing} took longer than {seconds:g} s, and its process was killed."
            raise TookTooLong(said) from None
        except (OSError, EOFError, ValueError):  # ValueError: closed, or no frame
            how = self._child.ended(patience=1.0)
            raise TookTooLong(f"the program's process {how} in its {doing}.") from None
        except BaseException:
            self._child.kill()
            raise


class Link:
    """Frames over two pipes: a JSON object and bytes, each with its length before it."""

    def __init__(self, source: IO[bytes], target: IO[bytes]) -> None:
        self._source = source
        self._target = target

    def send(self, message: Mapping[str, JSON], blob: bytes = b"", *, until: float | None = None) -> None:
        """Send a frame. Raises TimeoutError at the time `until`, OSError where the other side is no more."""
        head = json.dumps(message).encode()
        for part in (_HEAD.pack(len(head), len(blob)) + head, blob):
            left = memoryview(part)
            while left:
                _ready(self._target, select.POLLOUT, until)
                left = left[os.write(self._target.fileno(), left) :]

    def receive(self, *, until: float | None = None) -> tuple[dict[str, Any], bytes]:
        """Return the next frame. Raises TimeoutError at the time `until`, EOFError where there is none to come."""
        lengths = _HEAD.unpack(self._exactly(_HEAD.size, until))
        head, blob = (self._exactly(length, until) for length in lengths)
        return json.loads(head), blob

    def _exactly(self, count: int, until: float | None) -> bytes:
        data = io.BytesIO()
        while (left := count - data.tell()) > 0:
            _ready(self._source, select.POLLIN, until)
            piece = os.read(self._source.fileno(), min(left, _PIECE))
            if not piece:
                raise EOFError
            data.write(piece)
        return data.getvalue()


def _ready(pipe: IO[bytes], event: int, until: float | None) -> None:
    left = None if until is None else max(0.0, until - time.monotonic()) * 1000
    poll = select.poll()
    poll.register(pipe, event)
    if not poll.poll(left):
        raise TimeoutError


class _Child:
    """The process, as this side sees it."""

    def __init__(self) -> None:
        """Start it. Raises OSError."""
        self._started = threading.Event()
        self._process: subprocess.Popen[bytes] | OSError
        # Linux kills it when the *thread* that started it ends, which may be long before this process does.
        self._keeper = threading.Thread(target=self._keep, daemon=True, name="memory-process")
        self._keeper.start()
        self._started.wait()
        if isinstance(self._process, OSError):
            raise self._process
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._pipes = self._process.stdout, self._process.stdin
        for pipe in self._pipes:
            os.set_blocking(pipe.fileno(), False)
        self.link = Link(*self._pipes)

    def kill(self) -> None:
        """Kill it and what it started, where it is not dead, and wait until it is."""
        assert isinstance(self._process, subprocess.Popen)
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._keeper.join()

    def hang_up(self) -> None:
        """Close the pipes; nothing is to be sent or received any more."""
        for pipe in self._pipes:
            pipe.close()

    def ended(self, *, patience: float) -> str:
        """Return how it ended; one that hung up and did not end within `patience` seconds is killed."""
        assert isinstance(self._process, subprocess.Popen)
        self._keeper.join(patience)
        self.kill()
        code = self._process.returncode
        if code >= 0:
            return f"ended with exit code {code}"
        return f"was killed by {signal.Signals(-code).name}"

    def _keep(self) -> None:
        try:
            self._process = _spawned()
        except OSError as error:
            self._process = error
            return
        finally:
            self._started.set()
        self._process.wait()


def _spawned() -> subprocess.Popen[bytes]:
    """Start this module in an interpreter that finds what this one finds."""
    path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", __spec__.name, str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,
    )


class _Host:
    """The child's side: one knowledge base, which does what it is told until nobody is there to tell it."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._turn = threading.Lock()
        self._busy = False
        self._base: LocalBase

    def serve(self) -> None:
        """Answer every request in turn. Raises EOFError, OSError when the parent is no more."""
        operations: dict[str, Callable[..., tuple[JSON, bytes]]] = {
            "__init__": self._open,
            "write": self._write,
            "read": self._read,
            "snapshot": self._dump,
        }
        self._link.send({})
        while True:
            request, blob = self._link.receive()
            with self._turn:
                self._busy = True
            reply: dict[str, JSON]
            try:
                value, data = operations[request.pop("do")](blob, **request)
                reply = {"value": value}
            except Exception as error:  # the program's own is a ProgramFailed that says where
                said = str(error) if isinstance(error, ProgramFailed) else f"the program failed with {error!r}"
                reply, data = {"failed": said}, b""
            with self._turn:  # a thread of the program's that is asking has its answer first
                self._busy = False
                self._link.send(reply, data)

    def answers(self, kind: str, request: JSON) -> JSON:
        """Have the parent answer what the program asks. Raises RuntimeError with the parent's reason."""
        with self._turn:
            if not self._busy:
                raise RuntimeError("the operation is over")
            self._link.send({"ask": kind, "request": request})
            reply, _ = self._link.receive()
        if "error" in reply:
            raise RuntimeError(reply["error"])
        value: JSON = reply["value"]
        return value

    def _open(self, given: bytes) -> tuple[JSON, bytes]:
        harness, snapshot = pickle.loads(given)
        self._base = LocalBase(harness, self.answers, snapshot=snapshot)
        return None, b""

    def _write(self, _: bytes, item: Mapping[str, JSON], text: str) -> tuple[JSON, bytes]:
        self._base.write(item, text)
        return None, b""

    def _read(self, _: bytes, query: Mapping[str, JSON]) -> tuple[JSON, bytes]:
        return self._base.read(query), b""

    def _dump(self, _: bytes) -> tuple[JSON, bytes]:
        return None, self._base.dump() or b""


def _confine(parent: int) -> None:
    """End with the parent, leave no core file, and take no more than so much memory."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before that
            raise SystemExit(0)
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        used = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmData:"))
        ceiling = (used << 10) + (MEMORY_MB << 20)
        resource.setrlimit(resource.RLIMIT_DATA, (ceiling, ceiling))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Serve the process that started this one over what are standard input and output to it, and to nobody else."""
    link = Link(os.fdopen(os.dup(0), "rb", buffering=0), os.fdopen(os.dup(1), "wb", buffering=0))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    _confine(int(sys.argv[1]))
    code = 1
    try:
        _Host(link).serve()
    except (EOFError, OSError):
        code = 0
    finally:
        os._exit(code)  # threads of the program's do not keep it


if __name__ == "__main__":
    main()
