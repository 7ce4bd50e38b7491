"""The entry point: finds the command, and turns every way to fail into one line and an exit code."""

from __future__ import annotations

import difflib
import errno
import importlib
import os
import sys
import traceback
from collections.abc import Mapping, Sequence

import click

import evolve
from evolve.errors import EvolveError, RunFolderError

COMMANDS: Mapping[str, str] = {
    "run": "evolve.cli.run",
    "inspect": "evolve.cli.inspect",
    "export": "evolve.cli.export",
    "score": "evolve.cli.score",
    "transfer": "evolve.cli.transfer",
    "init": "evolve.cli.init",
    "check": "evolve.cli.check",
}
"""Name of each command to its module, which holds it under the name `command`; imported when it is called."""
INTERRUPTED = 130


class Commands(click.Group):
    """A group whose commands are imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which a user meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command; raises UsageError that names the nearest ones."""
        if cmd_name in COMMANDS:
            command: click.Command = importlib.import_module(COMMANDS[cmd_name]).command
            return command
        if cmd_name.startswith("-"):
            return None  # an unknown option: click says so
        close = difflib.get_close_matches(cmd_name, COMMANDS, n=2)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        raise click.UsageError(f"no command {cmd_name!r}; {hint}The commands are {', '.join(COMMANDS)}.")


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(evolve.__version__, prog_name="evolve", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error; goes anywhere.")
@click.pass_context
def group(context: click.Context) -> None:
    """Find the memory program that fits your task.

    A memory program is Python code that decides what an agent writes down, how it is kept and what is read back.
    `evolve run chronicle` starts a search on a task that ships with evolve, without a key, a model or a download.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; never raises, and shows a traceback only with --debug."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        code = group.main([word for word in given if word != "--debug"], prog_name="evolve", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains once more when it ends
        return 0
    except Exception as error:
        if debug:
            traceback.print_exc()
        message, code = explain(error)
        click.echo(f"Error: {message}" if code is not None else f"Internal error: {message}", err=True)
        return 1 if code is None else code


def explain(error: Exception) -> tuple[str, int | None]:
    """Return one line for the user and the exit code; None for what is a bug in evolve."""
    if isinstance(error, EvolveError):
        return _one_line(str(error)), error.exit_code
    if isinstance(error, click.ClickException):
        return _usage(error), 2
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" at {error.filename}" if error.filename else ""
        message = f"no space is left on the disk{where}; make room, then type the same command again."
        return message, RunFolderError.exit_code
    return f"{type(error).__name__}: {_one_line(str(error))[:300]} (--debug shows the traceback)", None


def _usage(error: click.ClickException) -> str:
    message = _one_line(error.format_message())
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{message.rstrip('.?')}; `{error.ctx.command_path} --help` shows what there is."
    return message


def _one_line(text: str) -> str:
    return " ".join(text.split())
