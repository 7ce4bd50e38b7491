"""Rewriting constants: the new values arrive, and nothing else moves."""

from __future__ import annotations

import ast
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolve.errors import ConfigError, ProgramError
from evolve.paths import seeds_dir
from evolve.program import load, parse, rewrite_constants
from evolve.types import JSON

SOURCE = """\
# a header
K1 = 5  # at most ten: é €
ALPHA: float = -0.5 ; MODE = ( "old"  # why
    " and " 'new' )
é = 'ü'; FLAG=True;NONE = None  # three on a line
WORDS = [
    "a",  # first
    "b",
]
X = Y = 3
if FLAG:
    INNER = 1
for LOOP in (): pass
COMPUTED = K1 + 1
\x0cEND = \\
    7
"""

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
NAMES = ["K1", "ALPHA", "MODE", "é", "FLAG", "NONE", "WORDS", "END"]


def values_of(source: str) -> dict[str, JSON]:
    found: dict[str, JSON] = {}
    for node in ast.parse(source).body:
        target = (
            node.targets[0]
            if isinstance(node, ast.Assign)
            else node.target
            if isinstance(node, ast.AnnAssign)
            else None
        )
        if isinstance(target, ast.Name) and target.id in NAMES:
            found[target.id] = ast.literal_eval(cast(ast.Assign, node).value)
    return found


def test_only_the_value_changes() -> None:
    assert rewrite_constants(SOURCE, {"K1": 8}) == SOURCE.replace("K1 = 5 ", "K1 = 8 ")
    assert rewrite_constants(SOURCE, {"ALPHA": 1.25}) == SOURCE.replace("-0.5", "1.25")
    assert rewrite_constants(SOURCE, {"FLAG": False, "é": "it's"}) == SOURCE.replace("'ü'", '"it\'s"').replace(
        "True", "False"
    )
    assert rewrite_constants(SOURCE, {"END": -7}) == SOURCE.replace("    7\n", "    -7\n")
    assert rewrite_constants(SOURCE, {"MODE": "x"}) == SOURCE.replace('"old"  # why\n    " and " \'new\'', '"x"')


def test_current_values_give_the_source_back() -> None:
    assert rewrite_constants(SOURCE, values_of(SOURCE)) == SOURCE
    assert rewrite_constants(SOURCE, {}) == SOURCE
    assert rewrite_constants(SOURCE, {"K1": 5.0}) != SOURCE, "5 and 5.0 are two values"
    assert rewrite_constants(SOURCE, {"FLAG": 1}) != SOURCE, "True and 1 are two values"


@given(st.dictionaries(st.sampled_from(NAMES), json_values))
def test_new_values_arrive_and_the_rest_stays(values: dict[str, JSON]) -> None:
    child = rewrite_constants(SOURCE, values)
    expected = values_of(SOURCE) | values
    assert {name: repr(value) for name, value in values_of(child).items()} == {n: repr(v) for n, v in expected.items()}
    assert rewrite_constants(child, values) == child
    for comment in ("# a header", "# at most ten: é €", "# three on a line", "X = Y = 3", "COMPUTED = K1 + 1"):
        assert comment in child


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_any_line_end_is_kept(newline: str) -> None:
    source = "# é\nA = 1\nB = 'ü'; C = 2\n".replace("\n", newline)
    assert rewrite_constants(source, {"C": 3}) == source.replace("C = 2", "C = 3")


@pytest.mark.parametrize(
    ("name", "line", "found"),
    [
        ("MISSING", None, "no MISSING"),
        ("INNER", 12, "INNER that is not a constant"),
        ("LOOP", 13, "LOOP that is not a constant"),
        ("COMPUTED", 14, "COMPUTED = K1 + 1"),
    ],
)
def test_only_constants_can_be_rewritten(name: str, line: int | None, found: str) -> None:
    with pytest.raises(ProgramError) as refusal:
        rewrite_constants(SOURCE, {name: 1})
    assert refusal.value.line == line
    assert found in refusal.value.found
    assert "assigned exactly once" in refusal.value.expected


def test_a_second_assignment_is_refused() -> None:
    with pytest.raises(ProgramError, match="line 2: found a second assignment of K"):
        rewrite_constants("K = 1\nK = 2\n", {"K": 3})


@pytest.mark.parametrize("value", [float("inf"), float("nan"), (1, 2), {1, 2}, b"x", {1: 2}, object()])
def test_only_json_values_can_be_written(value: object) -> None:
    with pytest.raises(ConfigError, match="cannot write K1"):
        rewrite_constants(SOURCE, {"K1": cast(JSON, value)})


@pytest.mark.parametrize("path", sorted(seeds_dir().glob("*.py")), ids=lambda path: path.stem)
def test_every_tunable_of_every_seed_can_be_moved_to_its_ends(path: object) -> None:
    program = load(path)  # type: ignore[arg-type]
    current = {tunable.name: tunable.value for tunable in program.tunables}
    assert rewrite_constants(program.source, current) == program.source
    for last in (False, True):
        ends: dict[str, JSON] = {}
        for tunable in program.tunables:
            ends[tunable.name] = tunable.choices[-last] if tunable.choices else (tunable.high if last else tunable.low)
        child = parse(rewrite_constants(program.source, ends))
        assert {tunable.name: tunable.value for tunable in child.tunables} == ends
        assert [(t.low, t.high, t.choices) for t in child.tunables] == [
            (t.low, t.high, t.choices) for t in program.tunables
        ]
