"""A provider on the loopback: it answers what a test scripts, in order, and keeps what it was asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass(frozen=True)
class Scripted:
    """One answer. `cut` announces the whole body and sends half of it."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    wait: float = 0.0


@dataclass(frozen=True)
class Asked:
    """One request."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Loopback(ThreadingHTTPServer):
    """The provider. A call that nobody scripted is answered with 418, which no code of ours takes for good."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[Scripted] = []
        self.asked: list[Asked] = []
        self.lock = threading.Lock()
        self.rule: Any = None

    @property
    def url(self) -> str:
        """Where it listens, without a path."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def will(self, body: Any, status: int = 200, **more: Any) -> None:
        """Append an answer to the script."""
        self.script.append(Scripted(body, status, **more))

    def answer(self, asked: Asked) -> Scripted:
        """Take the next of the script, or ask the rule."""
        with self.lock:
            self.asked.append(asked)
            if self.rule is not None:
                body, status = self.rule(asked)
                return Scripted(body, status)
            return self.script.pop(0) if self.script else Scripted("nobody scripted this call", 418)


class Handler(BaseHTTPRequestHandler):
    """Speaks HTTP for `Loopback`."""

    protocol_version = "HTTP/1.1"
    server: Loopback

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        reply = self.server.answer(Asked(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        time.sleep(reply.wait)
        data = (reply.body if isinstance(reply.body, str) else json.dumps(reply.body)).encode()
        self.send_response(reply.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if reply.cut else data)
        if reply.cut:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server() -> Iterator[Loopback]:
    """A provider of the test's own."""
    with Loopback() as loopback:
        thread = threading.Thread(target=loopback.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield loopback
        loopback.shutdown()


@pytest.fixture
def notes() -> list[str]:
    """Where a provider's notes are collected."""
    return []
