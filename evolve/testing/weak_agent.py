"""A task agent's model without a model: weak but sensible, so that memory programs that retrieve better score better.

It is shown the prompts in `evolve/agents/prompts` and knows them by their tags. Extraction copies sentences and rare
words of the episode, formulation copies the question, and an answer is what the line of the memory that shares most
words with the question says beyond the question.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from evolve.testing.model_server import Asked
from evolve.types import JSON

FUNCTION_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a about after all am an and are as at be been but by can could did do does for from had has have he her his "
        "how i if in is it its just know me my no not now of on or our out she so than that the their them then there "
        "they this to up was we were what when where which who whose why will with would you your",
    )
)
SENTENCES = 6
"""Copied into a field that asks for more than words."""
KEYWORDS = 8
DATE = re.compile(r"\b\d{1,2} [A-Z][a-z]+,? \d{4}|\b\d{4}-\d{2}-\d{2}")
NAME = re.compile(r"\b[A-Z][a-z]+\b")
HEAD = re.compile(r"^(?:\[[^\]]*\]|[-*•]|Situation:|\s)*(?:[A-Z][a-z]+: )?")
"""What stands before the words of a line: the date, a bullet, who speaks."""


def say(asked: Asked) -> str | None:
    """Return the words of the task agent's model; None where this is none of its prompts."""
    prompt = next((turn.text for turn in asked.messages if turn.role == "user"), "")
    prompt, _, wish = prompt.partition("\n\nAnswer with one JSON object")
    schema = asked.schema
    if wish and (
        schema is None or "properties" not in schema
    ):  # to a model without JSON mode it is a part of the words
        schema = json.loads(wish[wish.index("{") :])
    episode, memory = between(prompt, "episode"), between(prompt, "memory")
    _, asks, rest = prompt.rpartition("The question:\n\n")
    question = rest.partition("\n\n")[0].strip()
    if memory is not None and asks:
        return answer(memory, question)
    if schema is None or not (asks or episode is not None):
        return None
    return json.dumps(fill(schema, question if episode is None else episode), ensure_ascii=False)


def between(text: str, tag: str) -> str | None:
    """Return what stands between the first pair of such tags; None where there is none."""
    found = re.search(rf"<{tag}\b[^>]*>\n?(.*?)\n?</{tag}>", text, re.DOTALL)
    return found[1] if found else None


def fill(schema: Mapping[str, JSON], text: str) -> dict[str, JSON]:
    """Return an object for the schema: strings and lists copied from the text, numbers 0, truths false."""
    properties: Any = schema.get("properties", {})
    return {name: _value(name.lower(), shape, text) for name, shape in properties.items()}


def answer(memory: str, question: str) -> str:
    """Return what the best line says that the question does not; "unknown" where no line has a word of the question."""
    asked = set(content(question))
    lines = [line for line in memory.splitlines() if not line.rstrip().endswith("?")]
    held = [asked & set(content(line)) for line in lines]
    counts = Counter(word for words in held for word in words)
    best = max(range(len(lines)), key=lambda number: sum(1 / counts[word] for word in held[number]), default=0)
    if not lines or not held[best]:
        return "unknown"
    words = re.findall(r"[\w'-]+", HEAD.sub("", lines[best]))
    news = [word for word in words if word.lower() not in FUNCTION_WORDS and stem(word.lower()) not in asked]
    return " ".join(dict.fromkeys(news)) or "unknown"


def content(text: str) -> list[str]:
    """Return the words of a text that carry meaning, small and without endings, in order."""
    return [stem(word) for word in re.findall(r"\w+", text.lower()) if word not in FUNCTION_WORDS]


def stem(word: str) -> str:
    """Return the word without the commonest endings of English."""
    return re.sub(r"(?<=\w{3})(?:ing|ed|es|s)$", "", word)


def _value(name: str, shape: Mapping[str, Any], text: str) -> JSON:
    if "anyOf" in shape:
        return _value(name, next(each for each in shape["anyOf"] if each["type"] != "null"), text)
    kinds = shape["type"] if isinstance(shape["type"], list) else [shape["type"]]
    if "string" in kinds:
        return _string(name, text)
    if "array" in kinds:
        return list(_list(name, text))
    if "object" in kinds:
        return {}
    return False if "boolean" in kinds else 0


def _string(name: str, text: str) -> str:
    if "date" in name or "time" in name:
        found = DATE.search(text)
        return found[0] if found else ""
    return " ".join(_sentences(text)) if "\n" in text else text


def _list(name: str, text: str) -> Sequence[str]:
    if "date" in name:
        return list(dict.fromkeys(DATE.findall(text)))
    if "people" in name or "name" in name or "speaker" in name:
        return list(dict.fromkeys(NAME.findall(text)))
    if "topic" in name or "word" in name or "tag" in name:
        return _keywords(text)
    return _sentences(text)


def _sentences(text: str) -> list[str]:
    """Return the statements with the most words that are rare in the text, in order."""
    counts = Counter(content(text))
    said = [sentence for line in text.splitlines() for sentence in re.split(r"(?<=[.!])\s+", HEAD.sub("", line))]
    stated = [sentence for sentence in said if sentence.strip() and not sentence.rstrip().endswith("?")]
    best = sorted(stated, key=lambda sentence: -sum(1 / counts[word] for word in set(content(sentence))))[:SENTENCES]
    return [sentence for sentence in stated if sentence in best]


def _keywords(text: str) -> list[str]:
    counts = Counter(content(text))
    return sorted(counts, key=lambda word: (counts[word], -len(word), word))[:KEYWORDS]
