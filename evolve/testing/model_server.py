"""A model provider on this machine: it speaks the APIs of OpenAI and Anthropic, and a script says the model's words.

For tests of everything that talks to models, through the real SDKs and without a network. Streaming is not spoken.
"""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self, TypeAlias

from evolve.testing import dialects
from evolve.testing.dialects import PARAMETERS, PATHS, Api, Asked, BadRequest, Billed, Said, Turn
from evolve.testing.faults import Faults, Storm
from evolve.types import JSON

__all__ = ["Arrival", "Asked", "Billed", "Faults", "ModelServer", "Said", "Script", "Turn", "Unscripted"]

Script: TypeAlias = Callable[[Asked], "str | Said"]
"""Says a model's words. Called from many threads; equal requests should be given equal words."""
End: TypeAlias = Literal[
    "answered", "cut", "limited", "broken", "timeout", "down", "denied", "missing", "refused", "unscripted"
]
"""How the server ended a request: with the words, with a part of them, with a fault of the storm, with nothing while it
was down, with 401, 404 or 400 as it was told to, or with 400 because the script had no words."""
CACHE_BLOCK = 512
"""Characters: what equal prompts share is found in the prompt cache in blocks of so many, as with OpenAI."""
CACHE_LEAST = 4096
"""Characters of the shortest prompt that is kept in the prompt cache: 1024 tokens."""


class Unscripted(Exception):
    """Raised by a script that has no words for a request; the test must fail for it."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request that reached the server."""

    at: float
    """When, on the monotonic clock."""
    asked: Asked | None
    """None where it could not be read, or was not read because the server was down."""
    end: End
    words: str = ""
    """What the model said, or why it did not."""
    billed: Billed | None = None
    """None where nothing was generated."""


class ModelServer:
    """Serves on a free port of the loopback until it is closed; use it as a context.

    `key`, where given, is the only one that is accepted (else 401). `models`, where given, are the only ones that exist
    (else 404). `refuses` names what the model does not take (400): of `PARAMETERS`, "schema" is for a server without
    JSON mode. `latency` is the seconds that every answer takes. All of them may be set again while the server runs.
    """

    def __init__(
        self,
        script: Script,
        faults: Faults | None = None,
        *,
        key: str | None = None,
        models: Collection[str] | None = None,
        refuses: Collection[str] = (),
        latency: float = 0.0,
    ) -> None:
        unknown = set(refuses) - PARAMETERS.keys()
        if unknown:
            raise ValueError(f"refuses = {sorted(unknown)}: expected some of {', '.join(PARAMETERS)}.")
        self.script = script
        self.key = key
        self.models = models
        self.refuses = refuses
        self.latency = latency
        self.storm = Storm(faults) if faults is not None else None
        self._lock = threading.Lock()
        self._arrivals: list[Arrival] = []
        self._problems: list[str] = []
        self._cache: set[str] = set()
        self._down_until = 0.0
        self._closed = threading.Event()
        self._http = _Http(self)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._stop()
        if kind is None:
            self._complain()

    @property
    def address(self) -> str:
        """`http://127.0.0.1:PORT`: the `base_url` of an Anthropic model."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def openai(self) -> str:
        """`http://127.0.0.1:PORT/v1`: the `base_url` of an OpenAI model."""
        return f"{self.address}/v1"

    @property
    def arrivals(self) -> tuple[Arrival, ...]:
        """Every request so far, in the order in which the server was done with them."""
        with self._lock:
            return tuple(self._arrivals)

    @property
    def ends(self) -> Counter[str]:
        """How many requests ended which way."""
        return Counter(arrival.end for arrival in self.arrivals)

    def usd(self, *, input: float, output: float, cached: float | None = None, written: float | None = None) -> float:
        """Return what all answers together cost at these prices, dollars for a million tokens."""
        bills = [arrival.billed for arrival in self.arrivals if arrival.billed is not None]
        read, kept = sum(bill.cached for bill in bills), sum(bill.written for bill in bills)
        plain = sum(bill.input for bill in bills) - read - kept
        rest = read * (input if cached is None else cached) + kept * (input if written is None else written)
        return (plain * input + rest + sum(bill.output for bill in bills) * output) / 1e6

    def go_down(self, seconds: float) -> None:
        """Break every connection, without an answer, from now on for so many seconds."""
        with self._lock:
            self._down_until = time.monotonic() + seconds

    def close(self) -> None:
        """Stop; raises AssertionError if the script had no words for a request, or failed."""
        self._stop()
        self._complain()

    def _stop(self) -> None:
        if not self._closed.is_set():
            self._closed.set()
            self._http.shutdown()
            self._http.server_close()
            self._http.hang_up()
            self._thread.join()

    def _complain(self) -> None:
        with self._lock:
            problems = list(self._problems)
        if problems:
            raise AssertionError(f"{len(problems)} requests went wrong in the model server; the first: {problems[0]}")

    def _answer(self, exchange: _Exchange, raw: bytes) -> None:
        """Answer one request, and remember it."""
        at = time.monotonic()
        with self._lock:
            down = at < self._down_until
        if down:
            self._remember(Arrival(at, None, "down"))
            exchange.hang_up()
            return
        path = exchange.path.partition("?")[0]
        if path not in PATHS:
            self._unscripted(exchange, at, "chat", None, f"the server has no {path}; it has {', '.join(PATHS)}")
            return
        api = PATHS[path]
        try:
            asked = dialects.read_body(api, json.loads(raw))
        except (BadRequest, LookupError, TypeError, ValueError) as error:
            wrong = error if isinstance(error, BadRequest) else BadRequest(f"unreadable body: {error!r}")
            self._unscripted(exchange, at, api, None, wrong.message, wrong.parameter)
            return
        if not self._turned_away(exchange, at, asked) and not self._struck(exchange, at, asked, raw):
            self._speak(exchange, at, asked)

    def _turned_away(self, exchange: _Exchange, at: float, asked: Asked) -> bool:
        """Refuse what this provider does not know or does not take."""
        headers = exchange.headers
        key = headers.get("x-api-key") or (headers.get("Authorization") or "").removeprefix("Bearer ")
        status, end, words, where = 0, "answered", "", None
        if self.key is not None and key != self.key:
            status, end, words = 401, "denied", "Incorrect API key provided."
        elif self.models is not None and asked.model not in self.models:
            status, end, words = 404, "missing", f"The model `{asked.model}` does not exist."
        else:
            refused = next((name for name in self.refuses if dialects.parameter(asked.body, name)), None)
            if refused is not None:
                where = dialects.parameter(asked.body, refused)
                status, end, words = 400, "refused", f"Unsupported parameter: '{where}' is not supported."
        if not status:
            return False
        self._remember(Arrival(at, asked, end, words))  # type: ignore[arg-type]
        exchange.send(status, dialects.error(asked.api, status, words, where))
        return True

    def _struck(self, exchange: _Exchange, at: float, asked: Asked, raw: bytes) -> bool:
        """Let the storm have the request; False where it may pass."""
        if self.storm is None:
            return False
        fault, wait = self.storm.strike(_digest(raw))
        if fault == "":
            return False
        if fault == "cut":
            self._speak(exchange, at, asked, whole=False)
            return True
        self._remember(Arrival(at, asked, fault))
        if fault == "limited":
            words = f"Rate limit reached for {asked.model}. Please try again in {wait:.3f}s."
            exchange.send(429, dialects.error(asked.api, 429, words), {"Retry-After": f"{wait:.3f}"})
        elif fault == "broken":
            exchange.send(500, dialects.error(asked.api, 500, "The server had an error while processing your request."))
        else:
            self._closed.wait(self.storm.faults.hold)
            exchange.hang_up()
        return True

    def _speak(self, exchange: _Exchange, at: float, asked: Asked, *, whole: bool = True) -> None:
        if asked.api == "embeddings":
            said = Said("")
        else:
            try:
                words = self.script(asked)
            except Unscripted as error:
                self._unscripted(exchange, at, asked.api, asked, f"unscripted: {error}")
                return
            except Exception as error:
                self._unscripted(exchange, at, asked.api, asked, f"the script failed: {error!r}")
                return
            said = Said(words) if isinstance(words, str) else words
        billed = self._bill(asked, said)
        if self.latency:
            self._closed.wait(self.latency)
        self._remember(Arrival(at, asked, "answered" if whole else "cut", said.text, billed))
        number = len(self.arrivals)
        body = (
            dialects.embed_reply(asked, billed)
            if asked.api == "embeddings"
            else dialects.reply(asked, said, billed=billed, number=number)
        )
        exchange.send(200, body, whole=whole)

    def _bill(self, asked: Asked, said: Said) -> Billed:
        """Count the tokens, of the prompt also those that the prompt cache has or is given."""
        prompt = "".join([asked.system, *(turn.text for turn in asked.messages)])
        output = 0 if asked.api == "embeddings" else dialects.shorten(said, asked.max_tokens)[1]
        whole = dialects.tokens(prompt)
        if asked.api == "messages":
            kept = _marked(asked.body)
            share = dialects.tokens(kept)
            if len(kept) < CACHE_LEAST:
                return Billed(whole, 0, 0, output)
            known = self._cached(asked.model, [kept])
            return Billed(whole, share, 0, output) if known else Billed(whole, 0, share, output)
        blocks = range(CACHE_LEAST, len(prompt) + 1, CACHE_BLOCK)
        known = self._cached(asked.model, [prompt[:end] for end in blocks])
        cached = CACHE_LEAST + (known - 1) * CACHE_BLOCK if known else 0
        return Billed(whole, cached // 4, 0, output)

    def _cached(self, model: str, prefixes: list[str]) -> int:
        """Return how many of the prefixes, each longer than the one before, were seen; from now on all of them are."""
        digests = [_digest(f"{model}:{prefix}".encode()) for prefix in prefixes]
        with self._lock:
            known = sum(digest in self._cache for digest in digests)
            self._cache.update(digests)
        return known

    def _remember(self, arrival: Arrival) -> None:
        with self._lock:
            self._arrivals.append(arrival)

    def _unscripted(
        self, exchange: _Exchange, at: float, api: Api, asked: Asked | None, words: str, where: str | None = None
    ) -> None:
        shown = f"{words} ({exchange.path}: {asked.text[:200]!r})" if asked else f"{words} ({exchange.path})"
        with self._lock:
            self._problems.append(shown)
        self._remember(Arrival(at, asked, "unscripted", words))
        exchange.send(400, dialects.error(api, 400, words, where))


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def _marked(body: Mapping[str, Any]) -> str:
    """Return the prompt of an Anthropic request up to its last cache breakpoint; "" where it has none."""
    parts: list[tuple[str, bool]] = []
    for content in [body.get("system") or "", *(turn["content"] for turn in body["messages"])]:
        if isinstance(content, str):
            parts.append((content, False))
        else:
            parts.extend((part["text"], "cache_control" in part) for part in content)
    last = max((number for number, (_, marked) in enumerate(parts, start=1) if marked), default=0)
    return "".join(text for text, _ in parts[:last])


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, server: ModelServer) -> None:
        self.model_server = server
        self.open_sockets: set[socket.socket] = set()
        self.sockets_lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Exchange)

    def hang_up(self) -> None:
        """Break the connections that clients keep open."""
        with self.sockets_lock:
            for connection in self.open_sockets:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that went away is no error here, and a failing script is remembered elsewhere."""


class _Exchange(BaseHTTPRequestHandler):
    """One connection of a client, for as many requests as it likes."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http

    def setup(self) -> None:
        super().setup()
        with self.server.sockets_lock:
            self.server.open_sockets.add(self.connection)

    def finish(self) -> None:
        with self.server.sockets_lock:
            self.server.open_sockets.discard(self.connection)
        super().finish()

    def do_POST(self) -> None:
        """Hand the request to the server that this connection belongs to."""
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        if len(raw) < length:  # whoever asked was killed in the middle of its request
            self.close_connection = True
            return
        with suppress(ConnectionError):
            self.server.model_server._answer(self, raw)

    def do_GET(self) -> None:
        """Refuse as a path that is not known: nothing here is asked for with GET."""
        self.do_POST()

    def send(
        self,
        status: int,
        body: Mapping[str, JSON],
        headers: Mapping[str, str] | None = None,
        *,
        whole: bool = True,
    ) -> None:
        """Send an answer; one that is not whole breaks off in the middle of its body."""
        raw = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw if whole else raw[: len(raw) // 2])
        if not whole:
            self.hang_up()

    def hang_up(self) -> None:
        """Break the connection."""
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""
