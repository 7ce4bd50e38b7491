"""`evolve init`: a task of your own."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def command(folder: Path) -> None:
    """Make a task of your own from JSONL files.

    Writes a small commented example into FOLDER; it runs as it is. Replace its episodes and queries with yours.
    """
    from evolve.tasks import BUILT_IN
    from evolve.tasks.jsonl import init_folder

    for path in init_folder(folder):
        click.echo(f"wrote {path}")
    named = f"./{folder}" if str(folder) in BUILT_IN else folder
    click.echo(f"\nNext: put your own episodes and queries there, or try the example:\n  evolve run {named}")
