"""Sentence vectors on the host, from the weights that ship in wordllama's wheel: no download, no network."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DIMENSIONS = 256
BATCH = 16
"""Texts that are embedded at a time."""


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    """Return one unit row per text, shape (len(texts), 256), float32; a row of zeros for a text without tokens."""
    import numpy as np

    if not texts:
        return np.zeros((0, DIMENSIONS), dtype=np.float32)
    # wordllama pads a batch to its longest text: of like lengths, it computes the same vectors in a third of the time.
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    rows = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
    rows[order] = _model().embed([texts[index] or " " for index in order], norm=False, batch_size=BATCH)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float32] = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return unit


@cache
def _model() -> Any:
    handlers, level = logging.root.handlers[:], logging.root.level
    import wordllama  # sets up logging for the whole process, which is not its to do

    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    # wordllama's own look-up misses the weights that it ships; the folder of the package is the right "cache".
    folder = Path(wordllama.__file__).parent
    return wordllama.WordLlama.load(cache_dir=folder, dim=DIMENSIONS, disable_download=True)
