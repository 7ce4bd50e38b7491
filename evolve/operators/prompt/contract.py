"""The constant part of every prompt to the reflector: its work, how programs are used, their contract, the reply."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from string import Template

from evolve.config import EXTRACTIVE, SCRIPTED, Config
from evolve.program.contract import IMPORTS, INSTRUCTIONS, METHODS
from evolve.program.syntax import MAX_BYTES
from evolve.tasks import traits
from evolve.traits import scorer_traits

VERSION = "v1"
"""Of the text; a text that changes gets a new number, because replies are kept by prompt."""
RESERVED = 1_500
"""Most tokens that the constant part takes, whatever the configuration; a test holds it to that."""

_EXTRACTIVE = (
    "The task agent of this run is no language model. It fills a field by the words in the field's name, or else in "
    "its description: date or time gets dates; people, speaker or name gets names; keywords, tags or topics gets "
    "content words; facts, events, points or lessons gets sentences copied from the text; summary or context gets its "
    "first sentences; text, content or question gets the text itself. A str field of `Query` that asks for none of the "
    "first three gets the question in its own words. Its answer is what `read` returned, unchanged. It does not read "
    "the instruction constants: changing them changes nothing."
)
_LLM = (
    "The task agent is a fixed language model. It knows the episode or question at hand, the fields with their types "
    "and descriptions, and the program's instruction constants. It answers briefly unless they say otherwise."
)
_NOT_READ = "The task agent does not read the instruction constants: changing them changes nothing."
_SCRIPTED = (
    "The task agent of this run is no language model but a script that plays household games. It fills fields by the "
    "words in their names: date, people, keywords, facts, summary, text. It works through its goal and looks for what "
    "it needs in the places that `read` names for it first, most often named first, then in the others as listed. It "
    "does not read the instruction constants: changing them changes nothing."
)
_FREEZES = {
    "": "",
    "instructions": "In this run the four instruction constants are frozen: what you change there is put back.\n\n",
    "code": "In this run only the four instruction constants may change: what else you change is put back.\n\n",
}
_TUNE = " Another part of the search tunes them: declare a number rather than guess it."


def constant_part(config: Config, *, follows_instructions: bool) -> str:
    """Return what every prompt of a run begins with; the configuration must be resolved."""
    scorer, limits = config.evaluation.scorer, config.sandbox.limits
    llm = _LLM if follows_instructions else f"{_LLM} {_NOT_READ}"
    tunes = "tune" in (config.search.operators or ()) and config.search.freeze != "code"
    return _template().substitute(
        agent={EXTRACTIVE: _EXTRACTIVE, SCRIPTED: _SCRIPTED}.get(str(config.models.agent), llm),
        scorer=scorer_traits(scorer, traits(config.task)).says,
        methods=", ".join(f"`def {name}({', '.join(arguments)})`" for name, arguments in METHODS.items()),
        read_chars=f"{limits.read_chars:,}",
        instructions=", ".join(f"`{name}`" for name in INSTRUCTIONS),
        tune=_TUNE if tunes else "",
        llm=_completions(config),
        imports=", ".join(sorted(IMPORTS)),
        load_seconds=f"{limits.load_seconds:g}",
        write_seconds=f"{limits.write_seconds:g}",
        read_seconds=f"{limits.read_seconds:g}",
        scope_seconds=f"{limits.scope_seconds:g}",
        memory_mb=f"{limits.memory_mb:,}",
        max_bytes=f"{MAX_BYTES:,}",
        freeze=_FREEZES[config.search.freeze],
    )


def _completions(config: Config) -> str:
    calls = config.sandbox.limits.llm_calls
    if config.models.toolkit is None or not calls:
        return "raises, since this run has no model for programs"
    return f"the text of a completion by a language model, at most {calls} in one write or read"


@cache
def _template() -> Template:
    text = files(__package__).joinpath(f"reflector.{VERSION}.md").read_text(encoding="utf-8")
    return Template(text.rstrip("\n"))
