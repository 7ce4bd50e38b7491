"""`evolve score`: measure one program, every seed, or every known memory design, without a search."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

if TYPE_CHECKING:
    from evolve.summary.board import Board


@click.command()
@click.argument("names", metavar="PROGRAM...", nargs=-1, required=True)
@click.argument("target", metavar="CONFIG|TASK")
@click.option(
    "--split",
    type=click.Choice(["static", "test"]),
    default="static",
    help="The queries that a search sees (the default), or the held-out ones.",
)
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set a key of the configuration; repeatable."
)
@click.option("--workers", type=click.IntRange(min=1), help="Programs at work at a time; default: one per processor.")
@click.option(
    "--to", "folder", type=click.Path(path_type=Path), help="Also write table.md, table.json and plot.svg there."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    names: tuple[str, ...],
    target: str,
    split: str,
    settings: tuple[str, ...],
    workers: int | None,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Measure memory programs on a task, without a search.

    PROGRAM is a file, a name in seeds/ or seeds/zoo/, "all" for every seed, "zoo" for these and every known memory
    design, or "oracle" for what a perfect memory would score. Several are compared.

    \b
    evolve score all chronicle
    evolve score zoo locomo --split test --to zoo-on-locomo
    evolve score zoo my_program.py locomo
    """
    from evolve.cli.board import print_board
    from evolve.comparison import chosen_programs, compare
    from evolve.config import load_config
    from evolve.summary.board import board
    from evolve.tasks import resolve

    programs = {name: parsed for each in names for name, parsed in chosen_programs(each).items()}
    config = resolve(load_config(target, settings))
    queries: Literal["static", "test"] = "test" if split == "test" else "static"
    compared = compare(config, programs, queries, workers=workers, say=_say)
    shown = board(compared)
    if as_json:
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
    else:
        print_board(shown)
    if folder is not None:
        _write(folder, shown)
    if compared.unpaid:
        missing = [name for name in programs if name not in compared.results]
        _say(f"{missing[0]} and what comes after it are not measured: {compared.unpaid}")


def _say(line: str) -> None:
    click.echo(line, err=True)


def _write(folder: Path, board: Board) -> None:
    from evolve.cli.board import markdown
    from evolve.cli.plot import plot
    from evolve.errors import ConfigError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = {
            "table.md": markdown(board),
            "table.json": json.dumps(board, ensure_ascii=False, indent=2) + "\n",
            "plot.svg": plot(board),
        }
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--to {folder}: {error.strerror}; name a folder that can be written to.") from None
    _say(f"wrote {', '.join(str(folder / name) for name in files)}")
