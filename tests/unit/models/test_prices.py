"""The price table: the user's own first, the shipped one next, None for what nobody knows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolve.config import PriceTable
from evolve.models.base import Price, Usage
from evolve.models.prices import _shipped, load_prices


def test_a_price_counts_cached_and_written_tokens_at_their_own_rates() -> None:
    price = Price(input=3.0, output=15.0, cached=0.3, written=3.75)
    usage = Usage(input_tokens=1_000_000, cached_tokens=600_000, written_tokens=300_000, output_tokens=100_000)
    assert price.of(usage) == pytest.approx(0.1 * 3.0 + 0.6 * 0.3 + 0.3 * 3.75 + 0.1 * 15.0)
    assert Price(input=3.0, output=15.0).of(usage) == pytest.approx(3.0 + 1.5)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_price_is_never_negative_and_grows_with_every_token(plain: int, cached: int, written: int, out: int) -> None:
    price = load_prices({})("anthropic:claude-sonnet-5")
    assert price is not None
    usage = Usage(plain + cached + written, cached, written, out)
    more = Usage(plain + cached + written + 1, cached, written, out + 1)
    assert 0 <= price.of(usage) < price.of(more)


def test_a_dated_name_costs_what_its_base_name_costs() -> None:
    price_of = load_prices({})
    assert price_of("openai:gpt-5-mini") == Price(input=0.25, output=2.0, cached=0.025)
    assert price_of("openai:gpt-5-mini-2025-08-07") == price_of("openai:gpt-5-mini")
    assert price_of("anthropic:claude-haiku-4-5-20251001") == Price(1.0, 5.0, 0.1, 1.25)


def test_what_nobody_knows_has_no_price() -> None:
    price_of = load_prices({})
    for model in ("openai:no-such-model", "anthropic:gpt-5-mini", "gpt-5-mini", "openai:gpt-5-mini-turbo"):
        assert price_of(model) is None


def test_own_prices_come_first_and_may_be_dated_too() -> None:
    own = {
        "openai:gpt-5-mini": PriceTable(input=9.0, output=10.0),
        "openai:mine-2026-01-01": PriceTable(input=1.0),
        "openai:local": PriceTable(input=0.0),
    }
    price_of = load_prices(own)
    assert price_of("openai:gpt-5-mini-2025-08-07") == Price(9.0, 10.0)
    assert price_of("openai:mine-2026-01-01") == Price(1.0, 0.0)
    assert price_of("openai:mine") is None
    assert price_of("openai:local") == Price(0.0, 0.0)
    assert price_of("openai:gpt-5") == load_prices({})("openai:gpt-5")


def test_every_shipped_price_is_plausible() -> None:
    table = _shipped()
    assert len(table) > 40
    for model, price in table.items():
        assert model.startswith(("openai:", "anthropic:")), model
        assert 0 < price.input <= 200, model
        assert price.output > price.input or "embedding" in model, model
        assert price.cached is None or 0 < price.cached < price.input, model
        assert price.written is None or price.input < price.written <= 2 * price.input, model
        if model.startswith("anthropic:"):
            assert price.cached is not None, model
            assert price.written == pytest.approx(1.25 * price.input), model
