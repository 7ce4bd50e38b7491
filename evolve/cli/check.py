"""`evolve check`: is everything there? Asked before any time or money is spent."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import click

from evolve.errors import ConfigError, EvolveError, PrerequisiteError

if TYPE_CHECKING:
    from evolve.cli.nodes import Look
    from evolve.config import Config, ModelTable
    from evolve.models.base import Price

State: TypeAlias = Literal["ok", "missing", "wrong", "optional"]
"""missing: a prerequisite that is needed. wrong: in the configuration or the data. optional: evolve does without."""
SPACE_MB = 500
"""Less free disk than this is too little for a run."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the list."""

    state: State
    what: str
    """The prerequisite; where it is not ok, also the remedy."""


@click.command()
@click.argument("target", metavar="[CONFIG|TASK]", required=False)
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set a key of the configuration; repeatable."
)
@click.option("--cluster", is_flag=True, help="Look at every node of the Ray cluster at ray.address.")
def command(target: str | None, settings: tuple[str, ...], cluster: bool) -> int:
    """Check that everything is there before a run.

    Looks at Python, git, the sandboxes, the runs folder, the tasks' data and, where one is given, the configuration.
    Builds the sandbox image where an engine answers, and removes containers that a killed run left. Where the
    configuration names models, looks for keys and prices, and asks each model one tiny thing.

    With --cluster each node starts a box, with its image built there or shipped from here, and calls this node back.

    \b
    evolve check --cluster --set ray.address=auto
    """
    states = set()
    if target is None and (settings or cluster):
        target = "chronicle"
    for finding in findings(target, settings, cluster=cluster):
        states.add(finding.state)
        click.echo(f"{finding.state:<9} {finding.what}")
    if "missing" in states:
        click.echo("\nSomething is missing: see the lines above.", err=True)
        return PrerequisiteError.exit_code
    if "wrong" in states:
        return ConfigError.exit_code
    named = target or "chronicle"
    click.echo(f"\nEverything is there. Next: evolve run {named}")
    return 0


def findings(target: str | None, settings: Sequence[str] = (), *, cluster: bool = False) -> Iterator[Finding]:
    """Yield what is found, each as soon as it is known."""
    yield Finding("ok", f"Python {sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}")
    yield _git()
    config, found = _config(target, settings)
    yield from found
    yield from _engine(config)
    yield _process()
    yield _runs_folder()
    yield _ray()
    yield from _seeds(config)
    yield from _tasks(config)
    if config is not None:
        yield from _models(config)
        if cluster:
            yield from _nodes(config)


def _config(target: str | None, settings: Sequence[str]) -> tuple[Config | None, list[Finding]]:
    from evolve.config import load_config
    from evolve.tasks import resolve

    if target is None:
        return None, []
    try:
        return resolve(load_config(target, settings)), [Finding("ok", f"configuration {target}")]
    except ConfigError as error:
        return None, [Finding("wrong", f"configuration: {error}")]


def _git() -> Finding:
    if shutil.which("git") is None:
        return Finding("missing", "git: install it (Debian: apt install git); the lineage of a run is a git repository")
    words = subprocess.run(["git", "--version"], capture_output=True, text=True, check=False).stdout
    return Finding("ok", f"git {words.removeprefix('git version').strip()}")


def _engine(config: Config | None) -> Iterator[Finding]:
    """The Docker engine, the image, and what killed runs left."""
    from evolve.sandbox.docker import connect, leftovers, remove
    from evolve.sandbox.image import ensure_image

    wanted = config is not None and config.sandbox.kind == "docker"
    try:
        client = connect()
    except PrerequisiteError as error:
        without = "" if wanted else " Without one, programs run in the process sandbox."
        yield Finding("missing" if wanted else "optional", f"Docker: {error}{without}")
        return
    try:
        yield Finding("ok", f"Docker engine {client.version()['Version']}")
        image = ensure_image(client, say=lambda line: click.echo(line, err=True))
        built = "was there" if image.build_seconds is None else f"built in {image.build_seconds:.0f} s"
        yield Finding("ok", f"sandbox image {image.tag}: {image.size_mb:,.0f} MB, {built}")
        left = leftovers(client)
        for container in left:
            remove(client, container)
        yield Finding("ok", f"leftovers: {f'{len(left)} removed, containers of killed runs' if left else 'none'}")
    except EvolveError as error:
        yield Finding("missing", f"Docker: {error}")
    finally:
        client.close()


def _process() -> Finding:
    from evolve.config import Limits
    from evolve.sandbox import open_sandbox

    began = time.monotonic()
    sandbox = open_sandbox("process", Limits(), warm=0)
    try:
        sandbox.start().close()
    except EvolveError as error:
        return Finding("missing", f"process sandbox: {error}; reinstall evolve, or use Docker")
    finally:
        sandbox.close()
    what = f"{sandbox.describe()}; starts in {time.monotonic() - began:.1f} s"
    return Finding("ok" if "bubblewrap:" in what else "optional", what)


def _runs_folder() -> Finding:
    from evolve.paths import runs_dir

    folder = runs_dir()
    there, what = folder, f"runs folder {folder}"
    while not there.exists() and there != there.parent:
        there = there.parent
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        return Finding("missing", f"{what}: {there} is not writable; set EVOLVE_RUNS to a folder that is")
    free = shutil.disk_usage(there).free / 1e6
    if free < SPACE_MB:
        return Finding("missing", f"{what}: {free:,.0f} MB free, {SPACE_MB} MB needed; make room, or set EVOLVE_RUNS")
    return Finding("ok", f"{what}: writable, {free / 1000:,.1f} GB free")


def _models(config: Config) -> Iterator[Finding]:
    """Keys and prices; then one tiny call to each model, where nothing is missing."""
    from evolve.models.prices import load_prices
    from evolve.session import preflight

    played: dict[tuple[str, str, str], list[str]] = {}
    tables: dict[tuple[str, str, str], ModelTable] = {}
    for role, table in config.models.by_role.items():
        at = (table.model, table.base_url, table.key_env)
        tables.setdefault(at, table)
        played.setdefault(at, []).append(role)
    if not tables:
        return
    price_of, found = load_prices(config.models.prices), []
    for at, table in tables.items():
        what = f"model {table.model} ({', '.join(played[at])})"
        found += [_key(what, table), _price(what, price_of(table.model), config.budget.usd)]
    yield from found
    if any(finding.state in ("missing", "wrong") for finding in found):
        return
    notes: list[str] = []
    try:
        preflight(config, say=notes.append)
    except EvolveError as error:
        yield Finding("missing", f"models: {error}")
    else:
        yield Finding("ok", f"models: {'it answers' if len(tables) == 1 else 'all of them answer'}")
    yield from (Finding("optional", f"models: {note}") for note in notes)


def _key(what: str, model: ModelTable) -> Finding:
    name = model.key_name
    if os.environ.get(name, "").strip():
        return Finding("ok", f"{what}: key in {name}")
    if model.base_url and not model.key_env:
        return Finding("ok", f"{what}: no key in {name}, and {model.base_url} may need none")
    return Finding("missing", f"{what}: export {name}, or set base_url to a server of your own that needs no key")


def _price(what: str, price: Price | None, cap: float | None) -> Finding:
    if price is not None:
        return Finding("ok", f"{what}: ${price.input:g} in and ${price.output:g} out for a million tokens")
    remedy = "set it in models.prices, 0 for a server of your own"
    if cap is not None:
        return Finding("wrong", f"{what}: no price is known, and budget.usd needs one; {remedy}")
    return Finding("optional", f"{what}: no price is known, so dollars will not be either; {remedy}")


def _ray() -> Finding:
    try:
        import ray
    except ImportError as error:
        return Finding("missing", f"Ray: {error}; reinstall evolve, or give --workers 1")
    return Finding("ok", f"Ray {ray.__version__}")


def _nodes(config: Config) -> Iterator[Finding]:
    """Every node of the cluster, with the sandbox that the driver's node has: a run uses one kind."""
    from evolve.cli.nodes import survey
    from evolve.executors.cluster import Cluster
    from evolve.sandbox import open_sandbox

    if not config.ray.address:
        yield Finding("wrong", "cluster: there is no address; give --set ray.address=auto, or HOST:6379")
        return
    try:
        sandbox = open_sandbox(config.sandbox.kind, config.sandbox.limits, warm=0)
        sandbox.close()
        with closing(Cluster(1, config.ray.address)) as cluster:
            kind: Literal["docker", "process"] = "docker" if sandbox.name == "docker" else "process"
            for look in survey(cluster, kind, config.sandbox.limits):
                yield _node(look)
    except ConfigError as error:
        yield Finding("wrong", f"cluster: {error}")
    except EvolveError as error:
        yield Finding("missing", f"cluster: {error}")


def _node(look: Look) -> Finding:
    what = f"node {look.node.address} ({look.node.cpus:g} CPUs)"
    if look.problem:
        return Finding("missing", f"{what}: {look.problem}")
    image = f", image {look.image}" if look.image else ""
    return Finding(
        "ok",
        f"{what}: evolve {look.version}, Python {look.python}, {look.sandbox}{image}; a box worked, the broker was "
        f"reached; {look.seconds:.1f} s",
    )


def _seeds(config: Config | None) -> Iterator[Finding]:
    from evolve.config import Search
    from evolve.program import load
    from evolve.session import find_program

    names = config.search.seeds if config else Search().seeds
    wrong = []
    for name in names:
        try:
            load(find_program(name))
        except EvolveError as error:
            wrong.append(Finding("wrong", f"seed {name}: {error}"))
    yield from wrong
    if not wrong:
        yield Finding("ok", f"seeds: {', '.join(names)}")


def _tasks(config: Config | None) -> Iterator[Finding]:
    from evolve.tasks import built_in, load

    if config is None:
        yield _task("chronicle", lambda: len(load("chronicle").queries))
        for name in built_in():
            yield from _benchmark(name)
        return
    missing = [found for found in _benchmark(config.task) if found.state != "ok"] if config.task in built_in() else []
    yield from missing or [_task(config.task, lambda: len(load(config.task, config.task_options).queries))]


def _task(name: str, queries: Callable[[], int]) -> Finding:
    try:
        return Finding("ok", f"task {name}: {queries():,} queries")
    except PrerequisiteError as error:
        return Finding("missing", f"task {name}: {error}")
    except EvolveError as error:
        return Finding("wrong", f"task {name}: {error}")


def _benchmark(name: str) -> Iterator[Finding]:
    """Looked for, never downloaded: a check must not fetch anything behind the user's back."""
    from evolve.tasks import family

    for source in family(name).sources:
        if path := source.found():
            yield Finding("ok", f"task {name}: its data is at {path}")
        else:
            how = f"`evolve run {name}` downloads it once ({source.licence}) from {source.url}"
            yield Finding("optional", f"task {name}: no data yet; {how}")
