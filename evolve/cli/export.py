"""`evolve export`: take a candidate home as an installable package."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evolve.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from evolve.export.project import Exported
    from evolve.export.texts import License


@click.command()
@click.argument("run", metavar="RUN")
@click.argument("candidate", default="best")
@click.option(
    "--to",
    "folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="A new or empty folder, or a former export's, for the project.",
)
@click.option("--name", metavar="NAME", help="The project's name; default: RUN-memory. It is imported with _ for -.")
@click.option("--version", default="0.1.0", show_default=True, help="The project's; raise it when you export again.")
@click.option("--check", "only_check", is_flag=True, help="Only check whether it is ready; write nothing.")
@click.option("--force", is_flag=True, help="Export what fails its checks, and replace what you changed in FOLDER.")
@click.option(
    "--license",
    "license_",
    type=click.Choice(["Apache-2.0", "MIT", "none"]),
    default="Apache-2.0",
    show_default=True,
    help="The project's licence; none keeps all rights.",
)
def command(
    run: str,
    candidate: str,
    folder: Path | None,
    name: str | None,
    version: str,
    only_check: bool,
    force: bool,
    license_: License,
) -> None:
    """Take a candidate home: a package that remembers, with its tests, its card and its wheel.

    RUN is a name below runs/ or a folder. CANDIDATE is an id such as c012; the best one by default. Whether it is ready
    is checked first: restarts, growth, latency, readers beside a writer, forgetting, updates, leaks and secrets.

    \b
    evolve export chronicle --to chronicle-memory
    evolve export locomo c012 --to memory --name locomo-memory --license MIT
    evolve export locomo --check
    """
    from evolve.cli.text import console
    from evolve.export.project import planned
    from evolve.session import open_run

    out, progress, opened = console(), console(stderr=True), open_run(run)

    def say(line: str) -> None:
        progress.print(line, style="dim")

    if only_check:
        readiness = planned(opened, candidate, name=name, version=version, license=license_).check(say)
        out.print(readiness.table())
        if not readiness.passed:
            raise click.exceptions.Exit(1)
        return
    if folder is None:
        raise ConfigError("--to is not given; name a new folder for the project, or give --check to write nothing.")
    exported = opened.export(
        folder,
        candidate,
        name=name,
        version=version,
        license=license_,
        force=force,
        checked=lambda readiness: progress.print(readiness.table()),
        say=say,
    )
    _print_exported(out, exported)


def _print_exported(out: Console, exported: Exported) -> None:
    """Print what was written, and what to type next."""
    from evolve.cli.text import count

    out.print(f"{exported.project} is in {exported.folder}.", style="bold", soft_wrap=True)
    held = count(exported.cases, "case")
    out.print(f"MODEL_CARD.md says what it was measured on; its tests replay {held} of the run.")
    out.print("\nNext:", style="bold")
    out.print(f"  pip install {shlex.quote(exported.install)}", soft_wrap=True)
    out.print("\nThen, in Python:", style="bold")
    for line in exported.example.splitlines():
        out.print(f"  {line}", soft_wrap=True)
