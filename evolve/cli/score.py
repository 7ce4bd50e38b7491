"""`evolve score`: measure one program, every seed, or every known memory design, without a search."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

if TYPE_CHECKING:
    from evolve.summary.board import Board, Row


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
        _print(shown)
    if folder is not None:
        _write(folder, shown)
    if compared.unpaid:
        missing = [name for name in programs if name not in compared.results]
        _say(f"{missing[0]} and what comes after it are not measured: {compared.unpaid}")


def _say(line: str) -> None:
    click.echo(line, err=True)


def _print(board: Board) -> None:
    from evolve.cli.text import console, count, cut, dollars, duration, plain, print_block, span, table
    from evolve.summary import meaning

    out, scorer, paid = console(), board["scorer"], any(row["cost"]["calls"] for row in board["programs"])
    out.print(heading(board), style="bold")
    names = _categories(board)
    cost = ("calls", "cost") if paid else ()
    measures = _measures(board)
    right = (scorer, *names, *measures, *cost, "read", "p50", "p95", "time")
    shown = table(
        "program", scorer, "95 % interval", *names, *measures, *cost, "read", "p50", "p95", "time", right=right
    )
    for row in board["programs"]:
        means = [f"{row['categories'][name]:.2f}" if name in row["categories"] else "-" for name in names]
        others = [f"{row['measures'][name]:.2f}" if name in row["measures"] else "-" for name in measures]
        spent = [f"{row['cost']['calls']:,}", dollars(row["cost"]["usd"])] if cost else []
        read = row["read"]
        shown.add_row(
            row["program"], plain(row["score"]), span(row["score"]), *means, *others, *spent, f"{read['chars']:,.0f}",
            f"{read['p50_ms']:.1f}", f"{read['p95_ms']:.1f}", duration(row["seconds"]),
        )  # fmt: skip
    out.print(shown)
    out.print("read: characters of one read; p50, p95: milliseconds of one read", style="dim")
    faults = []
    for row in board["programs"]:
        whose = ((row["program_faults"], "the program"), (row["infrastructure_faults"], "the infrastructure"))
        for number, what in whose:
            if number:
                reason = cut(row["reasons"][0], 200)
                faults.append(f"  {row['program']}: {count(number, 'query')} failed in {what}; {reason}")
    print_block(out, "Faults (the program's count as 0, the infrastructure's are left out)", faults)
    for note in board["notes"]:
        out.print(f"\n{note}")
    out.print(f"\n{meaning(scorer, board['agent'], board['task'])}")


MOST_COLUMNS = 5
"""Categories and measures that fit a terminal; all of them are in the files and in --json."""


def _categories(board: Board) -> list[str]:
    names = list(board["categories"])
    return names if len(names) <= MOST_COLUMNS else []


def _measures(board: Board) -> list[str]:
    names = sorted({name for row in board["programs"] for name in row["measures"]})
    return names[: max(0, MOST_COLUMNS - len(_categories(board)))]


def heading(board: Board) -> str:
    """Return in a line what was measured on what."""
    which = "held-out queries" if board["split"] == "test" else "queries that a search sees"
    episodes = f"{board['episodes']:,} episode{'' if board['episodes'] == 1 else 's'}"
    return f"{board['task']}: {board['scorer']} on {board['queries']:,} {which}, after {episodes}"


def _write(folder: Path, board: Board) -> None:
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


def markdown(board: Board) -> str:
    """Return the comparison as a Markdown table, with every category and its number of queries."""
    categories = list(board["categories"])
    measures = sorted({name for row in board["programs"] for name in row["measures"]})
    head = [
        "program", board["scorer"], "95 % interval", "behind the best", *(
            f"{name} (n={board['categories'][name]})" for name in categories
        ), *measures, "calls/write", "tokens/write", "calls/read", "tokens/read", "read chars", "write p50/p95 ms",
        "read p50/p95 ms",
    ]  # fmt: skip
    lines = [heading(board), "", *board["notes"], *([""] if board["notes"] else [])]
    lines += [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(_cells(row, categories, measures))} |" for row in board["programs"]]
    return "\n".join(lines) + "\n"


def _cells(row: Row, categories: Sequence[str], measures: Sequence[str]) -> list[str]:
    held, behind, write, read = row["score"], row["behind"], row["write"], row["read"]
    faults = f" ({row['program_faults']} faults)" if row["program_faults"] else ""
    return [
        f"`{row['program']}`{faults}",
        f"{held['mean']:.3f}" if held else "-",
        f"{held['low']:.3f} to {held['high']:.3f}" if held else "-",
        f"{behind['difference']:.3f} ({behind['low']:.3f} to {behind['high']:.3f})" if behind else "",
        *(f"{row['categories'][name]:.3f}" if name in row["categories"] else "-" for name in categories),
        *(f"{row['measures'][name]:.3f}" if name in row["measures"] else "-" for name in measures),
        f"{write['calls']:.2f}", f"{write['tokens']:.0f}", f"{read['calls']:.2f}", f"{read['tokens']:.0f}",
        f"{read['chars']:,.0f}", f"{write['p50_ms']:.1f} / {write['p95_ms']:.1f}",
        f"{read['p50_ms']:.1f} / {read['p95_ms']:.1f}",
    ]  # fmt: skip
