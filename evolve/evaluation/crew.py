"""The evaluator that a configuration describes."""

from __future__ import annotations

from evolve.agents.base import Agent
from evolve.agents.extractive import ExtractiveAgent
from evolve.config import EXTRACTIVE, SCRIPTED, Config
from evolve.environments.base import Environments
from evolve.evaluation.evaluate import Evaluator, no_completions
from evolve.models.account import Account
from evolve.models.base import Ask
from evolve.models.toolkit import completions
from evolve.sandbox.base import Sandbox
from evolve.scoring import Scorer, make_scorer
from evolve.tasks import open_family, traits


def make_evaluator(
    config: Config, sandbox: Sandbox, account: Account | None, environments: Environments | None = None
) -> Evaluator:
    """Return what measures programs under a resolved configuration, at the expense of the account.

    The account may be None only where the configuration names no model, the environments where the task has none.
    """
    ask = None if account is None else account.complete
    models = config.models
    return Evaluator(
        agent=make_agent(config, ask),
        scorer=_scorer(config, ask),
        sandbox=sandbox,
        environments=environments,
        complete=completions(ask) if ask is not None and models.toolkit is not None else no_completions,
        call_embed=account.embed if account is not None and models.embedding is not None else None,
        oracle=config.evaluation.oracle,
    )


def make_environments(config: Config) -> Environments | None:
    """Return the environments of one worker, None for a task without. Raises PrerequisiteError."""
    if not traits(config.task).interactive:
        return None
    return open_family(config.task, config.task_options).environments(answering=config.models.answering)


def _scorer(config: Config, ask: Ask | None) -> Scorer:
    name = config.evaluation.scorer
    assert name is not None, "the configuration is resolved"
    if name in traits(config.task).scorers:
        return open_family(config.task, config.task_options).scorer(name, ask)
    return make_scorer(name, ask)


def make_agent(config: Config, ask: Ask | None) -> Agent:
    """Return the task agent of a resolved configuration; `ask` may be None only where it names no model for it."""
    if config.models.agent == EXTRACTIVE:
        return ExtractiveAgent()
    if config.models.agent == SCRIPTED:
        from evolve.agents.scripted import ScriptedAgent

        return ScriptedAgent()
    from evolve.agents.llm import LLMAgent

    assert ask is not None, "a configuration with a model has a broker"
    return LLMAgent(ask, brief=traits(config.task).answers)
