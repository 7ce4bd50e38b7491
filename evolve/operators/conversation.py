"""The exchange with the reflector: a change is asked for, tried, and handed back with the reason until it holds."""

from __future__ import annotations

from dataclasses import dataclass

from evolve.errors import ProgramError, RequestRefused
from evolve.models.base import Message, Reply, Request
from evolve.operators.base import Critique, Ground, Proposal, Round
from evolve.operators.change import Change, read_change
from evolve.operators.freeze import frozen
from evolve.program import parse, structural_diff
from evolve.program.patch import PatchError
from evolve.types import Program

ROUNDS = 3
"""Replies that one attempt may use, the first included."""
PROBLEM_CHARS = 2_000
"""Longest problem that is handed back; errors of programs say the most at their end."""
NOTE_CHARS = 200

_AGAIN = """\
Your change cannot be taken:

{problem}

Send all three parts again. The change must be whole, and apply to the program as you were shown it first: nothing of \
your last change was kept."""


@dataclass(frozen=True, slots=True)
class Refused(Exception):
    """A reply that gives no child; `problem` says why, to the reflector."""

    problem: str


def converse(ground: Ground, constant: str, rest: str) -> Proposal:
    """Ask for a change of the first parent, at most 3 times, and return the child or the reason why there is none.

    The failure evidence stays in the conversation, so that a repair still serves the purpose. Raises what `Ask` raises,
    besides RequestRefused.
    """
    assert ground.ask is not None, "config.resolved() lets no run without a reflector have this operator"
    messages = [Message("system", constant, constant=True), Message("user", rest)]
    rounds: list[Round] = []
    prompt, diagnosis, problem, idea = f"{constant}\n\n{rest}", "", "", ""
    for _ in range(ROUNDS):
        try:
            reply = ground.ask(Request("reflector", tuple(messages), purpose="reflect"))
        except RequestRefused as refusal:
            problem = f"the request was refused: {refusal}"
            rounds.append(Round(prompt, "", problem))
            break
        change = read_change(reply.text)
        diagnosis, idea = change.diagnosis or diagnosis, change.message or idea
        try:
            child = _child(ground, reply, change)
        except Refused as refused:
            problem = refused.problem
        else:
            critique = Critique(diagnosis, (*rounds, Round(prompt, reply.text)))
            return Proposal(child, _note(ground.parents[0].program, child, change), critique=critique)
        rounds.append(Round(prompt, reply.text, problem))
        prompt = _AGAIN.format(problem=problem)
        # Providers take no empty message.
        messages += [Message("assistant", reply.text.strip() or "(nothing)"), Message("user", prompt)]
    critique = Critique(diagnosis, tuple(rounds))
    return Proposal(None, _reason(problem, len(rounds)), critique=critique, idea=idea)


def _child(ground: Ground, reply: Reply, change: Change) -> Program:
    """Return the child that the reply makes of the first parent. Raises Refused."""
    if reply.truncated:
        raise Refused("The reply broke off at its longest length. Be briefer: a patch takes less than a whole program.")
    parent, freeze = ground.parents[0].program, ground.config.search.freeze
    try:
        given = parse(change.apply(parent.source), name="program.py")
        child = frozen(parent, given, freeze)
        same = ground.follows_instructions or frozen(parent, child, "instructions").digest != parent.digest
    except PatchError as error:
        raise Refused(f"It does not apply: {error}.") from None
    except ProgramError as error:
        raise Refused(f"It breaks the contract: {error}") from None
    if child.digest != given.digest and child.digest == parent.digest:
        only = "instruction constants, which are frozen" if freeze == "instructions" else "code, which is frozen"
        raise Refused(f"It changes only {only} in this run.")
    if child.digest == parent.digest:
        raise Refused("It leaves the program as it was: comments, docstrings and formatting do not count.")
    if not same:
        raise Refused("It changes only instruction constants, which the task agent of this run does not read.")
    if child.digest in ground.known:
        raise Refused("It gives a program that this run has measured or rejected before. Try something else.")
    if fault := ground.smoke(child):
        raise Refused(f"The program failed when it was tried on real episodes and questions:\n{_ending(fault)}")
    return child


def _ending(text: str) -> str:
    return text if len(text) <= PROBLEM_CHARS else f"[...]{text[-PROBLEM_CHARS:]}"


def _note(parent: Program, child: Program, change: Change) -> str:
    return change.message or structural_diff(parent.source, child.source).describe()


def _reason(problem: str, rounds: int) -> str:
    line = " ".join(problem.split())
    line = line if len(line) <= NOTE_CHARS else f"{line[: NOTE_CHARS // 2]} ... {line[-NOTE_CHARS // 2 :]}"
    return f"no usable change in {rounds} {'round' if rounds == 1 else 'rounds'}: {line}"
