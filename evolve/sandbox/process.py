"""The sandbox without an engine: a child process with limits, an empty environment, and bubblewrap where it works."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import sysconfig
from functools import cache
from pathlib import Path

import psutil

from evolve.config import Limits
from evolve.errors import SandboxError
from evolve.paths import sandboxes_dir
from evolve.sandbox.box import Box
from evolve.sandbox.pool import WarmPool

READY_SECONDS = 60.0
READ_BYTES = 1 << 16
STDERR_CHARS = 300


class ProcessSandbox:
    """Boxes that are child processes of this one."""

    name = "process"

    def __init__(self, limits: Limits, *, warm: int = 1) -> None:
        self._limits = limits
        self._pool = WarmPool(self._launch, READY_SECONDS, warm)

    def start(self) -> Box:
        """Return a warm box; see `Sandbox.start`."""
        return self._pool.take()

    def describe(self) -> str:
        """Say which protections this machine lacks."""
        if bubblewrap_works():
            return "process with bubblewrap: no network, only Python's own files can be read; no cap on total memory"
        return (
            "process: time, memory and file-size limits only; a program can read your files and use the network "
            "(install bubblewrap or Docker)"
        )

    def close(self) -> None:
        """End the warm boxes."""
        self._pool.close()

    def _launch(self) -> Box:
        runner = sandboxes_dir().resolve() / "runner.py"
        command = [sys.executable, "-I", str(runner), self._limits.model_dump_json()]
        if bubblewrap_works():
            command = [*_bubblewrap(runner.parent, self._limits.scratch_mb), *command]
        return Box(ProcessTransport(command), self._limits)


class ProcessTransport:
    """A runner as a child process, spoken to over its pipes."""

    def __init__(self, command: list[str]) -> None:
        # One thread each for numpy's and the tokenizer's pools: they do not survive a fork, and results stay equal.
        environment = {"TOKENIZERS_PARALLELISM": "false", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd="/",
                env=environment,
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            raise SandboxError(f"the sandbox process could not be started: {error}") from None
        self._how: str | None = None

    def send(self, data: bytes) -> None:
        """Write all of it to the runner."""
        assert self._process.stdin is not None
        view = memoryview(data)
        try:
            while view:
                view = view[self._process.stdin.write(view) :]
        except ValueError as closed:  # what Python's files raise where sockets raise an OSError
            raise BrokenPipeError(str(closed)) from None

    def receive(self) -> bytes:
        """Block for the runner's next bytes."""
        assert self._process.stdout is not None
        return os.read(self._process.stdout.fileno(), READ_BYTES)

    def kill(self) -> str:
        """Kill the whole tree, the runner last: orphans become the runner's children, so none is lost on the way."""
        if self._how is not None:
            return self._how
        self._how = "killed" if self._process.poll() is None else f"exit status {self._process.returncode}"
        with contextlib.suppress(psutil.NoSuchProcess):
            runner = psutil.Process(self._process.pid)
            while below := [p for p in runner.children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE]:
                for process in below:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.kill()
                psutil.wait_procs(below, timeout=0.2)
        self._process.kill()
        self._process.wait()
        assert self._process.stderr is not None
        words = self._process.stderr.read().decode("utf-8", "replace").strip()[-STDERR_CHARS:]
        if words and self._how != "killed":
            self._how += f": {words.splitlines()[-1]}"
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        return self._how


def _bubblewrap(runner_folder: Path, scratch_mb: int) -> list[str]:
    """No network, no other process in sight, and nothing to read but the system's libraries, Python and the runner."""
    readable = ["/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/alternatives"]
    readable += [sys.prefix, sys.base_prefix, sysconfig.get_path("purelib"), str(runner_folder)]
    readable += [str(Path(sys.executable).resolve().parents[1])]
    binds = [part for path in dict.fromkeys(readable) for part in ("--ro-bind-try", path, path)]
    command = ["bwrap", "--unshare-all", "--as-pid-1", "--die-with-parent", "--new-session", "--clearenv"]
    command += ["--uid", "65534", "--gid", "65534", "--cap-drop", "ALL"]
    # /tmp before the binds: a virtual environment may itself be below it.
    command += ["--proc", "/proc", "--dev", "/dev", "--size", str(scratch_mb << 20), "--tmpfs", "/tmp", *binds]
    command += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp"]
    for name, value in (("HOME", "/tmp"), ("TOKENIZERS_PARALLELISM", "false"), ("OPENBLAS_NUM_THREADS", "1")):
        command += ["--setenv", name, value]
    return [*command, "--"]


@cache
def bubblewrap_works() -> bool:
    """True where bubblewrap is installed and the kernel lets us use it; asked once."""
    if shutil.which("bwrap") is None:
        return False
    probe = [*_bubblewrap(sandboxes_dir().resolve(), 1), sys.executable, "-I", "-c", ""]
    return subprocess.run(probe, capture_output=True, check=False, timeout=20).returncode == 0
