"""What a cell is played on: the mechanism, the draws that all treatments share, and the units of the panel."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from dcg_econ.agents.frozen import learned_axes
from dcg_econ.experiments import observe
from dcg_econ.experiments.codec import NO_CLASSES, Classes, build, canonical_text, kind_of
from dcg_econ.experiments.conduct import Keys
from dcg_econ.learning import AbstractProtocol, episode
from dcg_econ.mechanism import AbstractGame


class Units(NamedTuple):
    """Names of the units, and what a round's numbers in the mechanism's units are multiplied by (T,)."""

    names: Mapping[str, str]
    scale: Mapping[str, np.ndarray]

    def of(self, unit: str) -> np.ndarray | float:
        return self.scale.get(unit, 1.0)


MODEL_UNITS = Units({"money": "money", "price": "money per unit", "quantity": "units"}, {})


class Scene(NamedTuple):
    """`reference`: the mechanism whose equilibrium is the panel's Nash benchmark. `types`: draws (S, T, ...)."""

    kind: str
    mechanism: AbstractGame
    reference: AbstractGame
    types: Any
    reference_types: Any
    units: Units
    keys: Keys


def scene(document: Mapping[str, Any], classes: Classes = NO_CLASSES) -> Scene:
    """Sets the scene of a cell."""
    if "calibration" in document:
        from dcg_econ.experiments.fulton import calibrated_scene

        form, mechanism, reference, units = calibrated_scene(document)
        rounds = len(next(iter(units.scale.values())))
    else:
        mechanism = build(document["mechanism"], AbstractGame, "mechanism", classes)
        reference = build(document["reference"], AbstractGame, "mechanism", classes)
        form, units, rounds = kind_of(type(mechanism)), MODEL_UNITS, document["rounds"]
    study = jax.random.key(document["seed"])
    keys = Keys(_own_key(study, document), jax.random.fold_in(study, 1), jax.random.fold_in(study, 2))
    ask = (document["sessions"], rounds, jax.random.fold_in(study, 0))
    types = draw(mechanism, *ask)
    same = document.get("mechanism") == document.get("reference") and type(mechanism) is type(reference)
    return Scene(form, mechanism, reference, types, types if same else draw(reference, *ask), units, keys)


def _own_key(study: jax.Array, document: Mapping[str, Any]) -> jax.Array:
    """A key for a cell that depends on its treatment and its point of the grid, and not on the order of cells."""
    text = canonical_text([document["treatment"], document["parameters"]])
    digest = hashlib.sha256(text.encode()).digest()
    for part in (digest[:4], digest[4:8]):
        study = jax.random.fold_in(study, int.from_bytes(part, "big"))
    return study


def draw(mechanism: AbstractGame, sessions: int, rounds: int, key: jax.Array) -> Any:
    """Types (S, T, ...); those of session s do not depend on how many sessions there are."""
    return _draw(mechanism, jnp.arange(sessions), rounds, key)


@eqx.filter_jit
def _draw(mechanism, sessions, rounds, key):
    def session(s):
        return jax.vmap(mechanism.sample_types)(jax.random.split(jax.random.fold_in(key, s), rounds))

    return jax.vmap(session)(sessions)


class Record(NamedTuple):
    """What happened in every session and round: (S, T, P) or (S, T); `bits` said by the players (S, T, N), NaN in silence."""

    columns: dict[str, jax.Array]
    welfare: jax.Array
    first_best: jax.Array
    settled: jax.Array
    bits: jax.Array


@eqx.filter_jit
def settle(
    mechanism: AbstractGame, profile: Any, stacked: bool, types: Any, protocol: AbstractProtocol, key: jax.Array
) -> Record:
    """Plays every round of every session."""

    def one(profile, types, key):
        found = episode.settle(mechanism, profile, protocol, types, key)
        silent = jnp.full(len(mechanism.players), jnp.nan)
        return Record(
            observe.observe(mechanism, types, found.reports, found.outcome),
            found.welfare,
            found.first_best,
            mechanism.settled(found.outcome),
            silent if found.talk is None else jnp.sum(found.talk.nats, axis=0) / np.log(2),
        )

    def session(profile, types, key):
        rounds = jax.tree.leaves(types)[0].shape[0]
        return jax.vmap(lambda t, k: one(profile, t, k))(types, jax.random.split(key, rounds))

    axes = learned_axes(profile) if stacked else None
    keys = jax.random.split(key, jax.tree.leaves(types)[0].shape[0])
    return eqx.filter_vmap(session, in_axes=(axes, 0, 0))(profile, types, keys)
