"""What models cost: the user's own prices, then the table that ships with evolve."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files

from evolve.config import PriceTable
from evolve.models.base import Price

_DATE = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8})$")


def load_prices(own: Mapping[str, PriceTable]) -> Callable[[str], Price | None]:
    """Return a function from a model ("openai:gpt-5-mini") to its price, None where it is not known.

    `own` comes before the shipped table. A dated name ("openai:gpt-5-mini-2025-08-07") that has no price of its own
    costs what the name without the date costs.
    """
    mine = {model: _price(table) for model, table in own.items()}
    shipped = _shipped()

    def price_of(model: str) -> Price | None:
        names = (model, _DATE.sub("", model))
        found = (prices[name] for prices in (mine, shipped) for name in names if name in prices)
        return next(found, None)

    return price_of


@cache
def _shipped() -> Mapping[str, Price]:
    text = files("evolve.models").joinpath("prices.toml").read_text(encoding="utf-8")
    return {model: _price(PriceTable.model_validate(table)) for model, table in tomllib.loads(text).items()}


def _price(table: PriceTable) -> Price:
    return Price(table.input, table.output, table.cached, table.written)
