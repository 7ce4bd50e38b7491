"""`evolve run`: start a search, or go on with one."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Callable, Iterable, Sequence
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from evolve.config import Budget, Config
    from evolve.folder import Run


@click.command()
@click.argument("target", metavar="CONFIG|TASK")
@click.option("--name", help="Name of the run; default: the task's. A run of that name that is there goes on.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set a key of the configuration; repeatable."
)
@click.option("--workers", type=click.IntRange(min=1), help="Candidates at work at a time; default: one per processor.")
@click.option("--seeds", type=click.IntRange(min=2), help="Run it so many times, with seeds one apart, and compare.")
@click.option("--dry-run", is_flag=True, help="Count calls, tokens, dollars and hours by phase; spend nothing.")
@click.option("--quiet", is_flag=True, help="Print the result and nothing else.")
def command(
    target: str, name: str | None, settings: tuple[str, ...], workers: int | None, seeds: int | None, dry_run: bool,
    quiet: bool,
) -> int:  # fmt: skip
    """Search for the memory program that fits a task.

    CONFIG|TASK is a TOML file, a built-in task (chronicle, locomo, alfworld, ...) or a folder made by `evolve init`.
    The same command goes on with a run that was interrupted.

    \b
    evolve run chronicle
    evolve run locomo --name wide --set budget.candidates=40
    evolve run locomo --set models.agent=openai:gpt-5-mini --set budget.usd=5
    evolve run locomo --set models.agent=openai:gpt-5-mini --dry-run
    """
    from evolve.config import load_config
    from evolve.session import default_name
    from evolve.tasks import resolve

    config = resolve(load_config(target, settings))
    if dry_run:
        from evolve.cli.estimate import print_estimate

        return print_estimate(config)
    chosen = name or default_name(config)
    words = ["evolve", "run", target, *(["--name", name] if name else [])]
    words += [*(["--workers", str(workers)] if workers else []), *(["--seeds", str(seeds)] if seeds else [])]
    how_to_go_on = f"To go on:\n  {_typed(words, settings)}"

    def searched(config: Config, name: str) -> Run:
        return _search(config, name, workers, quiet=quiet, how_to_go_on=how_to_go_on)

    if seeds is None:
        done = searched(config, chosen)
        return _told(done, how_to_go_on, lambda why: _typed(words, with_more(settings, config.budget, why)))
    from evolve.cli.stability import print_stability, repeat

    found = repeat(config, chosen, seeds, searched)
    print_stability(found)
    ended = found["runs"][-1]["ended"]
    if ended != "finished":
        click.echo(f"{ended}: not all runs are finished; what was finished is kept. {how_to_go_on}", err=True)
    return 130 if ended == "interrupted" else 0


def _search(config: Config, name: str, workers: int | None, *, quiet: bool, how_to_go_on: str) -> Run:
    """Run with a live view, and with a first Ctrl-C that only asks."""
    from evolve.cli.live import progress
    from evolve.paths import runs_dir
    from evolve.session import run

    with progress(config, name, quiet=quiet) as view, Interrupt(view.interrupted) as interrupt:
        view.opened(runs_dir() / name)
        try:
            return run(
                config,
                name=name,
                workers=workers,
                observer=view.event,
                on_stage=view.stage,
                say=view.say,
                interrupted=lambda: interrupt.asked,
            )
        except KeyboardInterrupt:
            view.say(f"ended at once; what was finished is kept. {how_to_go_on}")
            raise


def _told(done: Run, how_to_go_on: str, with_more_budget: Callable[[str], str]) -> int:
    """Print what came of a run, and return the exit code."""
    from evolve.cli.text import console, print_outcome, print_replayed, print_result
    from evolve.summary import summary

    out, stopped = console(), done.population.stopped
    if done.config.models.replay:
        print_replayed(out, done.paths.root.parent.name, summary(done))
    elif stopped is not None and stopped.reason == "budget":
        print_outcome(out, summary(done))
        click.echo(f"\nTo go on with more:\n  {with_more_budget(stopped.why)}")
    elif done.status == "stopped":
        click.echo(f"interrupted; what was finished is kept. {how_to_go_on}", err=True)
        return 130
    else:
        print_result(out, summary(done))
    return 0


def _typed(words: Sequence[str], settings: Iterable[str]) -> str:
    """The command as a user would type it."""
    return shlex.join([*words, *(word for setting in settings for word in ("--set", setting))])


def with_more(settings: Sequence[str], budget: Budget, why: str) -> list[str]:
    """Return the settings with twice the budget that was used up, which the reason names."""
    key = "calls" if "budget.calls" in why else "usd"
    limit = budget.calls if key == "calls" else budget.usd
    kept = [setting for setting in settings if setting.partition("=")[0].strip() != f"budget.{key}"]
    if limit is None:
        return kept
    return [*kept, f"budget.{key}={2 * limit or 1:{'d' if key == 'calls' else 'g'}}"]


class Interrupt:
    """Turns the first Ctrl-C into a request; the second is a KeyboardInterrupt as ever."""

    def __init__(self, heard: Callable[[], None]) -> None:
        self.asked = False
        self._heard = heard
        self._before = signal.getsignal(signal.SIGINT)

    def __enter__(self) -> Interrupt:
        signal.signal(signal.SIGINT, self._first)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _first(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._heard()
