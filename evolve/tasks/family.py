"""What a built-in task is: one class in one file of `evolve/tasks/families`, found there by its name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from evolve.tasks.base import Options
from evolve.traits import PLAIN, Traits

if TYPE_CHECKING:
    from evolve.environments.base import Environments
    from evolve.models.base import Ask
    from evolve.scoring.base import Scorer
    from evolve.tasks.data import Source
    from evolve.types import Query, Task

OptionsT = TypeVar("OptionsT", bound=Options)


class Family(ABC, Generic[OptionsT]):
    """A kind of task: its options, its data, its own scorers, and its environment where it has one.

    An instance stands for one choice of options and has loaded nothing yet. The class's docstring says what the task
    is; `docs/tasks/NAME.md` says the rest.
    """

    name: ClassVar[str]
    options_model: ClassVar[type[Options]]
    traits: ClassVar[Traits] = PLAIN
    sources: ClassVar[tuple[Source, ...]] = ()
    """The files that it reads, for `evolve check`."""

    def __init__(self, options: OptionsT) -> None:
        self.options = options

    @abstractmethod
    def load(self) -> Task:
        """Load and check everything.

        Raises `DataError` for malformed data, `ConfigError` for options that select nothing, and `PrerequisiteError`
        where data is missing and cannot be downloaded.
        """

    def scorer(self, name: str, ask: Ask | None) -> Scorer:
        """Return one of the scorers that `traits` names; `ask` is there where one needs a judge."""
        raise NotImplementedError(f"task {self.name} has no scorer {name!r} of its own")

    def environments(self, *, answering: bool) -> Environments:
        """Return the environments of one worker; of interactive tasks only. Raises PrerequisiteError.

        `answering` tells whether a model acts, which may be worth more steps.
        """
        raise NotImplementedError(f"task {self.name} is not interactive")

    def oracle(self, query: Query) -> str | None:
        """Return what a perfect memory would return for the query; None: its gold evidence, or else its answer."""
        return None

    def notes(self) -> tuple[str, ...]:
        """Return sentences that belong beside every figure measured with these options, such as another protocol."""
        return ()
