"""Who is measured on what: representative subsets, and splits that share no query."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from evolve.embedding import embed
from evolve.types import Episode, Query, Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from evolve.config import Evaluation

LEAST = 12.0
"""Queries of a block: fewer cannot tell one program from another."""
LARGE = 1.5
"""A scope with so many times the queries of a block is asked in several."""
STATIC_SHARE, FRESH_SHARE = 0.6, 0.5
"""A small task keeps queries for later rungs: static takes at most 0.6 of them, fresh half of what is left."""


@dataclass(frozen=True, slots=True)
class Work:
    """One scope's part of an evaluation: what to remember, in order, and what to ask after it."""

    scope: str
    episodes: tuple[Episode, ...]
    queries: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Splits:
    """The task's queries, each in exactly one split, and the episodes that are remembered for them."""

    static: tuple[Query, ...]
    """Decide the score."""
    rotating: tuple[Query, ...]
    """Drawn from for every attempt; never scored."""
    fresh: tuple[Query, ...]
    """Choose the winner among the best few: they have not selected anybody."""
    test: tuple[Query, ...]
    """Held out; asked once, at the end."""
    episodes: tuple[Episode, ...]
    """What is remembered for static, rotating and fresh queries."""
    test_episodes: tuple[Episode, ...]
    """What is remembered for test queries: everything in their scopes."""
    blocks: tuple[tuple[Query, ...], ...] = ()
    """The static queries in parts of about the same size, in the order in which a child is asked them."""

    @property
    def rung(self) -> tuple[Query, ...]:
        """The cheap rung: the first part of the static queries."""
        return self.blocks[0] if self.blocks else self.static

    def work(self, queries: Sequence[Query]) -> tuple[Work, ...]:
        """Return the work of asking these queries, a part per scope. Test and other queries do not mix."""
        test = {query.id for query in self.test}
        kinds = {query.id in test for query in queries}
        if len(kinds) > 1:
            raise ValueError("test queries are asked on their own")
        episodes = self.test_episodes if kinds == {True} else self.episodes
        scopes = dict.fromkeys(query.scope for query in queries)
        return tuple(
            Work(
                scope,
                tuple(episode for episode in episodes if episode.scope == scope),
                tuple(query for query in queries if query.scope == scope),
            )
            for scope in scopes
        )


def make_splits(task: Task, sizes: Evaluation, *, seed: int) -> Splits:
    """Split the task's queries. Deterministic; the sizes must be resolved (no None)."""
    assert sizes.static is not None
    assert sizes.test is not None
    assert sizes.train_ratio is not None
    development = [query for query in task.queries if query.id not in task.held_out]
    held_out = [query for query in task.queries if query.id in task.held_out]
    static = _medoids(development, min(sizes.static, max(1, int(STATIC_SHARE * len(development)))), seed=seed)
    rest = _without(development, static)
    fresh = _draw(rest, min(sizes.static, int(FRESH_SHARE * len(rest))), f"{seed}:fresh")
    test = _draw(held_out, sizes.test or len(held_out), f"{seed}:test")
    asked = {query.scope for query in development}
    episodes = [episode for episode in task.episodes if episode.scope in asked]
    wanted = max(1, int(sizes.train_ratio * len(static))) if sizes.train_ratio else len(episodes)
    test_scopes = {query.scope for query in test}
    return Splits(
        static=tuple(static),
        rotating=tuple(_without(rest, fresh)),
        fresh=tuple(fresh),
        test=tuple(test),
        episodes=tuple(_cover(episodes, wanted)),
        test_episodes=tuple(episode for episode in task.episodes if episode.scope in test_scopes),
        blocks=make_blocks(static, sizes.race.blocks, seed=seed),
    )


def make_blocks(static: Sequence[Query], count: int, *, seed: int) -> tuple[tuple[Query, ...], ...]:
    """Return the queries in at most `count` parts, whole scopes as far as these are small, in an order drawn by chance.

    A scope has to be remembered before it can be asked: a part that takes whole scopes costs its share of both.
    """
    draw, size = Random(f"{seed}:blocks"), max(LEAST, len(static) / count)
    scopes = list(dict.fromkeys(query.scope for query in static))
    draw.shuffle(scopes)
    pieces: list[list[Query]] = []
    for scope in scopes:
        queries = [query for query in static if query.scope == scope]
        if len(queries) > LARGE * size:
            draw.shuffle(queries)
            parts = round(len(queries) / size)
            pieces += [queries[part::parts] for part in range(parts)]
        else:
            pieces.append(queries)
    blocks: list[list[Query]] = [[]]
    taken = 0
    for piece in pieces:
        if taken >= size * len(blocks):
            blocks.append([])
        blocks[-1] += piece
        taken += len(piece)
    return tuple(tuple(block) for block in blocks)


def _without(queries: Iterable[Query], taken: Iterable[Query]) -> list[Query]:
    ids = {query.id for query in taken}
    return [query for query in queries if query.id not in ids]


def _draw(queries: Sequence[Query], count: int, seed: str) -> list[Query]:
    chosen = set(Random(seed).sample(range(len(queries)), min(count, len(queries))))
    return [query for index, query in enumerate(queries) if index in chosen]


def _medoids(queries: Sequence[Query], count: int, *, seed: int) -> list[Query]:
    """The queries nearest to the centres of a k-means over their embeddings (M*, section on batching)."""
    if count >= len(queries):
        return list(queries)
    return [queries[index] for index in medoid_indices(embed([query.text for query in queries]), count, seed=seed)]


def medoid_indices(rows: NDArray[np.float32], count: int, *, seed: int) -> list[int]:
    """Return `count` different row numbers, ascending: for each k-means centre the nearest row still free.

    `rows` has shape (n, d) with n >= count.
    """
    from scipy.cluster.vq import kmeans2
    from scipy.spatial.distance import cdist

    centres, _ = kmeans2(rows.astype("float64"), count, minit="++", iter=20, seed=seed, missing="warn")
    distances = cdist(centres, rows)
    chosen: list[int] = []
    for centre in distances:
        centre[chosen] = float("inf")
        chosen.append(int(centre.argmin()))
    return sorted(chosen)


def _cover(episodes: Sequence[Episode], count: int) -> list[Episode]:
    if count >= len(episodes):
        return list(episodes)
    rows = embed([episode.text for episode in episodes])
    return [episodes[index] for index in covering_indices(rows, count)]


def covering_indices(rows: NDArray[np.float32], count: int) -> list[int]:
    """Return `count` row numbers, ascending, by greedy facility location on cosine similarity.

    Each step takes the row that raises most the sum, over all rows, of the similarity to the nearest chosen one;
    within 1 - 1/e of the best possible (Nemhauser 1978). `rows` are unit rows, shape (n, d) with n >= count.
    """
    import numpy as np

    similarity = rows @ rows.T
    best = np.full(len(rows), -1.0, dtype=np.float32)
    chosen: list[int] = []
    for _ in range(count):
        gains = np.maximum(similarity, best).sum(axis=1)
        gains[chosen] = -np.inf
        index = int(gains.argmax())
        chosen.append(index)
        best = np.maximum(best, similarity[index])
    return sorted(chosen)
