"""A critique holds every word that was exchanged, and what it cost."""

from __future__ import annotations

from evolve.operators.base import Critique, Round
from evolve.operators.critique import critique_markdown
from evolve.types import Cost


def test_it_holds_diagnosis_cost_prompts_and_replies() -> None:
    rounds = (
        Round("PROMPT with ```python\nx = 1\n``` in it", "REPLY-1", "It does not apply."),
        Round("AGAIN", "REPLY-2"),
    )
    costs = {"reflector": Cost(2, 1, 10_000, 4_000, 900, 0.0421), "agent": Cost(3, usd=None)}
    text = critique_markdown(Critique("It forgets dates.", rounds), costs)
    order = ["It forgets dates.", "agent: at an unknown price; 3 calls", "reflector: $0.0421; 2 calls"]
    order += ["10,000 tokens in (4,000 cached), 900 out", "# Round 1", "It does not apply.", "PROMPT", "REPLY-1"]
    order += ["# Round 2", "the change was taken", "AGAIN", "REPLY-2"]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert "````text\nPROMPT with ```python" in text


def test_nothing_to_say_is_said() -> None:
    text = critique_markdown(Critique("", ()), {})
    assert "The model gave none." in text
    assert "Nothing was counted." in text
