"""A small library of rewrites that fit many memory programs: what a reflector may come to, without a model."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

LINES = "EXTRA_LINES"
WORD_SEARCH = f"""
    def read(self, query):
        asked = " ".join(str(value) for value in vars(query).values()).lower()
        words = [word for word in re.findall(r"\\w+", asked) if len(word) > 3]
        held = [line.lower() for line in self.said]
        weights = {{word: 1 / (1 + sum(word in line for line in held)) for word in words}}
        order = sorted(range(len(held)), key=lambda i: -sum(weights[word] for word in words if word in held[i]))
        best = [self.said[i] for i in order[:{LINES}]]
        return "\\n".join([*best, self.read_before(query)])[:3000]
"""
FORGETFUL = """
    def read(self, query):
        return self.read_in_full(query)[:160]
"""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """One idea of what to change."""

    title: str
    diagnosis: str
    apply: Callable[[str, int], str | None]
    """Returns the changed source; None where the program has no place for it. The number draws sizes, so that the same
    idea gives many programs."""


def _constant(name: str, choices: Sequence[str]) -> Callable[[str, int], str | None]:
    """Give a module constant one of the values, as they are written, that TUNABLES allow; None where that cannot be."""

    def apply(source: str, drawn: int) -> str | None:
        found = re.search(rf"(?m)^{name} = (.+?)(?=  #|$)", source)
        if not found:
            return None
        others = [choice for choice in choices if choice != found[1] and _allowed(source, name, choice)]
        return source.replace(found[0], f"{name} = {others[drawn % len(others)]}", 1) if others else None

    return apply


def _allowed(source: str, name: str, choice: str) -> bool:
    """Tell whether TUNABLES, where the program has them, let the constant have the value."""
    assigned = [statement for statement in ast.parse(source).body if isinstance(statement, ast.Assign)]
    declared = [statement.value for statement in assigned if ast.unparse(statement.targets[0]) == "TUNABLES"]
    limits = ast.literal_eval(declared[0]).get(name) if declared else None
    value = ast.literal_eval(choice)
    if isinstance(limits, tuple):
        return bool(limits[0] <= value <= limits[1])
    return limits is None or value in limits


def search_words(source: str, drawn: int) -> str | None:
    """Keep every line, and put those that share rare words with the query before what was read."""
    methods = _methods(source)
    if "read_before" in methods:
        return None
    lines = source.split("\n")
    for name, added in (
        ("read", ""),
        ("write", "        self.said.extend(line for line in raw_text.splitlines() if line.strip())"),
        ("__init__", "        self.said = []"),
    ):
        method = methods[name]
        if name == "read":
            lines[method.lineno - 1] = lines[method.lineno - 1].replace("def read(", "def read_before(")
            lines[method.end_lineno or 0 : method.end_lineno or 0] = WORD_SEARCH.rstrip("\n").split("\n")
        else:
            lines.insert(method.body[0].lineno - 1, added)
    first = next(number for number, line in enumerate(lines) if line.startswith("from __future__"))
    new = ["", f"{LINES} = {3 + drawn % 9}  # lines that share the rarest words with the query"]
    imports = [number for number, line in enumerate(lines) if line.startswith(("import ", "from "))]
    lines[max(imports) + 1 : max(imports) + 1] = new
    if "import re" not in lines:
        lines[first + 1 : first + 1] = ["", "import re"]
    return "\n".join(lines)


def forget(source: str, drawn: int) -> str | None:
    """Read back a sentence at most: always worse."""
    methods = _methods(source)
    if "read_in_full" in methods:
        return None
    lines, method = source.split("\n"), methods["read"]
    lines[method.lineno - 1] = lines[method.lineno - 1].replace("def read(", "def read_in_full(")
    lines[method.end_lineno or 0 : method.end_lineno or 0] = (
        FORGETFUL.format(most=120 + drawn % 80).rstrip("\n").split("\n")
    )
    return "\n".join(lines)


def reword(source: str, drawn: int) -> str | None:
    """Ask for brief answers in other words: an agent that does not follow instructions behaves as before."""
    found = re.search(r'(?m)^INSTRUCTION_RESPONSE = "([^"\n]*)"$', source)
    if not found or "one line" in found[1]:
        return None
    return source.replace(found[0], f'INSTRUCTION_RESPONSE = "{found[1]} Keep it to one line."')


def without_read(source: str) -> str | None:
    """Leave the contract: there is no `read` any more."""
    lines, method = source.split("\n"), _methods(source)["read"]
    lines[method.lineno - 1] = lines[method.lineno - 1].replace("def read(", "def recall(")
    return "\n".join(lines)


def with_system(source: str) -> str:
    """Leave the contract: a module that programs may not import."""
    return source.replace(
        "from __future__ import annotations\n", "from __future__ import annotations\n\nimport os\n", 1
    )


def with_error(source: str) -> str:
    """Stay in the contract, and fail when it is tried."""
    lines, method = source.split("\n"), _methods(source)["read"]
    lines.insert(method.body[0].lineno - 1, "        assert self.never_set")
    return "\n".join(lines)


def _methods(source: str) -> Mapping[str, ast.FunctionDef]:
    """Return the methods of the class KnowledgeBase by name."""
    (found,) = (s for s in ast.parse(source).body if isinstance(s, ast.ClassDef) and s.name == "KnowledgeBase")
    return {method.name: method for method in found.body if isinstance(method, ast.FunctionDef)}


def _sizes(least: int, most: int, step: int = 1) -> tuple[str, ...]:
    return tuple(map(str, range(least, most + 1, step)))


REWRITES = (
    Rewrite(
        "Put lines that share rare words with the question first",
        "The answer stands in a line that shares a rare word with the question, and `read` ranks it too low.",
        search_words,
    ),
    Rewrite(
        "Return another number of the lines with rare words",
        "Of the lines that share words with the question too few are returned, or too many.",
        _constant(LINES, _sizes(2, 24)),
    ),
    Rewrite(
        "Return another number of hits",
        "`read` stops before it has returned the answer.",
        _constant("HITS", _sizes(4, 40)),
    ),
    Rewrite(
        "Cut other chunks",
        "A chunk holds several subjects, so that its embedding stands for none of them.",
        _constant("CHUNK_CHARS", _sizes(120, 400, 20)),
    ),
    Rewrite(
        "Let neighbours of a good line score too",
        "The answer stands in the line after the one that the question's words are in.",
        _constant("NEIGHBOUR", ("0.2", "0.3", "0.4", "0.5")),
    ),
    Rewrite(
        "Show what was found in another order",
        "The agent cannot tell which of two statements is the later one.",
        _constant("ORDER", ('"time"', '"rank"')),
    ),
    Rewrite(
        "Keep another number of lessons",
        "Of what an episode taught too little is kept.",
        _constant("LESSONS", _sizes(2, 12)),
    ),
    Rewrite(
        "Show another number of the newest summaries",
        "What holds now stands in the newest summaries.",
        _constant("NEWEST", _sizes(0, 8)),
    ),
    Rewrite("Ask for answers of one line", "The answers are longer than the gold answers.", reword),
    Rewrite("Read back less", "What is read holds much that does not answer the question.", forget),
)
