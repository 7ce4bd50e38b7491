"""An account adds up what went through it, by role."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from evolve.errors import RequestRefused
from evolve.models.account import Account
from evolve.models.base import Message, Reply, Request, Role, Spent, Usage, Vectors
from evolve.types import Cost


class Shop:
    """A broker with fixed prices: "old" things are cached, "bad" things are refused."""

    def complete(self, request: Request) -> Reply:
        text = request.messages[0].text
        if text == "bad":
            raise RequestRefused("bad")
        if text == "old":
            return Reply("yes", Usage(), 0.0, cached=True)
        return Reply("yes", Usage(100, 40, 10, 7), None if text == "unpriced" else 0.25)

    def embed(self, texts: Sequence[str]) -> Vectors:
        return Vectors(((0.5,),) * len(texts), Usage(10), 0.125)

    def spent(self) -> Spent:
        raise NotImplementedError


def ask(text: str, role: Role = "agent") -> Request:
    return Request(role, (Message("user", text),))


def test_costs_are_kept_by_role() -> None:
    account = Account(Shop())
    assert account.complete(ask("new")).text == "yes"
    account.complete(ask("old"))
    account.complete(ask("old", "judge"))
    assert account.embed(["a", "b"]) == ((0.5,), (0.5,))
    assert account.costs() == {
        "agent": Cost(calls=1, cached=1, input_tokens=100, cached_tokens=40, output_tokens=7, usd=0.25),
        "judge": Cost(cached=1),
        "embedding": Cost(calls=1, input_tokens=10, usd=0.125),
    }


def test_one_unknown_price_makes_the_role_unknown() -> None:
    account = Account(Shop())
    account.complete(ask("new"))
    account.complete(ask("unpriced"))
    account.complete(ask("new", "judge"))
    assert account.costs()["agent"].usd is None
    assert account.costs()["judge"].usd == 0.25


def test_what_fails_costs_nothing_and_passes_through() -> None:
    account = Account(Shop())
    with pytest.raises(RequestRefused):
        account.complete(ask("bad"))
    assert account.costs() == {}


def test_many_threads_add_up() -> None:
    account = Account(Shop())
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(account.complete, [ask("new")] * 400))
    assert account.costs()["agent"].calls == 400
