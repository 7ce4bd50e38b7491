"""The words that the task agent says to its model: one file a prompt, the constant part above the line `---`.

A prompt's words are part of what a run measures. Change them only together with `PROMPTS` and the files' names, so that
results from before and after can be told apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from string import Template

from evolve.models.base import Message

PROMPTS = "v1"
"""Version of the prompts, for the record of a run."""


def messages(name: str, values: Mapping[str, str]) -> tuple[Message, Message]:
    """Return a prompt's constant and changing message; a paragraph whose value is blank is left out."""
    constant, changing = _template(name)
    return Message("system", _filled(constant, values), constant=True), Message("user", _filled(changing, values))


@cache
def _template(name: str) -> tuple[str, str]:
    text = files(__name__).joinpath(f"{name}.{PROMPTS}.md").read_text(encoding="utf-8")
    constant, _, changing = text.partition("\n---\n")
    return constant.strip(), changing.strip()


def _filled(template: str, values: Mapping[str, str]) -> str:
    paragraphs = [Template(paragraph) for paragraph in template.split("\n\n")]
    kept = [each for each in paragraphs if all(values[name].strip() for name in each.get_identifiers())]
    return "\n\n".join(each.substitute(values) for each in kept)
