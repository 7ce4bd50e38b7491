"""What can be used of a model's reply: the JSON object in its text, and a second try where the first is of no use."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TypeVar

from evolve.models.base import Ask, Message, Reply, Request
from evolve.types import JSON

SHOWN = 4_000
"""Characters of an unusable reply that the model is shown again; a runaway reply says nothing more after that."""
BRACKETS = 200
"""Most opening brackets in a broken object that is repaired: json_repair needs seconds for a thousand, and a model that
opens so many is running in circles."""

_T = TypeVar("_T")
_THOUGHT = re.compile(r"\s*<think>.*?(?:</think>|\Z)", re.DOTALL)
_CUT_NUMBER = re.compile(r"-?[\d.]+(?:[eE][-+]?\d*)?\Z")
_LONG_STRING = re.compile(r'"""(.*?)"""', re.DOTALL)
_BARE = re.compile(r'(":\s*)([^\s"\'\u2018-\u201f{}\[\],][^"\n{}\[\]]*)(?=(["}\]\n]|\Z))')
_SCALAR = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|[Tt]rue|[Ff]alse|null|None|.*/[/*].*")
_DECODER = json.JSONDecoder(strict=False)  # models write line breaks into strings


class Unusable(ValueError):
    """Two replies to the same request were of no use; the message says why, of both."""


def ask_for(ask: Ask, request: Request, read: Callable[[str], _T]) -> _T:
    """Return what `read` makes of the reply; where it raises ValueError, show that to the model and ask once more.

    `read` is given the text without the thoughts that some local models put before their answer in <think> tags.

    Raises:
        Unusable: the second reply was of no use either.
        EvolveError: what `ask` raises.
    """
    first = ask(request)
    try:
        return _read(request, first, read)
    except ValueError as error:
        problem = str(error)
    shown = (first.text.strip() or "(nothing)")[:SHOWN]
    objection = f"That reply cannot be used. {problem} Reply again, with nothing but what was asked for."
    again = (*request.messages, Message("assistant", shown), Message("user", objection))
    second = ask(replace(request, messages=again))
    try:
        return _read(request, second, read)
    except ValueError as error:
        raise Unusable(f"First reply: {problem} Second reply: {error}") from None


def _read(request: Request, reply: Reply, read: Callable[[str], _T]) -> _T:
    text = _THOUGHT.sub("", reply.text, count=1) if reply.text.lstrip().startswith("<think>") else reply.text
    if not reply.truncated:
        return read(text)
    if request.schema is not None:  # a value may have lost its last digits: better none than a wrong one
        text = _CUT_NUMBER.sub("", text.rstrip())
    try:
        return read(text)
    except ValueError as error:
        raise ValueError(f"{error} The reply was cut off at its greatest length: be shorter.") from None


def json_object(text: str, keys: Collection[str]) -> dict[str, JSON]:
    """Return the JSON object in a text, broken JSON repaired; `keys` are those that the object is expected to have.

    Prose, code fences and a wrapper of one level around the object are passed over. Of several objects the one with
    most of the keys is taken.

    Raises:
        ValueError: there is none, or there are several that fit equally well; the message is a sentence.
    """
    start = text.find("{")
    if start < 0:
        raise ValueError("There is no JSON object in the reply.")
    found = _best(_written(text), keys)
    fit = _fit(found[0], keys) if found else 0
    if fit < len(keys):
        repaired = _best(_repaired(text[start:]), keys)
        if repaired and _fit(repaired[0], keys) > fit:
            found = repaired
    if not found:
        raise ValueError("The JSON in the reply is broken.")
    if len(found) > 1:
        raise ValueError(f"There are {len(found)} JSON objects in the reply where one was asked for.")
    return found[0]


def _fit(found: dict[str, JSON], keys: Collection[str]) -> int:
    return sum(key in found for key in keys)


def _best(found: list[dict[str, JSON]], keys: Collection[str]) -> list[dict[str, JSON]]:
    """Return the distinct objects with most of the keys; what is inside counts only where nothing outside fits."""
    if not any(_fit(each, keys) for each in found):
        inside = [value for each in found for value in each.values() if isinstance(value, dict)]
        found = [each for each in inside if _fit(each, keys)] or found
    most = max((_fit(each, keys) for each in found), default=0)
    distinct: list[dict[str, JSON]] = []
    for each in found:
        if _fit(each, keys) == most and each not in distinct:
            distinct.append(each)
    return distinct


def _written(text: str) -> list[dict[str, JSON]]:
    """Return every complete JSON object, in order, without those inside others."""
    found: list[dict[str, JSON]] = []
    at = text.find("{")
    while at >= 0:
        try:
            value, at = _DECODER.raw_decode(text, at)
            found.append(value)
        except RecursionError:
            break
        except ValueError:
            at += 1
        at = text.find("{", at)
    return found


def _repaired(text: str) -> list[dict[str, JSON]]:
    try:
        from json_repair import repair_json
    except ModuleNotFoundError:  # an exported memory may be without it: the model is asked once more
        return []
    if text.count("{") + text.count("[") > BRACKETS:
        return []
    # By itself json_repair makes 8 of `8 May, 2023` and nothing of a string in three quotes.
    text = _LONG_STRING.sub(lambda match: json.dumps(match[1]), text)
    text = _BARE.sub(_quoted, text)
    try:
        value = repair_json(text, return_objects=True, skip_json_loads=True)
    except Exception:  # it has failed assertions of its own on what a model may well write
        return []
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, dict)]


def _quoted(match: re.Match[str]) -> str:
    """Return a key's value with the quotes that it lacks; numbers, words of JSON, and comments stay as they are."""
    bare = match[2].strip().removesuffix(",").rstrip()
    comma = "," if match[2].rstrip().endswith(",") else ""
    if _SCALAR.fullmatch(bare) or (match[3] == '"' and not comma):
        return match[0]
    return match[1] + json.dumps(bare) + comma
