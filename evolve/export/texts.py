"""The texts of an exported project, from templates and from what is known of the program."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Literal, TypeAlias

from evolve.export.naming import Names
from evolve.export.needs import EXTRAS, Uses, constraints, packages, requirement
from evolve.harness.limits import Limits
from evolve.harness.program import Harness
from evolve.types import Schema

License: TypeAlias = Literal["Apache-2.0", "MIT", "none"]
LICENSES: Mapping[License, str] = {
    "Apache-2.0": "Apache-2.0",
    "MIT": "MIT AND Apache-2.0",
    "none": "LicenseRef-Proprietary AND Apache-2.0",
}
"""What an export may be licensed under, and how its metadata says so: the modules of evolve's in it are Apache-2.0."""
_TEMPLATES = Path(__file__).with_name("templates")
_LIMITS = {
    "write_seconds": "Time of the program's own in one write; waiting for a model is not counted.",
    "read_seconds": "The same for one read.",
    "model_calls": "Completions that the program itself may ask for in one write or read.",
    "model_calls_total": "Calls to models that one `Memory` may make in all; `None`: any number.",
    "open_scopes": "Scopes that are kept in memory.",
    "snapshot_every": "Writes after which a snapshot is taken, which makes opening fast.",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the texts tell."""

    names: Names
    harness: Harness
    uses: Uses
    license: License
    run: str
    task: str
    data_licences: tuple[str, ...]
    """Of the task's data, where it is published."""
    candidate: str
    bet: str
    """The program's docstring: what it bets on."""
    made: datetime
    """When the candidate was committed."""
    measured: Mapping[str, str]
    """Versions of packages in the run."""


def texts(facts: Facts, *, cases: int) -> dict[str, str]:
    """Return the texts of a project but for what is copied or measured, by path; `cases` is how many its tests hold."""
    values = {**_values(facts), **_readme(facts), "cases": f"{cases} case{'' if cases == 1 else 's'}"}
    package = f"src/{facts.names.package}"
    required = packages(facts.uses, embedding=facts.harness.embedding)
    several = [*required, *(each for extra in EXTRAS.values() for each in extra)]
    made = {
        "pyproject.toml": _filled("pyproject.toml", values),
        "constraints.txt": constraints(several, facts.measured),
        "README.md": _filled("README.md", values),
        "CHANGELOG.md": _filled("CHANGELOG.md", values),
        ".gitignore": _filled("gitignore", values),
        "LICENSE": _filled(f"LICENSE-{facts.license}", values),
        f"{package}/__init__.py": _filled("__init__.py", values),
        f"{package}/__main__.py": _filled("__main__.py", values),
        f"{package}/py.typed": "",
        f"{package}/harness/harness.json": json.dumps(facts.harness.to_json(), ensure_ascii=False, indent=1) + "\n",
    }
    if facts.license != "Apache-2.0":
        made["LICENSE-evolve"] = _filled("LICENSE-Apache-2.0", values)
    return made


def example(facts: Facts) -> str:
    """Return three lines of Python that write and read."""
    return (
        f"from {facts.names.package} import Memory\n"
        f'memory = Memory("memory/"{_arguments(facts.harness)})\n'
        'memory.write("Caroline: I moved to Lisbon in May."); print(memory.read("Where does Caroline live?"))\n'
    )


def extra_of(harness: Harness) -> str:
    """Return the extra for the model of the examples, such as "[openai]", "" where they need none."""
    provider = _model(harness).partition(":")[0]
    return f"[{provider}]" if provider in EXTRAS else ""


def _filled(name: str, values: Mapping[str, str]) -> str:
    text = (_TEMPLATES / f"{name}.txt").read_text(encoding="utf-8")
    return text if name.startswith("LICENSE-Apache") else Template(text).substitute(values)


def _values(facts: Facts) -> dict[str, str]:
    """Return what most templates need."""
    required = [requirement(name, facts.measured) for name in packages(facts.uses, embedding=facts.harness.embedding)]
    extras = {extra: [requirement(name, facts.measured) for name in names] for extra, names in EXTRAS.items()}
    about = f"A long-term memory for agents: candidate {facts.candidate} of the run {facts.run} on {facts.task}."
    license_files = ["LICENSE"] if facts.license == "Apache-2.0" else ["LICENSE", "LICENSE-evolve"]
    return {
        "project": facts.names.project,
        "package": facts.names.package,
        "version": facts.harness.version,
        "description": _toml(" ".join(about.split())),
        "license": LICENSES[facts.license],
        "license_files": _toml(license_files),
        "dependencies": _toml(required),
        "extras": "\n".join(f"{extra} = {_toml(names)}" for extra, names in extras.items()),
        "run": facts.run,
        "task": facts.task,
        "candidate": facts.candidate,
        "digest": facts.harness.digest[:12],
        "date": f"{facts.made.astimezone(UTC):%Y-%m-%d}",
        "year": f"{facts.made.astimezone(UTC):%Y}",
        "arguments": _arguments(facts.harness),
    }


def _readme(facts: Facts) -> dict[str, str]:
    harness = facts.harness
    model = ["--model", _model(harness)] if _model(harness) else []
    bet = textwrap.indent(facts.bet.strip(), "> ", predicate=lambda line: True)
    return {
        "wheel": f"{facts.names.package}-{harness.version}-py3-none-any.whl",
        "with_extra": extra_of(harness),
        "bet": f"In its own words:\n\n{bet}\n" if facts.bet.strip() else "",
        "needs": _needs(harness),
        "measured_with": f"It was measured with `{harness.model}`."
        if harness.model
        else "It was measured without a model.",
        "fields": "\n\n".join(_table(schema) for schema in (harness.item, harness.query)),
        "mcp_arguments": "".join(f", {json.dumps(word)}" for word in model),
        "limits": _limits(harness),
        "read_chars": f"{harness.read_chars:,}",
        "quoted": _quoted(facts),
    }


def _model(harness: Harness) -> str:
    """Return the model that an example names, "" where it can do without."""
    return harness.model or ("openai:NAME" if harness.model_calls else "")


def _arguments(harness: Harness) -> str:
    model = f', model="{_model(harness)}"' if _model(harness) else ""
    return model + (", embedding=embed" if harness.embedding else "")


def _needs(harness: Harness) -> str:
    """Return paragraphs on what the program cannot do without; "" where it needs nothing."""
    said = []
    if harness.model_calls:
        said.append(
            "The program asks a model itself while it writes or reads: it needs one, `model=` or `toolkit_model=`. "
            "What it is told is kept in the log, and is not asked again when the memory is opened."
        )
    elif harness.uses_llm:
        said.append(
            "The program can ask a model itself. It was measured without one, and gets none here either: "
            "`Limits(model_calls=1)` would let it ask, and nobody has measured what it reads then."
        )
    if harness.embedding:
        said.append(
            f"It was measured with the embedding model `{harness.embedding}`: `embed` is yours to give, a callable "
            "from a list of texts to one vector each, by that model."
        )
    return "".join(f"\n{textwrap.fill(text, 120)}\n" for text in said)


def _quoted(facts: Facts) -> str:
    """Say whose texts the tests hold."""
    own = f", which have a licence of their own ({', '.join(facts.data_licences)})" if facts.data_licences else ""
    said = f"`tests/cases.json` quotes texts of the task `{facts.task}`{own}; the wheel holds none of them."
    return textwrap.fill(said, 120)


def _table(schema: Schema) -> str:
    rows = [f"| `{schema.name}` | type | |", "|---|---|---|"]
    for field in schema.fields:
        optional = "" if field.required else " (optional)"
        rows.append(f"| `{field.name}` | `{field.type}` | {_cell(field.description)}{optional} |")
    return "\n".join(rows) if schema.fields else f"`{schema.name}` has no fields."


def _limits(harness: Harness) -> str:
    default = Limits(model_calls=harness.completions(None))
    rows = [f"| `{each.name}` | {getattr(default, each.name)} | {_LIMITS[each.name]} |" for each in fields(Limits)]
    return "\n".join(["| limit | default | |", "|---|---|---|", *rows])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _toml(value: str | Sequence[str]) -> str:
    """Return a string, or a list of them, as TOML; JSON's strings are also TOML's."""
    return json.dumps(value if isinstance(value, str) else list(value), ensure_ascii=False)
