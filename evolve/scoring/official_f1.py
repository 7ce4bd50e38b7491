"""LoCoMo's own score of an answer, as the published evaluation code computes it (Maharana et al., ACL 2024).

Words are lower case without punctuation, without "a", "an", "the" and "and", and stemmed (Porter, as NLTK has it). What
is compared depends on the category, which is a number there:

- 1, multi-hop: gold and answer are lists, taken apart at commas; each gold part counts its best match.
- 2 and 4, temporal and single-hop: the whole answer with the whole gold answer.
- 3, open-domain: with the gold answer up to its first semicolon; what follows is a reason.
- 5, adversarial: 1 where the answer says that there is no such information, else 0.
"""

from __future__ import annotations

import re
import string
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache, lru_cache

from evolve.scoring.base import Verdict
from evolve.types import JSON, Query

MULTI_HOP, TEMPORAL, OPEN_DOMAIN, SINGLE_HOP, ADVERSARIAL = 1, 2, 3, 4, 5
UNANSWERABLE = "Not mentioned in the conversation"
"""The right answer to an adversarial question."""
_SAYS_SO = ("no information available", "not mentioned")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_LITTLE = re.compile(r"\b(?:a|an|the|and)\b")


class OfficialF1:
    """Scores an answer as LoCoMo's code does; the query's category begins with its number.

    `details["choices"]`, where it is there, has the texts that an adversarial question offers as "a" and "b".
    """

    name = "official_f1"

    def __init__(self) -> None:
        # It takes up to seconds to import: now, while the first answer is on its way, and not when it is there.
        threading.Thread(target=_stemmer, daemon=True, name="evolve-stemmer").start()

    def score(self, query: Query, read: str, answer: str) -> Verdict:
        """Return the F1 of the category's kind."""
        return Verdict(official_score(query, answer))


def official_score(query: Query, answer: str) -> float:
    """Return the score in [0, 1]; of several right answers, the best."""
    category = int(query.category.split()[0])
    if category == ADVERSARIAL:
        return float(any(words in chosen(answer, query.details.get("choices")) for words in _SAYS_SO))
    return max(official_f1(answer, gold, category=category) for gold in (query.answer, *query.aliases))


def official_f1(answer: str, gold: str, *, category: int) -> float:
    """Return the F1 in [0, 1] of categories 1 to 4."""
    if category == MULTI_HOP:
        given = [stems(part) for part in answer.split(",")]
        wanted = [stems(part) for part in gold.split(",")]
        return sum(max(_f1(part, each) for part in given) for each in wanted) / len(wanted)
    return _f1(stems(answer), stems(gold.split(";")[0] if category == OPEN_DOMAIN else gold))


def chosen(answer: str, choices: JSON) -> str:
    """Return what an answer to a two-way choice says, in lower case: one or three characters stand for a letter."""
    said = answer.strip().lower()
    if isinstance(choices, Mapping) and len(said) in (1, 3):
        first = said == "a" if len(said) == 1 else said == "(a)"
        return str(choices["a" if first else "b"]).lower()
    return said


def stems(text: str) -> list[str]:
    """Return the stems of a text's words as the module says."""
    stem = _stemmer()
    return [stem(word) for word in _LITTLE.sub(" ", text.lower().translate(_PUNCTUATION)).split()]


def _f1(given: list[str], wanted: list[str]) -> float:
    shared = sum((Counter(given) & Counter(wanted)).values())
    return 2 * shared / (len(given) + len(wanted)) if shared else 0.0


@cache
def _stemmer() -> Callable[[str], str]:
    from nltk.stem.porter import PorterStemmer

    return lru_cache(maxsize=50_000)(PorterStemmer().stem)
