"""What a user sees on stderr while a run works: a live view in a terminal, one line per attempt on a pipe."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from evolve.cli.text import console, count, cut, dollars, duration
from evolve.events import AttemptEnded, AttemptStarted, Event, Measured, RunStopped, WinnerChosen
from evolve.population import SEED, Candidate, Population
from evolve.summary.costs import recorded

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

    from evolve.config import Config

FINISHING = "finishing what is in flight; Ctrl-C again ends at once"
LATELY = 5
"""Ended attempts that the live view keeps in sight."""
REFRESHES = 4
"""Per second."""
NOTE_CHARS = 110


class Progress:
    """Says nothing: --quiet. The base of the other two, which keeps what both of them show."""

    def __init__(self, config: Config, name: str) -> None:
        self.config = config
        self.name = name
        self.population = Population()
        self.began = time.monotonic()
        self.measured = 0
        """Seeds and children measured by this session."""

    def say(self, line: str) -> None:
        """Pass a line on to the user."""

    def stage(self, key: int | str, text: str) -> None:
        """Hear at which stage a job is."""

    def interrupted(self) -> None:
        """Tell the user that the first Ctrl-C was heard. Called by the signal handler."""

    def opened(self, folder: Path) -> None:
        """Tell the user about a run of that name that is there already."""
        from evolve.config import differences
        from evolve.folder import open_run

        if self.config.models.replay:
            self.say(f"replaying run {self.name} from its own store, without a provider")
        elif (folder / "journal.jsonl").exists() and (folder / "config.toml").exists():
            run = open_run(folder)
            if any(not change.startswith("budget.") for change in differences(run.config, self.config)):
                return  # the run will be refused, and that is all there is to say
            self.population = run.population
            if run.status == "finished":
                self.say(f"run {run.name} is finished already; this is its result. --name NAME starts another one")
            elif run.candidates:
                self.say(f"going on with run {run.name}: {count(len(run.candidates), 'attempt')} done before")

    def event(self, event: Event, population: Population) -> None:
        """Hear an event that is safe on disk."""
        self.population = population
        if isinstance(event, AttemptEnded) and event.outcome != "rejected":
            self.measured += 1

    def left(self) -> float | None:
        """Estimate from this session's pace the seconds of search that are left; None where it is too early to tell."""
        population, budget = self.population, self.config.budget
        waiting = len(self.config.search.seeds) - len(population.seeds) + budget.candidates - population.children
        if self.measured < 2 or waiting <= 0:
            return None
        left = (time.monotonic() - self.began) / self.measured * waiting
        return left if budget.hours is None else max(0.0, min(left, budget.hours * 3600 - population.elapsed))

    def money(self) -> str:
        """Return what attempts that have ended have cost, "$0.1234 of $5, 1,200 calls"; "" in a run without models."""
        if not self.config.models.by_role:
            return ""
        spent, budget = recorded(self.population), self.config.budget
        usd = "dollars unknown" if spent.usd is None else dollars(spent.usd)
        usd += f" of {dollars(budget.usd)}" if budget.usd is not None else ""
        calls = count(spent.calls, "call") + (f" of {budget.calls:,}" if budget.calls is not None else "")
        return f"{usd}, {calls}"

    def title(self, candidate: Candidate | None) -> str:
        """Return "0.651 (c009)"."""
        return f"{candidate.mean:.3f} ({candidate.id})" if candidate else "none yet"

    def tail(self, event: AttemptEnded) -> str:
        """Return what is to be said about an attempt: a seed's name, what changed, or why it was rejected."""
        if event.outcome != "scored":
            return event.reason
        if event.operator == SEED:
            return Path(self.config.search.seeds[event.attempt]).stem
        return event.note

    def result(self, event: AttemptEnded) -> str:
        """Return the score or the outcome, always of the same width."""
        scored = event.outcome == "scored"
        return f"{self.population.candidates[event.candidate].mean:.3f}   " if scored else f"{event.outcome:<8}"


class Lines(Progress):
    """One line per attempt."""

    def say(self, line: str) -> None:
        """Print the line."""
        print(line, file=sys.stderr, flush=True)  # noqa: T201

    def interrupted(self) -> None:
        """Print at once; a signal handler must not use a buffered file that may be in use."""
        os.write(2, f"{FINISHING}\n".encode())

    def event(self, event: Event, population: Population) -> None:
        """Print what ended."""
        super().event(event, population)
        match event:
            case AttemptEnded():
                best = f"best {self.title(population.best)}"
                money = f"{money}  " if (money := self.money()) else ""
                line = (
                    f"{event.candidate}  {event.operator:<9}  {self.result(event)}  {best}  {money}{self.tail(event)}"
                )
                self.say(cut_keeping_columns(line))
            case Measured():
                self.say(f"{event.candidate}  {event.split:<9}  {_mean(event)}")
            case WinnerChosen():
                self.say(f"{event.candidate}  is the winner")


class Screen(Progress):
    """A view of fixed height that is drawn anew a few times a second."""

    def __init__(self, config: Config, name: str, out: Console) -> None:
        super().__init__(config, name)
        self.out = out
        self.phase = "loading the task"
        self.asked_to_stop = False
        self.at_work: dict[int, AttemptStarted] = {}
        self.stages: dict[int | str, str] = {}
        self.lately: list[str] = []
        self.rows = 1

    def say(self, line: str) -> None:
        """Print the line above the view."""
        self.out.print(line)
        if line.startswith("sandbox:"):
            self.phase = "starting workers"

    def stage(self, key: int | str, text: str) -> None:
        """Note the stage for the next drawing."""
        self.stages[key] = text

    def interrupted(self) -> None:
        """Show it at the next drawing."""
        self.asked_to_stop = True

    def event(self, event: Event, population: Population) -> None:
        """Note what began and what ended."""
        super().event(event, population)
        match event:
            case AttemptStarted():
                self.phase = "searching"
                self.at_work[event.attempt] = event
                self.rows = max(self.rows, len(self.at_work))
            case AttemptEnded():
                self.at_work.pop(event.attempt, None)
                self.stages.pop(event.attempt, None)
                self.lately.append(f"{event.candidate}  {event.operator:<9}  {self.result(event)}  {self.tail(event)}")
            case Measured():
                if event.split != "static":
                    chosen = population.winner is not None
                    self.phase = "asking the held-out queries" if chosen else "choosing the winner"
                for key in (event.candidate, f"{event.candidate} {event.split}"):
                    self.stages.pop(key, None)
                self.lately.append(f"{event.candidate}  {event.split:<9}  {_mean(event)}")
            case RunStopped():
                self.phase = "ending the workers"
            case WinnerChosen():
                self.phase = "asking the held-out queries"
                self.lately.append(f"{event.candidate}  is the winner")

    def __rich__(self) -> RenderableType:
        """Draw the view."""
        from rich.console import Group

        lines = [_text(""), self._bar(), _text(self._best()), _text("")]
        lines += [_text(f"  {line}") for line in self._working()]
        lines += [_text("")] + [_text(f"  {line}", style="dim") for line in _padded(self.lately[-LATELY:], LATELY)]
        if self.asked_to_stop and self.at_work:
            lines.append(_text(FINISHING, style="bold yellow"))
        return Group(*lines)

    def _bar(self) -> RenderableType:
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        total = self.config.budget.candidates
        done = self.population.children
        times = duration(time.monotonic() - self.began)
        left = self.left()
        if left is not None and self.phase == "searching":
            times += f", about {duration(left)} of search left"
        row = Table.grid(padding=(0, 2, 0, 0))
        row.add_row(
            _text(f"{self.name}: {self.phase}", style="bold"),
            ProgressBar(total=max(1, total), completed=done, width=24),
            _text(f"{done} of {count(total, 'candidate')}"),
            _text(times),
        )
        return row

    def _best(self) -> str:
        population = self.population
        if population.best is None:
            return "best: none yet"
        started = population.started
        asked = f", {started.scorer} on {count(started.queries['static'], 'query')}" if started else ""
        money = f"; {money}" if (money := self.money()) else ""
        return f"best {self.title(population.best)}, best seed {self.title(population.best_seed)}{asked}{money}"

    def _working(self) -> list[str]:
        lines = []
        for number, attempt in list(self.at_work.items()):
            of = f"of {', '.join(attempt.parents)}" if attempt.parents else self.config.search.seeds[number]
            stage = self.stages.get(number, "starting")
            lines.append(f"c{number:03d}  {attempt.operator:<9}  {cut(of, 24):<24}  {stage}")
        finals = [key for key in list(self.stages) if isinstance(key, str)]
        for candidate, _, split in (key.partition(" ") for key in finals):
            stage = self.stages.get(f"{candidate} {split}".rstrip(), "")
            lines.append(f"{candidate}  {split or 'static':<9}  {'':<24}  {stage}")
        return _padded(lines, self.rows)


@contextmanager
def progress(config: Config, name: str, *, quiet: bool) -> Iterator[Progress]:
    """Yield what fits: nothing for --quiet, a live view in a terminal, lines elsewhere."""
    out = console(stderr=True)
    if quiet:
        yield Progress(config, name)
    elif not out.is_terminal or out.is_dumb_terminal:
        yield Lines(config, name)
    else:
        from rich.live import Live

        screen = Screen(config, name, out)
        with Live(screen, console=out, refresh_per_second=REFRESHES, transient=True):
            yield screen


def cut_keeping_columns(line: str) -> str:
    """Return the line cut to what a log can hold; columns stay where they are."""
    line = line.replace("\n", " ")
    return line if len(line) <= NOTE_CHARS + 50 else f"{line[: NOTE_CHARS + 49]}…"


def _text(line: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(line, style=style, no_wrap=True, overflow="ellipsis")


def _padded(lines: list[str], height: int) -> list[str]:
    """A view that changes its height makes the terminal jump."""
    return lines + [""] * (height - len(lines))


def _mean(event: Measured) -> str:
    known = [score for score in event.scores.values() if score is not None]
    return f"{sum(known) / len(known):.3f}" if known else "could not be measured"
