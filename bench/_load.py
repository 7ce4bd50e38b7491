"""The run that latency and overhead are measured on: LoCoMo-sized, one way to rewrite, no ladder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from evolve.config import Config

CHILDREN = 20
SIZES: Mapping[str, object] = {"static": 60, "rotating": 5, "train_ratio": 2, "test": 100}
CHRONICLE: Mapping[str, object] = {"lives": 10, "queries": 30}
"""A task of LoCoMo's size where LoCoMo is not: 120 episodes for 60 static queries, and five lives held out."""


def load_config(address: str, *, children: int = CHILDREN, sandbox: str = "process") -> Config:
    """Return the configuration; the models are at that address."""
    model = {"model": "openai:simulated", "base_url": address, "api": "chat"}
    data = os.environ.get("EVOLVE_DATA", "")
    locomo = bool(data) and (Path(data) / "locomo").is_dir()
    return Config.checked(
        {
            "task": "locomo" if locomo else "chronicle",
            "task_options": {} if locomo else dict(CHRONICLE),
            "models": {
                "agent": model,
                "concurrency": 256,
                "prices": {"openai:simulated": {"input": 0.25, "output": 2.0}},
            },
            "search": {
                "seeds": ["vector_search", "summarizer", "experience"],
                "operators": ["reflect"],
                "in_flight": 8,
            },
            "evaluation": {**SIZES, "ladder": "none"},
            "budget": {"candidates": children},
            "sandbox": {"kind": sandbox},
        }
    )
