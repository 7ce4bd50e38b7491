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
    from evolve.tasks.jsonl import init_folder

    for path in init_folder(folder):
        click.echo(f"wrote {path}")
    # A bare word is first looked up among the built-in tasks.
    named = folder if "/" in str(folder) else f"./{folder}"
    click.echo(f"\nNext: put your own episodes and queries there, or try the example:\n  evolve run {named}")
