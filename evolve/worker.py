"""What a worker does: jobs, in the process that owns the sandbox, as many at a time as it has lanes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from evolve.attempt import Attempt, Done, Job, Measurement, Result, Unpaid
from evolve.config import Config
from evolve.environments.base import Environments
from evolve.errors import BudgetSpent
from evolve.evaluation.crew import make_evaluator
from evolve.evaluation.evaluate import Lease, Stage
from evolve.evaluation.oracle import evaluate_oracle
from evolve.evaluation.splits import Splits
from evolve.ladder import Ladder
from evolve.models.account import Account
from evolve.models.base import Broker
from evolve.sandbox.base import Sandbox
from evolve.tasks import open_family


@dataclass(frozen=True, slots=True)
class Worker:
    """Runs jobs; may be called from several threads at a time."""

    config: Config
    splits: Splits
    sandbox: Sandbox
    broker: Broker | None = None
    """None in a run without models."""
    environments: Environments | None = None
    """None where the task's queries are questions."""

    def run(self, job: Job, stage: Stage) -> Done:
        """Return a Report for an attempt, Result for a measurement, Unpaid for either where a budget ended it."""
        account = Account(self.broker) if self.broker else None
        evaluator = make_evaluator(self.config, self.sandbox, account, self.environments)
        try:
            with Lease(self.sandbox) as lease:
                match job:
                    case Attempt():
                        ladder = Ladder(self.config, self.splits, job, evaluator, account, lease, stage)
                        report = ladder.climb()
                        return replace(report, cost=account.costs()) if account else report
                    case Measurement():
                        works = self.splits.work(getattr(self.splits, job.split))
                        if job.oracle:
                            tell = open_family(self.config.task, self.config.task_options).oracle
                            evaluation = evaluate_oracle(evaluator, job.program, works, tell, stage=stage)
                        else:
                            evaluation = evaluator.evaluate(job.program, works, lease, stage=stage)
                        return Result(evaluation, account.costs() if account else {})
        except BudgetSpent as spent:
            return Unpaid(str(spent))

    def close(self) -> None:
        """End the sandbox and the environments."""
        try:
            self.sandbox.close()
        finally:
            if self.environments is not None:
                self.environments.close()
