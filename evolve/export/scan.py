"""What must not be in a program that goes out: the answers it was searched with, its training text, and keys."""

from __future__ import annotations

import ast
import io
import math
import re
import tokenize
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

VERBATIM = 40
"""Characters of training text, white space counted once, that no program holds by chance."""
BLOCK = VERBATIM // 2
"""Any run of 40 characters holds a whole block of 20 that begins at a multiple of 20."""
WORDS = 4
"""A run of characters with fewer words is a line of dashes, or a format."""
BOILERPLATE = 0.05
"""What stands in a larger share of the episodes, and in more than 3, is the form of the task and nobody's secret."""
LONG_WORDS, LONG_CHARS = 4, 20
"""An answer with so many words, or letters in several words, stands in a program for no other reason."""
NAME_CHARS = 4
"""A shorter name is no more telling than any word."""
SHOWN = 60
ENTROPY, ENTROPY_HEX = 4.2, 3.0
"""Bits a character, above which a long string without a space was drawn by chance."""

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_COMMON_WORDS = """
january february march april may june july august september october november december monday tuesday wednesday thursday
friday saturday sunday yes none not the this that these those what when where who whose which
"""
_COMMON = frozenset(_COMMON_WORDS.split())
_SECRETS = (
    ("an OpenAI or Anthropic key", re.compile(r"\bsk-[A-Za-z0-9_-]{16,}")),
    ("an AWS key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("a key or a certificate", re.compile(r"-----BEGIN [A-Z ]+-----")),
    ("a GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})")),
    ("a GitLab token", re.compile(r"\bglpat-[A-Za-z0-9_-]{16,}")),
    ("a Slack token", re.compile(r"\bxox[a-z]-[A-Za-z0-9-]{10,}")),
    ("a Google key", re.compile(r"\bAIza[0-9A-Za-z_-]{30,}")),
    ("a Hugging Face token", re.compile(r"\bhf_[A-Za-z0-9]{20,}")),
    ("a signed token", re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+")),
    ("a password in an address", re.compile(r"[a-z][a-z0-9+.-]*://[^\s/:@\"']+:[^\s/@\"']{3,}@")),
    ("a password", re.compile(r"(?i)\b(?:api_?key|passw(?:or)?d|secret)\b[\"']?\s*[:=]\s*[\"'][^\"'\s]{8,}[\"']")),
)
_DRAWN = re.compile(r"[A-Za-z0-9+/=_-]{24,}")
_HEX = re.compile(r"[0-9a-f]{32,}|[0-9A-F]{32,}")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be in a program."""

    line: int
    """In the program's source, from 1."""
    what: str


def leaks(
    source: str, *, answers: Collection[str], episodes: Sequence[str], known: Collection[str] = ()
) -> list[Finding]:
    """Return the gold answers and the training text in a program's source.

    An answer counts where it is long, or short and telling: with a name or a number of 5 digits. Single common words do
    not, nor what `known` programs say as well, which were written before the task was seen. Training text counts from
    40 characters on, unless it is the form of many episodes.
    """
    pieces, before = _pieces(source), "\n".join(known)
    return _unique([*_answers(pieces, answers, before), *_training(pieces, episodes, before)])


def secrets(source: str) -> list[Finding]:
    """Return the keys, tokens and passwords in a program's source, of which no more than the beginning is shown."""
    found = []
    for line, text in enumerate(source.splitlines(), 1):
        for what, pattern in _SECRETS:
            found += [Finding(line, f"{what} ({_hidden(match[0])})") for match in pattern.finditer(text)][:1]
    taken = {finding.line for finding in found}
    for line, text in _strings(source):
        drawn = next((part for part in _DRAWN.findall(text) if _is_drawn(part)), None)
        if drawn and line not in taken:
            found.append(Finding(line, f"a string as if drawn by chance ({_hidden(drawn)})"))
    return _unique(found)


def _pieces(source: str) -> list[tuple[int, str]]:
    """Return what is said in a source, by line: its strings as they are when it runs, and its comments."""
    comments = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            comments.append((token.start[0], token.string.lstrip("# ")))
    return [*_strings(source), *comments]


def _strings(source: str) -> list[tuple[int, str]]:
    constants = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    return [(node.lineno, node.value) for node in constants if isinstance(node.value, str)]


def _answers(pieces: Sequence[tuple[int, str]], answers: Collection[str], before: str) -> Iterator[Finding]:
    said = [(line, _spaced(text.lower()), text) for line, text in pieces]
    known = _spaced(before.lower())
    for answer in dict.fromkeys(answers):
        sought = _spaced(answer.lower())
        if not _is_telling(answer) or sought in known:
            continue
        for line, text, original in said:
            # A name counts with its capital only: "Rose" is somebody, and "rose" is a word.
            if sought in text and (_is_long(answer) or all(word in original for word in _telling_words(answer))):
                yield Finding(line, f"the gold answer {_cut(answer)!r}")
                break


def _is_telling(answer: str) -> bool:
    return _is_long(answer) or bool(_telling_words(answer))


def _is_long(answer: str) -> bool:
    words = _WORD.findall(answer)
    letters = sum(map(len, words))
    return len(words) >= LONG_WORDS or (len(words) > 1 and letters >= LONG_CHARS)


def _telling_words(answer: str) -> list[str]:
    """Return an answer's names and long numbers."""
    found = [word for word in _WORD.findall(answer) if len(word) >= NAME_CHARS and word.lower() not in _COMMON]
    return [word for word in found if word[0].isupper() or (word.isdigit() and len(word) > NAME_CHARS)]


def _training(pieces: Sequence[tuple[int, str]], episodes: Sequence[str], before: str) -> Iterator[Finding]:
    said = [(line, flat) for line, text in pieces if len(flat := _flat(text)) >= VERBATIM]
    blocks: dict[str, list[tuple[str, int, int]]] = {}
    for line, text in said:
        for at in range(len(text) - BLOCK + 1):
            blocks.setdefault(text[at : at + BLOCK], []).append((text, at, line))
    if not blocks:
        return
    known, flat_episodes = _flat(before), [_flat(episode) for episode in episodes]
    runs: dict[str, int] = {}
    for episode in flat_episodes:
        for start in range(0, len(episode) - BLOCK + 1, BLOCK):
            for text, at, line in blocks.get(episode[start : start + BLOCK], ()):
                runs.setdefault(_common(text, at, episode, start), line)
    for run, line in runs.items():
        if len(run) < VERBATIM or len(_WORD.findall(run)) < WORDS or run in known:
            continue
        held = sum(run in episode for episode in flat_episodes)
        if held <= 3 or held <= BOILERPLATE * len(flat_episodes):
            yield Finding(line, f"training text, {len(run)} characters: {_cut(run)!r}")


def _common(one: str, at: int, other: str, start: int) -> str:
    """Return the longest run around a block that two texts share."""
    left = 0
    while left < min(at, start) and one[at - left - 1] == other[start - left - 1]:
        left += 1
    end, stop = at + BLOCK, start + BLOCK
    while end < len(one) and stop < len(other) and one[end] == other[stop]:
        end, stop = end + 1, stop + 1
    return one[at - left : end].strip()


def _is_drawn(text: str) -> bool:
    """Tell a key from a word, a path, an alphabet."""
    if _HEX.fullmatch(text):
        return _entropy(text) > ENTROPY_HEX
    kinds = (str.isdigit, str.isupper, str.islower)
    runs = sum(ord(second) - ord(first) == 1 for first, second in pairwise(text))
    return (
        all(any(kind(each) for each in text) for kind in kinds)
        and _entropy(text) > ENTROPY
        and runs < len(text) / 4  # an alphabet
    )


def _entropy(text: str) -> float:
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values())


def _spaced(text: str) -> str:
    """Return a text's words between spaces, so that whole words are found."""
    return f" {' '.join(_WORD.findall(text))} "


def _flat(text: str) -> str:
    return " ".join(text.split())


def _cut(text: str) -> str:
    flat = _flat(text)
    return flat if len(flat) <= SHOWN else f"{flat[: SHOWN - 3]}..."


def _hidden(secret: str) -> str:
    return f"{secret[:6]}..."


def _unique(found: Sequence[Finding]) -> list[Finding]:
    return sorted(set(found), key=lambda finding: (finding.line, finding.what))
