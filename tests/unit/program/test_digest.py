"""The digest: what it ignores, what it does not, and that every supported Python agrees on it."""

from __future__ import annotations

import ast
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import evolve
from evolve.errors import ProgramError
from evolve.program import digest

SOURCE = '''\
"""Module."""
import re
from math import sqrt as root

K = 5
TEXT = "it's"


class A(dict):
    """Class."""

    size: int = 3

    def walk(self, n=1, *rest, key=None, **more):
        """Method."""
        for i, (a, *b) in enumerate(rest):
            if i > n and not b:
                continue
        return [x for x in y] if False else {**more, "k": f"{n!r:>{i}} {{}} {a=}" "end"}


match K:
    case {"a": 1, **others} as both:
        pass
    case _:
        lambda *a, b=2: (yield)
'''

# What Python 3.11, 3.12 and 3.13 all say. A change here means that every stored digest is void.
GOLDEN = "df8b9c677b5263681e0b7eae1f090cc009b91723089a09ac81beb4e4632f450b"


def test_every_python_agrees() -> None:
    assert digest(SOURCE) == GOLDEN


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_other_pythons_here_agree(version: str, tmp_path: Path) -> None:
    python = shutil.which(f"python{version}")
    if python is None or subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip(f"python{version} is not installed")
    path = tmp_path / "source.py"
    path.write_text(SOURCE, encoding="utf-8")
    code = "import sys, pathlib, evolve.program as p; print(p.digest(pathlib.Path(sys.argv[1]).read_text()))"
    environment = {"PYTHONPATH": str(Path(evolve.__file__).parents[1])}
    done = subprocess.run([python, "-c", code, str(path)], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == GOLDEN


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Module."""\n', ""),
        ('    """Class."""\n\n', '    """Another."""\n'),
        ('        """Method."""\n', "        # a comment\n"),
        ("K = 5", "K = (  5  )  # five"),
        ("K = 5", "K = 0b101"),
        ('TEXT = "it\'s"', "TEXT = u'it' \"'s\""),
        ("n=1, *rest", "n = 1,\n            *rest"),
        ('{{}} {a=}" "end"', '{{}} {a=}end"'),
        ("(a, *b) in", "( a, *b ) in"),
    ],
)
def test_formatting_comments_and_docstrings_do_not_count(old: str, new: str) -> None:
    assert SOURCE.count(old) == 1
    assert digest(SOURCE.replace(old, new)) == GOLDEN


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("K = 5", "K = 6"),
        ("K = 5", "K = 5.0"),
        ("K = 5", "K = '5'"),
        ("K = 5", "K = True"),
        ("K = 5", "K: int = 5"),
        ("K = 5", "L = 5"),
        ("import re\n", ""),
        ('"it\'s"', 'b"its"'),
        ("size: int = 3", "size: int"),
        ("root", "square_root"),
        ("key=None", "key"),
        ("i > n", "i >= n"),
        ("{n!r:", "{n!s:"),
        ("{n!r:>{i}}", "{n!r:<{i}}"),
        ("continue", "break"),
        ("lambda *a, b=2", "lambda a, b=2"),
        ("class A(dict)", "class A"),
        ("    case _:", "    case 1:"),
    ],
)
def test_everything_else_counts(old: str, new: str) -> None:
    assert SOURCE.count(old) == 1
    assert digest(SOURCE.replace(old, new)) != GOLDEN


def test_a_string_constant_is_not_a_docstring() -> None:
    assert digest('X = 1\n"""a"""\n') != digest('X = 1\n"""b"""\n')
    assert digest('INSTRUCTION_QUERY = "a"') != digest('INSTRUCTION_QUERY = "b"')
    assert digest("return_value = None") != digest("return_value = ''")
    assert digest("def f(): return None") != digest("def f(): return")


def test_neighbours_cannot_run_together() -> None:
    assert digest("X = ['a', 'b']") != digest("X = ['a, b']") != digest("X = ['a', ['b']]")
    assert digest("X = '1'") != digest("X = 1")
    assert digest("f(a, b=[])") != digest("f(a)") != digest("f(a, [])")


def test_integers_of_any_length_have_a_digest() -> None:
    assert digest(f"X = 0x{'f' * 5000}") != digest(f"X = 0x{'f' * 5001}")


def test_what_is_not_python_has_no_digest() -> None:
    with pytest.raises(ProgramError, match="syntax error"):
        digest("def")


names = st.sampled_from(["a", "b", "c"])
literals = st.one_of(st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False))
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@given(st.lists(st.tuples(names, st.one_of(literals, texts)), max_size=5), st.randoms(use_true_random=False))
def test_rewriting_the_layout_keeps_the_digest(lines: list[tuple[str, object]], chance: random.Random) -> None:
    plain = "".join(f"{name} = {value!r}\n" for name, value in lines)
    spread = "".join(
        "\n" * chance.randrange(3) + f"{name}{' ' * chance.randrange(3)}=({value!r})  # {chance.random()}\n"
        for name, value in lines
    )
    assert digest(plain) == digest(spread) == digest(ast.unparse(ast.parse(plain)))


@given(texts, texts)
def test_two_texts_have_one_digest_only_if_they_are_equal(one: str, other: str) -> None:
    assert (digest(f"X = {one!r}") == digest(f"X = {other!r}")) == (one == other)
