"""The memory at the command line: `python -m PACKAGE remember|recall|answer|forget|stats|export|import|repl|mcp`.

Results go to stdout, and nothing else does. An error is one line on stderr; the exit code is 2 where the command asks
for something that makes no sense, 1 where it could not be done.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from evolve.harness.errors import BadInput, HarnessError
from evolve.harness.memory import Memory
from evolve.harness.stats import Stats

_COMMANDS = "type a question, + TEXT, /scope NAME, /stats or /quit"
_HELP = {
    "folder": "where the memory is kept (default: memory)",
    "scope": "whose memory it is",
    "model": "fills the program's fields and answers: openai:NAME or anthropic:NAME (default: none)",
    "base-url": "of an OpenAI-compatible server, for --model openai:NAME",
    "source": "where the text is from",
    "when": "when it took place, such as 2026-05-08",
}


def main(memory_type: type[Memory], argv: Sequence[str] | None = None) -> int:
    """Run one command on a memory of this type, and return the exit code. `argv` None: that of the process."""
    try:
        given = _parser(memory_type).parse_args(argv)
    except SystemExit as stop:  # argparse has said what is wrong, or helped
        return int(stop.code or 0)
    try:
        with memory_type(given.folder, model=given.model, base_url=given.base_url) as memory:
            run: Callable[[Memory, argparse.Namespace], int | None] = given.run
            return run(memory, given) or 0
    except HarnessError as error:
        _say_error(error)
        return 2 if isinstance(error, BadInput) else 1
    except BrokenPipeError:  # as in `stats | head`: what is left to print goes nowhere, the exit's flush included
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def _parser(memory_type: type[Memory]) -> argparse.ArgumentParser:
    harness = memory_type.harness
    parser = argparse.ArgumentParser(
        prog=f"python -m {__package__}", description=f"{harness.name} {harness.version}: a long-term memory."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    every = ("folder", "model", "base-url")

    def command(name: str, run: Callable[..., int | None], says: str, *options: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=says, description=says[0].upper() + says[1:] + ".")
        for option in (*every, *options):
            made.add_argument(f"--{option}", help=_HELP[option], default="memory" if option == "folder" else None)
        made.set_defaults(run=run)
        return made

    text = command("remember", _remember, "write a text, and print its number in the scope", "scope", "source", "when")
    text.add_argument("text", help="what is to be remembered; - for stdin")
    for name, act, says in (
        ("recall", _recall, "print what the memory has on a question"),
        ("answer", _answer, "print the model's answer to a question; without a model, what the memory has on it"),
    ):
        command(name, act, says, "scope").add_argument("question", help="a whole question; - for stdin")
    command("forget", _forget, "remove a scope, a source, or a source in a scope for good", "scope", "source")
    command("stats", _stats, "print the size of every scope, or of one", "scope")
    command("export", _export, "write a scope to a file of JSON lines", "scope").add_argument("path")
    command("import", _import, "write what was exported after what the scope has", "scope").add_argument("path")
    command("repl", _repl, f"talk with the memory, line by line: {_COMMANDS}", "scope")
    command("mcp", _mcp, "serve agents over stdin and stdout; with --scope, that scope and no other", "scope")
    return parser


def _remember(memory: Memory, given: argparse.Namespace) -> None:
    text = _text(given.text)
    _say(str(memory.write(text, scope=_scope(given), source=given.source or "", when=given.when)))


def _recall(memory: Memory, given: argparse.Namespace) -> None:
    _say(memory.read(_text(given.question), scope=_scope(given)))


def _answer(memory: Memory, given: argparse.Namespace) -> None:
    _say(memory.answer(_text(given.question), scope=_scope(given)))


def _forget(memory: Memory, given: argparse.Namespace) -> None:
    _say(str(memory.forget(scope=given.scope, source=given.source)))


def _stats(memory: Memory, given: argparse.Namespace) -> None:
    _say(_table(memory.stats(scope=given.scope)))


def _export(memory: Memory, given: argparse.Namespace) -> None:
    _say(str(memory.export(_scope(given), given.path)))


def _import(memory: Memory, given: argparse.Namespace) -> None:
    _say(str(memory.import_(given.path, scope=_scope(given))))


def _mcp(memory: Memory, given: argparse.Namespace) -> None:
    try:
        from evolve.harness.mcp import serve
    except ModuleNotFoundError as error:
        if error.name not in ("mcp", "anyio"):
            raise
        raise HarnessError("the MCP server needs the package mcp: pip install 'mcp>=2,<3'.") from None
    # The SDK waits for stdin even when it is interrupted. Dying at once loses nothing that was acknowledged.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    serve(memory, scope=given.scope)


def _repl(memory: Memory, given: argparse.Namespace) -> int:
    """Talk until the input ends; where it is a script and a line of it failed, the exit code says so."""
    talk = _Talk(memory, _scope(given))
    failed = False
    for line in _lines(talk):
        if line == "/quit":
            break
        try:
            if said := talk.reply(line):
                _say(said)
        except HarnessError as error:
            failed = True
            _say_error(error)
    return int(failed and not sys.stdin.isatty())


@dataclass(slots=True)
class _Talk:
    """What `repl` is talking about."""

    memory: Memory
    scope: str

    def reply(self, line: str) -> str:
        """Do what one line says, and return what there is to say to it."""
        if line.startswith("+"):
            self.memory.write(line[1:].strip(), scope=self.scope)
            return ""
        word, _, rest = line.partition(" ")
        if word == "/scope" and rest.strip():
            self.scope = rest.strip()
            return ""
        if word == "/stats" and not rest:
            return _table(self.memory.stats())
        if word.startswith("/"):
            raise BadInput(f"there is no command {line!r}; {_COMMANDS}.")
        return self.memory.answer(line, scope=self.scope)


def _lines(talk: _Talk) -> Iterator[str]:
    """Yield what is typed, or piped, line by line; blank lines are left out."""
    typed = sys.stdin.isatty()
    if typed:
        import readline  # noqa: F401  (gives `input` its editing and its history)
    while True:
        try:
            line = input(f"{talk.scope}> ") if typed else sys.stdin.readline()
        except EOFError:
            return
        except UnicodeDecodeError:
            raise _not_utf8() from None
        if not typed and not line:
            return
        if line.strip():
            yield line.strip()


def _text(argument: str) -> str:
    """Return an argument, or all of stdin where it is "-"."""
    try:
        return sys.stdin.read() if argument == "-" else argument
    except UnicodeDecodeError:
        raise _not_utf8() from None


def _not_utf8() -> BadInput:
    return BadInput(f"stdin is not text in {sys.stdin.encoding}; convert it, as with iconv.")


def _scope(given: argparse.Namespace) -> str:
    return "default" if given.scope is None else str(given.scope)


def _table(stats: Stats) -> str:
    """Return one line a scope, below a line of heads; times are UTC."""
    rows = [("SCOPE", "WRITES", "BYTES", "FIRST", "LAST")]
    rows += [
        (repr(each.scope)[1:-1], str(each.writes), str(each.bytes), each.first, each.last) for each in stats.scopes
    ]
    if len(stats.scopes) != 1:
        rows.append((f"{len(stats.scopes)} scopes", str(stats.writes), str(stats.bytes), "", ""))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join(
        f"{scope:{widths[0]}}  {writes:>{widths[1]}}  {size:>{widths[2]}}  {first:{widths[3]}}  {last}".rstrip()
        for scope, writes, size, first, last in rows
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _say_error(error: HarnessError) -> None:
    sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
