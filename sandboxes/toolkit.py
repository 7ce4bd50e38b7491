"""The toolkit that a memory program is given, as it runs inside the sandbox.

Imports the standard library, numpy, chromadb and wordllama, never evolve. Nothing here opens a network connection or
writes a file: both stores live in memory, and the embedding weights are read from the installed wordllama wheel.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

# Children are forked after `preload`; a tokenizer's thread pool would not survive that.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

DIMENSIONS = 256
"""Length of an embedding by the packaged weights (wordllama `l2_supercat`, Model2Vec-like mean of token vectors)."""

SEARCH_EF = 2000
"""Candidates that a chromadb search keeps. Its graph is built at random: at the default of 100, 2 in 158 queries over
675 texts differed from one build to the next; at 1,000 none did, at no measurable cost in time."""


def preload() -> None:
    """Import and load what every toolkit needs, once, before the runner forks its children (about one second)."""
    # The last two a client would import when it is made, in every child anew. Neither starts a thread.
    import chromadb
    import chromadb.api.rust
    import chromadb.telemetry.product.posthog  # noqa: F401

    _settings()
    _weights()


class Toolkit:
    """What `KnowledgeBase.__init__` receives.

    `call_llm(messages, kwargs)` returns the text of a completion, `log(message)` takes a line, and `call_embed(texts)`
    returns one vector a text from a provider's model; without it the packaged weights are used. What they raise passes
    through to the program.
    """

    def __init__(
        self,
        *,
        call_llm: Callable[[list[dict[str, Any]], dict[str, Any]], str],
        log: Callable[[str], None],
        call_embed: Callable[[list[str]], Sequence[Sequence[float]]] | None = None,
    ) -> None:
        # `read` may be called from several threads; SQLite itself takes turns (it is built in serialized mode).
        self.db = sqlite3.connect(":memory:", check_same_thread=False)
        self.logger = Logger(log)
        self._call_llm = call_llm
        self._call_embed = call_embed
        self._dimensions = DIMENSIONS
        self._chroma: Any = None
        self._lock = threading.Lock()

    @property
    def chroma(self) -> Any:
        """A chromadb client of this toolkit's own, made at first use; collections embed with `embed` by default."""
        with self._lock:
            if self._chroma is None:
                self._chroma = _Chroma(self.embed)
            return self._chroma

    def llm_completion(self, messages: list[dict[str, Any]], **kwargs: Any) -> str:
        """Return the completion of chat messages (`role`, `content`); one call per write or read by default."""
        return self._call_llm(messages, kwargs)

    def close(self) -> None:
        """Let go of what both stores hold."""
        with self._lock:
            self.db.close()
            if self._chroma is not None:
                self._chroma.stop()

    def embed_with(self, call_embed: Callable[[list[str]], Sequence[Sequence[float]]]) -> None:
        """Embed by a provider's model from now on, not by the packaged weights."""
        self._call_embed = call_embed

    def embed(self, texts: Sequence[str]) -> Any:
        """Return float32 rows of length one, shape (texts, dimensions); a provider's model has dimensions of its own.

        A text without tokens gets the first unit vector: a row of zeros would be equally far from every text, and a
        search for it would return a different tie each time.
        """
        import numpy as np

        listed = [texts] if isinstance(texts, str) else list(texts)
        if not listed:
            return np.zeros((0, self._dimensions), dtype=np.float32)
        rows = _embed(listed) if self._call_embed is None else self._provided(listed)
        rows[~rows.any(axis=1), 0] = 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def _provided(self, texts: list[str]) -> Any:
        """Return the provider's vectors; providers refuse a text without a word, which gets zeros."""
        import numpy as np

        filled = [index for index, text in enumerate(texts) if text.strip()]
        if not filled:
            return np.zeros((len(texts), self._dimensions), dtype=np.float32)
        assert self._call_embed is not None
        found = np.array(self._call_embed([texts[index] for index in filled]), dtype=np.float32)
        self._dimensions = found.shape[1]
        rows = np.zeros((len(texts), self._dimensions), dtype=np.float32)
        rows[filled] = found
        return rows


class Logger:
    """`toolkit.logger`: lines that the reflector may read."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log

    def debug(self, message: object) -> None:
        """Record one message."""
        self._log(str(message))


class _Chroma:
    """A chromadb client whose collections embed with the toolkit's function unless the program names another."""

    def __init__(self, embed: Callable[[Sequence[str]], Any]) -> None:
        self._client, self._system = _client()
        self._function = _embedding_function(embed)

    def stop(self) -> None:
        self._system.stop()

    def create_collection(self, name: str, *args: Any, **options: Any) -> Any:
        return self._client.create_collection(name, *args, **self._options(options))

    def get_or_create_collection(self, name: str, *args: Any, **options: Any) -> Any:
        return self._client.get_or_create_collection(name, *args, **self._options(options))

    def get_collection(self, name: str, **options: Any) -> Any:
        return self._client.get_collection(name, **{"embedding_function": self._function, **options})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def _options(self, options: dict[str, Any]) -> dict[str, Any]:
        options = {"embedding_function": self._function, **options}
        if "configuration" not in options:
            options["metadata"] = {"hnsw:search_ef": SEARCH_EF, **(options.get("metadata") or {})}
        return options


def _client() -> tuple[Any, Any]:
    """Return a client, and the system that holds its rows in memory until it is stopped.

    chromadb has all in-memory clients of a process share one system, which keeps megabytes of every collection, deleted
    or not. This one is made while that is not in chromadb's list, and is not left there either.
    """
    import chromadb
    from chromadb.api.shared_system_client import SharedSystemClient

    systems, counts = SharedSystemClient._identifier_to_system, SharedSystemClient._identifier_to_refcount
    # One lock for every copy of this module that a process may have loaded.
    with vars(chromadb).setdefault("_toolkit_lock", threading.Lock()):
        shared, users = systems.pop(_SHARED, None), counts.pop(_SHARED, None)
        try:
            client = chromadb.EphemeralClient(_settings())
            return client, systems.pop(_SHARED)
        finally:
            counts.pop(_SHARED, None)
            if shared is not None:
                systems[_SHARED], counts[_SHARED] = shared, users or 0


_SHARED = "ephemeral"
"""What chromadb calls the system of all in-memory clients."""


@cache
def _settings() -> Any:
    """Return the settings of every client; reading them takes chromadb as long as a dozen writes."""
    from chromadb.config import Settings

    return Settings(anonymized_telemetry=False, is_persistent=False)


def _embedding_function(embed: Callable[[Sequence[str]], Any]) -> Any:
    from chromadb import EmbeddingFunction

    class Embedding(EmbeddingFunction):  # type: ignore[type-arg]
        """The toolkit's `embed` in the shape that chromadb wants."""

        def __init__(self) -> None:
            """Take nothing, which chromadb insists on being told."""

        def __call__(self, input: list[str]) -> Any:
            return list(embed(input))

        @staticmethod
        def name() -> str:
            return "toolkit"

        def get_config(self) -> dict[str, Any]:
            return {}

        @staticmethod
        def build_from_config(config: dict[str, Any]) -> Any:
            return Embedding()

    return Embedding()


@cache
def _weights() -> Any:
    """Return wordllama's model from the files of its wheel, and leave the root logger as it was."""
    handlers = logging.root.handlers[:]
    level = logging.root.level
    import wordllama

    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    folder = Path(wordllama.__file__).parent
    return wordllama.WordLlama.load(dim=DIMENSIONS, cache_dir=folder, disable_download=True)


def _embed(texts: list[str]) -> Any:
    """Return the mean token vector of each text, shape (n, 256).

    Sums are made here, not by wordllama: it pads every batch to its longest text, which costs time and memory.
    """
    import numpy as np

    model = _weights()
    model.tokenizer.no_padding()
    ids = [encoding.ids for encoding in model.tokenizer.encode_batch(texts, add_special_tokens=False)]
    rows = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
    filled = [index for index, tokens in enumerate(ids) if tokens]
    if filled:
        lengths = [len(ids[index]) for index in filled]
        flat = np.clip(np.concatenate([ids[index] for index in filled]), 0, len(model.embedding) - 1)
        starts = np.cumsum([0, *lengths[:-1]])
        rows[filled] = np.add.reduceat(model.embedding[flat], starts, axis=0) / np.array(lengths)[:, None]
    return rows
