"""`tune`: Optuna over the constants that a program declares tunable, measured on the cheap rung."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from evolve.config import Config
from evolve.events import Trial
from evolve.operators.base import Ground, Parent, Proposal
from evolve.operators.freeze import frozen
from evolve.program import digest, parse, rewrite_constants, structural_diff
from evolve.types import Evaluation, Program, Scalar, Tunable

if TYPE_CHECKING:
    import optuna

SETTINGS = 4
"""Settings tried in one attempt; the best of them is the child."""
STARTUP = 10
"""Trials of a study before the sampler trusts its model (TPE, Bergstra 2011)."""
TOLERANCE = 0.02
"""The best of the settings may be so much worse than the parent on the cheap rung: what is measured there is noisy."""
ASKS = 5
"""How often the sampler may repeat itself before the attempt makes do with fewer settings."""


class Tune:
    """Rewrites the values of TUNABLES and nothing else. Programs that differ only in these share one study."""

    name = "tune"
    arity = 1

    def applies(self, program: Program, config: Config) -> bool:
        """True for programs with tunables, as long as code may be changed."""
        return bool(program.tunables) and config.search.freeze != "code"

    def propose(self, ground: Ground) -> Proposal:
        """Try a few settings on the cheap rung, and return the best one that no candidate has."""
        parent = ground.parents[0]
        study = _study(parent, ground)
        tried: dict[str, tuple[Program, Evaluation]] = {}
        trials: list[Trial] = []
        for _ in range(SETTINGS * ASKS):
            if len(tried) == SETTINGS:
                break
            trial = study.ask(_distributions(parent.program))
            params = _readable(parent.program, trial.params)
            child = parse(rewrite_constants(parent.program.source, params), name=f"child of {parent.id}")
            child = frozen(parent.program, child, ground.config.search.freeze)  # an instruction may be a tunable
            if child.digest in ground.known or child.digest in tried:
                study.tell(trial, state=_pruned())  # its result is known or on its way: no second measurement
                continue
            evaluation = ground.measure(child)
            tried[child.digest] = child, evaluation
            trials.append(Trial(params, evaluation.mean))
            if evaluation.mean is None:
                study.tell(trial, state=_failed())
            else:
                study.tell(trial, evaluation.mean)
        return _best(parent, tried, tuple(trials))


def study_name(program: Program) -> str:
    """Return the study that the program belongs to: the digest of its code with every tunable at a fixed value."""
    fixed = {t.name: t.choices[0] if t.choices else t.low for t in program.tunables}
    return digest(rewrite_constants(program.source, fixed))[:16]


def distribution(tunable: Tunable) -> optuna.distributions.BaseDistribution:
    """Return Optuna's form of a tunable: choices, an integer range, or a real range, bounds included."""
    import optuna

    if tunable.choices:
        return optuna.distributions.CategoricalDistribution(tunable.choices)
    assert tunable.low is not None
    assert tunable.high is not None
    if isinstance(tunable.low, int) and isinstance(tunable.high, int):
        return optuna.distributions.IntDistribution(tunable.low, tunable.high)
    return optuna.distributions.FloatDistribution(float(tunable.low), float(tunable.high))


def past_trial(program: Program, trial: Trial) -> optuna.trial.FrozenTrial:
    """Return Optuna's form of a trial of the program's study."""
    import optuna

    done = trial.value is not None
    return optuna.trial.create_trial(
        params=dict(trial.params),
        distributions=_distributions(program),
        value=trial.value,
        state=optuna.trial.TrialState.COMPLETE if done else optuna.trial.TrialState.FAIL,
    )


def _study(parent: Parent, ground: Ground) -> optuna.Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    # Drawn from the attempt's own chance, so that an attempt that is done again asks for the same settings.
    seed = zlib.crc32(ground.draw.randbytes(16))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # multivariate: since 2020, and sound
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP, multivariate=True)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    own = Trial({t.name: t.value for t in parent.program.tunables}, parent.rung)
    for trial in (own, *ground.trials):
        if trial is own or dict(trial.params) != dict(own.params):
            study.add_trial(past_trial(parent.program, trial))
    return study


def _distributions(program: Program) -> dict[str, Any]:
    return {tunable.name: distribution(tunable) for tunable in program.tunables}


def _readable(program: Program, params: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Round real numbers to three digits, inside their range: programs are read by people."""
    rounded = dict(params)
    for tunable in program.tunables:
        value = rounded[tunable.name]
        if isinstance(value, float) and tunable.low is not None and tunable.high is not None:
            rounded[tunable.name] = min(max(float(f"{value:.3g}"), float(tunable.low)), float(tunable.high))
    return rounded


def _best(parent: Parent, tried: dict[str, tuple[Program, Evaluation]], trials: tuple[Trial, ...]) -> Proposal:
    measured = [(child, rung) for child, rung in tried.values() if rung.mean is not None]
    if not measured:
        return Proposal(None, f"no new setting of {parent.id} could be measured", trials=trials)
    child, rung = max(measured, key=lambda pair: pair[1].mean or 0.0)
    if parent.rung is not None and (rung.mean or 0.0) < parent.rung - TOLERANCE:
        note = f"no setting of {parent.id} did better on the cheap rung than {rung.mean:.3f}, its own {parent.rung:.3f}"
        return Proposal(None, note, trials=trials)
    note = structural_diff(parent.program.source, child.source).describe()
    return Proposal(child, note, rung, trials)


def _pruned() -> Any:
    import optuna

    return optuna.trial.TrialState.PRUNED


def _failed() -> Any:
    import optuna

    return optuna.trial.TrialState.FAIL
