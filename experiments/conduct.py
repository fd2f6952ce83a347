"""How the players of a treatment come to their reports: they learn, play the equilibrium, take prices, or follow a rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from dcg_econ._names import nearest
from dcg_econ.agents import ProportionalDemand
from dcg_econ.agents.frozen import learned_axes
from dcg_econ.agents.strategies import AbstractStrategy
from dcg_econ.equilibrium import Draws, regret, solve
from dcg_econ.experiments.codec import NO_CLASSES, PARTS, Classes, build, kind_of
from dcg_econ.experiments.fields import Album
from dcg_econ.experiments.specification import SpecificationError, Training
from dcg_econ.experiments.talkers import learning_form, players_for
from dcg_econ.learning import (
    AbstractProtocol,
    Checkpoint,
    Protocol,
    Retrained,
    Silence,
    as_protocol,
    default_optimiser,
    gradient_ascent,
    retrained_regret,
    talk_regret,
    train,
)
from dcg_econ.mechanism import AbstractGame, AbstractMechanism
from dcg_econ.mechanisms import CurveMarket

Progress = Callable[[int, int, str], None]
REGRET_DRAWS, TALK_DRAWS = 512, 768


class Hooks(NamedTuple):
    """What a run lends to a cell and no number depends on: progress(done, steps, text), a checkpoint, devices."""

    progress: Progress | None = None
    checkpoint: Checkpoint | None = None
    devices: Sequence[jax.Device] | None = None
    classes: Classes = NO_CLASSES


class Played(NamedTuple):
    """A profile (one for each session if `stacked`), its regret and convergence by session (S,), its history, and
    `frames` that only some have."""

    profile: Any
    stacked: bool
    regret: np.ndarray
    converged: np.ndarray
    history: pd.DataFrame | None
    warnings: tuple[str, ...] = ()
    agent_type: str = "analytic"
    protocol: AbstractProtocol = Silence()
    frames: Mapping[str, pd.DataFrame] = MappingProxyType({})


class Keys(NamedTuple):
    """Keys of a cell: for learning (its own), and for the draws on which all cells of a study are compared."""

    learning: jax.Array
    regret: jax.Array
    talk: jax.Array


def played(mechanism: AbstractGame, document: Mapping[str, Any], keys: Keys, hooks: Hooks) -> Played:
    """What the players of a cell do; raises `EquilibriumError` where there is nothing to play."""
    conduct = document["conduct"]
    if isinstance(conduct, str):
        return CONDUCTS[conduct](mechanism, document, keys, hooks)
    profile = build(conduct, AbstractStrategy, "conduct", hooks.classes)
    return _fixed(mechanism, profile, document)


def _nash(mechanism, document, keys, hooks) -> Played:
    del keys, hooks
    eq, sessions = solve(mechanism), document["sessions"]
    converged = bool(eq.converged)
    warnings = () if converged else (f"solved, but not accepted as an equilibrium: regret {float(eq.regret):.2g}",)
    return Played(
        eq.strategies, False, np.full(sessions, float(eq.regret)), np.full(sessions, converged), None, warnings
    )


def _price_taking(mechanism, document, keys, hooks) -> Played:
    del keys, hooks
    if not isinstance(mechanism, CurveMarket):
        raise SpecificationError(
            f"conduct: price taking is a schedule, and {kind_of(type(mechanism))} takes none; "
            + nearest("curve_market", [kind_of(CurveMarket)])
        )
    return _fixed(mechanism, ProportionalDemand(1 / mechanism.curvature), document)


def _fixed(mechanism, profile, document) -> Played:
    """A strategy as it is: its regret is shown, and it converged to nothing, so nothing failed to."""
    sessions, found = document["sessions"], float(regret(mechanism, profile))
    return Played(profile, False, np.full(sessions, found), np.ones(sessions, bool), None)


def _learned(mechanism, document, keys, hooks) -> Played:
    training = Training.model_validate(document["training"])
    built = {key: build(document[key], base, key, hooks.classes) for key, base in PARTS.items()}
    protocol = built["protocol"] = as_protocol(built["protocol"])
    game = learning_form(mechanism, protocol, training)
    album = Album(game, protocol, training.field)
    run = train(
        game,
        players_for(mechanism, protocol, training),
        **built,
        optimiser=_optimiser(training),
        steps=training.steps,
        batch=training.batch,
        sessions=document["sessions"],
        records=training.records,
        key=keys.learning,
        progress=hooks.progress,
        checkpoint=hooks.checkpoint,
        devices=hooks.devices,
        watch=album.add,
    )
    searched = isinstance(mechanism, AbstractMechanism) and not isinstance(protocol, Protocol)
    if training.regret is None or searched:
        epsilon = np.asarray(_regrets(mechanism, run.agents, protocol.sharp(), keys.regret))
    else:
        rule = build(training.regret, Retrained, "training.regret", hooks.classes)
        soft = (game, built["estimator"], training.steps)
        epsilon = np.asarray(_retrained_regrets(mechanism, run.agents, protocol, rule, soft, keys.regret))
    failed, tolerance = np.asarray(run.failed[:, -1]), document["tolerances"]["regret"]
    # Games without theory have no regret by search: there failures alone count.
    judged = isinstance(mechanism, AbstractMechanism) or training.regret is not None
    converged = ((epsilon <= tolerance) | (not judged)) & (failed == 0)
    return Played(
        run.agents,
        True,
        epsilon,
        converged,
        run.to_frame(),
        _said(epsilon, failed, tolerance, judged),
        agent_type="learned",
        protocol=protocol.sharp(),
        frames=album.frames(keys.regret),
    )


def _optimiser(training: Training):
    if training.optimiser == "gradient_ascent":
        return gradient_ascent(training.learning_rate)
    return default_optimiser(training.steps, training.learning_rate)


def _said(epsilon: np.ndarray, failed: np.ndarray, tolerance: float, judged: bool) -> tuple[str, ...]:
    """What went wrong, with the number of sessions; `judged`: whether regret is defined."""
    diverged = ~np.isfinite(epsilon) & judged
    unsettled = ~diverged & (failed > 0)
    found = {
        "diverged (regret is not a number): lower training.learning_rate or raise training.batch": diverged.sum(),
        f"with regret above {tolerance:g}": (epsilon > tolerance).sum(),
        "with training episodes that did not settle at the end": unsettled.sum(),
    }
    return tuple(f"{count} of {len(epsilon)} sessions {text}" for text, count in found.items() if count)


@eqx.filter_jit
def _regrets(mechanism, population, protocol, key):
    """Regret of every session (S,); not known (NaN) for games of pure talk, which say more in columns of their own."""
    axes = learned_axes(population)

    def one(p):
        if not isinstance(mechanism, AbstractMechanism):
            return jnp.full((), jnp.nan)
        if isinstance(protocol, Protocol):
            return talk_regret(mechanism, p, protocol, key=key, others=TALK_DRAWS).epsilon
        return regret(mechanism, p, Draws(REGRET_DRAWS, key)).epsilon

    return eqx.filter_vmap(one, in_axes=(axes,))(population)


def _retrained_regrets(mechanism, population, protocol, rule, soft, key):
    """Regret of every session (S,) from below; `soft`: the form of the game, the estimator and the steps of its training."""
    form, estimator, steps = soft

    def one(p):
        found = retrained_regret(
            mechanism, p, protocol, rule=rule, learning_form=form, estimator=estimator, begin=steps, key=key
        )
        return found.epsilon

    return eqx.filter_jit(eqx.filter_vmap(one, in_axes=(learned_axes(population),)))(population)


CONDUCTS: dict[str, Callable[..., Played]] = {"learned": _learned, "nash": _nash, "price_taking": _price_taking}
