"""What must not go out with a program: gold answers, training text, keys."""

from __future__ import annotations

import pytest

from evolve.export.scan import leaks, secrets
from evolve.paths import ZOO, shipped_programs
from evolve.program import load
from evolve.tasks import load as load_task
from evolve.wiring import find_program

EPISODES = [
    "Date: 8 May, 2023\nCaroline: My grandmother gave me a necklace with a tiny silver anchor on it last week.",
    "Date: 9 May, 2023\nMelanie: The harbour was so foggy that we could hear the boats but never saw them.",
]
ANSWERS = ["Caroline", "yes", "dancing", "2023", "May", "sunset", "a necklace with a tiny silver anchor", "84731"]


def found(source: str, **known: list[str]) -> list[str]:
    return [f"{finding.line}: {finding.what}" for finding in leaks(source, answers=ANSWERS, episodes=EPISODES, **known)]


def test_a_name_that_is_a_gold_answer_is_a_leak_and_a_common_word_is_not() -> None:
    assert found('X = 1\nHINT = "For example, Caroline lives there."\n') == ["2: the gold answer 'Caroline'"]
    assert found('HINT = "May be dancing at sunset in 2023, yes."\n') == []
    assert found('HINT = "the carolines"\n') == [], "neither in lower case nor as a part of a word"


def test_long_answers_and_numbers_are_found_in_strings_comments_and_lists() -> None:
    assert found("X = 1  # a Necklace, with a tiny silver anchor!\n") == [
        "1: the gold answer 'a necklace with a tiny silver anchor'"
    ]
    assert found('WORDS = [\n    "boat",\n    "84731",\n]\n') == ["3: the gold answer '84731'"]
    assert found('X = "a necklace with a tin" "y silver anchor"\n') == [
        "1: the gold answer 'a necklace with a tiny silver anchor'"
    ], "as the string is when the program runs"


def test_forty_characters_of_training_text_are_a_leak_and_fewer_are_not() -> None:
    copied = "so foggy that we could hear the boats but never"
    (line,) = found(f'def f():\n    """A day {copied} minded."""\n')
    assert line.startswith(f"2: training text, {len(copied)} characters")
    assert found(f'X = "{copied[:39].strip()}"\n') == []
    spread = copied.replace(" ", "\\n   ")
    assert len(found(f'X = "{spread}"\n')) == 1, "white space counts once"


def test_what_most_episodes_say_is_their_form_and_no_leak() -> None:
    line = "You are in the middle of a room. Looking quickly around you, you see a desk."
    episodes = [f"{line}\nNumber {number}" for number in range(10)]
    assert leaks(f'START = "{line}"\n', answers=[], episodes=episodes) == []
    assert len(leaks(f'START = "{line}"\n', answers=[], episodes=[*episodes[:1], *["other"] * 9])) == 1


def test_what_older_programs_say_as_well_is_no_leak() -> None:
    source = 'HINT = "For example, Caroline lives there."\n'
    assert found(source, known=[source]) == []


def test_no_shipped_program_leaks_the_built_in_task() -> None:
    task = load_task("chronicle", {"lives": 4, "sessions": 16, "queries": 10})
    answers = [query.answer for query in task.queries]
    for name in shipped_programs(ZOO):
        source = load(find_program(name)).source
        assert leaks(source, answers=answers, episodes=[episode.text for episode in task.episodes]) == [], name
        assert secrets(source) == [], name


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('K = "sk-' + "proj-abcdefGHIJKL0123456789" + '"', "an OpenAI or Anthropic key (sk-pro...)"),
        ('K = "AKIA' + "IOSFODNN7EXAMPLE" + '"', "an AWS key (AKIAIO...)"),
        ("K = '''-----BEGIN RSA " + "PRIVATE KEY-----'''", "a key or a certificate (-----B...)"),
        ('K = "ghp_' + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8" + '"', "a GitHub token (ghp_a1...)"),
        ('K = "xoxb-' + "123456789012-abcdefghij" + '"', "a Slack token (xoxb-1...)"),
        ('URL = "postgres://me:' + 'hunter2@db/x"', "a password in an address (postgr...)"),
        ('password = "correct-' + 'horse"', "a password (passwo...)"),
        ('K = "' + "q7Zp2Xv9LmT4sWb8RkY1nHc6Jd3Fg5Va" + '"', "a string as if drawn by chance (q7Zp2X...)"),
        ('K = "' + "9f86d081884c7d659a2feaa0c55ad015" + '"', "a string as if drawn by chance (9f86d0...)"),
    ],
)
def test_a_secret_is_found_and_not_repeated(text: str, what: str) -> None:
    (finding, *_) = secrets(f"X = 1\n{text}\n")
    assert (finding.line, finding.what) == (2, what)


@pytest.mark.parametrize(
    "text",
    [
        'X = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"',
        'X = "a_rather_long_name_of_a_table_2"',
        'X = r"[A-Za-z0-9_]{3,}(?:[-.][A-Za-z0-9]+)*"',
        "risk = task_2 - desk_3",
    ],
)
def test_alphabets_names_and_patterns_are_no_secrets(text: str) -> None:
    assert secrets(text + "\n") == []
