"""A planted search whose task agent is a model, as swift as it can be: for counting what searches cost in model calls.

It is the search of a run with its broker, its ladder and its journal, but models and programs run in this process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from evolve.archive import Archive
from evolve.attempt import Done, Job
from evolve.config import Config
from evolve.evaluation.crew import make_evaluator
from evolve.evaluation.evaluate import Lease
from evolve.evaluation.splits import Splits, make_splits
from evolve.events import AttemptEnded, Event, Measured
from evolve.executors.serial import SerialExecutor
from evolve.final import Final
from evolve.journal import Journal
from evolve.models.account import Account
from evolve.models.broker import DirectBroker
from evolve.models.store import Store
from evolve.paths import RunPaths
from evolve.population import Population
from evolve.program import load, parse
from evolve.record import Observer, Recorder
from evolve.sandbox.base import Sandbox
from evolve.search import Search
from evolve.studies import Studies
from evolve.tasks import load as load_task
from evolve.testing.planted.inside import Inside
from evolve.testing.planted.models import PlantedProvider
from evolve.types import Evaluation, Query
from evolve.worker import Worker


@dataclass(frozen=True, slots=True)
class Swift:
    """Everything that searches of one task and seed share."""

    config: Config
    splits: Splits
    sandbox: Sandbox

    def run(
        self,
        config: Config,
        folder: Path,
        *,
        observer: Observer,
        enough: Callable[[Population], bool],
        final: bool = False,
        rewords: bool = False,
        children: Sequence[str] = (),
    ) -> Population:
        """Run with a configuration that differs in how it searches only, one job at a time; the folder must be new.

        The search ends with its budget, or when there is `enough`. Then, where it is to be `final`, the winner is
        chosen and tested. `rewords` and `children` are those of `PlantedProvider`.
        """
        folder.mkdir(parents=True)
        paths = RunPaths(folder)
        with self._broker(config, paths.calls, rewords=rewords, children=children) as broker:
            worker = Worker(config, self.splits, self.sandbox, broker)
            recorder = Recorder(
                Journal(paths.journal), Archive(paths.lineage), Studies(paths.studies), Population(), observer
            )
            seeds = [load(Path(seed)) for seed in config.search.seeds]
            executor: SerialExecutor[Job, Done] = SerialExecutor(lambda: worker, lambda key, text: None)
            with closing(recorder):
                Search(
                    config, self.splits, seeds, recorder, executor, lambda: enough(recorder.population), broker
                ).run()
                if final:
                    Final(config, recorder, executor, self.splits, lambda: False).run()
                return recorder.population

    def measure(self, source: str, queries: tuple[Query, ...], calls: Path) -> Evaluation:
        """Return the evaluation of a program on these queries; `calls` keeps the models' answers."""
        with self._broker(self.config, calls) as broker, Lease(self.sandbox) as lease:
            evaluator = make_evaluator(self.config, self.sandbox, Account(broker))
            return evaluator.evaluate(parse(source), self.splits.work(queries), lease, stage=lambda text: None)

    @contextmanager
    def _broker(
        self, config: Config, calls: Path, *, rewords: bool = False, children: Sequence[str] = ()
    ) -> Iterator[DirectBroker]:
        broker = DirectBroker(
            config.models,
            config.budget,
            Store(calls),
            providers=partial(PlantedProvider, rewords=rewords, children=children),
            prices=lambda model: None,
            note=lambda line: None,
        )
        with closing(broker):
            yield broker


def calls(event: Event) -> int:
    """Return how many calls to models an event reports."""
    return sum(cost.calls for cost in event.cost.values()) if isinstance(event, AttemptEnded | Measured) else 0


def swift(config: Config) -> Swift:
    """Load the task of a resolved configuration."""
    splits = make_splits(load_task(config.task, config.task_options), config.evaluation, seed=config.seed)
    return Swift(config, splits, Inside(config.sandbox.limits))
