"""`evolve run`: start a search, or go on with one."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Callable
from types import FrameType, TracebackType

import click


@click.command()
@click.argument("target", metavar="CONFIG|TASK")
@click.option("--name", help="Name of the run; default: the task's. A run of that name that is there goes on.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set a key of the configuration; repeatable."
)
@click.option("--workers", type=click.IntRange(min=1), help="Candidates at work at a time; default: one per processor.")
@click.option("--quiet", is_flag=True, help="Print the result and nothing else.")
def command(target: str, name: str | None, settings: tuple[str, ...], workers: int | None, quiet: bool) -> int:
    """Search for the memory program that fits a task.

    CONFIG|TASK is a TOML file, a built-in task (chronicle, locomo) or a folder made by `evolve init`. The same command
    goes on with a run that was interrupted.

    \b
    evolve run chronicle
    evolve run locomo --name wide --set budget.candidates=40
    """
    from evolve.cli.live import progress
    from evolve.cli.text import console, print_result
    from evolve.config import load_config
    from evolve.paths import runs_dir
    from evolve.session import default_name, run
    from evolve.summary import summary

    config = load_config(target, settings).resolved()
    chosen = name or default_name(config)
    folder = runs_dir() / chosen
    words = ["evolve", "run", target, *(["--name", name] if name else [])]
    words += ["--workers", str(workers)] if workers else []
    words += [word for setting in settings for word in ("--set", setting)]
    how_to_go_on = f"To go on:\n  {shlex.join(words)}"
    with progress(config, chosen, quiet=quiet) as view, Interrupt(view.interrupted) as interrupt:
        view.opened(folder)
        try:
            done = run(
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
    if done.status == "stopped":
        click.echo(f"interrupted; what was finished is kept. {how_to_go_on}", err=True)
        return 130
    print_result(console(), summary(done))
    return 0


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
