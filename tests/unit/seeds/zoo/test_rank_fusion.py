"""Rank fusion: words and meaning both have a say, and recency decides between equals where it has a weight."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

LINES = (
    "Tom: The Kowalski file is on the desk.",
    "Anna: My puppy chewed the sofa again.",
    "Tom: A dog of that size needs a garden.",
    "Anna: Kowalski walks his dog before breakfast.",
    "Tom: Bread is cheaper at the market.",
    "Anna: The vet says the hound is in good health.",
)
QUESTION = "Does Kowalski have a dog?"


@pytest.fixture
def read(seed: Callable[..., ModuleType], new_toolkit: Callable[[], Any]) -> Callable[..., list[str]]:
    def reading(lines: tuple[str, ...], question: str, **constants: object) -> list[str]:
        module = seed("zoo/rank_fusion", **constants)
        base = module.KnowledgeBase(new_toolkit())
        for line in lines:
            base.write(module.KnowledgeItem(), line)
        return base.read(module.Query(question)).splitlines()

    return reading


def test_order_is_the_sum_of_reciprocal_ranks(read: Callable[..., list[str]]):
    matching = [line for line in LINES if {"kowalski", "dog", "a"} & set(line.lower().rstrip(".").split())]
    by_words = [line for line in read(LINES, QUESTION, MEANING_WEIGHT=0.0) if line in matching]
    by_meaning = read(LINES, QUESTION, WORD_WEIGHT=0.0)
    assert by_words != by_meaning[: len(by_words)]
    scores = {line: 1 / (61 + by_meaning.index(line)) for line in LINES}
    for rank, line in enumerate(by_words, 1):
        scores[line] += 1 / (60 + rank)
    assert read(LINES, QUESTION) == sorted(LINES, key=lambda line: -scores[line])


def test_line_without_a_word_of_the_question_gains_nothing_from_words(read: Callable[..., list[str]]):
    lines = ("Anna: My dog is a spaniel.", "Tom: The invoice for the terrier is unpaid.")
    question = "puppy hound terrier"
    assert read(lines, question, WORD_WEIGHT=0.0) == list(lines)
    assert read(lines, question) == list(lines[::-1])


def test_equal_scores_share_a_rank(seed: Callable[..., ModuleType]):
    module = seed("zoo/rank_fusion")
    shares = module.reciprocal_ranks(np.array([3.0, 1.0, 3.0, 0.0]))
    assert shares.tolist() == [1 / 61, 1 / 63, 1 / 61, 1 / 64]


def test_recency_decides_between_an_old_and_a_new_statement_of_a_fact(read: Callable[..., list[str]]):
    old, new = "The capital of Velia is Ravo.", "The capital of Velia is Tolo."
    lines = (old, *LINES, new, "Bread is made of flour.")
    assert read(lines, "What is the capital of Velia?")[:2] == [old, new]
    assert read(lines, "What is the capital of Velia?", RECENCY_WEIGHT=0.5)[:2] == [new, old]


def test_few_candidates_keep_what_does_not_match_away(read: Callable[..., list[str]]):
    assert set(read(LINES, QUESTION, CANDIDATES=2, RECENCY_WEIGHT=3.0)) <= set(LINES[:4])
    assert read(LINES, QUESTION, HITS=1) == [LINES[3]]
