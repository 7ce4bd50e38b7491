"""Inside the sandbox: relays frames between the worker (stdin, stdout) and one forked process per scope.

The parent never runs a line of the program, never parses what a scope says, and passes it on tagged with a channel
number that the scope cannot choose. It ends when stdin ends, and takes every process below it along. Never imports
evolve.
"""

import contextlib
import ctypes
import gc
import json
import os
import selectors
import signal
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # `python -I` leaves the script's folder out

VERSION = 1
HEADER = struct.Struct("!IH")
LENGTH = struct.Struct("!I")
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 36, 38
CAPABILITY_VERSION = 0x20080522
TICK_SECONDS = 0.5
SLICE = 1 << 16


def prctl(option, value):
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def drop_capabilities():
    """Even root, which a sandbox without an engine may be, must not trace the runner or open its files."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    header, none = struct.pack("Ii", CAPABILITY_VERSION, 0), struct.pack("6I", *(0,) * 6)
    if ctypes.CDLL(None, use_errno=True).capset(header, none) != 0:
        os._exit(1)


def oom_kills():
    """How many processes the kernel killed for memory in this cgroup; None where that cannot be read."""
    for path in ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"):
        with contextlib.suppress(OSError), open(path) as file:
            for line in file:
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return None


class Scope:
    """The parent's end of one scope's process."""

    def __init__(self, pid, link):
        self.channel = None
        self.pid = pid
        self.link = link
        self.outgoing = bytearray()
        self.incoming = bytearray()


class Runner:
    """The parent: a select loop over stdin and the links to the scopes."""

    def __init__(self, limits):
        self.limits = limits
        self.stdin = os.dup(0)
        self.stdout = os.dup(1)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        self.scopes = {}
        self.from_worker = bytearray()
        self.selector = selectors.DefaultSelector()
        self.ooms = oom_kills()
        self.spare = None

    def say(self, channel, payload):
        data = HEADER.pack(len(payload), channel) + payload
        while data:
            data = data[os.write(self.stdout, data) :]

    def event(self, **fields):
        self.say(0, json.dumps(fields).encode())

    def run(self):
        os.set_blocking(self.stdin, True)
        self.selector.register(self.stdin, selectors.EVENT_READ, None)
        self.spare = self.fork(warm=True)
        self.event(event="ready", version=VERSION)
        while True:
            for key, mask in self.selector.select(TICK_SECONDS):
                if key.data is None:
                    data = os.read(self.stdin, SLICE)
                    if not data:
                        return
                    self.hear_worker(data)
                elif key.data is self.spare or key.data.channel in self.scopes:
                    self.serve(key.data, mask)
            self.sweep()

    def hear_worker(self, data):
        self.from_worker += data
        while len(self.from_worker) >= HEADER.size:
            length, channel = HEADER.unpack_from(self.from_worker)
            end = HEADER.size + length
            if len(self.from_worker) < end:
                return
            payload = bytes(self.from_worker[HEADER.size : end])
            del self.from_worker[:end]
            scope = self.scopes.get(channel)
            if not payload:
                if scope is not None:
                    self.end(scope, "ended")
                continue
            if scope is None:
                scope = self.open(channel)
            scope.outgoing += LENGTH.pack(len(payload)) + payload
            self.watch(scope)

    def open(self, channel):
        """The first scope takes the process that has a chromadb client; the others make theirs when they need it."""
        scope, self.spare = self.spare or self.fork(warm=False), None
        scope.channel = channel
        self.scopes[channel] = scope
        return scope

    def fork(self, warm):
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            try:
                ours.close()
                self.become_scope(theirs, warm)
            finally:
                os._exit(0)
        theirs.close()
        ours.setblocking(False)
        scope = Scope(pid, ours)
        self.selector.register(ours, selectors.EVENT_READ, scope)
        return scope

    def become_scope(self, link, warm):
        for other in (*self.scopes.values(), *filter(None, [self.spare])):
            other.link.close()
        self.selector.close()
        os.close(self.stdin)
        os.close(self.stdout)
        os.setsid()
        drop_capabilities()
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")  # the kernel takes a scope before it takes the runner
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 2)
        import program_host

        program_host.serve(link, self.limits, warm)

    def watch(self, scope):
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if scope.outgoing else 0)
        self.selector.modify(scope.link, wanted, scope)

    def serve(self, scope, mask):
        try:
            if mask & selectors.EVENT_WRITE:
                del scope.outgoing[: scope.link.send(scope.outgoing)]
                self.watch(scope)
            if mask & selectors.EVENT_READ:
                data = scope.link.recv(SLICE)
                if not data:
                    self.end(scope, "died")
                    return
                scope.incoming += data
                self.relay(scope)
        except BlockingIOError:
            return
        except ConnectionError:
            self.end(scope, "died")

    def relay(self, scope):
        while len(scope.incoming) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(scope.incoming)
            if length > self.limits["frame_bytes"]:
                self.end(scope, "oversized")
                return
            end = LENGTH.size + length
            if len(scope.incoming) < end:
                return
            self.say(scope.channel, bytes(scope.incoming[LENGTH.size : end]))
            del scope.incoming[:end]

    def end(self, scope, cause):
        """Kill what the scope started, and tell the worker how it ended."""
        self.scopes.pop(scope.channel, None)
        self.selector.unregister(scope.link)
        scope.link.close()
        status = None
        if cause == "died":  # its link closed: it has exited or is about to; the true status says how
            status = reap(scope.pid, seconds=1.0)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(scope.pid, signal.SIGKILL)
        if status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(scope.pid, signal.SIGKILL)
            status = reap(scope.pid, seconds=5.0)
        ooms = oom_kills()
        out_of_memory = cause == "died" and ooms is not None and self.ooms is not None and ooms > self.ooms
        self.ooms = ooms
        self.sweep()
        if scope is self.spare:
            self.spare = None  # it died before anybody used it; the next scope gets a process of its own
            return
        self.event(event="exit", channel=scope.channel, cause="memory" if out_of_memory else cause, status=status)

    def sweep(self):
        """Kill the processes that a program left behind: they become our children, but are no scope of ours."""
        known = {scope.pid for scope in (*self.scopes.values(), *filter(None, [self.spare]))}
        for pid in children_of(os.getpid()):
            if pid not in known:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                reap(pid, seconds=1.0)

    def close(self):
        """Leave nothing: kill everything below us until nothing is left."""
        for _ in range(100):
            below = children_of(os.getpid())
            if not below:
                return
            for pid in below:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for pid in below:
                reap(pid, seconds=0.5)


def children_of(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]
    return []


def reap(pid, seconds):
    """Return the wait status, or None where it has not exited in time or is not ours."""
    end = time.monotonic() + seconds
    while True:
        try:
            done, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            return None
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            return None
        time.sleep(0.002)


def main():
    limits = json.loads(sys.argv[1])
    prctl(PR_SET_DUMPABLE, 0)  # no scope can trace the runner or open its files through /proc
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    runner = Runner(limits)
    gc.disable()  # it would look a dozen times through what is only being imported
    import program_host  # noqa: F401  (imported before the forks, shared by all of them)
    import toolkit

    toolkit.preload()
    gc.collect()
    gc.freeze()  # keeps the collector from touching, and so copying, the pages shared with the forks
    gc.enable()
    try:
        runner.run()
    finally:
        runner.close()


if __name__ == "__main__":
    main()
