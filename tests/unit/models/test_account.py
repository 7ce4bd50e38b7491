"""An account adds up what went through it, by role."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from evolve.errors import RequestRefused
from evolve.models.account import Account
from evolve.models.base import Message, Purpose, Reply, Request, Role, Spent, Usage, Vectors
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


def ask(text: str, role: Role = "agent", purpose: Purpose = "") -> Request:
    return Request(role, (Message("user", text),), purpose=purpose)


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


def test_phases_count_what_was_sent_and_what_was_kept_by_purpose() -> None:
    account = Account(Shop())
    account.complete(ask("new", purpose="extract"))
    account.complete(ask("old", purpose="extract"))
    account.complete(ask("unpriced", purpose="extract"))
    account.complete(ask("old", "judge", purpose="judge"))
    account.embed(["a", "b"])
    with pytest.raises(RequestRefused):
        account.complete(ask("bad", purpose="answer"))
    assert account.phases() == {"extract": (2, 1), "judge": (0, 1), "": (1, 0)}


def test_what_fails_costs_nothing_and_passes_through() -> None:
    account = Account(Shop())
    with pytest.raises(RequestRefused):
        account.complete(ask("bad"))
    assert account.costs() == {}


def test_many_threads_add_up() -> None:
    account = Account(Shop())
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(account.complete, [ask("new", purpose="write"), ask("old", purpose="write")] * 200))
    assert account.costs()["agent"] == Cost(200, 200, 20_000, 8_000, 1_400, 50.0)
    assert account.phases() == {"write": (200, 200)}
