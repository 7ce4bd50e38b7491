"""The preflight: one call a model before anything is spent, and one line where one does not answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from evolve.config import Models
from evolve.errors import PrerequisiteError
from evolve.models.base import Provider, Usage
from evolve.models.preflight import Ready, preflight
from evolve.models.providers import make_provider


def models(**roles: Any) -> Models:
    return Models.model_validate(roles)


def opener(which: Models, notes: list[str]) -> Callable[[str], Provider]:
    return lambda role: make_provider(which.by_role[role], notes.append)


def check(which: Models, notes: list[str], **more: Any) -> list[Ready]:
    return preflight(which, opener(which, notes), note=notes.append, **more)


def problem(which: Models, notes: list[str], **more: Any) -> str:
    with pytest.raises(PrerequisiteError) as caught:
        check(which, notes, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def chat(text: str = '{"ok": true}') -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


def error(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


def table(server: Any, name: str = "m", **more: Any) -> dict[str, Any]:
    return {"model": f"openai:{name}", "base_url": f"{server.url}/v1", **more}


def test_roles_of_one_table_share_a_call_and_embedding_has_its_own(server: Any, notes: list[str]) -> None:
    def rule(asked: Any) -> tuple[Any, int]:
        if asked.path.endswith("embeddings"):
            return {"data": [{"index": 0, "embedding": [1.0]}], "usage": {"prompt_tokens": 1}}, 200
        return chat(), 200

    server.rule = rule
    which = models(
        agent=table(server),
        reflector=table(server, effort="high", temperature=0.5),
        toolkit=table(server),
        judge=table(server),
        embedding=table(server),
    )
    assert check(which, notes) == [
        Ready(("agent", "toolkit", "judge"), "openai:m", Usage(20, 0, 0, 5)),
        Ready(("reflector",), "openai:m", Usage(20, 0, 0, 5)),
        Ready(("embedding",), "openai:m", Usage(1)),
    ]
    by_effort = {asked.body.get("reasoning_effort"): asked for asked in server.asked if "messages" in asked.body}
    assert len(server.asked) == 3
    assert "response_format" in by_effort[None].body
    assert "response_format" not in by_effort["high"].body
    assert by_effort["high"].body["temperature"] == 0.5
    assert all(asked.body["max_completion_tokens"] <= 64 for asked in by_effort.values())
    assert notes == []


def test_without_models_there_is_nothing_to_ask(notes: list[str]) -> None:
    assert check(models(), notes) == []


def test_a_wrong_key_is_one_line_with_the_roles_and_the_next_step(
    server: Any, notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-wrong-wrong")
    server.will(error("Incorrect API key provided: sk-wrong-wrong-wrong."), 401)
    said = problem(models(agent=table(server), judge=table(server)), notes)
    assert said == (
        "models.agent, models.judge: openai:m: the key in OPENAI_API_KEY is refused (HTTP 401: Incorrect API key "
        "provided: ***); export a valid one."
    )


def test_a_retired_model_is_one_line(server: Any, notes: list[str]) -> None:
    server.will(error("The model `old` has been retired.", code="model_not_found"), 404)
    said = problem(models(reflector=table(server, "old")), notes)
    assert said.startswith("models.reflector: openai:old: not found at http://127.0.0.1")
    assert said.endswith("name another model, or correct base_url.")


def test_every_fault_is_named(server: Any, notes: list[str]) -> None:
    server.rule = lambda asked: (error("no such model"), 404) if asked.body["model"] == "gone" else (chat(), 200)
    which = models(
        agent=table(server),
        reflector=table(server, "gone"),
        judge="anthropic:claude-sonnet-5",
    )
    said = problem(which, notes)
    assert "models.reflector: openai:gone: not found" in said
    assert "models.judge: ANTHROPIC_API_KEY is not set" in said
    assert "models.agent" not in said


def test_a_closed_port_fails_in_the_first_second(notes: list[str]) -> None:
    which = models(agent={"model": "openai:m", "base_url": "http://127.0.0.1:9/v1"})
    opened = opener(which, notes)
    warm = opened("agent")  # the SDK's import is not part of the wait
    start = time.monotonic()
    with pytest.raises(PrerequisiteError) as caught:
        preflight(which, lambda role: warm, note=notes.append)
    assert time.monotonic() - start < 1.0
    assert "models.agent: openai:m at http://127.0.0.1:9/v1" in str(caught.value)
    assert "refused" in str(caught.value)
    assert "start the server, correct base_url" in str(caught.value)


def test_a_server_that_holds_the_line_is_given_up(server: Any, notes: list[str]) -> None:
    server.will(chat(), wait=3.0)
    start = time.monotonic()
    said = problem(models(agent=table(server)), notes, seconds=0.5)
    assert time.monotonic() - start < 2.0
    assert said.startswith("models.agent: openai:m: no answer within 0.5 seconds; ")


def test_a_rate_limit_and_a_passing_failure_are_tried_again(server: Any, notes: list[str]) -> None:
    server.will(error("slow down"), 429, headers={"Retry-After": "0.3"})
    server.will(error("oops"), 500)
    server.will(chat())
    start = time.monotonic()
    assert len(check(models(agent=table(server)), notes)) == 1
    assert time.monotonic() - start >= 0.3
    assert len(server.asked) == 3


def test_a_rate_limit_that_outlasts_the_bound_is_told_at_once(server: Any, notes: list[str]) -> None:
    server.will(error("come back tomorrow"), 429, headers={"Retry-After": "3600"})
    start = time.monotonic()
    said = problem(models(agent=table(server)), notes)
    assert time.monotonic() - start < 5.0
    assert said == (
        "models.agent: openai:m: HTTP 429: come back tomorrow; wait for the limit to pass, or use another key."
    )


def test_a_model_without_json_is_only_noted(server: Any, notes: list[str]) -> None:
    for _ in range(2):
        server.will(error("response_format is not supported"), 400)
    server.will(chat("Sure! Here you go: ok"))
    assert len(check(models(agent=table(server)), notes)) == 1
    assert len(notes) == 3
    assert "does not keep to JSON" in notes[2]


def test_a_request_that_even_a_tiny_call_cannot_make_is_one_line(server: Any, notes: list[str]) -> None:
    server.will(error("this model wants audio"), 400)
    said = problem(models(agent=table(server)), notes)
    assert said.startswith("models.agent: even a tiny request fails: openai:m refuses the request (HTTP 400")
