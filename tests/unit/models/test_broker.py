"""The broker against providers whose words and faults are scripted, and everything else real."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evolve.config import Budget, Models, ModelTable
from evolve.errors import (
    BudgetSpent,
    ConfigError,
    EvolveError,
    PrerequisiteError,
    ProviderError,
    RequestRefused,
    RunFolderError,
)
from evolve.models.base import (
    Answer,
    Call,
    Denied,
    Message,
    Note,
    Price,
    Provider,
    RateLimited,
    Reply,
    Request,
    Role,
    Unavailable,
    Usage,
)
from evolve.models.broker import BATCH_BYTES, LONGEST_BACKOFF, TRIES, DirectBroker
from evolve.models.gate import Clock
from evolve.models.store import Store

PRICE = Price(input=1.0, output=10.0, cached=0.1)
USAGE = Usage(input_tokens=100, cached_tokens=40, output_tokens=7)
USD = PRICE.of(USAGE)
Script = Callable[[Call], Answer]


class Scripted:
    """A provider whose answers a function makes; embeds a text as its length and its number of words."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.calls: list[Call] = []
        self.embedded: list[list[str]] = []
        self.opened: list[str] = []
        self.closed = False

    def open(self, table: ModelTable, note: Note) -> Provider:
        self.opened.append(table.model)
        return self

    def complete(self, call: Call) -> Answer:
        self.calls.append(call)
        return self.script(call)

    def embed(self, texts: Sequence[str]) -> tuple[tuple[tuple[float, ...], ...], Usage]:
        self.embedded.append(list(texts))
        return tuple((float(len(text)), float(len(text.split()))) for text in texts), Usage(10 * len(texts))

    def close(self) -> None:
        self.closed = True


def echo(call: Call) -> Answer:
    return Answer(f"You said {call.messages[-1].text}", USAGE)


def in_turn(*turns: Answer | Exception) -> Script:
    """Answer with these, one after the other."""
    left = list(turns)

    def script(call: Call) -> Answer:
        turn = left.pop(0)
        if isinstance(turn, Exception):
            raise turn
        return turn

    return script


class Bench:
    """Makes brokers on one store, on a clock that goes on where somebody sleeps."""

    def __init__(self, folder: Path, script: Script = echo) -> None:
        self.path = folder / "llm.sqlite"
        self.provider = Scripted(script)
        self.notes: list[str] = []
        self.slept: list[float] = []

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: sum(self.slept), sleep=self.slept.append, jitter=lambda: 1.0)

    def broker(
        self,
        budget: Budget | None = None,
        *,
        price: Price | None = PRICE,
        **models: object,
    ) -> DirectBroker:
        table = {"agent": "openai:m", "judge": "openai:m", "embedding": "openai:e", **models}
        config = Models.model_validate(table)
        return DirectBroker(
            config,
            budget or Budget(),
            Store(self.path, read_only=config.replay),
            providers=self.provider.open,
            prices=lambda model: price,
            note=self.notes.append,
            clock=self.clock,
        )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def ask(text: str, role: Role = "agent", **more: object) -> Request:
    return Request(role, (Message("user", text),), **more)  # type: ignore[arg-type]


# What an answer is, and when it is cached.


def test_an_answer_has_its_usage_and_its_price(bench: Bench) -> None:
    assert bench.broker().complete(ask("hello")) == Reply("You said hello", USAGE, USD)


def test_an_unknown_price_is_none(bench: Bench) -> None:
    broker = bench.broker(price=None)
    assert broker.complete(ask("hello")).usd is None
    assert broker.spent().usd is None


def test_the_second_time_an_answer_is_cached_and_free_in_this_session_and_in_the_next(bench: Bench) -> None:
    broker = bench.broker()
    broker.complete(ask("hello"))
    free = Reply("You said hello", Usage(), 0.0, cached=True)
    assert broker.complete(ask("hello")) == free
    broker.close()
    assert bench.provider.closed
    assert bench.broker().complete(ask("hello")) == free
    assert len(bench.provider.calls) == 1


def test_what_a_call_is_for_decides_nothing(bench: Bench) -> None:
    broker = bench.broker()
    broker.complete(ask("hello", purpose="extract"))
    assert broker.complete(ask("hello", purpose="answer")).cached


def test_roles_of_one_model_share_answers_where_nothing_that_decides_differs(bench: Bench) -> None:
    broker = bench.broker(
        agent={"model": "openai:m", "max_tokens": 512}, judge={"model": "openai:m", "max_tokens": 512}
    )
    assert not broker.complete(ask("hello")).cached
    assert broker.complete(ask("hello", "judge")).cached


@pytest.mark.parametrize(
    "other",
    [
        ask("hello!"),
        ask("hello", sample=1),
        ask("hello", temperature=0.5),
        ask("hello", max_tokens=99),
        ask("hello", schema={"type": "object"}),
        Request("agent", (Message("system", "hello"),)),
    ],
)
def test_what_decides_an_answer_makes_another_call(bench: Bench, other: Request) -> None:
    broker = bench.broker()
    broker.complete(ask("hello"))
    assert not broker.complete(other).cached


def test_a_cache_breakpoint_decides_nothing(bench: Bench) -> None:
    broker = bench.broker()
    broker.complete(ask("hello"))
    assert broker.complete(Request("agent", (Message("user", "hello", constant=True),))).cached


def test_the_call_has_what_the_role_is_configured_with(bench: Bench) -> None:
    broker = bench.broker(
        agent={"model": "openai:m", "temperature": 0.2, "effort": "low"},
        reflector="openai:m",
        toolkit={"model": "openai:m", "max_tokens": 300},
    )
    broker.complete(ask("a"))
    broker.complete(ask("b", temperature=0.9))
    broker.complete(ask("c", "reflector"))
    broker.complete(ask("d", "judge"))
    broker.complete(ask("e", "toolkit", max_tokens=1_000_000))
    broker.complete(ask("f", "toolkit", max_tokens=20))
    seen = [(call.temperature, call.effort, call.max_tokens) for call in bench.provider.calls]
    assert seen == [
        (0.2, "low", 4096),
        (0.9, "low", 4096),
        (None, None, 32768),
        (None, None, 2048),
        (None, None, 300),
        (None, None, 20),
    ]


def test_equal_requests_in_flight_are_one_call(tmp_path: Path) -> None:
    begun, go = threading.Event(), threading.Event()

    def slow(call: Call) -> Answer:
        begun.set()
        assert go.wait(10)
        return echo(call)

    bench = Bench(tmp_path, slow)
    broker = bench.broker()
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(broker.complete, ask("hello"))
        assert begun.wait(10)
        others = [pool.submit(broker.complete, ask("hello")) for _ in range(7)]
        time.sleep(0.05)
        go.set()
        replies = [first.result(10), *(each.result(10) for each in others)]
    assert len(bench.provider.calls) == 1
    assert [reply.cached for reply in replies] == [False] + [True] * 7
    assert sum(reply.usd or 0.0 for reply in replies) == USD
    assert {reply.text for reply in replies} == {"You said hello"}


def test_those_who_joined_a_call_get_its_error_and_the_next_one_asks_anew(tmp_path: Path) -> None:
    begun, go = threading.Event(), threading.Event()

    def refuse_once(call: Call) -> Answer:
        if begun.is_set():
            return echo(call)
        begun.set()
        assert go.wait(10)
        raise RequestRefused("against the rules")

    broker = Bench(tmp_path, refuse_once).broker()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(broker.complete, ask("hello"))
        assert begun.wait(10)
        second = pool.submit(broker.complete, ask("hello"))
        time.sleep(0.05)
        go.set()
        for each in (first, second):
            with pytest.raises(RequestRefused):
                each.result(10)
    assert not broker.complete(ask("hello")).cached


def test_halves_of_surrogate_pairs_reach_neither_provider_nor_store(tmp_path: Path) -> None:
    bench = Bench(tmp_path, lambda call: Answer("half \ud83d", USAGE))
    broker = bench.broker()
    assert broker.complete(ask("a \udfff b")).text == "half ?"
    assert bench.provider.calls[0].messages[0].text == "a ? b"
    assert broker.embed(["\udfff"]).rows == ((1.0, 1.0),)


def test_a_role_without_a_model_is_a_config_error(bench: Bench) -> None:
    with pytest.raises(ConfigError, match=r"models\.toolkit is not set"):
        bench.broker().complete(ask("hello", "toolkit"))


# Faults.


def test_passing_faults_are_tried_again_after_waits_that_double(tmp_path: Path) -> None:
    faults = [Unavailable("500"), RateLimited("busy"), Unavailable("500"), Unavailable("cut")]
    bench = Bench(tmp_path, in_turn(*faults, Answer("at last", USAGE)))
    assert bench.broker().complete(ask("hello")) == Reply("at last", USAGE, USD)
    assert bench.slept == [0.5, 1.0, 2.0, 4.0]


def test_tries_are_bounded_and_a_failure_is_not_kept(tmp_path: Path) -> None:
    bench = Bench(tmp_path, in_turn(*[RateLimited("busy")] * TRIES, Answer("at last", USAGE)))
    broker = bench.broker()
    with pytest.raises(ProviderError, match=r"^8 tries, and no answer; the last: busy\.$"):
        broker.complete(ask("hello"))
    assert len(bench.provider.calls) == TRIES
    assert max(bench.slept) <= LONGEST_BACKOFF
    assert broker.spent().calls == 0
    assert broker.complete(ask("hello")).text == "at last"


def test_what_no_retry_helps_is_tried_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, in_turn(Denied("openai:m: the key is refused; export a valid one."), RequestRefused("no")))
    broker = bench.broker()
    with pytest.raises(PrerequisiteError, match=r"^models\.agent: openai:m: the key is refused; export a valid one\.$"):
        broker.complete(ask("hello"))
    with pytest.raises(RequestRefused, match="no"):
        broker.complete(ask("hello"))
    assert len(bench.provider.calls) == 2
    assert bench.slept == []


def test_a_storm_is_said_once_and_ridden_out(tmp_path: Path) -> None:
    def storm(call: Call) -> Answer:
        if bench.clock.now() < 200.0:
            raise Unavailable("no connection")
        return echo(call)

    bench = Bench(tmp_path, storm)
    broker = bench.broker()
    with pytest.raises(ProviderError):
        broker.complete(ask("hello"))
    assert broker.complete(ask("hello")).text == "You said hello"
    assert len(bench.provider.calls) < 2 * TRIES
    assert bench.notes == [
        "openai:m fails again and again (no connection): calls to it wait until it answers.",
        "openai:m answers again.",
    ]


def test_a_cut_off_answer_is_asked_for_once_more(tmp_path: Path) -> None:
    bench = Bench(tmp_path, in_turn(Answer("It is", USAGE, truncated=True), Answer("It is noon.", USAGE)))
    broker = bench.broker()
    reply = broker.complete(ask("hello"))
    assert reply == Reply("It is noon.", Usage(200, 80, 0, 14), 2 * USD)
    assert broker.spent().calls == 2
    assert broker.spent().usd == pytest.approx(2 * USD)


def test_an_answer_that_is_cut_off_twice_is_returned_and_kept_as_that(tmp_path: Path) -> None:
    bench = Bench(tmp_path, in_turn(*[Answer("It is", USAGE, truncated=True)] * 2))
    broker = bench.broker()
    assert broker.complete(ask("hello")) == Reply("It is", Usage(200, 80, 0, 14), 2 * USD, truncated=True)
    assert broker.complete(ask("hello")) == Reply("It is", Usage(), 0.0, cached=True, truncated=True)


def test_what_was_paid_before_a_failure_is_not_forgotten(tmp_path: Path) -> None:
    bench = Bench(tmp_path, in_turn(Answer("It is", USAGE, truncated=True), RequestRefused("no")))
    broker = bench.broker()
    with pytest.raises(RequestRefused):
        broker.complete(ask("hello"))
    assert broker.spent().usd == USD
    broker.close()
    assert bench.broker().spent().usd == USD


# Caps.


def test_a_dollar_cap_without_a_price_names_the_models(bench: Bench) -> None:
    with pytest.raises(ConfigError, match=r"needs a price for openai:e and openai:m: .*models\.prices") as caught:
        bench.broker(Budget(usd=1.0), price=None)
    assert "\n" not in str(caught.value)
    assert not bench.path.exists()


def test_the_call_that_could_go_over_the_cap_is_not_sent(bench: Bench) -> None:
    most = (5 / 2 + 16) * 1e-6 + 4096 * 10e-6  # 5 bytes of prompt, 4096 tokens of answer
    broker = bench.broker(Budget(usd=USD + most - 1e-9))
    broker.complete(ask("first"))
    with pytest.raises(BudgetSpent, match=r"^budget\.usd = \$0\.04: \$0\.0001 is spent and the next call may cost"):
        broker.complete(ask("later"))
    assert len(bench.provider.calls) == 1
    assert broker.complete(ask("first")).cached
    assert bench.broker(Budget(usd=USD + most)).complete(ask("later")).text == "You said later"


def test_the_schema_counts_in_what_a_call_may_cost(bench: Bench) -> None:
    schema = {"type": "object", "description": "x" * 4_000}
    broker = bench.broker(Budget(usd=0.042), agent={"model": "openai:m"})
    with pytest.raises(BudgetSpent):
        broker.complete(ask("hello", schema=schema))
    broker.complete(ask("hello"))


def test_what_is_in_flight_is_committed_and_whoever_fits_only_without_it_waits(tmp_path: Path) -> None:
    begun, go = threading.Semaphore(0), threading.Event()

    def slow(call: Call) -> Answer:
        begun.release()
        assert go.wait(10)
        return echo(call)

    broker = Bench(tmp_path, slow).broker(Budget(usd=0.06))  # room for one answer of 4096 tokens at a time
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(broker.complete, ask(str(number))) for number in range(4)]
        assert begun.acquire(timeout=10)
        assert not begun.acquire(timeout=0.1)
        assert 0.04 < broker.spent().committed < 0.06
        go.set()
        assert [each.result(10).usd for each in calls] == [USD] * 4
    assert broker.spent().committed == 0.0


def test_calls_are_capped_over_all_sessions(tmp_path: Path) -> None:
    def slow(call: Call) -> Answer:
        time.sleep(0.02)
        return echo(call)

    bench = Bench(tmp_path, slow)
    broker = bench.broker(Budget(calls=3))
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda text: _outcome(broker, text), "abcdefgh"))
    assert outcomes.count("answered") == 3
    assert outcomes.count("budget.calls = 3: 3 calls are made; raise it to go on.") == 5
    assert len(bench.provider.calls) == 3
    broker.close()
    assert _outcome(bench.broker(Budget(calls=3)), "i").startswith("budget.calls")


def _outcome(broker: DirectBroker, text: str) -> str:
    try:
        broker.complete(ask(text))
    except BudgetSpent as spent:
        return str(spent)
    return "answered"


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32), cap=st.floats(0.0, 0.5))
def test_the_dollar_cap_is_never_exceeded(tmp_path_factory: pytest.TempPathFactory, seed: int, cap: float) -> None:
    draw = random.Random(seed)
    lock = threading.Lock()
    billed: list[float] = []

    def answer(call: Call) -> Answer:
        with lock:
            usage = Usage(draw.randrange(20), output_tokens=draw.randrange(call.max_tokens + 1))
            fault = draw.random() < 0.1
            truncated = draw.random() < 0.1
            time.sleep(draw.random() * 0.001)
            if fault:
                raise draw.choice([Unavailable("500"), RateLimited("busy"), RequestRefused("no")])
            billed.append(PRICE.of(usage))
        return Answer("answer", usage, truncated=truncated)

    broker = Bench(tmp_path_factory.mktemp("cap"), answer).broker(Budget(usd=cap))
    sizes = [draw.choice([16, 200, 4096]) for _ in range(96)]

    def call(number: int) -> str:
        try:
            broker.complete(ask(str(number), max_tokens=sizes[number]))
        except EvolveError as error:
            return type(error).__name__
        return "answered"

    with ThreadPoolExecutor(32) as pool:
        outcomes = set(pool.map(call, range(96)))
    assert outcomes <= {"answered", "BudgetSpent", "RequestRefused", "ProviderError"}
    assert sum(billed) <= cap + 1e-12
    assert broker.spent().usd == pytest.approx(sum(billed))
    assert broker.spent().calls == len(billed)
    assert broker.spent().committed == 0.0


# Replay.


def test_a_replay_costs_what_the_run_cost_and_opens_no_provider(tmp_path: Path) -> None:
    bench = Bench(tmp_path, in_turn(Answer("It", USAGE, truncated=True), Answer("It is.", USAGE), Answer("No.", USAGE)))
    requests = [ask("a"), ask("a"), ask("b"), ask("a")]
    broker = bench.broker()
    original = [broker.complete(request) for request in requests]
    vectors = [broker.embed(["x", "y"]), broker.embed(["y", "z z"])]
    spent = broker.spent()
    broker.close()
    assert [reply.cached for reply in original] == [False, True, False, True]
    bench.provider = Scripted(in_turn())
    replay = bench.broker(replay=True)
    assert replay.spent().calls == 0
    assert [replay.complete(request) for request in requests] == original
    assert [replay.embed(["x", "y"]), replay.embed(["y", "z z"])] == vectors
    assert replay.spent().calls == spent.calls
    assert replay.spent().usd == pytest.approx(spent.usd)
    assert bench.provider.opened == []


def test_a_call_that_a_replay_does_not_have_is_named(bench: Bench) -> None:
    bench.broker().complete(ask("hello"))
    replay = bench.broker(replay=True)
    with pytest.raises(RunFolderError, match=r"has no answer of the judge to 'What did Anna say\?'"):
        replay.complete(ask("What did\nAnna say?", "judge"))
    with pytest.raises(RunFolderError, match=r"has no answer of the embedding to 'Anna'"):
        replay.embed(["Anna"])


def test_a_replay_ends_where_the_run_had_spent_its_budget(bench: Bench) -> None:
    for replay in (False, True):
        broker = bench.broker(Budget(calls=2), replay=replay)
        assert [_outcome(broker, text)[:12] for text in "abca"] == ["answered", "answered", "budget.calls", "answered"]
        broker.close()
    assert len(bench.provider.calls) == 2


# Embeddings and preflight.


def test_only_unseen_texts_are_embedded_and_rows_keep_their_order(bench: Bench) -> None:
    broker = bench.broker()
    first = broker.embed(["a", "b b", "a"])
    assert first.rows == ((1.0, 1.0), (3.0, 2.0), (1.0, 1.0))
    assert (first.usage, first.usd, first.cached) == (Usage(20), 20e-6, False)
    second = broker.embed(["c c c", "b b", "a"])
    assert second.rows == ((5.0, 3.0), (3.0, 2.0), (1.0, 1.0))
    assert (second.usage, second.cached) == (Usage(10), False)
    third = broker.embed(["a", "c c c"])
    assert (third.usage, third.usd, third.cached) == (Usage(), 0.0, True)
    assert bench.provider.embedded == [["a", "b b"], ["c c c"]]
    assert broker.spent().calls == 2
    assert broker.embed([]).rows == ()
    broker.close()
    with sqlite3.connect(bench.path) as db:
        assert db.execute("SELECT COUNT(*), SUM(calls) FROM answers").fetchone() == (3, 2)


def test_texts_are_embedded_in_batches(bench: Bench) -> None:
    broker = bench.broker()
    texts = [str(number) for number in range(600)]
    assert broker.embed(texts).rows == tuple((float(len(text)), 1.0) for text in texts)
    assert [len(batch) for batch in bench.provider.embedded] == [256, 256, 88]
    bench.provider.embedded.clear()
    half = "x" * (BATCH_BYTES // 2)
    broker.embed([half, half + "y", "z"])
    assert [len(batch) for batch in bench.provider.embedded] == [1, 2]


def test_callers_who_share_texts_do_not_wait_for_each_other_for_ever(bench: Bench) -> None:
    broker = bench.broker()
    with ThreadPoolExecutor(16) as pool:
        lists = [[str((first + step) % 50) for step in range(40)] for first in range(50)]
        found = list(pool.map(lambda texts: broker.embed(texts).rows, lists, timeout=30))
    assert found == [tuple((float(len(text)), 1.0) for text in texts) for texts in lists]
    assert sorted(text for batch in bench.provider.embedded for text in batch) == sorted(map(str, range(50)))


def test_a_preflight_is_booked_and_is_no_answer(tmp_path: Path) -> None:
    bench = Bench(tmp_path, lambda call: Answer('{"ok": true}', USAGE))
    broker = bench.broker()
    broker.preflight()
    spent = broker.spent()
    assert spent.calls == 2  # agent and judge are one model
    assert spent.usd == pytest.approx(USD + 10e-6)
    broker.close()
    assert bench.broker().spent() == spent


def test_a_preflight_needs_a_working_key_except_in_a_replay_or_where_nothing_is_left_to_spend(tmp_path: Path) -> None:
    def deny(call: Call) -> Answer:
        raise Denied("openai:m: the key is refused; export a valid one.")

    bench = Bench(tmp_path, deny)
    with pytest.raises(PrerequisiteError, match=r"models\.agent.*the key is refused"):
        bench.broker().preflight()
    bench.provider.opened.clear()
    bench.broker(replay=True).preflight()
    bench.broker(Budget(calls=1)).preflight()
    bench.broker(Budget(usd=1e-6)).preflight()
    assert bench.provider.opened == []
