"""`evolve init`: a task of your own."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--from", "source", metavar="TASK", help="Copy the records of a built-in task, such as locomo.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set an option of that task; repeatable.")
def command(folder: Path, source: str | None, settings: tuple[str, ...]) -> None:
    """Make a task of your own from JSONL files.

    Writes a small commented example into FOLDER; it runs as it is. Replace its episodes and queries with yours. With
    --from the records are those of a built-in task, to change them or to see how they are made.

    \b
    evolve init mine
    evolve init mine --from locomo --set task_options.conversations=1-2
    """
    from evolve.errors import ConfigError
    from evolve.tasks import built_in
    from evolve.tasks.jsonl import init_folder

    if source is None:
        if settings:
            raise ConfigError("--set has options of a built-in task, and none is named: add --from TASK, or drop it.")
        paths, change = init_folder(folder), "put your own episodes and queries there, or try the example"
    else:
        paths, change = _copied(folder, source, settings), "change its records, or try it as it is"
    for path in paths:
        click.echo(f"wrote {path}")
    named = f"./{folder}" if str(folder) in built_in() else folder
    click.echo(f"\nNext: {change}:\n  evolve run {named}")


def _copied(folder: Path, source: str, settings: tuple[str, ...]) -> list[Path]:
    from evolve.config import load_config
    from evolve.errors import ConfigError
    from evolve.tasks import built_in, open_family
    from evolve.tasks.jsonl import copy_folder

    if source not in built_in():
        raise ConfigError(f"--from {source!r}: not a built-in task; good values: {', '.join(built_in())}.")
    return copy_folder(folder, open_family(source, load_config(source, settings).task_options))
