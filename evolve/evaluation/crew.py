"""The evaluator that a configuration describes."""

from __future__ import annotations

from evolve.agents.base import Agent
from evolve.agents.extractive import ExtractiveAgent
from evolve.config import EXTRACTIVE, Config
from evolve.evaluation.evaluate import Evaluator, no_completions
from evolve.models.account import Account
from evolve.models.base import Ask
from evolve.models.toolkit import completions
from evolve.sandbox.base import Sandbox
from evolve.scoring import make_scorer


def make_evaluator(config: Config, sandbox: Sandbox, account: Account | None) -> Evaluator:
    """Return what measures programs under a resolved configuration, at the expense of the account.

    The account may be None only where the configuration names no model.
    """
    ask = None if account is None else account.complete
    models, sizes = config.models, config.evaluation
    assert sizes.scorer is not None, "the configuration is resolved"
    return Evaluator(
        agent=_agent(config, ask),
        scorer=make_scorer(sizes.scorer, ask),
        sandbox=sandbox,
        call_llm=completions(ask) if ask is not None and models.toolkit is not None else no_completions,
        call_embed=account.embed if account is not None and models.embedding is not None else None,
        oracle=sizes.oracle,
    )


def _agent(config: Config, ask: Ask | None) -> Agent:
    if config.models.agent == EXTRACTIVE:
        return ExtractiveAgent()
    from evolve.agents.llm import LLMAgent

    assert ask is not None, "a configuration with a model has a broker"
    return LLMAgent(ask)
