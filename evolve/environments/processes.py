"""Environments in processes of their own: lent for one play, kept for the next, killed where they do not answer."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Literal

from evolve.environments.base import Environment, Turn
from evolve.errors import EnvironmentFault
from evolve.paths import PACKAGE
from evolve.types import JSON

SECONDS = 30.0
"""A game that needs longer for one command is killed."""
MOST_PLAYS = 32
"""Plays of one worker at a time; a process takes about 12 MB."""
READ_BYTES = 1 << 16
_HOUSEHOLD = "from evolve.environments import household, serving; serving.serve(household.World)"


def household_command() -> list[str]:
    """Return the command of a process that plays games of `evolve.environments.household`."""
    where = str(PACKAGE.parent)
    return [sys.executable, "-I", "-c", f"import sys; sys.path[:0] = [{where!r}]; {_HOUSEHOLD}"]


class ProcessEnvironments:
    """Implements `Environments` by a pool of equal processes that `evolve.environments.serving` runs in."""

    def __init__(
        self,
        command: list[str],
        *,
        steps: int,
        reads: Literal["episode", "step"] = "episode",
        seconds: float = SECONDS,
        most: int = MOST_PLAYS,
    ) -> None:
        self.steps = steps
        self.reads = reads
        self._command, self._seconds = command, seconds
        self._free = threading.BoundedSemaphore(most)
        self._turn = threading.Lock()
        self._idle: list[GameProcess] = []
        self._lent: set[GameProcess] = set()
        self._closed = False

    @contextlib.contextmanager
    def play(self) -> Iterator[Environment]:
        """Lend a process; it starts when its game does."""
        with self._free:
            with self._turn:
                if self._closed:
                    raise EnvironmentFault("the environments are closed: no game can be started any more.")
                lent = self._idle.pop() if self._idle else GameProcess(self._command, seconds=self._seconds)
                self._lent.add(lent)
            try:
                yield lent
            finally:
                with self._turn:
                    self._lent.discard(lent)
                    if self._closed:
                        lent.close()
                    else:
                        self._idle.append(lent)

    def close(self) -> None:
        """Kill every process, also those that play."""
        with self._turn:
            self._closed = True
            for process in self._idle:
                process.close()
            self._idle.clear()
            for process in self._lent:
                process.kill()  # whoever plays hears of it, and what is returned then is closed


class GameProcess:
    """One process, started when it is first needed and again after a fault; plays one game at a time."""

    def __init__(self, command: list[str], *, seconds: float = SECONDS) -> None:
        self._command, self._seconds = command, seconds
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, details: Mapping[str, JSON]) -> Turn:
        """See `Environment.start`; a game in which nothing can be done is a fault, and so never won."""
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = self._launch()
        turn = self._ask({"start": dict(details)})
        if not turn.commands:
            raise EnvironmentFault("the game offers no command at all: it cannot be played.")
        return turn

    def step(self, command: str) -> Turn:
        """See `Environment.step`."""
        return self._ask({"step": command})

    def kill(self) -> None:
        """Kill the process with everything that it started; may be called while another thread waits for an answer."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Kill the process and let go of it; does nothing where there is none."""
        self.kill()
        process, self._process = self._process, None
        if process is None:
            return
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()

    def _launch(self) -> subprocess.Popen[bytes]:
        try:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            raise EnvironmentFault(f"the game's process could not be started: {error}") from None
        assert process.stdin is not None
        os.set_blocking(process.stdin.fileno(), False)
        return process

    def _ask(self, asked: dict[str, JSON]) -> Turn:
        process = self._process
        if process is None:
            raise EnvironmentFault("the game was closed before its command was done.")
        try:
            answer = json.loads(_exchange(process, json.dumps(asked).encode() + b"\n", self._seconds))
        except TimeoutError:
            self.close()
            raise EnvironmentFault(f"the game did not answer within {self._seconds:g} s and was killed.") from None
        except (OSError, ValueError) as error:
            self.close()
            raise EnvironmentFault(f"the game's process ended in the middle of a command: {error}") from None
        if "error" in answer:
            raise EnvironmentFault(f"the game failed: {answer['error']}")
        return Turn(answer["observation"], tuple(answer["commands"]), won=answer["won"], over=answer["over"])


def _exchange(process: subprocess.Popen[bytes], request: bytes, seconds: float) -> bytes:
    """Send a line and return the line that answers it.

    Raises TimeoutError, and OSError or ValueError where the process has ended or was closed by another thread.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    until, answer = time.monotonic() + seconds, b""
    left = memoryview(request)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        selector.register(process.stdin, selectors.EVENT_WRITE)
        while not answer.endswith(b"\n"):
            if (waiting := until - time.monotonic()) <= 0:
                raise TimeoutError
            for key, _ in selector.select(waiting):
                if key.fileobj is process.stdin:
                    left = left[os.write(process.stdin.fileno(), left) :]
                    if not left:
                        selector.unregister(process.stdin)
                    continue
                came = os.read(process.stdout.fileno(), READ_BYTES)
                if not came:
                    raise BrokenPipeError("it closed its output")
                answer += came
    return answer
