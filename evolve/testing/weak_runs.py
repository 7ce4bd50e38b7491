"""Whole runs against the weak models: a small task, few candidates, the real SDKs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

from evolve.session import Run, run
from evolve.testing.diary import write_diary
from evolve.testing.model_server import ModelServer
from evolve.types import JSON

Spoken: TypeAlias = Literal["chat", "responses", "messages"]
PRICE = {"input": 5.0, "output": 20.0}
"""Dollars for a million tokens, of every weak model."""
SETTINGS: dict[str, JSON] = {
    "search.seeds": ["vector_search", "summarizer", "experience"],
    "search.operators": ["reflect", "merge"],
    "evaluation.static": 12,
    "evaluation.rotating": 3,
    "evaluation.train_ratio": 0,
    "evaluation.test": 10,
    "budget.candidates": 8,
    "sandbox.kind": "process",
}
"""A run of a minute; the memories of the seeds leave room for better ones."""


def model(server: ModelServer, api: Spoken = "chat", **options: JSON) -> dict[str, JSON]:
    """Return the table of a weak model on this server, by one of the APIs."""
    if api == "messages":
        return {"model": "anthropic:weak", "base_url": server.address, **options}
    return {"model": "openai:weak", "base_url": server.openai, "api": api, **options}


def weak_run(folder: Path, server: ModelServer, *, api: Spoken = "chat", name: str = "weak", **changes: JSON) -> Run:
    """Write the diary beside the runs, unless it is there, and run on it; `changes` are as those of `session.run`.

    The runs folder is EVOLVE_RUNS, as ever.
    """
    diary = folder / "diary"
    if not diary.exists():
        write_diary(diary)
    agent = model(server, api)
    given: dict[str, JSON] = {key.replace(".", "__"): value for key, value in SETTINGS.items()}
    prices: JSON = {str(agent["model"]): dict(PRICE)}
    settings = {**given, "models__agent": agent, "models__prices": prices, **changes}
    return run(str(diary), name=name, **settings)  # type: ignore[arg-type]
