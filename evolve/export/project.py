"""A candidate of a run as a project of its own: a package that lasts, its card, its tests and its wheel."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from evolve.config import Config, ModelTable
from evolve.errors import ConfigError, EvolveError, RunFolderError
from evolve.events import AttemptEnded
from evolve.export.card import card
from evolve.export.naming import Names, names, version_of
from evolve.export.needs import measured_versions, uses_of
from evolve.export.placing import draft, former, place
from evolve.export.provenance import Provenance, provenance
from evolve.export.readiness import Readiness, check
from evolve.export.regression import write_tests
from evolve.export.texts import LICENSES, Facts, License, example, extra_of, texts
from evolve.export.vendored import vendored
from evolve.export.wheel import DIST, build_wheel
from evolve.folder import Run
from evolve.harness.program import Harness
from evolve.journal import Journal
from evolve.plan import program_of
from evolve.population import Candidate
from evolve.tasks import traits
from evolve.types import Program

VERSION = "0.1.0"
"""Of a first export."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be exported, checked as far as that can be done without running it."""

    run: Run
    candidate: Candidate
    harness: Harness
    names: Names
    license: License = "Apache-2.0"

    def check(self, say: Callable[[str], None]) -> Readiness:
        """Return how ready it is: see `evolve.export.readiness`. Takes from seconds to minutes; writes nothing."""
        return check(self.run, self.candidate, self.harness, say=say)


@dataclass(frozen=True, slots=True)
class Exported:
    """A project that was written."""

    folder: Path
    wheel: Path
    project: str
    """What pip calls it."""
    package: str
    """What `import` calls it."""
    cases: int
    """Of the run, in its tests."""
    readiness: Readiness
    install: str
    """What pip is to install: the wheel, with the extra for the model of the example."""
    example: str
    """Three lines of Python that use it."""


def planned(
    run: Run,
    candidate: str = "best",
    *,
    name: str | None = None,
    version: str = VERSION,
    license: License = "Apache-2.0",
) -> Plan:
    """Return what would be exported; see `export`.

    Raises ConfigError, or RunFolderError where the run has measured nothing yet.
    """
    if license not in LICENSES:
        raise ConfigError(
            f"there is no licence {license!r} here; give one of {', '.join(LICENSES)}, or your own later."
        )
    if candidate == "best" and run.best is None:
        raise RunFolderError(f"run {run.name!r} has measured no candidate yet; `evolve run` goes on with it.")
    chosen = run.candidate(candidate)
    if chosen.outcome != "scored":
        raise ConfigError(
            f"candidate {chosen.id} was not measured to the end ({chosen.reason}); export another, or best."
        )
    called = names(f"{run.name}-memory" if name is None else name)
    harness = harness_of(program_of(chosen), name=called.project, version=version_of(version), config=run.config)
    return Plan(run, chosen, harness, called, license)


def harness_of(program: Program, *, name: str, version: str, config: Config) -> Harness:
    """Return the harness of a program as it was measured under a configuration."""
    uses, models = uses_of(program.source), config.models
    asked = next((each for each in (models.agent, models.toolkit) if isinstance(each, ModelTable)), None)
    return Harness(
        name=name,
        version=version,
        digest=program.digest,
        source=program.source,
        item=program.item,
        query=program.query,
        instructions=program.instructions,
        uses_llm=uses.llm,
        model_calls=config.sandbox.limits.llm_calls if models.toolkit and uses.llm else 0,
        brief=traits(config.task).answers,
        read_chars=config.sandbox.limits.read_chars,
        model=asked.model if asked else "",
        embedding=models.embedding.model if models.embedding and uses.embed else "",
    )


def export(
    run: Run,
    candidate: str = "best",
    *,
    to: Path,
    name: str | None = None,
    version: str = VERSION,
    license: License = "Apache-2.0",
    force: bool = False,
    checked: Callable[[Readiness], None] = lambda readiness: None,
    say: Callable[[str], None] = lambda line: None,
) -> Exported:
    """Check a candidate, write it as a project with its wheel, and return what was written.

    Args:
        run: where the candidate is from.
        candidate: an id, or "best".
        to: an empty or new folder, or the one of a former export of this name, whose files are then replaced.
        name: the project's; None for "RUN-memory".
        version: the project's; pip installs over another one only.
        license: what the project is licensed under; "none" keeps all rights.
        force: export what fails its checks, and replace what was changed in a former export.
        checked: is given the readiness before anything is written.
        say: takes a line before each check.

    Raises:
        ConfigError: a name, the version, the licence or the folder is wrong.
        EvolveError: it is not ready, it does not read what it read in the run, or it cannot be written.
    """
    plan = planned(run, candidate, name=name, version=version, license=license)
    former(to, plan.names.project)
    readiness = plan.check(say)
    checked(readiness)
    if not readiness.passed and not force:
        failed = ", ".join(row.check for row in readiness.failed)
        raise EvolveError(
            f"{plan.candidate.id} is not ready ({failed}); nothing was written. Export another candidate, "
            "or this one with --force: its card will say so."
        )
    return write(plan, readiness, to, force=force)


def write(plan: Plan, readiness: Readiness, to: Path, *, force: bool = False) -> Exported:
    """Write the project and its wheel; equal plans and readiness give equal bytes. Raises EvolveError."""
    run, candidate, harness, package = plan.run, plan.candidate, plan.harness, plan.names.package
    origin = provenance(run, candidate, harness, readiness)
    facts = _facts(plan, origin)
    with draft(to) as made:
        cases = write_tests(run, candidate, harness, made, package)
        files = {f"src/{package}/{path}": content for path, content in vendored(package).items()}
        files |= {path: text.encode() for path, text in texts(facts, cases=cases).items()}
        files[f"src/{package}/harness/program.py"] = harness.source.encode()
        files["MODEL_CARD.md"] = card(origin).encode()
        files["provenance.json"] = (json.dumps(origin, ensure_ascii=False, indent=1) + "\n").encode()
        for path, content in files.items():
            (made / path).parent.mkdir(parents=True, exist_ok=True)
            (made / path).write_bytes(content)
        wheel = build_wheel(made, epoch=int(facts.made.timestamp())).name
        place(made, to, plan.names.project, force=force)
    placed = to / DIST / wheel
    install = f"{placed}{extra_of(harness)}"
    return Exported(to, placed, plan.names.project, package, cases, readiness, install, example(facts))


def _facts(plan: Plan, origin: Provenance) -> Facts:
    run, candidate = plan.run, plan.candidate
    return Facts(
        names=plan.names,
        harness=plan.harness,
        uses=uses_of(plan.harness.source),
        license=plan.license,
        run=run.name,
        task=origin["task"]["name"],
        data_licences=tuple(dict.fromkeys(each["licence"] for each in origin["task"]["published"])),
        candidate=candidate.id,
        bet=program_of(candidate).docstring,
        made=_committed(run, candidate),
        measured=measured_versions(run),
    )


def _committed(run: Run, candidate: Candidate) -> datetime:
    """Return when a candidate came to be, which is also the time of its commit."""
    ended = (event for event in Journal(run.paths.journal).read() if isinstance(event, AttemptEnded))
    return next(datetime.fromisoformat(event.clock.at) for event in ended if event.candidate == candidate.id)
