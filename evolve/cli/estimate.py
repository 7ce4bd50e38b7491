"""`evolve run --dry-run`: what a run would cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evolve.config import Config
    from evolve.estimate import Phase


def print_estimate(config: Config) -> int:
    """Print calls, tokens, dollars and hours of each phase; nothing is asked, and no sandbox is started."""
    from evolve.cli.text import console, table
    from evolve.estimate import SECONDS, estimate
    from evolve.evaluation.splits import make_splits
    from evolve.program import load
    from evolve.tasks import load as load_task
    from evolve.wiring import find_program

    splits = make_splits(load_task(config.task, config.task_options), config.evaluation, seed=config.seed)
    found = estimate(config, splits, [load(find_program(name)) for name in config.search.seeds])
    out = console()
    sizes = ", ".join(f"{len(getattr(splits, name)):,} {name}" for name in ("static", "rotating", "fresh", "test"))
    out.print(
        f"A run of {config.task} would ask {sizes} queries, after {len(splits.episodes):,} episodes", style="bold"
    )
    if not config.models.by_role:
        out.print("\nNo model is named: no calls, no dollars. How long it takes is up to this machine.")
        return 0
    right = ("calls", "input", "output", "dollars", "hours")
    shown = table("phase", *right, right=right)
    for phase in found.phases:
        shown.add_row(*_row(phase))
    shown.add_row("all", *_total(found.phases))
    out.print(shown)
    out.print(
        f"\nTokens are counted on the real prompts at 4 characters each; a call is taken to last {SECONDS['agent']:g} "
        f"s, a reflection {SECONDS['reflector']:g} s, {config.models.concurrency} calls at a time. Answers that "
        "children share with their parents are not paid for twice, so that a real run should cost less."
    )
    if found.completions:
        out.print(f"Programs may ask for completions of their own: at most {found.completions:,} more calls.")
    if config.budget.usd is None:
        out.print("Nothing caps the dollars; set budget.usd.")
    return 0


def _row(phase: Phase) -> list[str]:
    from evolve.cli.text import dollars

    total = phase.total
    counts = _counts(total.calls, total.input_tokens, total.output_tokens)
    return [phase.name, *counts, dollars(phase.usd), f"{phase.hours:.2f}"]


def _total(phases: tuple[Phase, ...]) -> list[str]:
    from evolve.cli.text import dollars

    totals = [phase.total for phase in phases]
    usd = None if any(phase.usd is None for phase in phases) else sum(phase.usd or 0.0 for phase in phases)
    sums = (
        sum(total.calls for total in totals),
        sum(total.input_tokens for total in totals),
        sum(total.output_tokens for total in totals),
    )
    return [*_counts(*sums), dollars(usd), f"{sum(phase.hours for phase in phases):.2f}"]


def _counts(*numbers: float) -> list[str]:
    return [f"{round(number):,}" for number in numbers]
