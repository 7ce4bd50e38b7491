"""`MODEL_CARD.md`: what an exported harness is and how it was measured, for people; from its provenance alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from evolve.evaluation.statistics import SCOPES
from evolve.export.expenses import Taken
from evolve.export.provenance import SPLITS, Measured, Operated, Provenance, Rival
from evolve.summary import Score

ON: Mapping[str, str] = {"test": "held-out", "fresh": "fresh", "static": "search"}
"""What the queries of a split are called."""
ROLES: Mapping[str, str] = {"baseline": "the best seed", "parent": "its parent", "seed": "a seed"}
AGENTS: Mapping[str, str] = {
    "extractive": "no model: items and queries were filled from the surface of the text, and nothing was answered",
    "scripted": "no model: a fixed policy played the games",
}
UNKNOWN = "unknown"


def card(known: Provenance) -> str:
    """Return the card in Markdown, with the front matter of model hubs."""
    parts = (
        _front(known),
        _what(known),
        _results(known),
        _expenses(known),
        _losses(known),
        _limits(known),
        _readiness(known),
        _descent(known),
        _conditions(known),
    )
    return "\n\n".join("\n".join(part) for part in map(list, parts) if part) + "\n"


def _front(known: Provenance) -> Iterator[str]:
    yield "---"
    yield "tags: [agent-memory, memory-harness, evolve]"
    # JSON is YAML: whatever a task is called, it stays one string.
    yield f"datasets: [{json.dumps(known['task']['name'])}]"
    yield f"metrics: [{json.dumps(known['task']['scorer'])}]"
    yield "---"


def _what(known: Provenance) -> Iterator[str]:
    harness, run, task = known["harness"], known["run"], known["task"]
    yield f"# {harness['name']} {harness['version']}"
    yield ""
    yield (
        "A memory harness for agents: a Python program that decides what is kept of every episode, and what is given "
        f"back for a question. evolve {known['evolve'] or ''} found it for the task `{task['name']}`: it is candidate "
        f"{harness['candidate']} of the run `{run['name']}`, which started from {_count(run['seeds'], 'seed')} and "
        f"measured {_count(run['children'], 'child', 'children')}."
    )
    if not harness["won"]:
        yield ""
        yield "**It is not the winner of that run**: somebody chose it by hand, or the run has not come to its end."
    if harness["bets_on"]:
        yield ""
        yield "What it bets on, in its author's words:"
        yield ""
        yield from (f"> {line}".rstrip() for line in harness["bets_on"].splitlines())


def _results(known: Provenance) -> Iterator[str]:
    task, scores = known["task"], known["scores"]
    yield "## How well it does"
    yield ""
    yield f"{task['means']} n is the number of queries; a scope is one memory, such as a user's or a conversation's."
    yield ""
    rows = [_result(split, held) for split in SPLITS if (held := scores[split])]
    yield from _table(("queries", task["scorer"], "95 % interval", "n", "scopes", "what they decided"), rows)
    if "test" not in [split for split in SPLITS if scores[split]]:
        yield ""
        yield "It was asked no held-out queries: every score above helped to choose it, and is likely too high."
    yield from (f"\n{note}" for note in task["notes"])
    best = next((split for split in SPLITS if scores[split]), None)
    held = scores[best] if best else None
    if best and held and held["categories"]:
        yield ""
        yield f"By category, on the {ON[best]} queries:"
        yield ""
        by_category = [(name, *_figures(found)) for name, found in held["categories"].items()]
        yield from _table(("category", task["scorer"], "95 % interval", "n"), by_category)
    if known["compared"]:
        yield ""
        yield "Compared with what it has to beat, query by query (this harness minus the other):"
        yield ""
        columns = ("against", "difference", "95 % interval", "n", "p", "queries")
        yield from _table(columns, [_rival(each) for each in known["compared"]])
        yield ""
        count = _count(len(known["compared"]), "comparison")
        yield f"p is of a sign-flip permutation test, corrected for {count} (Holm)."


def _result(split: str, held: Measured) -> tuple[str, ...]:
    faults = f"; {_count(held['faults'], 'query', 'queries')} without a score" if held["faults"] else ""
    return (ON[split], *_figures(held["score"]), f"{held['scopes']:,}", held["decided"] + faults)


def _figures(score: Score) -> tuple[str, str, str]:
    return f"{score['mean']:.3f}", _interval(score["low"], score["high"], score["n"]), f"{score['n']:,}"


def _interval(low: float, high: float, n: int, sign: str = "") -> str:
    return f"{low:{sign}.2f} to {high:{sign}.2f}" if n > 1 else "none"


def _rival(each: Rival) -> tuple[str, ...]:
    roles = ", ".join(ROLES[role] for role in each["roles"] if role != "seed" or each["roles"] == ["seed"])
    against = " ".join(part for part in (each["against"], each["name"]) if part)
    interval = _interval(each["low"], each["high"], each["n"], "+")
    return (
        f"{against} ({roles})", f"{each['difference']:+.3f}", interval, f"{each['n']:,}", f"{each['p']:.4f}",
        ON[each["split"]],
    )  # fmt: skip


def _expenses(known: Provenance) -> Iterator[str]:
    yield "## What it takes"
    yield ""
    operations = {name: _operation(known, name) for name in ("write", "read")}
    rows = [
        (
            f"one {name}", f"{each['p50_ms']:g} ms", f"{each['p95_ms']:g} ms", f"{each['calls']:.2f}",
            f"{each['chars']:,.0f}", f"{each['count']:,} on {ON[split]} queries",
        )
        for name, found in operations.items() if found for split, each in [found]
    ]  # fmt: skip
    if rows:
        yield "The program itself, in the run's sandbox:"
        yield ""
        yield from _table(("", "median", "95 % take at most", "model calls", "characters", "measured"), rows)
    else:
        yield "The time of its writes and reads is unknown."
    if any(each["calls"] for found in operations.values() if found for each in [found[1]]):
        yield ""
        yield "Calls that the run had made before came from its own store at once; a live one takes time, and money."
    answering = known["answering"]
    if answering:
        yield ""
        yield f"The task agent ({known['models']['agent']}), as the provider counted and charged it:"
        yield ""
        taken = (("for each write", answering["extract"]), ("for each read", answering["formulate"]),
                 ("for each answer", answering["answer"]))  # fmt: skip
        columns = ("", "model calls", "tokens in", "tokens out", "US dollars", "measured")
        yield from _table(columns, [_taken(what, each) for what, each in taken if each])
    elif known["models"]["agent"] not in AGENTS:
        yield ""
        yield "What the task agent's model takes for a write, a read or an answer is unknown."


def _operation(known: Provenance, name: str) -> tuple[str, Operated] | None:
    """Return what is known of a write or a read from the most honest queries that it was measured on, and which."""
    for split in SPLITS:
        held = known["operations"][split]
        if held and name in held:
            return split, held[name]
    return None


def _taken(what: str, each: Taken) -> tuple[str, ...]:
    usd = UNKNOWN if each["usd"] is None else f"{each['usd']:.5f}"
    tokens = f"{each['input_tokens']:,.0f}", f"{each['output_tokens']:,.0f}"
    return what, f"{each['calls']:.2f}", *tokens, usd, f"{each['count']:,}"


def _losses(known: Provenance) -> Iterator[str]:
    lost = known["lost"]
    if lost is None:
        return
    yield "## Where it fails"
    yield ""
    if not lost["stages"]:
        yield f"It lost nothing on the {lost['queries']:,} search queries."
        return
    yield (
        f"On the {lost['queries']:,} search queries it lost {lost['points']:.1f} points of {lost['queries']:,}, each "
        "put down to the first stage that lost the answer:"
    )
    yield ""
    rows = []
    for stage in lost["stages"]:
        worst = sorted(stage["categories"].items(), key=lambda pair: -pair[1])[:3]
        named = ", ".join(f"{name} {points:.1f}" for name, points in worst)
        what = f"{stage['stage']}: {stage['what']}"
        rows.append((what, f"{stage['queries']:,}", f"{stage['points']:.1f}", named))
    yield from _table(("stage", "queries", "points", "most of them in"), rows)


def _limits(known: Provenance) -> Iterator[str]:
    yield "## Limits of what was measured"
    yield ""
    yield from (f"- {line}" for line in _limitations(known))


def _limitations(known: Provenance) -> Iterator[str]:
    task, agent = known["task"], known["models"]["agent"] or ""
    yield f"It was searched for and measured on `{task['name']}` alone: of other tasks and languages nothing is known."
    if agent in AGENTS:
        yield f"The task agent was {agent}, {AGENTS[agent]}. With a model, scores will be others."
    else:
        yield f"Another task agent than {agent} fills items and queries otherwise, and scores will be others."
    few = {
        ON[split]: held["scopes"] for split in SPLITS if (held := known["scores"][split]) and held["scopes"] < SCOPES
    }
    if few:
        told = ", ".join(f"{scopes:,} ({name})" for name, scopes in few.items())
        yield f"Intervals speak of the scopes that were asked, and of no others: {told} are too few for that."
    for each in known["compared"]:
        if "baseline" in each["roles"] and each["low"] <= 0:
            worse = each["high"] < 0
            yield (
                f"It is {'worse than' if worse else 'not shown to be better than'} the best seed: the interval of the "
                f"difference {'is below' if worse else 'holds'} 0."
            )
    kind = known["sandbox"]["kind"] or UNKNOWN
    yield f"Times are those of the machine that ran the search, in a {kind} sandbox with its memory in RAM."
    yield "Memories were as long as the task's; what is known of longer ones is what the readiness check found."


def _readiness(known: Provenance) -> Iterator[str]:
    yield "## Readiness"
    yield ""
    rows = known["readiness"]
    if rows is None:
        yield "It was not checked."
        return
    found = [(each["check"], each["result"], each["said"]) for each in rows]
    yield from _table(("check", "result", "what was found"), found)


def _descent(known: Provenance) -> Iterator[str]:
    yield "## How it came to be"
    yield ""
    rows = [
        (
            each["id"], each["name"] or each["note"], each["operator"], ", ".join(each["parents"]),
            f"{each['score']['mean']:.3f} ({each['score']['n']})" if each["score"] else UNKNOWN,
            f"`{each['commit'][:12]}`" if each["commit"] else UNKNOWN,
        )
        for each in known["lineage"]
    ]  # fmt: skip
    columns = ("candidate", "what it is", "made by", "from", f"{known['task']['scorer']} (n), search", "commit")
    yield from _table(columns, rows)
    for each in known["critiques"]:
        yield ""
        yield f"What the model said that made {each['candidate']}:"
        yield ""
        yield from (f"> {line}".rstrip() for line in each["text"].splitlines())


def _conditions(known: Provenance) -> Iterator[str]:
    run, task, cost = known["run"], known["task"], known["run"]["cost"]
    yield "## Measured with"
    yield ""
    roles = ", ".join(f"{role} {model}" for role, model in known["models"].items() if model)
    image = known["sandbox"]["image"]
    yield f"- Models: {roles}."
    yield f"- Sandbox: {known['sandbox']['kind'] or UNKNOWN}{f', image {image}' if image else ''}."
    yield f"- Versions: {', '.join(f'{name} {version}' for name, version in known['versions'].items()) or UNKNOWN}."
    yield f"- Data: `{task['name']}`, sha256 `{task['digest'] or UNKNOWN}`."
    for file in task["published"]:
        checksum = f", sha256 `{file['sha256']}`" if file["sha256"] else ""
        yield f"  - {file['url']} (licence {file['licence']}{checksum})"
    usd = "at a price that is not known" if cost["usd"] is None else f"US$ {cost['usd']:.2f}"
    paid = f"{_count(cost['calls'], 'model call')}, {usd}" if cost["calls"] else "no model was called"
    yield f"- The run: began {run['began'] or UNKNOWN}, {_duration(run['seconds'])}; {paid}."
    yield f"- The program: sha256 `{known['harness']['digest']}`."
    yield ""
    yield "`provenance.json` has all of this for machines, and the run's configuration."


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _row(columns)
    yield "|" + " --- |" * len(columns)
    yield from map(_row, rows)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
