"""Every model of a run without a model, as one script for a `ModelServer`."""

from __future__ import annotations

from evolve.testing import weak_agent, weak_reflector
from evolve.testing.model_server import Asked, Unscripted


def speak(asked: Asked) -> str:
    """Say what the weak agent or the weak reflector says, whichever is asked, and yes to a preflight.

    Raises Unscripted for anything else.
    """
    for say in (weak_reflector.say, weak_agent.say):
        words = say(asked)
        if words is not None:
            return words
    if asked.text.startswith("Reply with this JSON object:"):
        return '{"ok": true}'
    if asked.text == "Reply with one word: ready":
        return "ready"
    raise Unscripted("neither a prompt of the task agent nor of the reflector, nor a preflight")
