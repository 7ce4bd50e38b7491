"""The hard caps on calls and dollars: what is in flight counts as spent at its upper bound."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from evolve.config import Budget
from evolve.errors import BudgetSpent
from evolve.models.base import Spent
from evolve.models.store import Bill


class Caps:
    """Counts what calls cost, and lets none begin that could go over a cap."""

    def __init__(self, budget: Budget, spent: Bill) -> None:
        self._budget = budget
        self._bill = spent
        self._changed = threading.Condition()
        self._in_flight = 0
        self._committed = 0.0

    @contextmanager
    def reserved(self, most: float, calls: int = 1) -> Iterator[Callable[[Bill], None]]:
        """Hold `most` dollars for calls to be made; what is yielded takes the bill of each answer.

        Blocks where they fit only if those in flight cost less than they may. Raises BudgetSpent where they cannot fit.
        """
        self._reserve(most, calls)
        bills: list[Bill] = []
        try:
            yield bills.append
        finally:
            self._settle(most, calls, bills)

    def add(self, bill: Bill) -> None:
        """Count what was spent without a reservation."""
        with self._changed:
            self._bill += bill

    def refusal(self, most: float, calls: int = 1) -> str:
        """Say why calls that may cost so much cannot be made, even if those in flight cost nothing; "" if they can."""
        cap, spent = self._budget.usd, self._bill.usd or 0.0
        if self._budget.calls is not None and self._bill.calls + calls > self._budget.calls:
            return f"budget.calls = {self._budget.calls}: {self._bill.calls} calls are made; raise it to go on."
        if cap is not None and spent + most > cap:
            return (
                f"budget.usd = ${cap:.2f}: ${spent:.4f} is spent and the next call may cost ${most:.4f}; raise it to "
                "go on."
            )
        return ""

    def spent(self) -> Spent:
        """Return what is spent and what is held."""
        with self._changed:
            return Spent(self._bill.calls, self._bill.usd, self._committed)

    def _reserve(self, most: float, calls: int) -> None:
        with self._changed:
            while not self._fits(most, calls):
                if refusal := self.refusal(most, calls):
                    raise BudgetSpent(refusal)
                self._changed.wait()
            self._in_flight += calls
            self._committed += most

    def _settle(self, most: float, calls: int, bills: list[Bill]) -> None:
        with self._changed:
            self._in_flight -= calls
            self._committed = self._committed - most if self._in_flight else 0.0  # no trace of rounding stays
            for bill in bills:
                self._bill += bill
            self._changed.notify_all()

    def _fits(self, most: float, calls: int) -> bool:
        """Whether the calls fit if all those in flight cost as much as they may."""
        cap, spent = self._budget.usd, self._bill.usd or 0.0
        if self._budget.calls is not None and self._bill.calls + self._in_flight + calls > self._budget.calls:
            return False
        return cap is None or spent + self._committed + most <= cap
