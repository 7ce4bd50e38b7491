"""Sentence vectors on the host."""

from __future__ import annotations

import logging
import subprocess
import sys

import numpy as np

from evolve.embedding import DIMENSIONS, embed


def test_rows_have_length_one_whatever_the_company() -> None:
    texts = ["the cat sleeps", "naïve 東京 🙂", "x" * 10_000, "word " * 5_000]
    rows = embed(texts)
    assert rows.shape == (4, DIMENSIONS)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert np.allclose(rows[0], embed(texts[:1])[0], atol=1e-5)


def test_no_texts_no_rows() -> None:
    assert embed([]).shape == (0, DIMENSIONS)


def test_near_texts_are_near() -> None:
    share, price, cat = embed(["share prices dropped", "stocks fell sharply", "the cat sleeps"])
    assert share @ price > share @ cat


def test_a_text_without_words_breaks_nothing() -> None:
    assert np.isfinite(embed(["", " ", "\n"])).all()


def test_wordllama_does_not_set_up_logging() -> None:
    """It calls logging.basicConfig when imported, which would show every library's INFO lines to the user."""
    code = "import logging as l; from evolve.embedding import embed; embed(['a']); print(l.root.handlers, l.root.level)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == f"[] {logging.WARNING}"
