"""The card says what the provenance says, in sentences and tables that hold together, and nothing else."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator

import pytest

from evolve.export.card import card
from evolve.export.provenance import Provenance, provenance
from evolve.folder import Run
from evolve.harness.program import Harness
from evolve.population import Candidate

Taken = Callable[[Run, Candidate], Harness]


@pytest.fixture(params=["plain_run", "model_run"])
def known(request: pytest.FixtureRequest, taken: Taken) -> Provenance:
    """The provenance of a run's winner."""
    return of_best(request.getfixturevalue(request.param), taken)


def of_best(run: Run, taken: Taken) -> Provenance:
    assert run.best is not None
    return copy.deepcopy(provenance(run, run.best, taken(run, run.best), None))


def numbers(value: object) -> Iterator[float]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from numbers(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from numbers(inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


def tables(text: str) -> list[list[list[str]]]:
    """Return the tables of a card: rows of cells."""
    found: list[list[list[str]]] = [[]]
    for line in text.splitlines():
        if line.startswith("|"):
            found[-1].append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif found[-1]:
            found.append([])
    return [table for table in found if table]


def test_every_figure_is_in_the_provenance(known: Provenance) -> None:
    held = list(numbers(known))
    text = card(known)
    means = re.findall(r"(?<![\d.])-?\d\.\d{3}(?!\d)", text.replace("+", ""))
    assert len(means) > 8
    assert set(means) <= {f"{number:.3f}" for number in held}
    bounds = re.findall(r"([+-]?\d\.\d\d) to ([+-]?\d\.\d\d)", text)
    assert bounds
    assert {bound.lstrip("+") for pair in bounds for bound in pair} <= {f"{number:.2f}" for number in held}
    times = re.findall(r"([\d.]+) ms", text)
    assert times
    assert set(times) <= {f"{number:g}" for number in held}


def test_tables_hold_together(known: Provenance) -> None:
    found = tables(card(known))
    assert len(found) >= 6
    for table in found:
        assert {len(row) for row in table} == {len(table[0])}
        assert set(table[1]) == {"---"}
        assert len(table) > 2, "no table is empty"


def test_every_split_rival_stage_and_ancestor_has_its_row(known: Provenance) -> None:
    cells = {cell for table in tables(card(known)) for row in table for cell in row}
    assert {"held-out", "search"} <= cells
    assert {each["id"] for each in known["lineage"]} <= cells
    assert {f"`{(each['commit'] or '')[:12]}`" for each in known["lineage"]} <= cells
    assert known["lost"] is not None
    assert {f"{stage['stage']}: {stage['what']}" for stage in known["lost"]["stages"]} <= cells
    for each in known["compared"]:
        assert sum(cell.startswith(each["against"] + " ") for cell in cells) == 1
    test = known["scores"]["test"]
    assert test is not None
    assert test["categories"].keys() <= cells


def test_hubs_can_read_the_front_matter(plain_run: Run, taken: Taken) -> None:
    known = of_best(plain_run, taken)
    known["task"]["name"] = 'my "own": task #1'
    _, front, _ = card(known).split("---\n", 2)
    lines = dict(line.split(": ", 1) for line in front.splitlines())
    assert json.loads(lines["datasets"]) == ['my "own": task #1']
    assert json.loads(lines["metrics"]) == ["support"]


def test_what_is_not_known_is_said_to_be_unknown(plain_run: Run, taken: Taken) -> None:
    known = of_best(plain_run, taken)
    for split in known["operations"]:
        known["operations"][split] = None
    known["scores"]["test"] = None
    known["harness"]["won"] = False
    known["run"]["began"] = None
    known["versions"] = {}
    text = card(known)
    assert "The time of its writes and reads is unknown." in text
    assert "It was asked no held-out queries: every score above helped to choose it" in text
    assert "**It is not the winner of that run**" in text
    assert "began unknown" in text
    assert "Versions: unknown" in text
    assert "None" not in text
    assert "By category, on the fresh queries" in text


def test_a_model_whose_price_is_not_known_costs_no_zero(model_run: Run, taken: Taken) -> None:
    known = of_best(model_run, taken)
    assert known["answering"] is not None
    assert known["answering"]["extract"] is not None
    known["answering"]["extract"]["usd"] = None
    known["run"]["cost"]["usd"] = None
    text = card(known)
    (row,) = [row for table in tables(text) for row in table if row[0] == "for each write"]
    assert row[4] == "unknown"
    assert "at a price that is not known" in text
    known["answering"] = None
    assert "What the task agent's model takes for a write, a read or an answer is unknown." in card(known)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-0.1, 0.2, "not shown to be better than the best seed"),
        (-0.3, -0.1, "worse than the best seed"),
        (0.1, 0.2, ""),
    ],
)
def test_a_difference_that_shows_nothing_is_named_among_the_limits(
    plain_run: Run, taken: Taken, low: float, high: float, said: str
) -> None:
    known = of_best(plain_run, taken)
    against = {**known["compared"][0], "roles": ["baseline", "seed"], "low": low, "high": high}
    known["compared"] = [against]  # type: ignore[list-item]
    text = card(known)
    assert ("the best seed: the interval" in text) == bool(said)
    assert said in text


def test_checks_that_failed_are_in_the_card(plain_run: Run, taken: Taken) -> None:
    known = of_best(plain_run, taken)
    assert "It was not checked." in card(known)
    known["readiness"] = [
        {"check": "growth", "result": "failed", "said": "a read takes 40 | 80 ms:\nmend it", "figures": {}},
        {"check": "secrets", "result": "passed", "said": "none", "figures": {}},
    ]
    (table,) = [table for table in tables(card(known)) if table[0][0] == "check"]
    assert table[2:] == [["growth", "failed", "a read takes 40 \\| 80 ms: mend it"], ["secrets", "passed", "none"]]
